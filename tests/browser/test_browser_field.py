"""receptive_field in the browser: window, maps and words are torch's for every layer, channel and unit."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from pages import press, say, select, slide
from playwright.sync_api import Page
from torch import Tensor, nn

from course_utils import figures

pytestmark = pytest.mark.slow


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(1, 5, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(5, 6, 3, padding=1, stride=2), nn.ReLU(),
        nn.Flatten(), nn.Linear(6 * 3 * 4, 10),
    )  # fmt: skip


def outputs_of(model: nn.Sequential, image: Tensor) -> list[Tensor]:
    with torch.no_grad():
        every = [model[: end + 1](image[None])[0] for end in range(len(model))]
    return [every[1], every[2], every[4], every[6]]


Rectangle = tuple[float, float, float, float]


def rectangle(page: Page, picture: str, name: str) -> Rectangle:
    """Left, top, width and height of a rectangle, in pixels of the image or of the map."""
    box = page.locator(f"svg[aria-label*='{picture}'] .{name}")
    x, y, width, height = (float(box.get_attribute(key) or 0) for key in ("x", "y", "width", "height"))
    return x, y, width, height


def grey(page: Page, picture: str) -> Tensor:
    """The grey levels of the picture inside an SVG, as the browser decodes it."""
    return torch.tensor(
        page.evaluate(
            """async label => {
                const node = document.querySelector(`svg[aria-label*='${label}'] image`);
                const image = new Image();
                image.src = node.getAttribute("href");
                await image.decode();
                const canvas = new OffscreenCanvas(image.width, image.height);
                const context = canvas.getContext("2d");
                context.drawImage(image, 0, 0);
                const all = [...context.getImageData(0, 0, image.width, image.height).data];
                const levels = all.filter((_, index) => index % 4 === 0);
                return Array.from({length: image.height}, (_, i) =>
                    levels.slice(i * image.width, (i + 1) * image.width));
            }""",
            picture,
        )
    ).double()


class Field:
    """What receptive_field must show; `check` compares it with torch."""

    def __init__(self, page: Page, model: nn.Sequential, image: Tensor) -> None:
        self.page, self.model, self.image = page, model, image
        self.outputs = outputs_of(model, image)

    def check(self, layer: int, r: int, q: int, channel: int | None = None) -> None:
        """`channel` is by default the one with the most contrast."""
        output = self.outputs[layer]
        if output.dim() == 3:
            channel = int(output.std((1, 2)).argmax()) if channel is None else channel
            shown = output[channel]
            words = f"The unit in channel {channel}, row {r}, column {q} of layer {layer + 1} "
        else:
            shown = output[None]
            words = f"Unit {q} of layer {layer + 1} "
        assert say(self.page).startswith(words)
        low, high = shown.min(), shown.max()
        step = (high - low).item() / 63
        about = float(re.search(r"about (-?[\d.e-]+)\)", say(self.page))[1])
        assert abs(about - shown[r, q].item()) <= step / 2 + 0.005 * abs(about) + 1e-6
        scaled = (shown - low) / (high - low) * 255
        assert (grey(self.page, "feature map") - scaled).abs().max() <= 255 / 126 + 0.51
        assert rectangle(self.page, "feature map", "cl-frame") == (q, r, 1, 1)
        assert rectangle(self.page, "window", "cl-frame") == self.seen(layer, r, q)

    def seen(self, layer: int, r: int, q: int) -> Rectangle:
        """The box around all pixels that the unit's gradient reaches, with weights that cannot cancel."""
        model = network().double()
        for parameter in model.parameters():
            parameter.data = parameter.data.abs() + 0.1
        # An average has the same window as a maximum, and passes its gradient to all of it.
        model[2] = nn.AvgPool2d(2)
        image = torch.rand_like(self.image, dtype=torch.float64).requires_grad_()
        out = model[: (2, 3, 5, 7)[layer]](image[None])[0]
        (out[0, r, q] if out.dim() == 3 else out[q]).backward()
        found = image.grad[0].nonzero()
        (top, left), (bottom, right) = found.min(0).values.tolist(), found.max(0).values.tolist()
        return left, top, right - left + 1, bottom - top + 1


@pytest.fixture
def field(show: Callable[..., Page]) -> Field:
    torch.manual_seed(0)
    model, image = network(), torch.randn(1, 11, 14)
    return Field(show(figures.receptive_field(model, image)), model, image)


