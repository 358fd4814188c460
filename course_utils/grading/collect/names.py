"""A folder, an archive or a notebook for each student, named by people: which part of a path names them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import lru_cache

from course_utils.errors import GradingError

Parts = tuple[str, ...]

LONGEST_NAME = 600
"""Characters that are read of a name: those in an archive can be long, and patterns take their time."""

_WORD = r"(?:labs?|assignments?|notebooks?|exercises?|homework|hw|ex)"
_TITLES = ("conv_layer", "pooling_layer", "lenet5", "vgg", "lenet", "pooling", "conv")
_TITLE = rf"(?<![a-z])(?:0?\d[\s_-]*)?(?:{'|'.join(_TITLES)})(?![a-z0-9])"
_NUMBERED_LAB = re.compile(rf"(?:{_TITLE}|(?<![a-z]){_WORD}[\s_-]*\d+(?![a-z]))", re.I)
_LAB_WORD = re.compile(rf"(?<![a-z]){_WORD}(?![a-z])", re.I)
_WRAPPER = re.compile(
    rf"(?:{_WORD}[\s_-]*\d*|submissions?|submitted|downloaded|downloads?|autograded"
    r"|(?:attempt|version|v|draft|old|new|backup|final|copy)[\s_-]*\d*)$",
    re.I,
)
_TRAILERS = re.compile(
    r"(?:(?<!\s)\s*\(\d+\)|(?<![\s_-])[\s_-]+(?:solution|final|copy\d*|submission|answers?|v\d+|edited))+$",
    re.I,
)
_SHORT_NUMBER = re.compile(r"\d{1,2}$")


def read_names(deciding: Sequence[Parts], layout: str | None) -> Callable[[Parts], tuple[str, int] | None]:
    """Return a function that gives the student of a path, and which of its parts names the student.

    Parameters
    ----------
    deciding : sequence of tuple of str
        The notebooks' paths; how names are read is decided from all of them together.
    layout : str or None
        ``"names"``: each folder, archive or notebook is a student of its own. ``"groups"``: they are in
        folders of groups. None: that is found out.

    Raises
    ------
    GradingError
        If the names can be read in two ways, or a notebook's name is no student's.
    """
    around = _groups(deciding, layout)

    def group(path: Parts) -> str:
        first = path[_first(path)]
        return first if first in around and _first(path) < len(path) - 1 else ""

    def entry(path: Parts) -> int:
        first = _first(path)
        return _first(path, first + 1) if group(path) else first

    def raw(path: Parts) -> str:
        part, is_file = path[entry(path)], entry(path) == len(path) - 1
        return (part.rpartition(".")[0] or part if is_file else part)[:LONGEST_NAME]

    every = all(_LAB_WORD.search(raw(path)) for path in deciding)

    def without_this_lab(name: str) -> str:
        # A word such as HW is a lab's only if it is in every name: Tan HW may be a student beside Tan.
        name = _without(_NUMBERED_LAB, name)
        return _without(_LAB_WORD, name) if every else name

    def names(path: Parts) -> tuple[str, str]:
        """Return the name without a lab's number, and without whatever else may not belong to it."""
        name = raw(path)
        plain = without_this_lab(name)
        if entry(path) == len(path) - 1:
            # A browser or an author adds to the name of a file.
            plain = _without_trailers(without_this_lab(_without_trailers(name)))
        return _without(_NUMBERED_LAB, name), plain

    merged: dict[str, set[str]] = defaultdict(set)
    groups: dict[str, set[str]] = defaultdict(set)
    for path in deciding:
        whole, plain = names(path)
        merged[plain].add(whole)
        groups[plain].add(group(path))
    doubtful = {name for name, versions in merged.items() if name and len(versions) > 1}
    if doubtful and layout is None:
        raise GradingError(
            f"{' and '.join(sorted(merged[min(doubtful)]))} may be versions by one student, "
            "or work by several.",
            left="Nothing was graded.",
            next_step="--layout names takes each for a student; --mapping FILE.csv (columns file, student) "
            "says whose a file is.",
        )

    def read(path: Parts) -> tuple[str, int] | None:
        whole, plain = names(path)
        name = whole if plain in doubtful else plain
        if len(groups[plain]) > 1:
            # One name in two groups is two students.
            name = f"{name} ({group(path)})"
        return (name, entry(path)) if name else None

    nobody = [path for path in deciding if read(path) is None]
    if nobody and layout is None:
        raise GradingError(
            f"The names of these notebooks do not say whose they are: {', '.join(map('/'.join, nobody[:3]))}"
            + (f" and {len(nobody) - 3} more." if len(nobody) > 3 else "."),
            left="Nothing was graded.",
            next_step="--mapping FILE.csv (columns file, student) says whose a file is; "
            "--layout names leaves them out.",
        )
    return read


@lru_cache(maxsize=4096)
def is_wrapper(part: str) -> bool:
    """Whether a folder's name denotes a lab or submissions, not a student.

    Examples
    --------
    >>> [is_wrapper(name) for name in ("Lab 01", "Lab 1 - submissions", "01", "Tan HW")]
    [True, True, False, False]
    """
    part = part[:LONGEST_NAME]
    rest = without_lab(part)
    return not rest or bool(_WRAPPER.match(part) or _WRAPPER.match(rest))


def without_lab(name: str) -> str:
    """Return what a name says besides the lab.

    Examples
    --------
    >>> without_lab("alice_lab1"), without_lab("01_conv_layer - alice"), without_lab("01_conv_layer")
    ('alice', 'alice', '')
    """
    return _without(_LAB_WORD, _without(_NUMBERED_LAB, name))


def _without(pattern: re.Pattern[str], name: str) -> str:
    rest, found = pattern.subn("", name)
    rest = rest.strip(" _-.,+") if found else name
    return "" if found and _SHORT_NUMBER.match(rest) else rest


def _without_trailers(name: str) -> str:
    return _TRAILERS.sub("", name)


def _first(path: Parts, start: int = 0) -> int:
    """Return the first part that is not a lab's folder. The student may have written everything below it."""
    return next((i for i in range(start, len(path)) if not is_wrapper(path[i])), len(path) - 1)


def _groups(deciding: Sequence[Parts], layout: str | None) -> set[str]:
    """Return the outer names that are not students but contain them.

    One folder around all is one, and so are the folders of groups: names inside that occur only once are
    students, and names that are the same in all are a student's own folders.
    """
    inner: dict[str, set[str]] = defaultdict(set)
    complete = True
    for path in deciding:
        first, *rest = [part for part in path[_first(path) : -1] if not is_wrapper(part)] or [""]
        complete &= bool(first and rest)
        inner[first].update(rest[:1])
    if layout == "groups":
        return set(inner) - {""}
    if not (complete and inner):
        return set()
    names = [name for inside in inner.values() for name in inside]
    if len(inner) == 1:
        return set(inner) if len(names) > 1 else set()
    same = len({frozenset(inside) for inside in inner.values()}) == 1
    numbers = all(map(_SHORT_NUMBER.match, inner))
    if layout == "names" or (same and not (numbers and len(names) > len(inner))):
        return set()
    several = all(len(inside) > 1 for inside in inner.values())
    if numbers or (several and len(set(names)) < len(names)):
        outer, example = sorted(inner), min(names)
        raise GradingError(
            f"Are {outer[0]} and {outer[1]} students, or groups of students such as {example}?",
            left="Nothing was graded.",
            next_step="Add --layout names if they are students, or --layout groups if they contain them.",
        )
    return set(inner) if several else set()
