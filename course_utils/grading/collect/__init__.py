"""Collect what a class handed in: whose it is, which lab it is, which version counts, what is unreadable."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from course_utils import exercises
from course_utils.errors import GradingError, SettingsError
from course_utils.grading.bounds import OutOfBounds, in_bounds
from course_utils.grading.collect.commits import commit_time
from course_utils.grading.collect.layouts import (
    BY_FILE_NAME,
    METADATA,
    NAMES,
    Owner,
    Parts,
    read_owners,
    read_time,
    tidy,
)
from course_utils.grading.collect.names import is_wrapper
from course_utils.grading.collect.roster import Roster, mapped, read_mapping, read_roster
from course_utils.grading.collect.submitted_files import NOTEBOOKS, SubmittedFile, find_files
from course_utils.grading.collect.submitted_notebook import UnreadableNotebookError, read_cells
from course_utils.grading.records import Cell, CollectedFile, Collection, Rebuilt, Submission

_EVER = datetime.min.replace(tzinfo=UTC)
_NO_OWNER = "its path does not say whose it is, or it is not a notebook."

_NO_NOTEBOOK = "No notebook was handed in."
_NOTHING = "Nothing was handed in."
_PERHAPS = "It is not clear whether anything was handed in: a file fits several people of this name."
_MOST_LISTED = 20

_BINDING = re.compile(
    r"^(?:[ \t]*(?:async +)?(?:def|class) +\w+|(?:\w+, *)*\w+ *[:=]|(?:from|import) .*)", re.M
)
_WORD = re.compile(r"\w+")

_Key = tuple[str, str]
"""A student's name and number."""

Rebuild = Callable[[Sequence[Cell], int], Rebuilt | None]
"""Takes the cells of a notebook and its lab, and makes of them what is graded."""


@dataclass(frozen=True)
class Naming:
    """What the instructor says about whose files are.

    Attributes
    ----------
    layout : str or None
        How the files are named, where that cannot be recognised: a name in `layouts`.
    mapping : Path or None
        CSV with the columns file and student, for files and folders whose names do not tell.
    roster : Path or None
        CSV with id, name and e-mail of everybody in the class.
    student : str or None
        Who handed in everything, where it is one student's work.
    """

    layout: str | None = None
    mapping: Path | None = None
    roster: Path | None = None
    student: str | None = None


@dataclass(frozen=True)
class _StudentFile:
    """A file of a student, read."""

    parts: Parts
    folders: tuple[bool, ...]
    time: datetime | None
    cells: tuple[Cell, ...]
    problem: str
    lab: int | None = None
    owner: Owner = field(default_factory=lambda: Owner(""))
    rebuilt: Rebuilt | None = None

    @property
    def path(self) -> str:
        return "/".join(self.parts)

    @property
    def is_notebook(self) -> bool:
        return self.parts[-1].lower().endswith(".ipynb") or self.lab is not None

    @property
    def submitted(self) -> datetime | None:
        return self.owner.time or self.time

    @property
    def time_source(self) -> str:
        """What says when it was handed in."""
        return (self.owner.platform or "nbgrader") if self.owner.time else "file" if self.time else ""

    @property
    def answers(self) -> int:
        """How many exercises it answers."""
        return self.rebuilt.answered if self.rebuilt else 0

    @property
    def age(self) -> tuple[tuple[int, ...], datetime]:
        """When it was handed in, by the platform's own account."""
        return self.owner.upload, _in_order(self.owner.time)

    def told(self, why: str) -> CollectedFile:
        """Return its line in the table of files."""
        why = "; ".join(text for text in (self.owner.why, why) if text)
        return CollectedFile(self.owner.name, self.lab, self.path, self.submitted, why)