def test_receptive_field_answers_to_the_keyboard(field: Field) -> None:
    page = field.page
    # It starts in the middle of the first layer.
    field.check(0, 5, 7)
    press(page, "Layer", "ArrowDown")
    field.check(1, 2, 3)
    press(page, "Unit", "ArrowRight", "ArrowUp")
    field.check(1, 1, 4)
    press(page, "Unit", "Home")
    field.check(1, 0, 0)
    press(page, "Channel", "Home", "ArrowDown")
    field.check(1, 0, 0, channel=1)
    press(page, "Layer", "ArrowDown")
    field.check(2, 1, 2)
    press(page, "Unit", "End")
    field.check(2, 2, 3)
    press(page, "Layer", "ArrowDown")
    field.check(3, 0, 5)
    press(page, "Unit", "ArrowRight")
    field.check(3, 0, 6)
    press(page, "Layer", "Home")
    field.check(0, 5, 7)


def test_receptive_field_answers_to_the_mouse(field: Field) -> None:
    page = field.page
    select(page, "Layer", 1)
    slide(page, "Unit", 1.0)
    field.check(1, 4, 6)
    select(page, "Layer", 0)
    field.check(0, 5, 7)
    page.locator(".cl-strip img").nth(3).click()
    field.check(0, 5, 7, channel=3)
    click(page, "feature map", 10.5, 2.5)
    field.check(0, 2, 10, channel=3)
    click(page, "window", 3.5, 9.5)
    field.check(0, 9, 3, channel=3)
    select(page, "Layer", 2)
    click(page, "window", 13.5, 0.5)
    field.check(2, 0, 3)


def click(page: Page, picture: str, x: float, y: float) -> None:
    """Press the mouse at a place given in pixels of the image or of the map."""
    at = page.evaluate(
        """([label, x, y]) => {
            const matrix = document.querySelector(`svg[aria-label*='${label}']`).getScreenCTM();
            const point = new DOMPoint(x, y).matrixTransform(matrix);
            return [point.x, point.y];
        }""",
        [picture, x, y],
    )
    page.mouse.click(*at)


def test_the_window_overhangs_the_image_by_the_padding(field: Field) -> None:
    page = field.page
    select(page, "Layer", 2)
    press(page, "Unit", "Home")
    # Two layers of padding 1, the second at every other pixel: 1 + 2 rows and columns.
    assert rectangle(page, "window", "cl-overhang") == (-3, -3, 8, 8)
    assert "8×8 pixels: rows 0 to 4 and columns 0 to 4 of the image; 39 of the 64 are padding" in say(page)


def titles(page: Page) -> list[str]:
    texts = [title.inner_text() for title in page.locator(".cl-title").all() if title.is_visible()]
    return [text.replace("−", "-") for text in texts]


def test_each_picture_has_a_title(field: Field) -> None:
    page = field.page
    first = field.outputs[0]
    channel = int(first.std((1, 2)).argmax())
    low, high = first[channel].aminmax()
    assert titles(page) == [
        "Image 1×11×14 with the unit's window, 3×3",
        f"Feature map of channel {channel}, from {low:.3g} (black) to {high:.3g} (white)",
        f"All {len(first)} feature maps",
    ]
    select(page, "Layer", 3)
    low, high = field.outputs[3].aminmax()
    assert titles(page) == [
        "Image 1×11×14 with the unit's window, 16×20",
        f"All 10 units, row by row, from {low:.3g} (black) to {high:.3g} (white)",
    ]


def test_of_many_feature_maps_the_title_says_which_are_shown(show: Callable[..., Page]) -> None:
    page = show(figures.receptive_field(nn.Sequential(nn.Conv2d(1, 12, 3)), torch.randn(1, 9, 8)))
    assert titles(page)[-1] == "The 8 of 12 feature maps with most contrast"


def test_the_scripts_windows_are_pythons(script: Callable[..., Any]) -> None:
    from course_utils.figures.live.receptive_field import Axis

    run, random_ = script("receptive_field"), random.Random(0)
    for _ in range(60):
        axis, units = Axis(1, 0, 0, 0, 29), 30
        for _ in range(4):
            kernel, stride = random_.randint(1, min(4, units)), random_.randint(1, 2)
            padding = random_.randint(0, kernel // 2)
            units = (units + 2 * padding - kernel) // stride + 1
            axis = axis.through(kernel, stride, padding).of(units)
        unit = random_.randrange(units)
        first, last = axis.seen(unit)
        answer = run("[span(axis, unit), seen(axis, unit)]", axis=list(axis), unit=unit)
        assert answer[0] == [axis.step * unit + axis.first, axis.step * unit + axis.last]
        assert answer[1] == ([first, last] if first <= last else None)


def test_the_image_is_drawn_as_given(show: Callable[..., Page]) -> None:
    torch.manual_seed(1)
    image = torch.randn(3, 9, 8)
    page = show(figures.receptive_field(nn.Sequential(nn.Conv2d(3, 2, 3)), image))
    red = (image[0] - image.min()) / (image.max() - image.min()) * 255
    assert (grey(page, "window") - red).abs().max() <= 0.51
