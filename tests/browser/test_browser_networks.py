"""Chain of shapes, costs, training panel and drawing pad in the browser: what each control leads to."""

from __future__ import annotations

import base64
import copy
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from network_samples import NETWORKS, Branches, LeNet5, answers, history
from pages import cells, press, select, slide, spin
from playwright.sync_api import Page
from test_browser_base import (
    test_a_narrow_page_is_not_made_wider,
    test_every_control_has_a_name_and_keeps_its_keys_from_the_notebook,
    test_text_is_readable_in_every_theme,
    test_without_scripts_the_still_pictures_show,
)
from torch import nn

from course_utils import figures, load_dataset

pytestmark = pytest.mark.slow

# What all figures owe their readers is asked of these four too, with this module's `all_figures`.
__all__ = [
    "test_a_narrow_page_is_not_made_wider",
    "test_every_control_has_a_name_and_keeps_its_keys_from_the_notebook",
    "test_text_is_readable_in_every_theme",
    "test_without_scripts_the_still_pictures_show",
]


@pytest.fixture(scope="module")
def digits() -> Any:
    return load_dataset("digits")


@pytest.fixture(scope="module")
def panel(digits: Any) -> Any:
    labels = digits.test.labels
    return figures.training_panel(history(), answers(labels), labels, digits.test.images, digits.classes)


@pytest.fixture(scope="module")
def costs() -> Any:
    return figures.cost_bars({name: NETWORKS[name] for name in list(NETWORKS)[:5]})


@pytest.fixture(scope="module")
def all_figures(panel: Any, costs: Any) -> list[Any]:
    return [figures.shape_chain(LeNet5(), (1, 28, 28)), costs, panel, figures.draw_digit(LeNet5()).figure]


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)
    random.seed(0)


def says(page: Page, nth: int = 0) -> str:
    return page.get_by_role("status").nth(nth).inner_text().replace("−", "-")


# The chain of shapes


def small_net(conv: list[int], pool: list[int], last: list[int], *, ceil: bool = False) -> nn.Sequential:
    """Two convolutions around a pooling, each of (kernel, padding, stride), and a linear layer."""
    return nn.Sequential(
        nn.Conv2d(2, 3, conv[0], padding=conv[1], stride=conv[2]),
        nn.MaxPool2d(pool[0], padding=pool[1], stride=pool[2], ceil_mode=ceil),
        nn.Conv2d(3, 4, last[0], padding=last[1], stride=last[2], bias=False),
        nn.Flatten(),
        nn.Linear(64, 5),
    )


def torchs(net: nn.Sequential, x: torch.Tensor) -> list[dict[str, Any]]:
    """Shape and parameters after each layer, or the words with which torch stops."""
    found: list[dict[str, Any]] = [{"shape": list(x.shape), "parameters": 0}]
    for layer in net:
        try:
            x = layer(x)
        except RuntimeError as error:
            found.append({"problem": str(error)})
            break
        weights = sum(weight.numel() for weight in layer.parameters())
        found.append({"shape": list(x.shape), "parameters": weights})
    return found


def test_the_chains_rules_are_torchs(script: Callable[..., Any]) -> None:
    given = figures.shape_chain(small_net([3, 1, 1], [2, 0, 2], [3, 1, 1]), (2, 9, 8)).data["boxes"]
    chains, expected = [], []
    while len(chains) < 150:
        conv, pool, last = (
            [random.randint(1, 6), random.randint(0, 3), random.randint(1, 3)] for _ in range(3)
        )
        shape = [1, 2, random.randint(1, 12), random.randint(1, 12)]
        boxes = copy.deepcopy(given)
        boxes[0]["shape"] = shape
        for index, (kernel, padding, stride) in zip((1, 2, 3), (conv, pool, last), strict=True):
            boxes[index] |= {"kernel": [kernel] * 2, "padding": [padding] * 2, "stride": [stride] * 2}
        boxes[2]["ceil"] = random.random() < 0.5
        chains.append(boxes)
        expected.append(torchs(small_net(conv, pool, last, ceil=boxes[2]["ceil"]), torch.zeros(shape)))
    compare(script("shape_chain")("chains.map(follow)", chains=chains), expected)
    problems = [each["problem"] for found in expected for each in found if "problem" in each]
    for words in ("cannot be multiplied", "Kernel size can't", "Output size is too small", "at most half"):
        assert any(words in problem for problem in problems), f"no case led to: {words}"
    assert any("problem" not in found[-1] for found in expected)


