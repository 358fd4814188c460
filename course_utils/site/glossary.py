"""The glossary's terms, and the links to them from the text of the labs."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from course_utils.site.sections import Section

_OTHER_NAMES = re.compile(r"\s*[(),/]\s*")
_UNLINKED = ("a", "code", "pre", "h1", "h2", "h3", "h4", "h5", "h6")
_SENTENCE = re.compile(r".+?[.!?](?=\s|$)")


@dataclass(frozen=True)
class Term:
    """A term of the glossary.

    Attributes
    ----------
    names : tuple of str
        How a text may call it: the heading "Feature map (activation map)" has two names.
    anchor : str
        The name by which a link finds it.
    meaning : str
        The first sentence of its definition.
    """

    names: tuple[str, ...]
    anchor: str
    meaning: str


def terms(found: Sequence[Section]) -> list[Term]:
    """Return the terms of a glossary that has one ``##`` heading for each."""
    return [
        Term(
            tuple(name for name in _OTHER_NAMES.split(section.title) if len(name) > 2),
            section.anchor,
            match[0] if (match := _SENTENCE.match(section.text)) else section.text,
        )
        for section in found
        if section.level == 2
    ]


def linker(known: Sequence[Term], page: str) -> Callable[[str], str]:
    """Return what links, in the pieces of one text, the first use of each term to its definition.

    Headings, code and links are left as they are.

    Parameters
    ----------
    known : sequence of Term
    page : str
        The address of the glossary.

    Examples
    --------
    >>> link = linker([Term(("Stride",), "stride", "Steps.")], "g.html")
    >>> link("<h2>Stride</h2><p>The stride is a stride.</p>")
    '<h2>Stride</h2><p>The <a class="term" href="g.html#stride" title="Steps.">stride</a> is a stride.</p>'
    """
    left = {name.casefold(): term for term in known for name in term.names}
    # The longest first: "feature map" before "map".
    names = "|".join(re.escape(name) for name in sorted(left, key=len, reverse=True))
    pattern = re.compile(rf"(?<![\w-])({names})(e?s)?(?![\w-])", re.I)

    def link(match: re.Match[str]) -> str:
        term = left.get(match[1].casefold())
        if term is None:
            return match[0]
        for name in term.names:
            left.pop(name.casefold(), None)
        address = f"{page}#{escape(term.anchor)}"
        return f'<a class="term" href="{address}" title="{escape(term.meaning)}">{match[0]}</a>'

    def first_uses(html: str) -> str:
        inside = 0
        pieces = re.split(r"(<[^>]*>)", html)
        for place, piece in enumerate(pieces):
            if piece.startswith("<"):
                name = re.match(r"</?(\w*)", piece)
                if name and name[1] in _UNLINKED:
                    inside += -1 if piece.startswith("</") else 1
            elif not inside:
                pieces[place] = pattern.sub(link, piece)
        return "".join(pieces)

    return first_uses if left else str
