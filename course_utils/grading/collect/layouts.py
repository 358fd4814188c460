"""Whose a file is: how each platform names what it exports, and which of these layouts explains all files."""

from __future__ import annotations

import ast
import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import takewhile

from course_utils.errors import GradingError
from course_utils.grading.collect.names import LONGEST_NAME, is_wrapper, read_names, without_lab

METADATA = "submission_metadata.yml"
"""Gradescope's own list of who handed in what."""


@dataclass(frozen=True)
class Owner:
    """A student who handed a file in.

    Attributes
    ----------
    name : str
    number : str
        The number or address that the platform knows the student by, or an empty string.
    platform : str
        For example ``"Moodle"``; empty where people named folders or files.
    late : bool
        Whether the platform marks it as late.
    time : datetime or None
        When it was handed in, by the platform's own account.
    upload : tuple of int
        For Canvas, which gives no time: the upload's number and the copy's, which grow with each new upload.
    where : tuple of str
        The folders between the student's and the file.
    why : str
        What says whose it is.
    email : str
        As far as the platform tells.
    exported : str
        The student's folder, archive or file as the platform named it; empty where it gives no number.
    """

    name: str
    number: str = ""
    platform: str = ""
    late: bool = False
    time: datetime | None = None
    upload: tuple[int, ...] = ()
    where: tuple[str, ...] = ()
    why: str = ""
    email: str = ""
    exported: str = ""


@dataclass(frozen=True)
class Layout:
    """How a platform names what it exports.

    Attributes
    ----------
    name : str
        What ``--layout`` takes.
    platform : str
    pattern : re.Pattern
        The beginning of a path, from the student's folder or file on. Its groups: ``name``, ``id``, ``late``,
        ``time``, ``upload``; ``titled``, a name behind a title that all names share; ``listed``, a key of
        Gradescope's list; ``title``, which must be a lab's.
    sure : bool
        Whether nobody would name a file like this by chance.
    """

    name: str
    platform: str
    pattern: re.Pattern[str]
    sure: bool = True


LAYOUTS = (
    Layout(  # Anna Müller_12345_assignsubmission_file_/lab.ipynb; without folders, …_file_lab.ipynb
        "moodle",
        "Moodle",
        re.compile(r"(?P<name>[^/]+?)_(?P<id>\d+)_assignsubmission_[a-z]+(?:_/|[_/]|$)"),
    ),
    Layout(  # muelleranna_LATE_12345_67890_lab-1.ipynb
        "canvas",
        "Canvas",
        re.compile(
            r"(?P<name>[^/_]+)_(?P<late>LATE_)?(?P<id>\d{2,})_(?P<upload>\d{3,})_(?P<file>[^/]+)(?:/|$)"
        ),
        sure=False,
    ),
    Layout(  # Lab 1_jdoe_attempt_2026-11-01-10-22-33_lab.ipynb
        "blackboard",
        "Blackboard",
        re.compile(r"(?P<titled>[^/]+?)_attempt_(?P<time>\d{4}(?:-\d\d){5})(?:[._/]|$)"),
    ),
    Layout(  # assignment_4711_export/submission_9001/lab.ipynb, and submission_metadata.yml beside it
        "gradescope", "Gradescope", re.compile(r"(?P<listed>submission_\d+)/")
    ),
    Layout(  # 12345-678901 - Anna Müller - Nov 1, 2026 1022 AM/lab.ipynb; without folders, … AM - lab.ipynb
        "brightspace",
        "Brightspace",
        re.compile(
            r"(?P<id>\d+)-\d+ - (?P<name>[^/]+?)"
            r" - (?P<time>[A-Z][a-z]{2} \d\d?, \d{4} \d{3,4} [AP]M)(?:/| - )"
        ),
    ),
    Layout(  # submitted/jdoe/lab01/lab.ipynb, and timestamp.txt beside it
        "nbgrader", "nbgrader", re.compile(r"submitted/(?P<name>[^/]+)/[^/]+/")
    ),
    Layout(  # jdoe+lab01+2026-11-01 10:22:33.123456 UTC+c2VjcmV0/lab.ipynb
        "exchange",
        "nbgrader",
        re.compile(
            r"(?P<name>[^/+]+)\+[^/+]+\+(?P<time>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[\d.]* \w+)(?:\+[^/]*)?/"
        ),
    ),
    Layout(  # lab-01-jdoe/labs/lab.ipynb
        "github",
        "GitHub Classroom",
        re.compile(r"(?P<title>(?:lab|assignment|homework|hw)-?\d+)-(?P<name>[a-z\d]+(?:-[a-z\d]+)*)/", re.I),
        sure=False,
    ),
    Layout(  # Lab 01/Anna Müller - 01_conv_layer.ipynb
        "google",
        "Google Classroom",
        re.compile(r"(?P<name>[^/]+?) - (?P<title>[^/]+)\.ipynb$"),
        sure=False,
    ),
)
"""The platforms. What none of them explains is read by `read_names`: the layouts ``names`` and ``groups``."""

