"""draw_digit: a pad to draw a digit on, and what the student's own network makes of it."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from course_utils.errors import FigureError
from course_utils.figures.live.live_figure import LiveFigure
from course_utils.figures.live.still import Still
from course_utils.figures.live.tracing import evaluating, trace

_MOST_MAPS = 16
_MOST_LAYERS = 3
_SIZES = (8, 96)


class DigitPad:
    """A drawing pad beside a network that answers while its kernel runs.

    A notebook shows the pad, which is a live figure, and below it the answer, which is an ipywidget. The
    figure's script finds the widget's hidden text field in the page and writes the drawing into it. A page
    without a kernel shows the pad alone.

    Attributes
    ----------
    figure : LiveFigure
        The pad.
    """

    def __init__(self, model: nn.Module, mean: float, std: float, classes: Sequence[str], size: int) -> None:
        self._model, self._mean, self._std, self._classes, self._size = model, mean, std, classes, size
        text = (
            f"draw_digit: a pad of {size}×{size} pixels; {type(model).__name__} answers while its kernel runs"
        )
        data = {"size": size, "model": type(model).__name__}
        self.figure = LiveFigure("draw_digit", "A pad to draw a digit on", data, _still(text), text)

    def __repr__(self) -> str:
        return self.figure.text

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.figure)
        display(self.widget())

    def widget(self) -> Any:
        """Return the ipywidget: a text field that receives a drawing, and the answer to it."""
        from ipywidgets import HTML, Layout, Textarea, VBox

        field = Textarea(layout=Layout(display="none"), continuous_update=True)
        field.add_class("cl-draw-field")
        answer = HTML()
        answer.add_class("cl-draw-answer")

        def drawn(change: Any) -> None:
            # The text starts with a running number, so that the same drawing gets a new answer.
            number, _, code = change["new"].partition(":")
            answer.value = f'<div data-number="{escape(number)}">{self.answer(code)}</div>'

        field.observe(drawn, "value")
        return VBox([field, answer])

    def answer(self, code: str) -> str:
        """Return the network's answer to a drawing, as HTML.

        Parameters
        ----------
        code : str
            The drawing's pixels, row by row, 0 for paper and 255 for ink, as bytes in base64.
        """
        try:
            pixels = np.frombuffer(base64.b64decode(code, validate=True), np.uint8)
            image = torch.from_numpy(pixels.reshape(self._size, self._size).copy()) / 255
            scores, maps = self._run((image - self._mean) / self._std)
        except Exception as error:
            # Nobody would see an exception in a widget's callback.
            return f'<p class="cl-says">The network stopped: {escape(f"{type(error).__name__}: {error}")}</p>'
        return self._html(scores.softmax(0).tolist(), maps)

    def _run(self, image: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        maps: dict[str, Tensor] = {}
        layers = [(name, part) for name, part in self._model.named_modules() if isinstance(part, nn.Conv2d)]

        def keep(name: str) -> Any:
            return lambda _, __, output: maps.__setitem__(name, output[0].float().cpu())

        hooks = [part.register_forward_hook(keep(name)) for name, part in layers[:_MOST_LAYERS]]
        place = next(self._model.parameters(), image)
        try:
            with torch.no_grad(), evaluating(self._model):
                scores = self._model(image[None, None].to(place.device, place.dtype))
        finally:
            for hook in hooks:
                hook.remove()
        return scores[0].float().cpu(), maps

    def _html(self, shares: list[float], maps: dict[str, Tensor]) -> str:
        best = max(range(len(shares)), key=shares.__getitem__)
        says = f"{type(self._model).__name__} says {self._classes[best]}, {100 * shares[best]:.1f} % sure."
        bars = "".join(
            f'<tr><th scope="row">{escape(name)}</th><td><i style="width:{200 * share:.1f}px"></i></td>'
            f"<td>{100 * share:.1f} %</td></tr>"
            for name, share in zip(self._classes, shares, strict=True)
        )
        drawn = "".join(_maps_html(name, layer) for name, layer in maps.items())
        table = (
            f'<table class="cl-shares"><caption>Softmax of the scores</caption><tbody>{bars}</tbody></table>'
        )
        return (
            f'<div class="cl-live"><p class="cl-says">{escape(says)}</p>'
            f'<div class="cl-row-of cl-top">{table}<div>{drawn}</div></div></div>'
        )


def draw_digit(
    model: nn.Module,
    *,
    mean: float = 0.1307,
    std: float = 0.3081,
    classes: Sequence[str] = tuple("0123456789"),
    size: int = 28,
) -> DigitPad:
    """Draw a digit with mouse, finger or keyboard, and see what a network makes of it.

    After every stroke, the figure shows the softmax of the network's scores as bars and the feature maps of
    its first convolutions as pictures. This needs a running kernel; a page without one says so.

    Parameters
    ----------
    model : torch.nn.Module
        A network for grey images of one channel, on any device.
    mean, std : float
        Normalisation of its inputs, where ink is 1; MNIST's by default.
    classes : sequence of str
        The names of its scores.
    size : int
        Side of its images in pixels.

    Raises
    ------
    FigureError
        If the model is not such a network, or a number is out of range.

    Examples
    --------
    >>> draw_digit(nn.Sequential(nn.Flatten(), nn.Linear(784, 10)))
    draw_digit: a pad of 28×28 pixels; Sequential answers while its kernel runs
    """
    if not isinstance(model, nn.Module):
        raise FigureError("draw_digit takes a torch.nn.Module.", why=f"It got {type(model).__name__}.")
    if not isinstance(size, int) or not _SIZES[0] <= size <= _SIZES[1]:
        raise FigureError(
            f"draw_digit takes a size from {_SIZES[0]} to {_SIZES[1]} pixels; this one is {size!r}."
        )
    if not np.isfinite(mean) or not np.isfinite(std) or std <= 0:
        raise FigureError(f"draw_digit takes a mean and a std above 0; these are {mean!r} and {std!r}.")
    shape = trace(model, (1, size, size), figure="draw_digit").steps[-1].shape
    names = [str(name) for name in classes]
    if shape != (1, len(names)):
        raise FigureError(
            f"draw_digit takes a network with one score for each of its {len(names)} classes.",
            why=f"This one maps 1×1×{size}×{size} to {'×'.join(map(str, shape))}.",
        )
    return DigitPad(model, float(mean), float(std), names, size)


def _maps_html(name: str, maps: Tensor) -> str:
    count, high, wide = maps.shape
    shown = min(count, _MOST_MAPS)
    columns = min(8, shown)
    part = "" if shown == count else f"{shown} of "
    text = f"{name}: {part}{count} feature maps of {high}×{wide}, positive part"
    source = base64.b64encode(_maps_png(maps[:shown].relu().numpy(), columns)).decode()
    return (
        f'<p class="cl-quiet">{escape(text)}</p><img alt="{escape(text)}" width="{columns * 42}" '
        f'style="image-rendering:pixelated;background:none" src="data:image/png;base64,{source}">'
    )


def _maps_png(maps: np.ndarray, columns: int) -> bytes:
    """Lay out maps on one sheet and one scale, with a grey pixel between them."""
    from PIL import Image

    count, high, wide = maps.shape
    rows = -(-count // columns)
    sheet = np.full((rows * (high + 1), columns * (wide + 1)), 128, np.uint8)
    scale = 255 / max(float(maps.max()), 1e-12)
    for index, each in enumerate(maps):
        top, left = index // columns * (high + 1), index % columns * (wide + 1)
        sheet[top : top + high, left : left + wide] = np.clip(each * scale, 0, 255)
    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, "PNG")
    return buffer.getvalue()


def _still(text: str) -> bytes:
    still = Still(560, 96)
    still.box(4, 4, 88, 88)
    still.text(102, 22, text)
    still.text(102, 46, "Run this cell in a notebook to draw with mouse, finger or keyboard.")
    return still.png()
