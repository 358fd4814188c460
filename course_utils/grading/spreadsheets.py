"""CSV files: written so that no cell is ever a formula, and read as spreadsheets save them."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterable, Sequence
from typing import Any

_FORMULA = r"(?=\s*[=+\-@＝＋－＠]|[\t\r\n])"
"""Where a formula may begin: some spreadsheets also split cells at a semicolon, and read wide signs."""
_BEGIN = r"(?:^|(?<=[;\t\r\n]))"


def safe(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula.

    Examples
    --------
    >>> safe("=1+1")
    "'=1+1"
    """
    return re.sub(_BEGIN + _FORMULA, "'", text)


def unsafe(text: str) -> str:
    """Return the text that `safe` was given.

    Examples
    --------
    >>> unsafe("'-1 for the style; 'tis late")
    "-1 for the style; 'tis late"
    """
    return re.sub(_BEGIN + "'" + _FORMULA, "", text)


def as_csv(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table as CSV without formulas."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    for row in (heads, *rows):
        writer.writerow([safe(cell) if isinstance(cell, str) else cell for cell in row])
    return stream.getvalue()


def decoded(content: bytes) -> str:
    """Return the text of a CSV file: UTF-8, Excel's "Unicode text", or the code page of Western Europe.

    Raises
    ------
    UnicodeDecodeError
        If it is none of them.
    """
    wide = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    for encoding in ("utf-16",) if wide else ("utf-8-sig", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("utf-16" if wide else "latin-1")
