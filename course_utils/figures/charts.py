"""Charts of numbers with units: times, receptive fields, and errors against depth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from course_utils.errors import FigureError
from course_utils.figures.picture import BLUE, INK, PALE, Picture, picture
from course_utils.text import duration_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.container import BarContainer
    from matplotlib.figure import Figure


def timing_bars(seconds: Mapping[str, float]) -> Picture:
    """Compare times on a logarithmic axis, each with its ratio to the slowest.

    Parameters
    ----------
    seconds : mapping
        Names and seconds, drawn from top to bottom.

    Raises
    ------
    FigureError
        If there are no times, or one is not positive.

    Examples
    --------
    >>> timing_bars({"loops": 2.5, "nn.Conv2d": 0.0003})
    time per call: loops 2.5 s; nn.Conv2d 300 µs, 8,300 times faster
    """
    _need(seconds, "timing_bars takes a dict of names and seconds.")
    times = {name: float(value) for name, value in seconds.items()}
    slowest = max(times.values())
    labels = {
        name: duration_text(value) + (f", {_ratio(slowest / value)} times faster" if value < slowest else "")
        for name, value in times.items()
    }
    text = "time per call: " + "; ".join(f"{name} {label}" for name, label in labels.items())

    def paint(figure: Figure) -> None:
        axis = figure.subplots()
        low, places = min(times.values()), range(len(times))
        # A logarithmic axis has no zero for a bar to start at; a mark claims no length.
        axis.hlines(places, low / 4, list(times.values()), color=PALE, linewidth=1)
        axis.plot(list(times.values()), places, "o", color=BLUE, markersize=8)
        axis.set_yticks(places, list(times))
        axis.invert_yaxis()
        axis.set_xscale("log")
        # Room for the labels to the right of the marks.
        axis.set_xlim(low / 4, slowest * (slowest / low * 4) ** 0.5)
        axis.margins(y=0.5 / len(times))
        axis.xaxis.set_major_formatter(lambda value, _: duration_text(value))
        axis.xaxis.set_minor_formatter("")
        axis.set_xlabel("time per call (log scale)")
        for index, (name, value) in enumerate(times.items()):
            _label(axis, labels[name], value, index)
        _bare(axis)

    return picture(paint, width=6.6, height=0.32 * len(times) + 0.75, alt=f"Dot plot. {text}", text=text)


def receptive_field_growth(fields: Mapping[str, int], *, image: int | None = None) -> Picture:
    """Draw how many input pixels one unit sees, layer by layer.

    Parameters
    ----------
    fields : mapping
        Names of layers and their receptive fields in pixels, from the input up.
    image : int, optional
        The side of the input in pixels, drawn as a line.

    Raises
    ------
    FigureError
        If there are no layers, or a field is not positive.

    Examples
    --------
    >>> receptive_field_growth({"conv1": 3, "conv2": 5, "pool": 6}, image=32)
    Receptive field in pixels: conv1 3, conv2 5, pool 6; the image has 32
    """
    _need(fields, "receptive_field_growth takes a dict of layers and pixels.")
    sizes = {name: int(value) for name, value in fields.items()}
    text = "Receptive field in pixels: " + ", ".join(f"{name} {size}" for name, size in sizes.items())
    text += f"; the image has {image}" if image else ""
    widest = max(*sizes.values(), image or 0) * 1.15

    def paint(figure: Figure) -> None:
        axis = figure.subplots()
        draw_bars(axis, sizes, list(map(str, sizes.values())))
        if image:
            axis.axvline(image, color=INK, linestyle="--", linewidth=1)
            axis.set_title(f"the image: {image} pixels", x=image / widest, fontsize=9, pad=3)
        axis.set_xlim(0, widest)
        axis.set_xlabel("receptive field (side in pixels of the input)")

    return picture(paint, width=6.0, height=0.27 * len(sizes) + 0.75, alt=f"Bar chart. {text}", text=text)


def depth_chart(networks: Mapping[str, tuple[int, float]]) -> Picture:
    """Draw networks' errors against their depth.

    Parameters
    ----------
    networks : mapping
        Names and pairs (layers with weights on one path, top-5 error on ImageNet in percent).

    Raises
    ------
    FigureError
        If there are no networks, or a number is not positive.

    Examples
    --------
    >>> depth_chart({"VGG-16": (16, 7.3), "ResNet-152": (152, 3.6)})
    Top-5 error on ImageNet: VGG-16, 16 layers, 7.3 %; ResNet-152, 152 layers, 3.6 %
    """
    try:
        points = sorted((int(layers), float(error), name) for name, (layers, error) in networks.items())
    except (TypeError, ValueError, AttributeError):
        points = []
    if not points or any(layers <= 0 or error <= 0 for layers, error, _ in points):
        raise FigureError(
            "depth_chart takes a dict of names and pairs (layers, error).",
            why=f"Every number must be above 0. It got {networks!r}.",
        )
    text = "Top-5 error on ImageNet: "
    text += "; ".join(f"{name}, {layers} layers, {error:g} %" for layers, error, name in points)

    def paint(figure: Figure) -> None:
        axis = figure.subplots()
        depths, errors, _ = zip(*points, strict=True)
        axis.plot(depths, errors, "o", color=BLUE, markersize=8)
        for index, (layers, error, name) in enumerate(points):
            # In turn, so that neighbours' names do not meet; there is no room to the right of the last one.
            last = index == len(points) - 1
            offset = (-8 if last else 8, 8 if index % 2 and not last else -8)
            axis.annotate(f"{name}: {error:g} %", (layers, error), offset, textcoords="offset points",
                          ha="right" if last else "left", va="center", color=INK)  # fmt: skip
        axis.set_xscale("log")
        axis.set_xticks(depths, map(str, depths))
        axis.minorticks_off()
        axis.margins(x=0.2)
        axis.set_ylim(0, max(errors) * 1.15)
        axis.set_xlabel("layers with weights on one path (log scale)")
        axis.set_ylabel("top-5 error on ImageNet (%)")
        axis.spines[["top", "right"]].set_visible(False)

    return picture(paint, width=5.0, height=2.8, alt=f"Dot plot. {text}", text=text)


def draw_bars(
    axis: Axes, values: Mapping[str, float], labels: Sequence[str], colors: Sequence[str] = (BLUE,)
) -> BarContainer:
    """Draw named bars from top to bottom, each with its label at the end."""
    bars = axis.barh(list(values), list(values.values()), color=colors, height=0.6)
    axis.invert_yaxis()
    for index, (value, label) in enumerate(zip(values.values(), labels, strict=True)):
        _label(axis, label, value, index)
    _bare(axis)
    return bars


def _ratio(ratio: float) -> str:
    # Of two times, no more than two digits are certain.
    return f"{float(f'{ratio:.2g}'):,.0f}" if ratio >= 10 else f"{ratio:.1f}"


def _label(axis: Axes, text: str, x: float, y: float) -> None:
    axis.annotate(text, (x, y), (6, 0), textcoords="offset points", va="center", color=INK)


def _bare(axis: Axes) -> None:
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.tick_params(axis="y", length=0)


def _need(numbers: Mapping[str, Any], sentence: str) -> None:
    try:
        good = bool(numbers) and all(float(value) > 0 for value in numbers.values())
    except (TypeError, ValueError, AttributeError):
        good = False
    if not good:
        raise FigureError(sentence, why=f"Every number must be above 0. It got {numbers!r}.")