NAMES = (*(layout.name for layout in LAYOUTS), "names", "groups")
BY_FILE_NAME = "file name"
_DEEPEST = 4
_TIMES = ("%Y-%m-%d-%H-%M-%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%d %H:%M:%S%z", "%b %d, %Y %I%M %p")
_COPY = re.compile(r"-(\d{1,3})(?=\.\w+$|$)")

Parts = tuple[str, ...]
Lists = Mapping[Parts, Mapping[str, Sequence[Owner]]]


def read_owners(
    paths: Iterable[Parts],
    deciding: Iterable[Parts],
    *,
    folders: Iterable[Parts] = (),
    texts: Mapping[Parts, str] | None = None,
    layout: str | None = None,
) -> tuple[str, dict[Parts, Sequence[Owner]]]:
    """Find the layout that explains all files, and read from it whose each of them is.

    Parameters
    ----------
    paths : iterable of tuple of str
        All files, below the submissions.
    deciding : iterable of tuple of str
        Those that the layout must explain.
    folders : iterable of tuple of str
        The parents that are folders; the others are archives.
    texts : mapping, optional
        Gradescope's lists, by their paths.
    layout : str, optional
        A layout's name: it is not looked for, and what it does not explain has no owner.

    Returns
    -------
    str
        The layout in words.
    dict
        The students of each file; none where nothing says whose it is.

    Raises
    ------
    GradingError
        If no layout explains all files, or several do, differently.

    Examples
    --------
    >>> path = ("Lab 1_jdoe_attempt_2026-11-01-10-22-33_lab.ipynb",)
    >>> platform, owners = read_owners([path], [path])
    >>> platform, owners[path][0].name, owners[path][0].time.hour
    ('Blackboard', 'jdoe', 10)
    """
    paths, deciding, real = list(paths), sorted(set(deciding)), set(folders)
    lists = {path[:-1]: _read_list(text) for path, text in (texts or {}).items()}
    if layout in ("names", "groups"):
        return _by_names(paths, deciding, real, layout)
    if layout:
        named = next(one for one in LAYOUTS if one.name == layout)
        readings = [_Reading(named, depth, deciding, real, lists) for depth in range(_DEEPEST)]
        best = max(readings, key=lambda reading: (len(reading.explained), -reading.depth))
        return named.platform, {path: best.owners(path) for path in paths}
    for depth in range(_DEEPEST):
        readings = [_Reading(one, depth, deciding, real, lists) for one in LAYOUTS]
        complete = [one for one in readings if len(one.explained) == len(deciding) > 0 and one.fits()]
        if len({tuple(one.students()) for one in complete}) > 1:
            raise GradingError(
                "It is not clear which platform these files come from.",
                why=f"Their names fit {' and '.join(one.layout.platform for one in complete)}.",
                left="Nothing was graded.",
                next_step=f"Add --layout {' or --layout '.join(one.layout.name for one in complete)}.",
            )
        if complete:
            return complete[0].layout.platform, {path: complete[0].owners(path) for path in paths}
    return _by_names(paths, deciding, real, None)