def collect(
    submissions: Path,
    lab: int | None = None,
    *,
    naming: Naming | None = None,
    rebuild: Rebuild = lambda cells, lab: None,
) -> Collection:
    """Find what each student handed in.

    Parameters
    ----------
    submissions : Path
        A folder or a zip archive in any usual layout: an export of a platform that `layouts` knows, or a
        folder, an archive or a notebook named after each student; archives may contain archives.
    lab : int, optional
        Only this lab.
    naming : Naming, optional
        What the instructor says about whose files are.
    rebuild : callable, optional
        Makes of a notebook what is graded; it is called in `bounds`.

    Raises
    ------
    GradingError
        If there is nothing to read, or if it is not clear whose the files are.
    """
    naming = naming or Naming()
    if naming.layout not in (None, *NAMES):
        raise SettingsError(
            f"There is no layout {naming.layout!r}.", next_step=f"Give one of {', '.join(NAMES)}."
        )
    if not submissions.exists():
        raise GradingError(
            f"{submissions} does not exist.",
            next_step="Give the folder or zip file that holds the submissions.",
        )
    given = read_mapping(naming.mapping) if naming.mapping else {}
    items, stamps, lists = _read(find_files(submissions))
    by_hand = [(item, name) for item in items if (name := mapped(item.parts, given)) is not None]
    placed = {item.parts for item, _ in by_hand}
    others = [item for item in items if item.parts not in placed]
    owners: Mapping[Parts, Sequence[Owner]]
    if naming.student is not None:
        title, owners = "one student", {item.parts: [Owner(naming.student)] for item in others}
    else:
        title, owners = _owners(items, others, lists, naming)
    found: dict[_Key, list[_StudentFile]] = defaultdict(list)
    unread: list[tuple[_StudentFile, str]] = []
    for item in others:
        theirs = owners[item.parts]
        if not theirs or (theirs[0].why == BY_FILE_NAME and not (item.is_notebook or item.problem)):
            unread.append((item, item.problem or _NO_OWNER))
            continue
        for owner in theirs:
            found[owner.name, owner.number].append(replace(item, owner=owner))
    _add_stamps(found, stamps)
    for item, name in by_hand:
        if name:
            read = owners.get(item.parts, ())
            named = read[0] if len(read) == 1 and read[0].platform else Owner("")
            whose, number = _key_of(name, found)
            key = whose, number or named.number
            owner = replace(named, name=whose, number=key[1], why=f"said by {naming.mapping}")
            found[key].append(replace(item, owner=owner))
        else:
            unread.append((item, f"left out by {naming.mapping}."))
    if not found:
        why = "; ".join(f"{item.path}: {text}" for item, text in unread[:3]) or "It contains no files."
        raise GradingError(f"There are no submissions in {submissions}.", why=why)
    _rebuild(found, lab, rebuild)
    students, missing = _settle(found, read_roster(naming.roster) if naming.roster else None)
    collection = Collection(layout=title, unread=[f"{item.path}: {text}" for item, text in unread])
    for key, (student, notes) in sorted(students.items(), key=lambda one: one[1][0]):
        for submission, files in _of_student(found[key], lab):
            if submission.time_source == "file" and (time := commit_time(submissions, submission.path)):
                submission = replace(submission, submitted=time, time_source="commit")
            collection.submissions.append(
                replace(
                    submission,
                    student=student.name,
                    number=student.id,
                    platform=found[key][0].owner.platform,
                    account=key[0],
                    email=student.email or found[key][0].owner.email,
                    notes=(*submission.notes, *notes),
                )
            )
            for file in files:
                why = ". ".join(filter(None, (file.why.rstrip("." * bool(notes)), " ".join(notes))))
                collection.files.append(replace(file, student=student.name, why=why))
    for student, problem in missing:
        collection.submissions.append(
            Submission(student.name, student.id, lab=lab, problem=problem, email=student.email)
        )
        collection.files.append(CollectedFile(student.name, lab, "", None, problem))
    collection.files.extend(item.told(text) for item, text in unread)
    return collection


def _owners(
    items: Sequence[_StudentFile], others: Sequence[_StudentFile], lists: Mapping[Parts, str], naming: Naming
) -> tuple[str, Mapping[Parts, Sequence[Owner]]]:
    """Read from all names whose each file is; those of the `others`, which no mapping gives, decide how.

    A mapping says whose a file is; its name still says when it came, and where feedback goes.
    """

    def read(paths: Sequence[_StudentFile], by: Sequence[_StudentFile]) -> Any:
        return read_owners(
            [item.parts for item in paths],
            [item.parts for item in by if item.is_notebook] or [item.parts for item in by if item.problem],
            folders={item.parts[: i + 1] for item in items for i, real in enumerate(item.folders) if real},
            texts=lists,
            layout=naming.layout,
        )

    if any(item.is_notebook or item.problem for item in others):
        return read(items, others)
    try:
        return read(items, items)
    except GradingError:  # names that do not tell are what a mapping is for
        return read(others, others)


