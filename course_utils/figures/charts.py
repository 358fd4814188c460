"""Charts of numbers with units: times, receptive fields, and what networks cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from course_utils.errors import FigureError
from course_utils.figures.picture import BLUE, INK, ORANGE, PALE, Picture, picture
from course_utils.figures.tables import table
from course_utils.text import count_text, duration_text

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
    time per call: loops 2.5 s; nn.Conv2d 300 µs, 8,333 times faster
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


def cost_chart(rows: Sequence[Mapping[str, Any]]) -> Picture:
    """Compare networks' parameters and multiply-adds with the slide's, on logarithmic axes.

    Parameters
    ----------
    rows : sequence of mappings
        ``name``, ``parameters``, ``multiply_adds`` (computed), and optionally ``slide_parameters``.

    Raises
    ------
    FigureError
        If there are no rows, or one lacks a number.

    Examples
    --------
    >>> cost_chart([{"name": "LeNet-5", "parameters": 61_706, "multiply_adds": 416_520}])
    Networks and their cost
    network  parameters  slide  multiply-adds
    ───────  ──────────  ─────  ─────────────
    LeNet-5      61,706      –        416,520
    """
    for row in rows:
        if not {"name", "parameters", "multiply_adds"} <= set(row):
            raise FigureError(
                "cost_chart takes rows with name, parameters and multiply_adds.",
                why=f"A row has {', '.join(row)}.",
            )
    _need({row["name"]: row["parameters"] for row in rows}, "cost_chart takes at least one row.")
    names = [row["name"] for row in rows]
    keys = ("parameters", "slide_parameters", "multiply_adds")
    cells = [[row["name"], *(int(row[key]) if row.get(key) else None for key in keys)] for row in rows]
    text = table(cells, ["network", "parameters", "slide", "multiply-adds"], "Networks and their cost").text

    def paint(figure: Figure) -> None:
        left, right = figure.subplots(1, 2, sharey=True)
        for axis, key in ((left, "parameters"), (right, "multiply_adds")):
            axis.hlines(range(len(rows)), 0, 1, transform=axis.get_yaxis_transform(), color=PALE, linewidth=1)
            axis.plot(
                [r[key] for r in rows], range(len(rows)), "o", color=BLUE, markersize=8, label="computed"
            )
            axis.set_xscale("log")
            axis.xaxis.set_major_formatter(lambda value, _: count_text(value))
            axis.margins(x=0.12, y=0.5 / len(rows))
            _bare(axis)
        slide = [(r["slide_parameters"], i) for i, r in enumerate(rows) if r.get("slide_parameters")]
        if slide:
            # Hollow and larger, so that both marks show where they agree.
            left.plot(*zip(*slide, strict=True), "D", markersize=12, markerfacecolor="none",
                      markeredgecolor=ORANGE, markeredgewidth=2, label="slide")  # fmt: skip
        left.set_yticks(range(len(rows)), names)
        left.invert_yaxis()
        left.set_xlabel("parameters (log scale)")
        right.set_xlabel("multiply-adds for one image (log scale)")
        figure.legend(*left.get_legend_handles_labels(), loc="outside upper right", ncols=2, frameon=False)

    alt = "Two dot plots on logarithmic axes. " + "; ".join(
        f"{r['name']}: {r['parameters']:,} parameters, {r['multiply_adds']:,} multiply-adds" for r in rows
    )
    return picture(paint, width=7.6, height=0.34 * len(rows) + 1.1, alt=alt, text=text)


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
    return f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.1f}"


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
