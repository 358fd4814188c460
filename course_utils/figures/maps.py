"""What a network has learned and what it sees: filters and feature maps."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from course_utils.errors import FigureError
from course_utils.figures.arrays import array_text, as_array
from course_utils.figures.picture import Picture, picture
from course_utils.text import shape_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 64
"""Filters or maps in one figure."""

_MOST_FILTERS, _MOST_CHANNELS = 8, 16


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
    scale = ("cividis", (-limit, limit))
    shape = shape_text(array.shape[1:])
    if channels == 1:
        shown = min(count, MOST)
        text = f"Filters: {_of(shown, count)} of {shape}, in reading order"
        return _sheet(array[:shown, 0], 10, text, "filters, in reading order", "weight", *scale)
    rows, columns = min(count, _MOST_FILTERS), min(channels, _MOST_CHANNELS)
    text = f"Filters: {_of(rows, count)} of {shape}, {_of(columns, channels)} input channels"
    part = array[:rows, :columns].reshape(rows * columns, *array.shape[2:])
    return _sheet(part, columns, text, "input channel", "weight", *scale, vertical="filter")


def feature_maps(maps: Any) -> Picture:
    """Show the feature maps of one image on one scale: from black to white, or around 0 if some are negative.

    Parameters
    ----------
    maps : tensor
        C×H×W, or 1×C×H×W.

    Raises
    ------
    FigureError
        If `maps` does not have this shape.

    Examples
    --------
    >>> feature_maps(np.zeros((6, 14, 14)))
    Feature maps: 6 of 14×14, in reading order
    """
    array = as_array(maps)
    if array is not None and array.ndim == 4 and len(array) == 1:
        array = array[0]
    if array is None or array.ndim != 3 or not array.size:
        raise FigureError(
            "feature_maps takes the maps of one image, C×H×W.", why=f"It got {array_text(array)}."
        )
    shown = min(len(array), MOST)
    text = f"Feature maps: {_of(shown, len(array))} of {shape_text(array.shape[1:])}, in reading order"
    low, high = float(array.min()), float(array.max())
    limit = max(-low, high) or 1.0
    scale = ("cividis", (-limit, limit)) if low < 0 else ("gray", (low, high))
    return _sheet(array[:shown], 10, text, "channels, in reading order", "activation", *scale)


def _of(shown: int, count: int) -> str:
    return str(count) if shown == count else f"{shown} of {count}"


def _sheet(
    tiles: np.ndarray,
    columns: int,
    text: str,
    across: str,
    unit: str,
    palette: str,
    limits: tuple[float, float],
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
        colours = colormaps[palette].resampled(96)
        image = axis.imshow(sheet, colours, vmin=limits[0], vmax=limits[1], interpolation="nearest")
        axis.spines[:].set_visible(False)
        axis.set_xlabel(across)
        axis.set_xticks([])
        axis.set_yticks([])
        if vertical:
            axis.set_xticks(
                [(width + gap) * j + (width - 1) / 2 for j in range(columns)], map(str, range(columns))
            )
            axis.set_yticks(
                [(height + gap) * i + (height - 1) / 2 for i in range(rows)], map(str, range(rows))
            )
            axis.set_ylabel(vertical)
            axis.tick_params(length=0, labelsize=8)
        # An inset follows the height of the sheet, which the layout of the page does not know.
        bar = figure.colorbar(image, cax=axis.inset_axes((1.02, 0, 0.12 / sheet_wide, 1)), label=unit)
        bar.locator = MaxNLocator(nbins=3 if rows < 3 else 6, symmetric=limits[0] < 0)
        bar.outline.set_visible(False)

    # Inches of the sheet, and of the sheet with its labels.
    sheet_wide = min(7.0, 0.5 * columns) if vertical else min(7.0, max(2.0, 0.62 * columns))
    wide = sheet_wide + (1.4 if vertical else 0.9)
    tall = sheet_wide * sheet.shape[0] / sheet.shape[1] + (0.5 if vertical else 0.35)
    return picture(paint, width=wide, height=tall, alt=text, text=text)
