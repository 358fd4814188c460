"""conv_walk, im2col_walk and pool_walk in the browser: what each control leads to is what torch says."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
import torch
from pages import cells, open_all, press, say, select, slide, spin, values
from playwright.sync_api import Page
from torch import Tensor
from torch.nn import functional

from course_utils import figures

pytestmark = pytest.mark.slow


def integers(low: int, high: int, *shape: int) -> Tensor:
    return torch.randint(low, high, shape)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)
    random.seed(0)


def conv(x: Tensor, weight: Tensor, bias: Tensor | None, padding: int, stride: int) -> Tensor:
    given = (None if each is None else each.double() for each in (weight, bias))
    return functional.conv2d(x.double()[None], *given, padding=padding, stride=stride)[0]


# Arithmetic, over random cases.


def test_the_scripts_convolution_is_torchs(script: Callable[..., Any]) -> None:
    run = script("arithmetic")
    cases = []
    for _ in range(60):
        channels, high, wide = random.randint(1, 3), random.randint(1, 4), random.randint(1, 4)
        x = torch.randn(channels, random.randint(high, 9), random.randint(wide, 9))
        cases.append((x, torch.randn(2, channels, high, wide), torch.randn(2), *random_steps()))
    answers = run(
        "cases.map(c => c[1].map((f, i) => convolve(c[0], f, c[2][i], c[3], c[4])))",
        cases=[[each.tolist() if isinstance(each, Tensor) else each for each in case] for case in cases],
    )
    for case, answer in zip(cases, answers, strict=True):
        assert torch.allclose(torch.tensor(answer, dtype=torch.float64), conv(*case), rtol=1e-10, atol=1e-10)


def random_steps() -> tuple[int, int]:
    return random.randint(0, 3), random.randint(1, 4)


def test_the_scripts_matrix_is_torchs(script: Callable[..., Any]) -> None:
    run = script("arithmetic")
    for _ in range(25):
        x = torch.randn(random.randint(1, 3), random.randint(4, 8), random.randint(4, 8))
        high, wide, (padding, stride) = random.randint(1, 4), random.randint(1, 4), random_steps()
        answer = run("unfold(x, h, w, p, s)", x=x.tolist(), h=high, w=wide, p=padding, s=stride)
        expected = functional.unfold(x[None], (high, wide), padding=padding, stride=stride)[0]
        assert torch.equal(torch.tensor(answer), expected)


def test_unread_pixels_are_those_without_a_gradient(script: Callable[..., Any]) -> None:
    run = script("arithmetic")
    for _ in range(40):
        f, (padding, stride) = random.randint(1, 4), random_steps()
        x = torch.ones(1, 1, 1, random.randint(f, 11), requires_grad=True)
        functional.conv2d(x, torch.ones(1, 1, 1, f), stride=stride, padding=(0, padding)).sum().backward()
        read = run("readAlong(n, f, p, s)", n=x.shape[-1], f=f, p=padding, s=stride)
        assert read == (x.grad.flatten() > 0).tolist()


@pytest.mark.parametrize("average", [False, True])
def test_the_scripts_pooling_and_its_gradient_are_torchs(script: Callable[..., Any], average: bool) -> None:
    run = script("pool_walk")
    pool = functional.avg_pool2d if average else functional.max_pool2d
    for _ in range(60):
        size, stride, ceil = random.randint(1, 4), random.randint(1, 5), random.random() < 0.5
        # Few different numbers, so that largest ones are often equal.
        x = integers(0, 4, random.randint(size, 9), random.randint(size, 9)).double().requires_grad_()
        expected = pool(x[None, None], size, stride, ceil_mode=ceil)
        expected.sum().backward()
        given = {"x": x.tolist(), "f": size, "s": stride, "up": ceil, "mean": average}
        answer = run("[pool(x, f, s, up, mean), poolGradient(x, f, s, up, mean)]", **given)
        assert torch.allclose(torch.tensor(answer[0]).double(), expected[0, 0].detach()), given
        assert torch.allclose(torch.tensor(answer[1]).double(), x.grad), given


def test_the_scripts_numbers_are_written_as_pythons(script: Callable[..., Any]) -> None:
    from course_utils.text import number_text

    numbers = [random.uniform(-1, 1) * 10 ** random.randint(-7, 9) for _ in range(300)]
    numbers += [0, 1, -1, 0.5, 1e6, 123456, 1e7, 0.1 + 0.2, 99995.0, 0.0001, 0.00009999, -3e-9, 1 / 3]
    answers = script("live_figure")("x.map(value => short(value))", x=numbers)
    for number, answer in zip(numbers, answers, strict=True):
        expected = float(number_text(number))
        assert math.isclose(float(answer.replace("−", "-")), expected, rel_tol=1e-12), number


def test_the_moved_image_is_torchs_roll(script: Callable[..., Any]) -> None:
    x = integers(0, 9, 4, 5)
    run = script("pool_walk")
    for shift in range(5):
        assert run("rolled(x, k)", x=x.tolist(), k=shift) == torch.roll(x, shift, -1).tolist()


# conv_walk


class Conv:
    """What conv_walk must show; `check` compares every table with torch."""

    def __init__(self, page: Page, x: Tensor, weight: Tensor, bias: Tensor | None) -> None:
        self.page, self.x, self.weight, self.bias = page, x, weight, bias
        self.at, self.filter, self.padding, self.stride = 0, 0, 0, 1

    def check(self, **changes: int) -> None:
        for name, value in changes.items():
            setattr(self, name, value)
        p, s, f = self.padding, self.stride, self.filter
        output = conv(self.x, self.weight, self.bias, p, s)
        r, q = divmod(self.at, output.shape[2])
        high, wide = self.weight.shape[2:]
        padded = functional.pad(self.x, (p,) * 4)
        window = padded[:, r * s : r * s + high, q * s : q * s + wide]
        assert values(self.page, "output[") == output[f].tolist()
        for c in range(len(self.x)):
            assert values(self.page, f"x[{c}]") == padded[c].tolist()
            assert values(self.page, "window", c) == window[c].tolist()
            assert values(self.page, f"weight[{f}, {c}]") == self.weight[f, c].tolist()
            assert values(self.page, "products", c) == (window[c] * self.weight[f, c]).tolist()
            marked = marks(self.page, f"x[{c}]", "window")
            assert marked == [(r * s + i, q * s + j) for i in range(high) for j in range(wide)]
        sums = [int((window[c] * self.weight[f, c]).sum()) for c in range(len(self.x))]
        shown = self.page.locator(".cl-work .cl-sign:last-child").all_inner_texts()
        assert [text.replace("−", "-") for text in shown] == [f"Σ = {each}" for each in sums]
        assert say(self.page).startswith(f"output[{f}, {r}, {q}] is the sum of ")
        assert say(self.page).endswith(f" {int(output[f, r, q])}")
        assert marks(self.page, "output[", "at") == [(r, q)]


def marks(page: Page, name: str, mark: str) -> list[tuple[int, int]]:
    found = cells(page, name, what=f"cell.classList.contains('{mark}')")
    return [(i, j) for i, row in enumerate(found) for j, marked in enumerate(row) if marked]


@pytest.fixture
def walk(show: Callable[..., Page]) -> Conv:
    x, weight, bias = integers(0, 6, 2, 7, 6), integers(-3, 4, 3, 2, 3, 2), integers(-3, 4, 3)
    return Conv(show(figures.conv_walk(x, weight, bias)), x, weight, bias)


def test_conv_walk_starts_with_the_lectures_numbers(show: Callable[..., Page]) -> None:
    page = show(figures.conv_walk())
    expected = [[6, 5, 7, 5], [6, 10, 13, 7], [11, 5, 2, 4], [8, 11, 10, 7]]
    assert values(page, "output[0], 4×4") == expected
    assert "⌊(6 + 2·0 − 3) / 1 + 1⌋ = 4" in page.locator(".cl-quiet").inner_text()
    spin(page, "Padding", 1)
    assert values(page, "output[0], 6×6")[0] == [2, 7, 10, 8, 8, 3]


def test_conv_walk_answers_to_the_keyboard(walk: Conv) -> None:
    page = walk.page
    walk.check()
    press(page, "Window", "ArrowRight")
    walk.check(at=1)
    press(page, "Window", "ArrowDown")
    walk.check(at=6)
    press(page, "Window", "End")
    walk.check(at=24)
    press(page, "Window", "ArrowUp")
    walk.check(at=19)
    press(page, "Window", "Home")
    walk.check(at=0)
    press(page, "Window", "ArrowUp", "ArrowLeft")
    walk.check(at=0)
    press(page, "Padding", "ArrowUp")
    walk.check(padding=1)
    press(page, "Stride", "ArrowUp")
    walk.check(stride=2)
    press(page, "Filter", "ArrowDown")
    walk.check(filter=1)
    press(page, "Padding", "ArrowUp", "ArrowUp", "ArrowUp")
    walk.check(padding=3)


def test_conv_walk_answers_to_the_mouse(walk: Conv) -> None:
    page = walk.page
    slide(page, "Window", 1.0)
    walk.check(at=24)
    spin(page, "Padding", 1)
    # The window keeps its row and column.
    walk.check(padding=1, at=4 * 7 + 4)
    spin(page, "Stride", 1)
    walk.check(stride=2, at=3 * 4 + 3)
    select(page, "Filter", 2)
    walk.check(filter=2)
    page.get_by_role("table", name="output[").get_by_role("cell").nth(5).click()
    walk.check(at=5)
    page.get_by_role("table", name="x[1]").locator("tr").nth(7).locator("td").nth(6).click()
    walk.check(at=3 * 4 + 3)


def test_conv_walk_hatches_what_no_window_reads(show: Callable[..., Page]) -> None:
    x = integers(0, 5, 1, 6, 7)
    page = show(figures.conv_walk(x, integers(0, 5, 1, 1, 3, 3), stride=2))
    assert marks(page, "x[0]", "unread") == [(5, j) for j in range(7)]
    assert "7 of 42 pixels per channel" in page.locator(".cl-quiet").inner_text()
    spin(page, "Padding", 1)
    # The margin of zeros is not hatched.
    assert marks(page, "x[0]", "unread") == []


def test_conv_walk_of_a_padded_small_image_keeps_the_padding_it_needs(show: Callable[..., Page]) -> None:
    page = show(figures.conv_walk(integers(0, 5, 1, 3, 3), integers(0, 5, 1, 1, 5, 5), padding=1))
    field = page.get_by_label("Padding", exact=True)
    field.fill("0")
    field.press("Tab")
    assert field.input_value() == "1" and values(page, "output[0], 1×1")


def test_conv_walk_turns_pages_of_channels(show: Callable[..., Page]) -> None:
    x, weight = integers(0, 4, 5, 4, 4), integers(0, 4, 1, 5, 2, 2)
    page = show(figures.conv_walk(x, weight))
    assert page.get_by_role("table", name="x[").count() == 3
    press(page, "Channels", "ArrowDown")
    assert values(page, "x[4]") == x[4].tolist()
    assert page.get_by_role("table", name="x[").count() == 2
    assert say(page).endswith(f" {int((x[:, :2, :2] * weight[0]).sum())}")


def test_a_large_image_shows_tints_and_its_window_in_numbers(show: Callable[..., Page]) -> None:
    x = torch.rand(1, 28, 28)
    page = show(figures.conv_walk(x, torch.ones(1, 1, 3, 3)))
    assert set(cells(page, "x[0]")[0]) == {""}
    shades = cells(page, "x[0]", what="Number(cell.style.getPropertyValue('--cl-shade'))")
    scaled = (x[0] - x.min()) / (x.max() - x.min())
    assert torch.allclose(torch.tensor(shades), scaled, atol=1e-3)
    assert torch.allclose(torch.tensor(values(page, "window")), x[0, :3, :3], rtol=5e-3, atol=1e-6)


def test_play_walks_and_pauses(walk: Conv) -> None:
    walk.page.clock.install(time=datetime(2024, 1, 1))
    walk.page.reload()
    # From here on time passes only when the test says so.
    walk.page.clock.pause_at(datetime(2024, 1, 2))
    walk.page.get_by_role("button", name="Play").press("Enter")
    walk.page.clock.run_for(1300)
    walk.check(at=2)
    assert walk.page.get_by_role("status").get_attribute("aria-live") == "off"
    walk.page.get_by_role("button", name="Pause").click()
    walk.page.clock.run_for(5000)
    walk.check(at=2)
    assert walk.page.get_by_role("status").get_attribute("aria-live") == "polite"


# im2col_walk


def test_im2col_walk_follows_every_control(show: Callable[..., Page]) -> None:
    x, weight, bias = integers(0, 6, 2, 5, 4), integers(-3, 4, 2, 2, 2, 2), integers(1, 4, 2)
    page = show(figures.im2col_walk(x, weight, bias))

    def check(at: int, row: int, padding: int = 0, stride: int = 1, f: int = 0) -> None:
        matrix = functional.unfold(x[None].float(), (2, 2), padding=padding, stride=stride)[0]
        output = conv(x, weight, bias, padding, stride)
        first = at // 16 * 16
        assert values(page, "matrix") == matrix[:, first : first + 16].tolist()
        assert values(page, f"weight[{f}] · matrix + bias") == [
            output[f].flatten()[first : first + 16].tolist()
        ]
        assert values(page, f"weight[{f}]") == weight[f].reshape(-1, 1).tolist()
        assert values(page, "output[") == output[f].tolist()
        assert marks(page, "matrix", "at") == [(row, at - first)]
        assert marks(page, "weight[", "at") == [(row, 0)]
        assert marks(page, "output[", "at") == [divmod(at, output.shape[2])]
        channel, rest = divmod(row, 4)
        r, q = divmod(at, output.shape[2])
        assert marks(page, f"x[{channel}]", "at") == [(r * stride + rest // 2, q * stride + rest % 2)]
        assert marks(page, f"x[{1 - channel}]", "at") == []
        text, (tall, wide) = page.locator(".cl-quiet").inner_text(), matrix.shape
        assert f"= {tall}×{wide}: {tall * wide} numbers, {tall * wide / 40:.3g} times the image's 40" in text
        assert f"= {int(output[f, r, q])}. Row {row} holds" in say(page)
        assert f"= {int(matrix[row, at])}, which is multiplied" in say(page)

    check(0, 0)
    press(page, "Column", "ArrowRight", "ArrowDown")
    check(4, 0)
    press(page, "Row", "ArrowRight", "ArrowRight", "ArrowRight", "ArrowRight", "ArrowRight")
    check(4, 5)
    press(page, "Padding", "ArrowUp")
    check(6, 5, padding=1)
    press(page, "Column", "End")
    check(29, 5, padding=1)
    press(page, "Filter", "ArrowDown")
    check(29, 5, padding=1, f=1)
    press(page, "Stride", "ArrowUp")
    check(8, 5, padding=1, stride=2, f=1)
    slide(page, "Column", 0.0)
    slide(page, "Row", 1.0)
    check(0, 7, padding=1, stride=2, f=1)
    spin(page, "Stride", -1)
    spin(page, "Padding", -1)
    select(page, "Filter", 0)
    check(0, 7)
    page.get_by_role("table", name="matrix").locator("tr").nth(2).locator("td").nth(11).click()
    check(11, 2)
    page.get_by_role("table", name="output[").get_by_role("cell").nth(3).click()
    check(3, 2)


# pool_walk


def visible(page: Page) -> list[str]:
    return [caption.inner_text() for caption in page.locator("caption").all() if caption.is_visible()]


def test_pool_walk_starts_with_input_and_output_and_opens_the_rest_on_demand(
    show: Callable[..., Page],
) -> None:
    page = show(figures.pool_walk())
    start = ["x[0]", "output, 3×3"]
    assert visible(page) == start and not page.get_by_label("Shift").is_visible()
    assert say(page) == "output[0, 0, 0] is the largest of 3, 3, 7, 2: 7."
    for name, more in (
        ("Gradient", ["gradient of x if each output receives 1"]),
        ("Moved image", ["x[0] moved right by 1", "output, moved image"]),
    ):
        press = page.get_by_role("button", name=name)
        press.focus()
        for key, expanded in (("Enter", True), ("Space", False), ("Enter", True)):
            page.keyboard.press(key)
            assert press.get_attribute("aria-expanded") == str(expanded).lower()
            assert visible(page) == start + more * expanded
        start += more
    assert say(page).endswith(": 7. Only the ringed pixel, row 1, column 0, receives the gradient.")
    assert page.get_by_label("Shift").is_visible()


def test_pool_walk_follows_every_control(show: Callable[..., Page]) -> None:
    x = integers(0, 4, 2, 7, 6).double()
    page = show(figures.pool_walk(x, 2))
    open_all(page)

    def check(
        at: int,
        size: int = 2,
        stride: int = 2,
        ceil: bool = False,
        mean: bool = False,
        c: int = 0,
        k: int = 1,
    ) -> None:
        pool = functional.avg_pool2d if mean else functional.max_pool2d
        plane = x[c].clone().requires_grad_()
        output = pool(plane[None], size, stride, ceil_mode=ceil)[0]
        output.sum().backward()
        moved = torch.roll(x[c], k, -1)
        after = pool(moved[None], size, stride, ceil_mode=ceil)[0]
        shown = values(page, "output, ")
        assert torch.allclose(torch.tensor(shown).double(), output.detach(), rtol=5e-3)
        assert torch.allclose(torch.tensor(values(page, "gradient")).double(), plane.grad, rtol=5e-3)
        assert torch.allclose(torch.tensor(values(page, "output, moved")).double(), after, rtol=5e-3)
        assert values(page, f"x[{c}] moved right by {k}") == moved.tolist()
        kept, before = int((after == output).sum()), int((moved == x[c]).sum())
        words = f"{kept} of {output.numel()} outputs (underlined) and {before} of the image's"
        assert words in page.locator(".cl-quiet").last.inner_text()
        same = [tuple(cell) for cell in (after == output).nonzero().tolist()]
        assert marks(page, "output, moved", "same") == same
        r, q = divmod(at, output.shape[1])
        assert marks(page, "output, ", "at") == [(r, q)]
        if mean:
            assert marks(page, f"x[{c}]", "ring") == []
            return
        one = plane.detach().clone().requires_grad_()
        pool(one[None], size, stride, ceil_mode=ceil)[0, r, q].backward()
        assert marks(page, f"x[{c}]", "ring") == [tuple(one.grad.nonzero()[0].tolist())]

    check(0)
    press(page, "Window", "ArrowRight", "ArrowDown")
    check(4)
    press(page, "ceil mode", "Space")
    check(4, ceil=True)
    press(page, "Window", "End")
    check(11, ceil=True)
    press(page, "Stride", "ArrowDown")
    check(3 * 5 + 2, stride=1, ceil=True)
    press(page, "Size", "ArrowUp")
    check(3 * 4 + 2, size=3, stride=1, ceil=True)
    press(page, "Channel", "ArrowDown")
    check(3 * 4 + 2, size=3, stride=1, ceil=True, c=1)
    press(page, "Pooling", "ArrowDown")
    check(3 * 4 + 2, size=3, stride=1, ceil=True, c=1, mean=True)
    press(page, "Shift", "ArrowUp")
    check(3 * 4 + 2, size=3, stride=1, ceil=True, c=1, mean=True, k=2)
    page.get_by_label("ceil mode").click()
    select(page, "Pooling", 0)
    select(page, "Channel", 0)
    spin(page, "Size", -1)
    spin(page, "Stride", 1)
    spin(page, "Shift", -1)
    check(3 * 3 - 1 - 3 + 3, k=1)
    slide(page, "Window", 0.0)
    check(0)
    page.get_by_role("table", name="x[0]").first.locator("tr").nth(3).locator("td").nth(5).click()
    check(5)


def test_pool_walk_keeps_stride_and_size_together_while_they_are_equal(show: Callable[..., Page]) -> None:
    page = show(figures.pool_walk())
    press(page, "Size", "ArrowUp")
    assert page.get_by_label("Stride").input_value() == "3"
    press(page, "Stride", "ArrowDown")
    press(page, "Size", "ArrowUp")
    assert page.get_by_label("Stride").input_value() == "2"
    assert "⌊(6 − 4) / 2 + 1⌋ = 2" in page.locator(".cl-quiet").first.inner_text()


def test_pool_walk_hatches_what_floor_mode_leaves_out(show: Callable[..., Page]) -> None:
    page = show(figures.pool_walk(integers(0, 9, 5, 5)))
    left_out = [(i, j) for i in range(5) for j in range(5) if 4 in (i, j)]
    assert marks(page, "x[0]", "unread") == left_out
    press(page, "ceil mode", "Space")
    assert marks(page, "x[0]", "unread") == []