class _Reading:
    """All paths, read in one layout whose students' folders or files are `depth` folders down."""

    def __init__(
        self, layout: Layout, depth: int, deciding: Sequence[Parts], folders: set[Parts], lists: Lists
    ) -> None:
        self.layout, self.depth, self._folders, self._lists = layout, depth, folders, lists
        matches = [(path, match) for path in deciding if (match := self._match(path))]
        self._titles = _titles(one["titled"] for _, one in matches if "titled" in one.re.groupindex)
        self.explained = [path for path, _ in matches if self.owners(path)]

    def fits(self) -> bool:
        """Whether a layout that names can fit by chance has only lab folders, or one folder, around it."""
        around = {path[: self.depth] for path in self.explained}
        return self.layout.sure or len(around) == 1 or all(map(is_wrapper, sum(around, ())))

    def students(self) -> list[tuple[str, str]]:
        """Return the name and number of each path's students."""
        return [(owner.name, owner.number) for path in self.explained for owner in self.owners(path)]

    def owners(self, path: Parts) -> Sequence[Owner]:
        match = self._match(path)
        if match is None:
            return ()
        groups = match.groupdict()
        if groups.get("title") and (without_lab(groups["title"]) or is_wrapper(groups["name"])):
            return ()
        text = match.group()
        below = self.depth + text.count("/") + (not text.endswith("/"))
        where = tuple(path[i] for i in range(below, len(path) - 1) if path[: i + 1] in self._folders)
        if "listed" in groups:
            listed = self._lists.get(path[: self.depth], {}).get(groups["listed"], ())
            return [replace(owner, where=where) for owner in listed]
        words = (groups.get("titled") or "").split("_")
        name = groups.get("name") or "_".join(words[self._titles.get(words[0], 0) :])
        number = groups.get("id") or ""
        copy = _COPY.search(groups.get("file") or "")
        said = f"{self.layout.platform}, number {number}" if number else self.layout.platform
        return [
            Owner(
                tidy(name),
                number,
                self.layout.platform,
                bool(groups.get("late")),
                read_time(groups.get("time") or ""),
                (int(groups["upload"]), int(copy[1]) if copy else 0) if "upload" in groups else (),
                where,
                said,
                exported=self._exported(path) if number else "",
            )
        ]

    def _exported(self, path: Parts) -> str:
        """Return the name of the student's folder or file; paths show archives without their ending."""
        is_archive = self.depth < len(path) - 1 and path[: self.depth + 1] not in self._folders
        return path[self.depth] + ".zip" * is_archive

    def _match(self, path: Parts) -> re.Match[str] | None:
        return self.layout.pattern.match("/".join(path[self.depth :])[:LONGEST_NAME])


def _by_names(
    paths: Sequence[Parts], deciding: Sequence[Parts], folders: set[Parts], layout: str | None
) -> tuple[str, dict[Parts, Sequence[Owner]]]:
    read = read_names(deciding, layout)
    if layout is None:
        _refuse_mixture(deciding, read)
    owners: dict[Parts, Sequence[Owner]] = {}
    for path in paths:
        found = read(path)
        if found is None:
            owners[path] = ()
            continue
        name, depth = found
        where = tuple(path[i] for i in range(depth + 1, len(path) - 1) if path[: i + 1] in folders)
        kind = BY_FILE_NAME if depth == len(path) - 1 else f"folder {path[depth]}"
        if path[: depth + 1] not in folders and depth < len(path) - 1:
            kind = f"archive {path[depth]}.zip"
        owners[path] = [Owner(tidy(name), where=where, why=kind)]
    return "names of folders and files", owners


