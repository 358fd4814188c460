"""Small matrices with their numbers: image * kernel = output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from course_utils.errors import FigureError
from course_utils.figures.arrays import as_array
from course_utils.figures.grids import Grid, beside, grid_html, grid_text, grids, mask_of
from course_utils.figures.html_figure import HtmlFigure

_LARGEST = 16


def number_grids(
    *,
    signs: Sequence[str] = "",
    windows: Mapping[str, Any] | None = None,
    **named: Any,
) -> HtmlFigure:
    """Draw small matrices side by side, with their numbers.

    Parameters
    ----------
    signs : sequence of str
        What stands between them: ``signs="*="`` draws ``image * kernel = output``.
    windows : mapping, optional
        A name and the region to mark (an index of numbers and slices), or a list of regions; for example
        ``{"image": (slice(0, 3), slice(0, 3)), "output": (0, 0)}``.
    **named : tensor
        Matrices H×W, or C×H×W with at most four channels, which are drawn one by one. Matrices of more than
        16 rows or columns are cropped.

    Raises
    ------
    FigureError
        If a value is not a tensor of numbers with one to three axes, a window names an unknown matrix, or
        there are more signs than gaps.

    Examples
    --------
    >>> number_grids(image=[[3, 2, 3], [0, 1, 3]], kernel=[[1, 0]], output=[[3, 2], [0, 1]], signs="*=")
    image 2×3       kernel 1×2       output 2×2
     3  2  3    *    1  0        =    3  2
     0  1  3                          0  1
    """
    if not named or len(signs) >= max(2, len(named)) or (len(named) == 1 and signs):
        raise FigureError(f"number_grids got {len(named)} matrices and {len(signs)} signs between them.")
    marked = dict(windows or {})
    if unknown := sorted(set(marked) - set(named)):
        raise FigureError(f"A window names {unknown[0]!r}.", why=f"The matrices are {', '.join(named)}.")
    groups = [_drawn(name, value, marked.get(name, [])) for name, value in named.items()]
    between = [*signs, *[""] * (len(groups) - 1 - len(signs)), ""]
    # One line for all signs, beside numbers even of the lowest matrix.
    level = 1 + (min(len(group[-1].values) for group in groups) - 1) // 2
    html, blocks = [], []
    for group, sign in zip(groups, between, strict=True):
        html += [grid_html(grid) for grid in group]
        blocks += [grid_text(grid) for grid in group]
        if sign:
            html.append(f'<span class="cl-sign">{escape(sign)}</span>')
            blocks.append([""] * level + [sign])
    return HtmlFigure(f'<div class="cl-figure cl-row">{"".join(html)}</div>', beside([blocks]))


def _drawn(name: str, value: Any, regions: Any) -> list[Grid]:
    array = as_array(value)
    if array is None or not 1 <= array.ndim <= 3:
        what = "no numbers" if array is None else f"{array.ndim} axes"
        raise FigureError("number_grids takes tensors of one to three axes.", why=f"{name} has {what}.")
    window = mask_of([regions] if isinstance(regions, tuple) else regions, array.shape)
    return grids(name, array, window=window, rows=_LARGEST, columns=_LARGEST)
