"""What a network has learned and what it sees: filters and feature maps."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from course_utils.errors import FigureError
from course_utils.figures.arrays import array_text, as_array
from course_utils.figures.images import LETTER, WIDEST, as_pixels, tiled
from course_utils.figures.picture import Picture, picture
from course_utils.text import number_text, shape_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST, MOST_MAPS = 64, 32
"""Filters of one channel, and feature maps, in one figure."""

_MOST_FILTERS, _MOST_CHANNELS = 8, 16

_MAP_WIDE = 1.5
"""The most inches of a map."""


def filters(weight: Any) -> Picture:
    """Show a layer's filters on one scale, with 0 in its middle.

    Lightness rises from the most negative to the most positive weight, so that the scale can be read without
    colour.

    Parameters
    ----------
    weight : tensor
        K×C×h×w. With one input channel, the filters fill a grid; with more, each row is one filter, channel
        by channel.

    Raises
    ------
    FigureError
        If `weight` does not have four axes.

    Examples
    --------
    >>> from torch import nn
    >>> filters(nn.Conv2d(1, 6, 5).weight)
    Filters: 6 of 1×5×5, in reading order
    """
    array = as_array(weight)
    if array is None or array.ndim != 4 or not array.size:
        raise FigureError("filters takes weights K×C×h×w.", why=f"It got {array_text(array)}.")
    count, channels = array.shape[:2]
    limit = float(np.abs(array).max()) or 1.0
    shape = shape_text(array.shape[1:])
    if channels == 1:
        shown = min(count, MOST)
        text = f"Filters: {_of(shown, count)} of {shape}, in reading order"
        return _sheet(array[:shown, 0], 10, text, f"filters 1 to {shown}, in reading order", limit)
    rows, columns = min(count, _MOST_FILTERS), min(channels, _MOST_CHANNELS)
    text = f"Filters: {_of(rows, count)} of {shape}, {_of(columns, channels)} input channels"
    part = array[:rows, :columns].reshape(rows * columns, *array.shape[2:])
    vertical = "filter" if rows == count else f"filters 1 to {rows} of {count}"
    return _sheet(part, columns, text, "input channel", limit, vertical=vertical)


def feature_maps(maps: Any, titles: Sequence[str] | None = None, *, image: Any = None) -> Picture:
    """Show the feature maps of one image, each on its own scale and below its smallest and largest number.

    If some maps have negative numbers, 0 is grey in all of them; otherwise each goes from black to white.

    Parameters
    ----------
    maps : tensor
        C×H×W, or 1×C×H×W.
    titles : sequence of str, optional
        One for each map; by default "filter 1", "filter 2" and so on.
    image : tensor, optional
        What the maps were computed from, C×H×W with one or three channels; shown first.

    Raises
    ------
    FigureError
        If `maps` or `image` do not have these shapes, or there is not one title for each map.

    Examples
    --------
    >>> feature_maps(np.zeros((2, 14, 14)), ["edges", "corners"], image=np.zeros((1, 16, 16)))
    Feature maps: 2 of 14×14, beside the input: edges (all 0), corners (all 0)
    """
    array = as_array(maps)
    if array is not None and array.ndim == 4 and len(array) == 1:
        array = array[0]
    if array is None or array.ndim != 3 or not array.size:
        raise FigureError(
            "feature_maps takes the maps of one image, C×H×W.", why=f"It got {array_text(array)}."
        )
    names = [f"filter {number}" for number in range(1, len(array) + 1)] if titles is None else list(titles)
    if len(names) != len(array):
        raise FigureError(f"There are {len(names)} titles for {len(array)} maps.")
    shown, names = array[:MOST_MAPS].astype(np.float64), names[:MOST_MAPS]
    signed = bool((shown < 0).any())
    tiles, heads = [_coloured(each, signed) for each in shown], [_ends(each) for each in shown]
    named = ", ".join(f"{name} ({ends})" for name, ends in zip(names, heads, strict=True))
    beside = "" if image is None else ", beside the input"
    text = f"Feature maps: {_of(len(shown), len(array))} of {shape_text(array.shape[1:])}{beside}: {named}"
    if image is not None:
        tiles, names, heads = [_input(image), *tiles], ["input", *names], ["", *heads]
    columns = min(len(tiles), 6 if len(tiles) <= 24 else 8)
    letters = int(min(_MAP_WIDE, WIDEST / columns) / LETTER)
    heads = [
        "\n".join(textwrap.fill(part, letters) for part in both) for both in zip(names, heads, strict=True)
    ]
    colours = (
        "blue is below 0, grey is 0, yellow is above 0" if signed else "black is lowest, white is highest"
    )
    note = f"Each map has its own scale: {colours}."
    return tiled(tiles, heads, columns, inches=_MAP_WIDE, alt=f"{text}. {note}", text=text, note=note)


def _input(image: Any) -> np.ndarray:
    array = as_array(image)
    if array is None or array.ndim != 3 or array.shape[0] not in (1, 3) or not array.size:
        raise FigureError(
            "feature_maps takes an input image C×H×W with one or three channels.",
            why=f"It got {array_text(array)}.",
        )
    pixels: np.ndarray = as_pixels(array[None])[0]
    return pixels


def _ends(values: np.ndarray) -> str:
    low, high = (number_text(end, 2) for end in (values.min(), values.max()))
    return f"all {low}" if low == high else f"{low} to {high}"


def _coloured(values: np.ndarray, signed: bool) -> np.ndarray:
    """Return a map's colours, H×W×3."""
    from matplotlib import colormaps

    low, high = float(values.min()), float(values.max())
    if signed:
        high = max(-low, high) or 1.0
        low = -high
    # Few enough colours for a small file to keep them exactly.
    palette = colormaps["cividis" if signed else "gray"].resampled(96)
    colours: np.ndarray = palette((values - low) / (high - low or 1.0))[..., :3]
    return colours