def _add_stamps(found: Mapping[_Key, list[_StudentFile]], stamps: Mapping[Parts, datetime]) -> None:
    """Give files the time that nbgrader wrote beside them: in student/assignment, and in no archive.

    In folders that people named, anybody could have written it: there it counts only if all have one.
    """

    def may_have(item: _StudentFile) -> bool:
        below = {"nbgrader": 0, "": 1}.get(item.owner.platform)
        return len(item.owner.where) == below and all(item.folders[:-1])

    notebooks = [item for items in found.values() for item in items if item.is_notebook]
    everybody = all(may_have(item) and item.parts[:-1] in stamps for item in notebooks)
    for items in found.values():
        for i, item in enumerate(items):
            if may_have(item) and not item.owner.time and (item.owner.platform or everybody):
                items[i] = replace(item, owner=replace(item.owner, time=stamps.get(item.parts[:-1])))


def _rebuild(found: Mapping[_Key, list[_StudentFile]], lab: int | None, rebuild: Rebuild) -> None:
    """Make of each notebook what is graded, or find out that this takes too much."""
    wanted = [
        (key, place, item.cells, item.lab)
        for key, items in found.items()
        for place, item in enumerate(items)
        if item.lab is not None and lab in (None, item.lab)
    ]
    for (key, place, *_), made in in_bounds(lambda one: rebuild(*one[2:]), wanted, whose=lambda one: one[0]):
        change = {"problem": made.why} if isinstance(made, OutOfBounds) else {"rebuilt": made}
        found[key][place] = replace(found[key][place], **change)


def _key_of(name: str, found: Iterable[_Key]) -> _Key:
    """Return the student that a mapping means: one found already, by name or number, or another."""
    name = tidy(name)
    known = [key for key in found if name in (*key, "{} ({})".format(*key))]
    if len(known) > 1:
        raise GradingError(
            f"The mapping names {name}, and {len(known)} students are called so.",
            left="Nothing was graded.",
            next_step=f"Write their numbers too: {', '.join('{} ({})'.format(*key) for key in known)}.",
        )
    return known[0] if known else (name, "")


@dataclass(frozen=True, order=True)
class _Student:
    name: str
    id: str
    email: str = ""


def _settle(
    found: Iterable[_Key], roster: Roster | None
) -> tuple[dict[_Key, tuple[_Student, tuple[str, ...]]], list[tuple[_Student, str]]]:
    """Return how each student is called, with notes; and who in the roster was not found, as a sentence."""
    keys = list(found)
    names = Counter(name for name, _ in keys)
    settled: dict[_Key, tuple[_Student, tuple[str, ...]]] = {}
    of: dict[str, _Key] = {}
    perhaps: set[str] = set()
    for key in keys:
        name, number = key
        matches = roster.find(name, number) if roster else []
        if len(matches) == 1:
            person = matches[0]
            if other := of.get(person.name):
                raise GradingError(
                    f"{_called(other)} and {_called(key)} both fit {person.name} in the roster.",
                    left="Nothing was graded.",
                    next_step="--mapping FILE.csv (columns file, student) says whose a file is.",
                )
            of[person.name] = key
            settled[key] = _Student(person.name, number or person.id, person.email), ()
            continue
        notes = []
        perhaps |= {person.name for person in matches}
        if names[name] > 1:
            notes.append(f"Other students are called {name} too; they are told apart by their numbers.")
        if roster:
            notes.append(
                "More than one person in the roster fits this name." if matches else "Not in the roster."
            )
        settled[key] = _Student(_called(key) if names[name] > 1 else name, number), tuple(notes)
    everybody = roster.people if roster else ()
    return settled, [
        (_Student(one.name, one.id, one.email), _PERHAPS if one.name in perhaps else _NOTHING)
        for one in everybody
        if one.name not in of
    ]


def _called(key: _Key) -> str:
    return "{} ({})".format(*key) if key[1] else key[0]