def compare(answered: list[Any], expected: list[Any]) -> None:
    for answer, truth in zip(answered, expected, strict=True):
        for mine, torchs_own in zip(answer, truth, strict=False):
            if "problem" in torchs_own:
                # Versions of PyTorch put the operation's name in front, or not.
                assert torchs_own["problem"].endswith(mine["problem"])
            else:
                assert mine == torchs_own
        assert all(rest == {} for rest in answer[len(truth) :])


def test_branches_follow_torch_on_images_of_any_size(script: Callable[..., Any]) -> None:
    model = Branches().eval()
    given = figures.shape_chain(model, (3, 13, 10)).data["boxes"]
    seen: dict[str, list[int]] = {}
    for name, part in model.named_children():
        part.register_forward_hook(lambda _, __, out, name=name: seen.__setitem__(name, list(out.shape)))
    sizes = [(random.randint(1, 30), random.randint(1, 30)) for _ in range(60)]
    chains = [copy.deepcopy(given) for _ in sizes]
    for boxes, size in zip(chains, sizes, strict=True):
        boxes[0]["shape"][2:] = size
    for size, answer in zip(sizes, script("shape_chain")("chains.map(follow)", chains=chains), strict=True):
        model(torch.zeros(1, 3, *size))
        shapes = {box["name"]: each["shape"] for box, each in zip(given, answer, strict=True)}
        assert {name: shapes[name] for name in seen if name != "norm"} == {
            name: shape for name, shape in seen.items() if name != "norm"
        }


def test_joints_that_do_not_fit_are_refused_in_torchs_words(script: Callable[..., Any]) -> None:
    class Skip(nn.Module):
        def __init__(self, padding: int, cat: bool) -> None:
            super().__init__()
            self.conv, self.cat = nn.Conv2d(2, 2, 3, padding=padding), cat

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat([x, self.conv(x)], 1) if self.cat else self.conv(x) + x

    for cat in (False, True):
        boxes = figures.shape_chain(Skip(1, cat), (2, 8, 9)).data["boxes"]
        boxes[1]["padding"] = [0, 0]
        with pytest.raises(RuntimeError) as raised:
            Skip(0, cat)(torch.zeros(1, 2, 8, 9))
        assert str(raised.value) == script("shape_chain")("follow(boxes)", boxes=boxes)[-1]["problem"]


def shapes(page: Page) -> list[str]:
    return page.locator(".cl-chain .cl-shape").all_inner_texts()


def lenet_shapes(kernel: int = 3, padding: int = 1, stride: int = 1, size: int = 28) -> list[str]:
    x = torch.zeros(1, 1, size, 28)
    layers = [nn.Conv2d(1, 50, 3, padding=1), nn.MaxPool2d(2)]
    layers += [nn.Conv2d(50, 100, kernel, padding=padding, stride=stride), nn.MaxPool2d(2), nn.Flatten()]
    found = [x]
    for layer in layers:
        found.append(layer(found[-1]))
    return ["×".join(f"{size:,}" for size in each.shape[1:]) for each in found]


