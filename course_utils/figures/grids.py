"""Small matrices with their numbers, as HTML tables and as blocks of aligned text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from itertools import product, zip_longest
from typing import Any

import numpy as np

from course_utils.text import number_text, shape_text

ROWS, COLUMNS, SLICES = 8, 10, 4
"""The most rows and columns of one matrix, and the most matrices of one array, that are shown."""

_GAP, _WIDTH = 3, 100
"""Characters between blocks of text, and in a line."""


@dataclass(frozen=True)
class Grid:
    """One matrix to draw.

    Attributes
    ----------
    name : str
        As code, for example ``x[1]``.
    note : str
        Shape, and the part that is shown.
    values : numpy.ndarray
        2-D.
    differs, window : numpy.ndarray of bool
        Cells to outline, and cells to mark as read; 2-D like `values`.
    origin : tuple of int
        Row and column of the first cell shown.
    digits : int
        Significant digits.
    """

    name: str
    note: str
    values: np.ndarray
    differs: np.ndarray
    window: np.ndarray
    origin: tuple[int, int] = (0, 0)
    digits: int = 4


def grids(
    name: str,
    array: np.ndarray,
    *,
    differs: np.ndarray | None = None,
    window: np.ndarray | None = None,
    focus: tuple[int, ...] | None = None,
    digits: int = 4,
    slices: int = SLICES,
    rows: int = ROWS,
    columns: int = COLUMNS,
) -> list[Grid]:
    """Cut an array of any rank into the matrices worth showing.

    A vector is one row. The last two axes are drawn. The leading ones are fixed where the first difference,
    the window or `focus` is, but the third axis from the end (the channels) is shown whole if it has at most
    `slices` entries. Large matrices are cropped around the first difference or the window.
    """
    differs = np.zeros(array.shape, bool) if differs is None else differs
    window = np.zeros(array.shape, bool) if window is None else window
    if array.ndim < 2:
        array, differs, window = (a.reshape(1, -1) for a in (array, differs, window))
        full = shape_text(array.shape[1:])
    else:
        full = shape_text(array.shape)
    if array.size == 0:
        nothing = np.zeros((0, 0))
        return [Grid(name, f"{full}, empty", nothing, nothing.astype(bool), nothing.astype(bool))]
    centre = _first(differs) or _first(window) or (focus or (0,) * array.ndim)
    drawn = []
    for lead in _leading(array.shape, centre, slices):
        flat, marked, read = array[lead], differs[lead], window[lead]
        spot = _first(marked) or _middle(read) or centre[-2:]
        most = zip(flat.shape, spot, (rows, columns), strict=True)
        part = tuple(_span(*each) for each in most)
        note, name_of = full, name
        if flat[part].shape != flat.shape:
            note += f", rows {part[0].start}–{part[0].stop - 1}, columns {part[1].start}–{part[1].stop - 1}"
        if lead:
            name_of = f"{name}[{', '.join(map(str, lead))}]"
            note = f"of {note}"
        origin = (part[0].start, part[1].start)
        drawn.append(Grid(name_of, note, flat[part], marked[part], read[part], origin, digits))
    return drawn


def _first(mask: np.ndarray) -> tuple[int, ...] | None:
    found = np.argwhere(mask)
    return tuple(found[0].tolist()) if len(found) else None


def _middle(mask: np.ndarray) -> tuple[int, ...] | None:
    found = np.argwhere(mask)
    return tuple(((found.min(0) + found.max(0)) // 2).tolist()) if len(found) else None


def _leading(shape: tuple[int, ...], centre: tuple[int, ...], slices: int) -> Iterator[tuple[int, ...]]:
    if len(shape) == 2:
        yield ()
        return
    fixed = [(index,) for index in centre[: len(shape) - 3]]
    channel = centre[len(shape) - 3]
    channels = range(shape[-3]) if shape[-3] <= slices else (channel,)
    yield from product(*fixed, channels)


def _span(length: int, at: int, most: int) -> slice:
    start = max(0, min(at - most // 2, length - most))
    return slice(start, min(length, start + most))


def grid_html(grid: Grid) -> str:
    """Return the matrix as a table with a caption and its row and column numbers."""
    caption = f"<caption><code>{escape(grid.name)}</code>&nbsp;{escape(grid.note)}</caption>"
    if not grid.values.size:
        return f'<table class="cl-grid">{caption}<tbody><tr><td>no numbers</td></tr></tbody></table>'
    top, left = grid.origin
    height, width = grid.values.shape
    head = "".join(f'<th scope="col">{left + j}</th>' for j in range(width))
    rows = []
    for i in range(height):
        cells = "".join(_cell(grid, i, j) for j in range(width))
        rows.append(f'<tr><th scope="row">{top + i}</th>{cells}</tr>')
    return (
        f'<table class="cl-grid">{caption}<thead><tr><td style="border:0"></td>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _cell(grid: Grid, i: int, j: int) -> str:
    text = escape(number_text(grid.values[i, j], grid.digits))
    if grid.differs[i, j]:
        return f'<td class="cl-differs" aria-label="{text}, differs"><strong>{text}</strong></td>'
    if grid.window[i, j]:
        return f'<td class="cl-window" aria-label="{text}, in the window">{text}</td>'
    return f"<td>{text}</td>"


def grid_text(grid: Grid) -> list[str]:
    """Return the matrix as lines: ``[5]`` differs, ``(5)`` is in the window."""
    caption = f"{grid.name} {grid.note}"
    if not grid.values.size:
        return [caption]
    texts = [[number_text(value, grid.digits) for value in row] for row in grid.values]
    width = max(len(text) for row in texts for text in row)
    lines = [caption]
    for i, row in enumerate(texts):
        cells = []
        for j, text in enumerate(row):
            before, after = "[]" if grid.differs[i, j] else "()" if grid.window[i, j] else "  "
            cells.append(f"{before}{text:>{width}}{after}")
        lines.append("".join(cells).rstrip())
    return lines


def beside(groups: Sequence[Sequence[Sequence[str]]]) -> str:
    """Set blocks of lines side by side, in several rows if one is too narrow.

    A group that fits on one row is not broken.
    """
    shelves: list[list[Sequence[str]]] = [[]]
    used = 0
    for group in groups:
        widths = [max(map(len, block)) + _GAP for block in group]
        if used + sum(widths) > _WIDTH >= sum(widths):
            shelves.append([])
            used = 0
        for block, wide in zip(group, widths, strict=True):
            if shelves[-1] and used + wide > _WIDTH:
                shelves.append([])
                used = 0
            shelves[-1].append(block)
            used += wide
    return "\n\n".join(_shelf(shelf) for shelf in shelves if shelf)


def _shelf(blocks: list[Sequence[str]]) -> str:
    widths = [max(map(len, block)) for block in blocks]
    rows = zip_longest(*blocks, fillvalue="")
    return "\n".join(
        (" " * _GAP).join(part.ljust(wide) for part, wide in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def mask_of(regions: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return where `regions` (index tuples of numbers and slices) are; what is outside is left out."""
    mask = np.zeros(shape, bool)
    for region in regions:
        try:
            mask[tuple(region)] = True
        except (IndexError, TypeError):
            continue
    return mask
