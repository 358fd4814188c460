"""The sections of a page: for its table of contents, and for the search."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

_HEADINGS = ("h1", "h2", "h3")
_UNREAD = ("script", "style")


@dataclass
class Section:
    """A heading and the text below it.

    Attributes
    ----------
    level : int
        1 for the title of the page.
    title, anchor : str
        The heading, and the name by which a link finds it.
    words : list of str
        The text up to the next heading, in pieces.
    """

    level: int
    title: str
    anchor: str
    words: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The text up to the next heading, on one line."""
        return " ".join("".join(self.words).split())


def sections(html: str) -> list[Section]:
    """Return the sections of a page, without what stands before its first heading and without outputs.

    Examples
    --------
    >>> [(one.title, one.text) for one in sections('<h2 id="size">Size</h2><p>Half of <b>it</b>.</p>')]
    [('Size', 'Half of it.')]
    """
    reader = _Headings()
    reader.feed(html)
    reader.close()
    return reader.found


class _Headings(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[Section] = []
        self._heading = False
        self._unread = 0
        self._outputs = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self._unread += tag in _UNREAD
        if tag == "div" and (self._outputs or values.get("class") == "output_wrapper"):
            self._outputs += 1
        elif tag in _HEADINGS and not self._outputs:
            self.found.append(Section(int(tag[1]), "", values.get("id") or ""))
            self._heading = True
        elif tag in ("p", "li", "div", "td", "th", "tr", "pre", "br"):
            self.handle_data(" ")

    def handle_endtag(self, tag: str) -> None:
        self._unread -= tag in _UNREAD
        self._outputs -= bool(tag == "div" and self._outputs)
        self._heading &= tag not in _HEADINGS

    def handle_data(self, data: str) -> None:
        if not self.found or self._unread or self._outputs:
            return
        if self._heading:
            self.found[-1].title += data
        else:
            self.found[-1].words.append(data)
