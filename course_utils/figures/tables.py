"""A small table: HTML in a notebook, aligned text in a terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from typing import Any

from course_utils.errors import FigureError
from course_utils.figures.html_figure import HtmlFigure
from course_utils.text import number_text

_NUMBER = re.compile(r"[-+]?[\d.,]+( ?[%a-zMµ]{1,3})?|–|")
"""A number, with or without a unit, or nothing."""


def table(rows: Sequence[Sequence[Any]], columns: Sequence[str], caption: str = "") -> HtmlFigure:
    """Lay out rows of numbers and words as a table.

    Parameters
    ----------
    rows : sequence of sequences
        Integers get thousands separators, other numbers four significant digits; everything else is written
        as it is. The first cell of a row is its heading.
    columns : sequence of str
    caption : str, optional

    Raises
    ------
    FigureError
        If a row does not have one cell per column.

    Examples
    --------
    >>> table([["conv1", 500], ["conv2", 45_100]], columns=["layer", "parameters"])
    layer  parameters
    ─────  ──────────
    conv1         500
    conv2      45,100
    """
    for row in rows:
        if len(row) != len(columns):
            raise FigureError(
                f"A row of the table has {len(row)} cells, but {len(columns)} columns are named.",
                why=repr(list(row)),
            )
    texts = [[_text(cell) for cell in row] for row in rows]
    words = [not all(_NUMBER.fullmatch(row[j]) for row in texts) for j in range(len(columns))]
    return HtmlFigure(_html(texts, columns, words, caption), _plain(texts, columns, words, caption))


def _text(cell: Any) -> str:
    if cell is None:
        return "–"
    if isinstance(cell, str):
        return cell
    if hasattr(cell, "item"):
        cell = cell.item()
    if isinstance(cell, int) and not isinstance(cell, bool):
        return f"{cell:,}"
    return number_text(cell) if isinstance(cell, (float, bool)) else str(cell)


def _html(texts: list[list[str]], columns: Sequence[str], words: list[bool], caption: str) -> str:
    kinds = ['class="cl-words"' if word else "" for word in words]
    # A screen reader would announce an empty heading.
    heads = [
        f'th scope="col" {kind}>{escape(name)}</th' if name else "td></td"
        for name, kind in zip(columns, kinds, strict=True)
    ]
    head = "".join(f"<{cell}>" for cell in heads)
    body = []
    for row in texts:
        first, *rest = (f"{kind}>{escape(text)}" for text, kind in zip(row, kinds, strict=True))
        body.append(
            f'<tr><th scope="row" {first}</th>' + "".join(f"<td {cell}</td>" for cell in rest) + "</tr>"
        )
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return (
        f'<div class="cl-figure"><table class="cl-table">{title}<thead><tr>{head}</tr></thead>'
        f"<tbody>{''.join(body)}</tbody></table></div>"
    )


def _plain(texts: list[list[str]], columns: Sequence[str], words: list[bool], caption: str) -> str:
    everything = [columns, *texts]
    rule = "  ".join("─" * max(map(len, column)) for column in zip(*everything, strict=True))
    first, *rest = aligned(everything, words)
    return "\n".join([*([caption] if caption else []), first, rule, *rest])


def aligned(rows: Sequence[Sequence[str]], words: Sequence[bool]) -> list[str]:
    """Return one line of text for each row: words are aligned left, numbers right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(wide) if word else cell.rjust(wide)
            for cell, wide, word in zip(row, widths, words, strict=True)
        ).rstrip()
        for row in rows
    ]