@pytest.mark.parametrize("way", ["keyboard", "mouse"])
def test_every_field_of_the_chain_changes_what_follows(way: str, show: Callable[..., Page]) -> None:
    page = show(figures.shape_chain(LeNet5(), (1, 28, 28)))

    def up(label: str) -> None:
        press(page, label, "ArrowUp") if way == "keyboard" else spin(page, label, 1)

    assert shapes(page) == [*lenet_shapes(), "100", "10"]
    assert "536,710 parameters" in says(page)
    for label, options in {
        "kernel of conv2": {"kernel": 4},
        "padding of conv2": {"padding": 2},
        "stride of conv2": {"stride": 2},
    }.items():
        up(label)
        expected = lenet_shapes(**options)
        assert shapes(page)[:6] == expected, label
        if expected[-1] != "4,900":
            with pytest.raises(RuntimeError) as raised:
                LeNet5().linear1(torch.zeros(1, int(expected[-1].replace(",", ""))))
            told = page.locator(".cl-fault").inner_text().removeprefix("RuntimeError: ")
            assert str(raised.value).endswith(told) and len(told) > 40
            assert shapes(page)[6:] == ["✗ does not fit", "not reached"]
        start_again = page.get_by_role("button", name="Start again")
        start_again.press("Enter") if way == "keyboard" else start_again.click()
        assert shapes(page) == [*lenet_shapes(), "100", "10"] and not page.locator(".cl-fault").is_visible()
    for label in page.locator(".cl-chain input").evaluate_all("all => all.map(each => each.ariaLabel)"):
        before = page.locator(".cl-chain").inner_text()
        page.get_by_role("button", name="Start again").click()
        first = page.get_by_label(label, exact=True).first
        first.focus()
        page.keyboard.press("ArrowUp")
        assert page.locator(".cl-chain").inner_text() != before or "stride" in label, label


# Costs


def rows(page: Page) -> list[list[str]]:
    return cells(page, "", what="cell.textContent.trim()")


def first_numbers(texts: list[str]) -> list[int]:
    return [int(text.split()[0].replace(",", "")) for text in texts]


@pytest.mark.parametrize("way", ["keyboard", "mouse"])
def test_costs_sort_and_open(way: str, costs: Any, show: Callable[..., Page]) -> None:
    page = show(costs)
    body = rows(page)[1:]
    networks = costs.data["networks"]
    assert [row[1] for row in body] == [network["name"] for network in networks]
    assert first_numbers([row[4] for row in body]) == [network["parameters"] for network in networks]
    assert first_numbers([row[5] for row in body]) == [network["work"] for network in networks]

    def use(button: str) -> None:
        found = page.get_by_role("button", name=button)
        found.press("Enter") if way == "keyboard" else found.click()

    def column(at: int) -> list[int]:
        return first_numbers([row[at] for row in rows(page)[1:]])

    use("parameters")
    assert column(4) == sorted((network["parameters"] for network in networks), reverse=True)
    assert page.locator("th[aria-sort=descending]").inner_text() == "parameters ▼"
    use("parameters")
    assert column(4) == sorted(network["parameters"] for network in networks)
    assert page.evaluate("document.activeElement.textContent") == "parameters ▲"
    use("VGG-16 (2014)")
    layers = next(network["layers"] for network in networks if network["name"] == "VGG-16 (2014)")
    assert len(rows(page)) == 17 and column(4) == sorted(row[3] for row in layers)
    assert "74.3 % of them in layer classifier.0" in says(page)
    if way == "keyboard":
        press(page, "Sort by", "End")
    else:
        select(page, "Sort by", 2)
    assert column(5) == sorted((row[4] for row in layers), reverse=True)
    if way == "keyboard":
        press(page, "Network", "Home")
    else:
        select(page, "Network", 0)
    assert column(5) == sorted((network["work"] for network in networks), reverse=True)
    if way == "keyboard":
        press(page, "Network", "ArrowDown")
        assert [row[1] for row in rows(page)[1:]] == ["conv2", "linear1", "conv1", "linear2"]


