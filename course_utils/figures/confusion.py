"""Which class was mistaken for which."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np

from course_utils.errors import FigureError
from course_utils.figures.arrays import array_text, as_array
from course_utils.figures.html_figure import HtmlFigure
from course_utils.figures.tables import table


def confusion_matrix(matrix: Any, classes: Sequence[str]) -> HtmlFigure:
    r"""Show counts with one row per true class and one column per predicted class.

    Cells are tinted by their share of the row; the last column is the share that was right.

    Parameters
    ----------
    matrix : tensor
        K×K counts: ``matrix[true, predicted]``.
    classes : sequence of str
        The K names.

    Raises
    ------
    FigureError
        If the matrix is not K×K, or has negative counts.

    Examples
    --------
    >>> confusion_matrix([[8, 2], [0, 5]], ["cat", "dog"])
    Confusion matrix: rows are true classes, columns are predictions
    true \ predicted  cat  dog   right
    ────────────────  ───  ───  ──────
    cat                 8    2   80.0%
    dog                 0    5  100.0%
    """
    counts = as_array(matrix)
    names = [str(name) for name in classes]
    if counts is None or counts.shape != (len(names),) * 2 or (counts < 0).any():
        raise FigureError(
            f"confusion_matrix takes {len(names)}×{len(names)} counts for {len(names)} classes.",
            why="It got negative counts."
            if counts is not None and (counts < 0).any()
            else f"It got {array_text(counts)}.",
        )
    totals = counts.sum(1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    right = [f"{shares[i, i]:.1%}" if totals[i, 0] else "–" for i in range(len(names))]
    caption = "Confusion matrix: rows are true classes, columns are predictions"
    text = table(
        [[name, *row, share] for name, row, share in zip(names, counts.tolist(), right, strict=True)],
        ["true \\ predicted", *names, "right"],
        caption,
    ).text
    return HtmlFigure(_html(counts, shares, names, right, caption), text)


def _html(counts: np.ndarray, shares: np.ndarray, names: list[str], right: list[str], caption: str) -> str:
    upright = ' style="writing-mode:vertical-rl"' if max(map(len, names)) > 4 else ""
    head = "".join(f'<th scope="col"{upright}>{escape(name)}</th>' for name in names)
    rows = []
    for i, name in enumerate(names):
        cells = "".join(_cell(counts[i, j], shares[i, j], i == j) for j in range(len(names)))
        rows.append(
            f'<tr><th scope="row" class="cl-words">{escape(name)}</th>{cells}<td>{right[i]}</td></tr>'
        )
    return (
        f'<div class="cl-figure"><table class="cl-grid cl-matrix"><caption>{caption}</caption>'
        f'<thead><tr><td class="cl-none">true ↓ predicted →</td>{head}<th scope="col">right</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _cell(count: Any, share: float, diagonal: bool) -> str:
    # The square root lets rare mistakes be seen beside a diagonal near 1.
    tint = f"background:rgba({'0,114,178' if diagonal else '213,94,0'},{0.65 * share**0.5:.2f})"
    label, value = ("", f"{count:g}") if count else (' aria-label="0"', "·")
    return f'<td style="{tint}" title="{share:.1%}"{label}>{value}</td>'