def _of(shown: int, count: int) -> str:
    return str(count) if shown == count else f"{shown} of {count}"


def _sheet(
    tiles: np.ndarray,
    columns: int,
    text: str,
    across: str,
    limit: float,
    vertical: str = "",
) -> Picture:
    """Lay tiles out on one sheet with thin gaps."""
    count, height, width = tiles.shape
    columns = min(columns, count)
    rows = math.ceil(count / columns)
    gap = max(1, round(height / 14))
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap), np.nan)
    for index, tile in enumerate(tiles):
        top, left = index // columns * (height + gap), index % columns * (width + gap)
        sheet[top : top + height, left : left + width] = tile

    def paint(figure: Figure) -> None:
        from matplotlib import colormaps
        from matplotlib.ticker import MaxNLocator

        axis = figure.subplots()
        # Few enough colours for a small file to keep them exactly.
        colours = colormaps["cividis"].resampled(96)
        image = axis.imshow(sheet, colours, vmin=-limit, vmax=limit, interpolation="nearest")
        axis.spines[:].set_visible(False)
        axis.set_xlabel(across)
        axis.set_xticks([])
        axis.set_yticks([])
        if vertical:
            axis.set_xticks(
                [(width + gap) * j + (width - 1) / 2 for j in range(columns)], map(str, range(1, columns + 1))
            )
            axis.set_yticks(
                [(height + gap) * i + (height - 1) / 2 for i in range(rows)], map(str, range(1, rows + 1))
            )
            axis.set_ylabel(vertical)
            axis.tick_params(length=0, labelsize=8)
        # An inset follows the height of the sheet, which the layout of the page does not know.
        bar = figure.colorbar(image, cax=axis.inset_axes((1.02, 0, 0.12 / sheet_wide, 1)), label="weight")
        bar.locator = MaxNLocator(nbins=3 if rows < 3 else 6, symmetric=True)
        bar.outline.set_visible(False)

    # Inches of the sheet, and of the sheet with its labels.
    sheet_wide = min(7.0, 0.5 * columns) if vertical else min(7.0, max(2.0, 0.62 * columns))
    wide = sheet_wide + (1.4 if vertical else 0.9)
    tall = sheet_wide * sheet.shape[0] / sheet.shape[1] + (0.5 if vertical else 0.35)
    low, high, below = tiles.min(), tiles.max(), float((tiles < 0).mean())
    alt = (
        f"{text}. Weights from {number_text(low, 2)} (blue) through 0 (grey) to {number_text(high, 2)} "
        f"(yellow), {below:.0%} of them below 0."
    )
    return picture(paint, width=wide, height=tall, alt=alt, text=text)
