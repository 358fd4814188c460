"""The texts beside the labs: what is in ``docs``, and two files of the checkout's top folder."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from course_utils.notebooks.hosted import Address

_FIRST = ("teaching", "cheat_sheet", "glossary", "data")
_TOP = ("ACCESSIBILITY.md", "CHANGELOG.md")
_MINUTES = re.compile(r"^\| (\d+)\.\d+ \|(?!.*\(optional\)).*\| (\d+) \|$", re.M)
_HEADING = re.compile(r"(#{1,6})\s+(.+?)\s*#*\s*$")
_LEFT_OUT = "This part is for instructors: it stands in `{path}` of the course, and not on this site."


@dataclass(frozen=True)
class Guide:
    """A text in Markdown.

    Attributes
    ----------
    path : str
        The file, as seen from the checkout's top folder.
    title : str
        Its first heading.
    text : str
        Without what only instructors may read.
    """

    path: str
    title: str
    text: str

    @property
    def name(self) -> str:
        """The file's name, in small letters and without its end."""
        return Path(self.path).stem.lower()

    @property
    def for_students(self) -> bool:
        """Whether students use it, too."""
        return self.name in ("cheat_sheet", "glossary")


def find_guides(root: Path) -> list[Guide]:
    """Return the texts of a checkout, in the order in which they are offered."""
    docs = sorted(
        (root / "docs").glob("*.md"),
        key=lambda path: (_FIRST.index(path.stem) if path.stem in _FIRST else len(_FIRST), path.stem),
    )
    top = [root / name for name in _TOP if (root / name).exists()]
    return [_read(path, root) for path in (*docs, *top)]


def _read(path: Path, root: Path) -> Guide:
    name = path.relative_to(root).as_posix()
    text = path.read_text("utf-8")
    title = next((match[2] for line, match in _lines(text) if match), path.stem)
    return Guide(name, title.replace("`", ""), without_answers(text, name))


def without_answers(text: str, path: str) -> str:
    """Leave out each section whose heading begins with "Answers", and say where it stands.

    Parameters
    ----------
    text : str
        Markdown.
    path : str
        Where it stands.

    Examples
    --------
    >>> print(without_answers("# A\\n## Answers to B\\n42\\n## C", "docs/a.md"))
    # A
    ## Answers to B
    <BLANKLINE>
    This part is for instructors: it stands in `docs/a.md` of the course, and not on this site.
    <BLANKLINE>
    ## C
    """
    kept: list[str] = []
    level = 0
    for line, heading in _lines(text):
        if heading and (not level or len(heading[1]) <= level):
            level = len(heading[1]) if heading[2].startswith("Answers") else 0
            kept.append(line)
            if level:
                kept += ["", _LEFT_OUT.format(path=path), ""]
        elif not level:
            kept.append(line)
    return "\n".join(kept)


def _lines(text: str) -> Iterator[tuple[str, re.Match[str] | None]]:
    """Yield each line, and what it says as a heading; a comment in a block of code is none."""
    fence = ""
    for line in text.splitlines():
        mark = re.match(r"\s*(`{3,}|~{3,})", line)
        if mark and (not fence or mark[1].startswith(fence)):
            fence = "" if fence else mark[1]
        yield line, None if fence or mark else _HEADING.match(line)


def minutes(guides: Sequence[Guide]) -> Counter[int]:
    """Return how many minutes the exercises of each lab take, as a guide's table of minutes estimates them.

    Examples
    --------
    >>> table = "| 1.1 | `a` | 15 |\\n| 1.2 | `b` (optional) | 9 |\\n| 1.3 | `c` | 5 |"
    >>> minutes([Guide("docs/teaching.md", "Teaching", f"## Minutes for each exercise\\n{table}")])
    Counter({1: 20})
    """
    found: Counter[int] = Counter()
    for guide in guides:
        section = guide.text.partition("## Minutes for each exercise")[2].partition("\n## ")[0]
        for lab, number in _MINUTES.findall(section):
            found[int(lab)] += int(number)
    return found


def addresses(path: str, pages: Mapping[str, str], public: Address | None) -> Callable[[str], str | None]:
    """Return what says where a link in a file of the checkout leads on the site.

    Parameters
    ----------
    path : str
        The file in which the link stands.
    pages : mapping of str to str
        The page of each file that has one.
    public : Address, optional
        Where files without a page can be read; without it, their links become plain text.

    Examples
    --------
    >>> address = addresses("docs/a.md", {"docs/b.md": "b.html"}, None)
    >>> address("b.md#size"), address("../README.md"), address("https://pytorch.org")
    ('b.html#size', None, 'https://pytorch.org')
    """

    def address(url: str) -> str | None:
        parts = urlsplit(url)
        if parts.scheme or parts.netloc or not parts.path:
            return url
        file = posixpath.normpath(posixpath.join(posixpath.dirname(path), parts.path))
        fragment = f"#{parts.fragment}" if parts.fragment else ""
        if file in pages:
            return pages[file] + fragment
        return public.file(file) + fragment if public and not file.startswith("..") else None

    return address


def anchors() -> Callable[[str], str]:
    """Return what names the headings of one text as GitHub does, so that links work here and there."""
    taken: Counter[str] = Counter()

    def anchor(heading: str) -> str:
        name = re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")
        taken[name] += 1
        return name if taken[name] == 1 else f"{name}-{taken[name] - 1}"

    return anchor