def test_bars_are_as_long_as_their_numbers(costs: Any, show: Callable[..., Page]) -> None:
    page = show(costs)
    for kind, key in (("", "parameters"), (".cl-work", "work")):
        found = page.locator(f".cl-bar{kind or ':not(.cl-work)'} i").evaluate_all(
            "all => all.map(e => e.style.width)"
        )
        most = max(network[key] for network in costs.data["networks"])
        expected = [100 * network[key] / most for network in costs.data["networks"]]
        assert [float(width.rstrip("%")) for width in found] == pytest.approx(expected, abs=0.01)


# The training panel


def test_the_chosen_epoch_is_read_from_the_curves(panel: Any, show: Callable[..., Page]) -> None:
    page = show(panel)
    records = history().records
    assert says(page).startswith("Epoch 12:")
    press(page, "Epoch", "Home")
    assert says(page) == (
        "Epoch 1: learning rate 0.25; loss 2.303 (still guessing); error: training 90.00 %, test 90.00 %."
    )
    before = page.locator(".cl-curves").inner_html()
    press(page, "Epoch", "ArrowRight", "ArrowRight", "ArrowRight")
    assert f"Epoch 4: learning rate 0.25; loss {records[3].train_loss:.4g};" in says(page)
    assert page.locator(".cl-curves").inner_html() != before
    slide(page, "Epoch", 1)
    assert says(page).startswith("Epoch 12:")
    box = page.locator(".cl-curves svg").first.bounding_box()
    assert box
    page.mouse.click(box["x"] + box["width"] * 0.14, box["y"] + 100)
    assert says(page).startswith("Epoch 1:")
    assert {"0.1", "0.2", "1", "2"} <= set(
        page.locator(".cl-curves svg").first.locator("text").all_text_contents()
    )
    assert "ln 10 = 2.303: guessing" in page.locator(".cl-curves").inner_text()
    assert "epoch 6, epoch 11" in page.locator(".cl-stage").inner_text()
    assert "instead of mnist" in page.locator(".cl-stage").inner_text()


def test_a_rate_that_moves_all_the_time_has_no_steps(script: Callable[..., Any]) -> None:
    run = script("training_panel")
    assert run("rateSteps(rows)", rows=[[1, 0.1], [2, 0.1], [3, 0.05], [4, 0.05]]) == [3]
    assert run("rateSteps(rows)", rows=[[epoch, 1 / epoch] for epoch in range(1, 9)]) == []


def test_a_cell_shows_its_images_surest_first(panel: Any, digits: Any, show: Callable[..., Page]) -> None:
    page = show(panel)
    labels = digits.test.labels
    scores = answers(labels)
    taken, sure = scores.argmax(1), scores.softmax(1).max(1).values
    table = cells(page, "Confusion matrix")
    counts = [[int(text.replace("·", "0")) for text in row[1:]] for row in table[1:]]
    assert counts == panel.data["matrix"] and table[0][1:] == list(digits.classes)

    def shown_is(truth: int, answer: int) -> None:
        found = ((labels == truth) & (taken == answer)).nonzero().flatten().tolist()
        assert f"rue {truth}, answer {answer}: {len(found)} of {int((labels == truth).sum())}" in says(
            page, 1
        )
        texts = page.locator(".cl-tiles li").all_inner_texts()
        best = sorted(found, key=lambda index: -sure[index])[: len(texts)]
        assert len(texts) >= min(1, len(found))
        assert [text.split() for text in texts] == [
            [f"{100 * sure[index]:.1f}", "%", "no.", str(index)] for index in best
        ]

    most = max((count, -i, -j) for i, row in enumerate(counts) for j, count in enumerate(row) if i != j)
    row, column = -most[1], -most[2]
    shown_is(row, column)
    press(page, "Cell", "ArrowRight", "ArrowDown")
    row, column = row + (column + 1) // 10 + 1, (column + 1) % 10
    if row != column:
        shown_is(row % 10, column)
    for truth, answer in [(3, 8), (9, 4), (0, 1)]:
        page.locator(".cl-confusion tr").nth(truth + 1).locator("td").nth(answer).click()
        shown_is(truth, answer)
    page.locator(".cl-confusion tr").nth(5).locator("td").nth(4).click()
    right = int(((labels == 4) & (taken == 4)).sum())
    assert f"4: {right} of {int((labels == 4).sum())} images right" in says(page, 1)
    assert page.locator(".cl-tiles li").count() == 0
    slide(page, "Cell", 0)
    assert says(page, 1).startswith("0:")
    button = page.get_by_role("button", name="Next most frequent mistake")
    button.press("Enter")
    shown_is(-most[1], -most[2])
    button.click()
    assert says(page, 1).startswith("True")