def lab_of(cells: Iterable[Cell]) -> int:
    """Return a notebook's lab, read from the ids of its exercise cells or else from what its cells define.

    Raises
    ------
    UnreadableNotebookError
        If it contains no exercise, or as many of one lab as of another.
    """
    cells = list(cells)
    bank = [exercises.get(name) for name in exercises.names()]
    ids = {cell.grade_id for cell in cells}
    counts = Counter(exercise.lab for exercise in bank if {exercise.id, f"check_{exercise.id}"} & ids)
    if not counts:
        code = "\n".join(cell.source for cell in cells if cell.is_code)
        defined = {word for line in _BINDING.findall(code) for word in _WORD.findall(line)}
        counts = Counter(exercise.lab for exercise in bank if exercise.title in defined)
    if not counts:
        raise UnreadableNotebookError("The notebook contains no exercise of any lab.")
    (first, most), *rest = counts.most_common()
    if rest and rest[0][1] == most:
        raise UnreadableNotebookError(
            f"The notebook contains exercises of Lab {first} and of Lab {rest[0][0]}."
        )
    return first


def _read(
    files: Iterable[SubmittedFile],
) -> tuple[list[_StudentFile], dict[Parts, datetime], dict[Parts, str]]:
    """Return the files, and what platforms write beside them: nbgrader's times and Gradescope's lists."""
    items: list[_StudentFile] = []
    stamps: dict[Parts, datetime] = {}
    lists: dict[Parts, str] = {}

    def to_read() -> Iterator[SubmittedFile]:
        for file in files:
            if file.content is None:
                items.append(_StudentFile(file.parts, file.folders, file.time, (), file.problem))
            elif file.name == "timestamp.txt":
                if time := read_time(file.content[:100].decode("ascii", "replace").strip()):
                    stamps[file.parts[:-1]] = time
            elif file.name == METADATA:
                lists[file.parts] = file.content.decode("utf-8-sig", "replace")
            else:
                yield file

    exercises.names()  # here, and not again in each process that reads
    for file, read in in_bounds(_read_file, to_read(), whose=lambda file: file.parts):
        cells, lab, problem = ((), None, read.why) if isinstance(read, OutOfBounds) else read
        items.append(_StudentFile(file.parts, file.folders, file.time, cells, problem, lab))
    return items, stamps, lists


def _in_order(time: datetime | None) -> datetime:
    """Return a time that can be compared with any other, also where only one of them has a zone."""
    return _EVER if time is None else time if time.tzinfo else time.replace(tzinfo=UTC)


def _read_file(file: SubmittedFile) -> tuple[tuple[Cell, ...], int | None, str]:
    """Return a file's cells and lab, or why there are none."""
    try:
        cells = tuple(read_cells(file.content or b""))
        return cells, lab_of(cells), ""
    except UnreadableNotebookError as error:
        # Any other file may be there too; that it is no notebook is no problem.
        return (), None, str(error) if file.name.lower().endswith(".ipynb") else ""


def _of_student(
    items: Sequence[_StudentFile], lab: int | None
) -> Iterator[tuple[Submission, list[CollectedFile]]]:
    readable = [item for item in items if item.lab is not None]
    rest = [item for item in items if item.lab is None]
    labs = sorted({item.lab for item in readable if item.lab is not None})
    chosen = [number for number in labs if lab in (None, number)]
    beside = [item.told(item.problem or "not a notebook") for item in rest[:_MOST_LISTED]]
    if more := _more(rest):
        beside.append(replace(beside[-1], path=more, why="not read, or not notebooks"))
    beside += [item.told(f"Lab {item.lab}, not Lab {lab}") for item in readable if item.lab not in chosen]
    if not chosen:
        yield _ungradable(items, readable, rest, lab), beside
    for number in chosen:
        submission, files = _version([item for item in readable if item.lab == number], rest)
        yield submission, files + (beside if number == chosen[0] else [])