def _refuse_mixture(deciding: Sequence[Parts], read: Callable[[Parts], tuple[str, int] | None]) -> None:
    """Stop where some names are a platform's and others are not."""
    heads = {path: "/".join(path[found[1] :])[:LONGEST_NAME] for path in deciding if (found := read(path))}
    for layout in LAYOUTS:
        fit = [path for path, head in heads.items() if layout.pattern.match(head)]
        if not fit or not layout.sure:
            continue
        others = [path for path in deciding if path not in fit]
        raise GradingError(
            f"It is not clear whose these files are: {len(fit)} of {len(deciding)} have names that "
            f"{layout.platform} gives.",
            why=f"These have not: {some(others)}."
            if others
            else f"{layout.platform}'s list, {METADATA}, is missing or does not name them.",
            left="Nothing was graded.",
            next_step=f"--layout {layout.name} leaves the others out, --layout names takes each name as it "
            "is, and --mapping FILE.csv (columns file, student) says whose a file is.",
        )


def some(paths: Iterable[Parts]) -> str:
    """Return the first few paths, for a sentence."""
    shown = ["/".join(path) for path in paths]
    return ", ".join(shown[:3]) + (f" and {len(shown) - 3} more" if len(shown) > 3 else "")


def tidy(name: str) -> str:
    """Return a name with single spaces and in one Unicode form."""
    text = name.encode("utf-8", "replace").decode("utf-8")
    return unicodedata.normalize("NFC", " ".join(text.split()))[:200]


def _titles(texts: Iterable[str]) -> dict[str, int]:
    """Return how many words are a title: those that all names with the same first word begin with."""
    alike: dict[str, set[str]] = defaultdict(set)
    for text in texts:
        alike[text.split("_")[0]].add(text)
    lengths = {}
    for first, names in alike.items():
        columns = zip(*(name.split("_")[:-1] for name in names), strict=False)
        shared = [*takewhile(lambda column: len(set(column)) == 1, columns)]
        # Of a single name, more than the first word may be the student's.
        lengths[first] = min(len(shared), 1) if len(names) == 1 else len(shared)
    return lengths


def read_time(text: str) -> datetime | None:
    """Return a time as platforms write it; with a zone where they say UTC or an offset.

    Examples
    --------
    >>> read_time("2026-11-01 10:22:33.365935000 Z").isoformat()
    '2026-11-01T10:22:33+00:00'
    >>> read_time("Nov 1, 2026 207 PM").isoformat()
    '2026-11-01T14:07:00'
    """
    if match := re.fullmatch(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.\d+)? ?(\S*)", text):
        plain, zone = match.groups()
        text = plain + {"Z": "+00:00", "UTC": "+00:00"}.get(zone, zone if zone[:1] in ("+", "-") else "")
    padded = re.sub(r" (\d{3}) ([AP]M)$", r" 0\1 \2", text)
    for form in _TIMES:
        try:
            return datetime.strptime(padded, form)
        except ValueError:
            continue
    return None


def _read_list(text: str) -> dict[str, list[Owner]]:
    """Return the submitters in Gradescope's list, read line by line: other parts of it can be long."""
    people: dict[str, list[dict[str, str]]] = defaultdict(list)
    times: dict[str, datetime | None] = {}
    key = section = ""
    for line in text.splitlines():
        if match := re.match(r"(submission_\d+):\s*$", line):
            key, section = match[1], ""
        elif match := re.match(r"  :(\w+):\s*(.*)$", line):
            section = match[1]
            if section == "created_at":
                times[key] = read_time(_plain(match[2]))
        elif section == "submitters" and (match := re.match(r"\s+(- )?:(\w+):\s*(.*)$", line)):
            if match[1]:
                people[key].append({})
            if people[key]:
                people[key][-1][match[2]] = _plain(match[3])
    return {
        key: [
            Owner(
                tidy(one.get("name") or one.get("email") or ""),
                one.get("sid") or one.get("email") or "",
                "Gradescope",
                time=times.get(key),
                why=f"{key} in {METADATA}",
                email=one.get("email", ""),
            )
            for one in them
        ]
        for key, them in people.items()
    }


def _plain(value: str) -> str:
    """Return a YAML scalar without its quotes."""
    value = value.strip()[:LONGEST_NAME]
    if value[:1] == "'" == value[-1:]:
        return value[1:-1].replace("''", "'")
    if value[:1] == '"' == value[-1:]:
        try:
            return str(ast.literal_eval(value))
        except (SyntaxError, ValueError):
            return value[1:-1]
    return value