def test_a_tile_is_the_image(panel: Any, digits: Any, show: Callable[..., Page]) -> None:
    page = show(panel)
    index = int(page.locator(".cl-tiles li").first.inner_text().split()[-1])
    shot = page.locator(".cl-tiles li span").first.screenshot()
    painted = page.evaluate(
        """async png => {
            const image = await createImageBitmap(await (await fetch("data:image/png;base64," + png)).blob());
            const pen = new OffscreenCanvas(image.width, image.height).getContext("2d");
            pen.drawImage(image, 0, 0);
            const { data } = pen.getImageData(0, 0, image.width, image.height);
            return [image.width, [...data].filter((_, i) => i % 4 === 0)];
        }""",
        base64.b64encode(shot).decode(),
    )
    side = painted[0]
    grey = np.array(painted[1]).reshape(-1, side)
    pixels = digits.test.images[index, 0].numpy()
    step = side / pixels.shape[1]
    centres = [int((at + 0.5) * step) for at in range(pixels.shape[1])]
    assert abs(grey[np.ix_(centres, centres)] - pixels.astype(int)).max() <= 20


def test_curves_alone_have_no_matrix(show: Callable[..., Page]) -> None:
    page = show(figures.training_panel(history(3)))
    assert page.locator("table").count() == 0 and says(page).startswith("Epoch 3:")


# The drawing pad


def draw_seven(page: Page) -> None:
    box = page.locator(".cl-pad").bounding_box()
    assert box
    page.mouse.move(box["x"] + 60, box["y"] + 50)
    page.mouse.down()
    for x, y in ((150, 50), (100, 180)):
        page.mouse.move(box["x"] + x, box["y"] + y, steps=4)
    page.mouse.up()


def sees(page: Page) -> np.ndarray:
    data = page.locator(".cl-sees").evaluate(
        """c => {
            const { data } = c.getContext("2d").getImageData(0, 0, c.width, c.height);
            return [...data].filter((_, i) => i % 4 === 0);
        }"""
    )
    return np.array(data, float).reshape(28, 28)


def test_without_a_kernel_the_pad_says_so_and_draws(show: Callable[..., Page]) -> None:
    page = show(figures.draw_digit(LeNet5()).figure)
    draw_seven(page)
    assert says(page).startswith("The network answers only while its kernel is running")
    assert sees(page).sum() > 1000
    page.get_by_role("button", name="Undo").click()
    assert sees(page).sum() == 0 and says(page).startswith("Draw a digit")
    draw_seven(page)
    page.get_by_role("button", name="Clear").press("Enter")
    assert sees(page).sum() == 0


def test_the_network_sees_the_digit_as_mnist_would_show_it(show: Callable[..., Page]) -> None:
    page = show(figures.draw_digit(LeNet5()).figure)
    draw_seven(page)
    image = sees(page)
    ink = np.argwhere(image > 0)
    high, wide = ink.max(0) - ink.min(0) + 1
    assert 19 <= max(high, wide) <= 21
    centre = [(image.sum(1 - axis) * (np.arange(28) + 0.5)).sum() / image.sum() for axis in (0, 1)]
    assert centre == pytest.approx([14, 14], abs=0.3)
    page.get_by_label("Size and centre as in MNIST").press("Space")
    assert abs(sees(page) - image).sum() > 1000
    page.get_by_label("Size and centre as in MNIST").click()
    assert (sees(page) == image).all()