def _version(
    versions: Sequence[_StudentFile], rest: Sequence[_StudentFile]
) -> tuple[Submission, list[CollectedFile]]:
    """Return the version that counts; where the versions may be several students', choose none.

    One that can be graded counts before one that cannot, and a notebook before a script. The newest counts
    by the platform's own time; where it gives none, or the same, the one with the most answers; then the
    file's own time decides, which a copy can change.
    """
    places = {tuple(part for part in item.owner.where if not is_wrapper(part))[:1] for item in versions}
    if len(places) > 1:
        # Only the instructor is told these names: they may be those of other students.
        problem = "It is not clear whether this folder holds versions by one student or work by several."
        paths = ", ".join(_first([item.path for item in versions]))
        ask = f"Give each student a separate folder, or say whose a file is with --mapping: {paths}."
        exported = versions[0].owner.exported
        submission = Submission("", lab=versions[0].lab, problem=problem, notes=(ask,), exported=exported)
        return submission, [item.told(problem) for item in versions]
    differ = any(item.cells != versions[0].cells for item in versions)
    dated = all(item.age != ((), _EVER) for item in versions)

    def rank(item: _StudentFile) -> tuple[Any, ...]:
        age = item.age if dated else ()
        is_notebook = item.parts[-1].lower().endswith(NOTEBOOKS)
        return not item.problem, is_notebook, age, item.answers, _in_order(item.time), item.path

    best, *older = sorted(versions, key=rank, reverse=True)
    number, why = len(versions), ""
    notes: list[str] = []
    for item in older[:1]:
        reasons = (
            "the one that can be graded",
            "the notebook, beside a script",
            f"the newest of {number} by {best.owner.platform or 'nbgrader'}'s own account",
            f"the one of {number} with the most answers ({best.answers})",
            f"the newest of {number} by the files' own times",
            f"one of {number} of the same age",
        )
        decided = [mine != its for mine, its in zip(rank(best)[:-1], rank(item)[:-1], strict=True)]
        reason = reasons[[*decided, True].index(True)]
        why = reason if differ else f"one of {number} that are the same"
        if differ and reason in reasons[3:5]:
            notes.append(f"{best.path} was graded: {why}. No platform says which version is newer.")
    notes += [
        f"{item.path} is as new as the version that was graded, and differs from it."
        for item in older
        if item.cells != best.cells and rank(item)[:-1] == rank(best)[:-1]
    ]
    others = [*older, *rest]
    notes += [f"{item.path} was not graded: {item.problem}" for item in others if item.problem]
    said = {item.path: _compared(item, best, dated) for item in older}
    submission = Submission(
        "",
        lab=best.lab,
        path=best.path,
        submitted=best.submitted,
        time_source=best.time_source,
        late=best.owner.late,
        rebuilt=best.rebuilt,
        others=_first(
            [
                *(f"{item.path} ({said[item.path]}{_on(item.submitted)})" for item in older),
                *(item.path for item in rest if not item.problem),
            ]
        ),
        notes=_first(notes),
        problem=best.problem,
        exported=best.owner.exported,
    )
    return submission, [best.told(why), *(item.told(said[item.path]) for item in older)]


def _compared(item: _StudentFile, best: _StudentFile, dated: bool) -> str:
    if item.problem:
        return "not read"
    if not (dated and item.age < best.age) and item.answers < best.answers:
        return f"fewer answers: {item.answers}"
    return "older"


def _ungradable(
    items: Sequence[_StudentFile],
    readable: Sequence[_StudentFile],
    rest: Sequence[_StudentFile],
    lab: int | None,
) -> Submission:
    newest = max(
        items,
        key=lambda item: (
            bool(item.problem) or item.is_notebook,
            item.age,
            _in_order(item.time),
            item.path,
        ),
    )
    problems = [item for item in rest if item.problem]
    if problems and newest.problem:
        problem = newest.problem
    elif readable:
        problem = f"It is Lab {readable[0].lab}, not Lab {lab}."
    elif problems:
        problem = problems[0].problem
    else:
        problem = _NO_NOTEBOOK
    others = [f"{i.path}: {i.problem}" if i.problem else i.path for i in items if i is not newest]
    return Submission(
        "",
        lab=lab,
        path=newest.path,
        submitted=newest.submitted,
        time_source=newest.time_source,
        late=newest.owner.late,
        others=_first(others),
        problem=problem,
        exported=newest.owner.exported,
    )


def _first(texts: Sequence[str]) -> tuple[str, ...]:
    """Return what fits into a table; nobody reads the names of thousands of files."""
    more = _more(texts)
    return (*texts[:_MOST_LISTED], *([more] if more else []))


def _more(things: Sequence[object]) -> str:
    left = len(things) - _MOST_LISTED
    return f"and {left:,} more" if left > 0 else ""


def _on(time: datetime | None) -> str:
    return f", {time:%Y-%m-%d %H:%M}" if time else ""
