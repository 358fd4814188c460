"""The base of all figures: HTML for notebooks, and the same content in plain text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import Any


def stylesheet(*files: Path) -> str:
    """Return style sheets as one, without comments and unnecessary white space."""
    css = " ".join(file.read_text("utf-8") for file in files)
    css = re.sub(r"\s+", " ", re.sub(r"/\*.*?\*/", "", css, flags=re.S))
    return re.sub(r" ?([{};,]) ?|(?<=:) ", r"\1", css).strip()


STYLE = f"<style>{stylesheet(Path(__file__).with_suffix('.css'))}</style>"


@dataclass(frozen=True, repr=False)
class HtmlFigure:
    """A figure that notebooks show as HTML and terminals as text.

    Attributes
    ----------
    html : str
        A fragment without the style.
    text : str
        The same content in plain text.
    data : mapping
        Further MIME types, for tools that read notebooks.
    """

    html: str
    text: str
    data: Mapping[str, Any] = field(default_factory=dict)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {"text/plain": self.text, "text/html": f"{STYLE}\n{self.html}", **self.data}

    def __repr__(self) -> str:
        return self.text


def line(text: str) -> HtmlFigure:
    """Return a figure that is one line of text.

    Examples
    --------
    >>> line("Not started.")
    Not started.
    """
    return HtmlFigure(f'<div class="cl-card" role="note">{escape(text)}</div>', text)