def test_the_pad_is_drawn_on_with_keys_and_fingers(show: Callable[..., Page]) -> None:
    page = show(figures.draw_digit(LeNet5()).figure, has_touch=True)
    pad = page.locator(".cl-pad")
    pad.focus()
    page.get_by_label("Size and centre as in MNIST").click()
    pad.focus()
    for key in ("Space", *["ArrowDown"] * 10, "Space", "ArrowLeft"):
        page.keyboard.press(key)
    image = sees(page)
    assert image[7:17, 13:15].min() > 200 and image[:, :11].sum() == 0
    page.keyboard.press("Backspace")
    assert sees(page).sum() == 0
    box = pad.bounding_box()
    assert box
    page.touchscreen.tap(box["x"] + 40, box["y"] + 40)
    dot = sees(page)
    assert dot[5, 5] > 240 and (dot > 0).sum() <= 25
    pad.focus()
    page.keyboard.press("Delete")
    assert sees(page).sum() == 0


def test_the_network_answers_what_is_drawn(show: Callable[..., Page]) -> None:
    torch.manual_seed(0)
    model = LeNet5()
    pad = figures.draw_digit(model)
    field, answer = pad.widget().children
    page = show(pad.figure)
    # The place of the widget in a notebook's page, joined to the real one as ipywidgets would.
    page.expose_function("send", lambda text: (setattr(field, "value", text), answer.value)[1])
    page.evaluate(
        """() => {
            document.body.insertAdjacentHTML("beforeend",
                '<div><div class="cl-draw-field" hidden><textarea></textarea></div>' +
                '<div class="cl-draw-answer"></div></div>');
            const area = document.querySelector(".cl-draw-field textarea");
            area.addEventListener("change", async () => {
                document.querySelector(".cl-draw-answer").innerHTML = await send(area.value);
            });
        }"""
    )
    for _ in range(2):
        draw_seven(page)
        page.wait_for_function("document.querySelector('.cl-say').textContent.startsWith('LeNet5 says')")
        pixels = torch.from_numpy(sees(page)).float() / 255
        with torch.no_grad():
            shares = model.eval()(((pixels - 0.1307) / 0.3081)[None, None])[0].softmax(0)
        assert says(page) == f"LeNet5 says {shares.argmax()}, {100 * shares.max():.1f} % sure."
        drawn = page.locator(".cl-shares i").evaluate_all(
            "all => all.map(each => parseFloat(each.style.width) / 200)"
        )
        assert drawn == pytest.approx(shares.tolist(), abs=1e-3)
        assert page.locator(".cl-draw-answer img").count() == 2
        page.get_by_role("button", name="Clear").click()


def test_everything_is_reached_with_tab_and_shows_it(
    all_figures: list[Any], show: Callable[..., Page]
) -> None:
    page = show(*all_figures)
    can = "input, select, button, [tabindex]"
    for at in range(page.locator(can).count()):
        page.keyboard.press("Tab")
        reached = page.evaluate(
            """can => [
                [...document.querySelectorAll(can)].indexOf(document.activeElement),
                getComputedStyle(document.activeElement).outlineStyle,
            ]""",
            can,
        )
        assert reached == [at, "solid"]


def test_a_logarithmic_axis_has_at_least_three_ticks(script: Callable[..., Callable[..., Any]]) -> None:
    run = script("training_panel")
    assert run("marks(0.05, 2.9, true)") == [0.05, 0.1, 0.2, 0.5, 1, 2]
    assert run("marks(1.1, 3, true)") == [1.5, 2, 2.5, 3]
