"""Who handed a file in, read from its path: the layouts of Moodle, Canvas, nbgrader, and people."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

Source = Literal["Moodle", "Canvas", "nbgrader", "folder", "file name"]

_MOODLE = re.compile(r"(?P<name>.+?)_(?P<id>\d+)_assignsubmission_\w+?_*(?P<rest>_.*)?$")
_CANVAS = re.compile(r"(?P<name>[^_]+)_(?P<late>LATE_)?(?P<id>\d{2,})_(?P<upload>\d{3,})_(?P<file>.+)$")
_COPY = re.compile(r"-(\d{1,3})(?=\.\w+$|$)")
_EXCHANGE = re.compile(r"(?P<name>[^+]+)\+[^+]+\+\d{4}-\d\d-\d\d [\d:.]+ \w+(\+.*)?$")
_LAB_WORD = r"(?:labs?|assignments?|notebooks?|exercises?|homework|hw|ex)[\s_-]*\d*"
_WRAPPER = re.compile(
    rf"(?:{_LAB_WORD}|submissions?|submitted|submission_\w+|downloaded|downloads?|autograded|\d{{1,2}}"
    r"|(?:attempt|version|v|draft|old|new|backup|final|copy)[\s_-]*\d*)$",
    re.I,
)
_TITLES = ("conv_layer", "pooling_layer", "lenet5", "vgg", "lenet", "pooling", "conv")
_LAB_IN_STEM = re.compile(
    rf"(?:(?<![a-z])(?:0?\d[\s_-]*)?(?:{'|'.join(_TITLES)})(?![a-z0-9])|(?<![a-z]){_LAB_WORD}(?![a-z]))", re.I
)
_TRAILERS = re.compile(
    r"(?:\s*\(\d+\)|[\s_-]+(?:solution|final|copy\d*|submission|answers?|v\d+|edited))+$", re.I
)


@dataclass(frozen=True)
class Owner:
    """Who handed a file in.

    Attributes
    ----------
    name : str
        The student.
    number : str
        The number that the learning platform gives the student, or an empty string.
    source : str
        Where this was read from.
    late : bool
        Whether the platform marks it as late.
    order : tuple of int
        For Canvas: the upload's number and the copy's, which grow with each new upload.
    where : tuple of str
        The folders between the student's and the file.
    """

    name: str
    number: str = ""
    source: Source = "folder"
    late: bool = False
    order: tuple[int, ...] = ()
    where: tuple[str, ...] = ()


def owner_of(parts: Sequence[str], folders: Sequence[bool]) -> Owner | None:
    """Return who handed in the file with this path, or None if the path does not tell.

    Parameters
    ----------
    parts : sequence of str
        The path below the submissions, without the folders around all of them.
    folders : sequence of bool
        Which parts are folders.
    """
    # The outermost name counts: the student may have written everything below it.
    depth = next((i for i, part in enumerate(parts) if not is_wrapper(part)), len(parts) - 1)
    part = parts[depth]
    below = tuple(name for name, is_folder in zip(parts, folders, strict=True) if is_folder)[depth + 1 :]
    if match := _MOODLE.match(part):
        return Owner(_tidy(match["name"]), match["id"], "Moodle", where=below)
    if match := _CANVAS.match(part):
        copy = _COPY.search(match["file"])
        order = (int(match["upload"]), int(copy[1]) if copy else 0)
        return Owner(_tidy(match["name"]), match["id"], "Canvas", bool(match["late"]), order, below)
    if match := _EXCHANGE.match(part):
        return Owner(_tidy(match["name"]), source="nbgrader", where=below)
    if depth < len(parts) - 1:
        return Owner(_tidy(_without_lab(part)), where=below)
    stem = _TRAILERS.sub("", part.rpartition(".")[0] or part)
    name = _TRAILERS.sub("", _without_lab(stem))
    return Owner(_tidy(name), source="file name") if name else None


def is_wrapper(part: str) -> bool:
    """Whether a folder's name denotes a lab or submissions, not a student."""
    rest = _without_lab(part)
    return not rest or bool(_WRAPPER.match(part) or _WRAPPER.match(rest))


def groups_of(paths: Iterable[tuple[Sequence[str], Sequence[bool]]]) -> set[str]:
    """Return the first parts that are not students but contain them.

    These are: downloads, if there is nothing else; one folder or archive around all others; tutorial groups,
    if each contains at least two names. An archive beside students' own is never one of them, whatever its
    contents say.
    """
    names: dict[str, set[str]] = defaultdict(set)
    downloads = unmistakable = True
    for parts, _ in paths:
        first, *rest = [part for part in parts[:-1] if not is_wrapper(part)] or [""]
        inner = next((part for part in (*rest[:1], parts[-1]) if _platform_name(part)), None)
        downloads &= inner is not None
        unmistakable &= inner is not None and not _CANVAS.match(inner)
        names[first].update(_platform_name(part) or part for part in ([inner] if inner else rest[:1]))
    if "" in names or any(map(_platform_name, names)):
        return set()
    if unmistakable or (downloads and len(names) == 1):
        return set(names)
    return set(names) if all(len(inside) >= 2 for inside in names.values()) else set()


def _platform_name(part: str) -> str:
    """Return the student's name in a name that Moodle, Canvas or nbgrader's exchange gives, or nothing."""
    matches = (pattern.match(part) for pattern in (_MOODLE, _CANVAS, _EXCHANGE))
    return next((match["name"] for match in matches if match), "")


def _without_lab(name: str) -> str:
    """Return what a name says besides the lab: ``alice`` of ``alice_lab1`` or ``01_conv_layer - alice``."""
    rest, found = _LAB_IN_STEM.subn("", name)
    rest = rest.strip(" _-.,+") if found else name
    return "" if rest.isdigit() and len(rest) <= 2 else rest


def _tidy(name: str) -> str:
    return unicodedata.normalize("NFC", " ".join(name.split()))[:200]
