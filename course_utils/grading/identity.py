"""Whose file it is: read from its path, as Moodle, Canvas, nbgrader and people lay submissions out."""

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
        What told it.
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
        The path below the submissions, without the folders that hold all of them.
    folders : sequence of bool
        Which parts are folders.
    """
    first = next((i for i, part in enumerate(parts) if not is_wrapper(part)), len(parts) - 1)
    for depth, part in enumerate(parts):
        below = tuple(
            p for p, is_folder in zip(parts[depth + 1 :], folders[depth + 1 :], strict=True) if is_folder
        )
        if match := _MOODLE.match(part):
            return Owner(_tidy(match["name"]), match["id"], "Moodle", where=below)
        if depth == first and (match := _CANVAS.match(part)):
            copy = _COPY.search(match["file"])
            order = (int(match["upload"]), int(copy[1]) if copy else 0)
            return Owner(_tidy(match["name"]), match["id"], "Canvas", bool(match["late"]), order, below)
        if match := _EXCHANGE.match(part):
            return Owner(_tidy(match["name"]), source="nbgrader", where=below)
    for depth, part in enumerate(parts[:-1]):
        if not is_wrapper(part):
            below = tuple(
                p for p, is_folder in zip(parts[depth + 1 :], folders[depth + 1 :], strict=True) if is_folder
            )
            return Owner(_tidy(_without_lab(part)), source="folder", where=below)
    stem = _TRAILERS.sub("", parts[-1].rpartition(".")[0] or parts[-1])
    name = _TRAILERS.sub("", _without_lab(stem))
    return Owner(_tidy(name), source="file name") if name else None


def is_wrapper(part: str) -> bool:
    """Whether a folder's name speaks of a lab or of submissions, not of a student."""
    rest = _without_lab(part)
    return not rest or bool(_WRAPPER.match(part) or _WRAPPER.match(rest))


def groups_of(paths: Iterable[tuple[Sequence[str], Sequence[bool]]]) -> set[str]:
    """Return the first parts that are no students, but hold students' folders.

    A folder or archive that holds all others, tutorial groups (every first part leads to at least two names),
    or what came from Canvas for several students.
    """
    below: dict[str, set[str]] = defaultdict(set)
    uploads: dict[str, list[str]] = defaultdict(list)
    for parts, _ in paths:
        named = [part for part in parts[:-1] if not is_wrapper(part)]
        if named and not any(_MOODLE.match(part) or _EXCHANGE.match(part) for part in parts):
            below[named[0]].update(named[1:2])
            uploads[named[0]].append(next(part for part in (*named[1:], parts[-1])))
    groups = set(below) if all(len(names) >= 2 for names in below.values()) else set()
    for folder, names in uploads.items():
        matches = [_CANVAS.match(name) for name in names]
        if all(matches) and len({match["name"] for match in matches if match}) >= 2:
            groups.add(folder)
    return groups


def _without_lab(name: str) -> str:
    """Return what a name says besides the lab: ``alice`` of ``alice_lab1`` or ``01_conv_layer - alice``."""
    rest, found = _LAB_IN_STEM.subn("", name)
    rest = rest.strip(" _-.,+") if found else name
    return "" if rest.isdigit() and len(rest) <= 2 else rest


def _tidy(name: str) -> str:
    return unicodedata.normalize("NFC", " ".join(name.split()))[:200]
