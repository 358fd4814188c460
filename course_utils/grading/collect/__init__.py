"""Collect what a class handed in: whose it is, which lab it is, which version counts, what is unreadable."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from course_utils import exercises
from course_utils.errors import GradingError, SettingsError
from course_utils.grading.collect.layouts import (
    BY_FILE_NAME,
    METADATA,
    NAMES,
    Owner,
    Parts,
    read_owners,
    tidy,
)
from course_utils.grading.collect.names import is_wrapper
from course_utils.grading.collect.roster import Roster, mapped, read_mapping, read_roster
from course_utils.grading.collect.submitted_files import NOTEBOOKS, SubmittedFile, find_files
from course_utils.grading.collect.submitted_notebook import UnreadableNotebookError, read_cells
from course_utils.grading.records import Cell, CollectedFile, Collection, Submission
from course_utils.grading.source import names_defined

_NO_OWNER = "its path does not say whose it is, or it is not a notebook."

_NO_NOTEBOOK = "No notebook was handed in."
_NOTHING = "Nothing was handed in."

_Key = tuple[str, str]
"""A student's name and number."""

Answered = Callable[[Sequence[Cell], int], int]
"""Takes the cells of a notebook and its lab, and returns how many exercises are answered."""


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
    """

    layout: str | None = None
    mapping: Path | None = None
    roster: Path | None = None


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
    def age(self) -> tuple[tuple[int, ...], datetime]:
        """When it was handed in, by the platform's own account."""
        return self.owner.upload, self.owner.time or datetime.min

    def told(self, why: str) -> CollectedFile:
        """Return its line in the table of files."""
        why = "; ".join(text for text in (self.owner.why, why) if text)
        return CollectedFile(self.owner.name, self.lab, self.path, self.submitted, why)


def collect(
    submissions: Path,
    lab: int | None = None,
    *,
    naming: Naming | None = None,
    answered: Answered = lambda cells, lab: 0,
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
    answered : callable, optional
        How many exercises a notebook answers.

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
    title, owners = read_owners(
        [item.parts for item in others],
        [item.parts for item in others if item.is_notebook]
        or [item.parts for item in others if item.problem],
        folders={item.parts[: i + 1] for item in items for i, real in enumerate(item.folders) if real},
        texts=lists,
        layout=naming.layout,
    )
    found: dict[_Key, list[_StudentFile]] = defaultdict(list)
    unread: list[tuple[_StudentFile, str]] = []
    for item in others:
        theirs = owners[item.parts]
        if not theirs or (theirs[0].why == BY_FILE_NAME and not (item.is_notebook or item.problem)):
            unread.append((item, item.problem or _NO_OWNER))
            continue
        for owner in theirs:
            time = owner.time or (stamps.get(item.parts[:-1]) if _is_stamped(item, owner) else None)
            found[owner.name, owner.number].append(replace(item, owner=replace(owner, time=time)))
    for item, name in by_hand:
        if name:
            key = _key_of(name, found)
            found[key].append(replace(item, owner=Owner(*key, why=f"said by {naming.mapping}")))
        else:
            unread.append((item, f"left out by {naming.mapping}."))
    if not found:
        why = "; ".join(f"{item.path}: {text}" for item, text in unread[:3]) or "It contains no files."
        raise GradingError(f"There are no submissions in {submissions}.", why=why)
    students, missing = _settle(found, read_roster(naming.roster) if naming.roster else None)
    collection = Collection(layout=title, unread=[f"{item.path}: {text}" for item, text in unread])
    for key, (student, notes) in sorted(students.items(), key=lambda one: one[1][0]):
        for submission, files in _of_student(found[key], lab, answered):
            collection.submissions.append(
                replace(
                    submission,
                    student=student.name,
                    number=student.id,
                    platform=found[key][0].owner.platform,
                    notes=(*submission.notes, *notes),
                )
            )
            collection.files.extend(replace(file, student=student.name) for file in files)
    for student in missing:
        collection.submissions.append(Submission(student.name, student.id, lab=lab, problem=_NOTHING))
        collection.files.append(CollectedFile(student.name, lab, "", None, _NOTHING))
    collection.files.extend(item.told(text) for item, text in unread)
    return collection


def _is_stamped(item: _StudentFile, owner: Owner) -> bool:
    """Whether nbgrader may have written the time beside a file: in student/assignment, and in no archive."""
    below = 0 if owner.platform == "nbgrader" else 1
    return owner.platform in ("nbgrader", "") and len(owner.where) == below and all(item.folders[:-1])


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


def _settle(
    found: Iterable[_Key], roster: Roster | None
) -> tuple[dict[_Key, tuple[_Student, tuple[str, ...]]], list[_Student]]:
    """Return how each student is called in the report, with notes, and who in the roster was not found."""
    keys = list(found)
    names = Counter(name for name, _ in keys)
    settled: dict[_Key, tuple[_Student, tuple[str, ...]]] = {}
    of: dict[str, _Key] = {}
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
            settled[key] = _Student(person.name, number or person.id), ()
            continue
        notes = []
        if names[name] > 1:
            notes.append(f"Other students are called {name} too; they are told apart by their numbers.")
        if roster:
            notes.append(
                "More than one person in the roster fits this name." if matches else "Not in the roster."
            )
        settled[key] = _Student(_called(key) if names[name] > 1 else name, number), tuple(notes)
    absent = [_Student(one.name, one.id) for one in roster.people if one.name not in of] if roster else []
    return settled, absent


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
        defined = {name for cell in cells if cell.is_code for name in names_defined(cell.source)}
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
    items, stamps, lists = [], {}, {}
    for file in files:
        if file.name == "timestamp.txt" and file.content is not None:
            if time := _timestamp(file.content):
                stamps[file.parts[:-1]] = time
            continue
        if file.name == METADATA and file.content is not None:
            lists[file.parts] = file.content.decode("utf-8-sig", "replace")
            continue
        cells: tuple[Cell, ...] = ()
        lab, problem = None, file.problem
        if file.content is not None:
            try:
                cells = tuple(read_cells(file.content))
                lab = lab_of(cells)
            except UnreadableNotebookError as error:
                # Any other file may be there too; that it is no notebook is no problem.
                problem, cells = str(error) if file.name.lower().endswith(".ipynb") else "", ()
        items.append(_StudentFile(file.parts, file.folders, file.time, cells, problem, lab))
    return items, stamps, lists


def _timestamp(content: bytes) -> datetime | None:
    # nbgrader's own: 2026-11-22 10:01:03.948203 UTC
    try:
        return datetime.fromisoformat(content.decode("ascii").strip()[:19])
    except ValueError:
        return None


def _of_student(
    items: Sequence[_StudentFile], lab: int | None, answered: Answered
) -> Iterator[tuple[Submission, list[CollectedFile]]]:
    readable = [item for item in items if item.lab is not None]
    rest = [item for item in items if item.lab is None]
    labs = sorted({item.lab for item in readable if item.lab is not None})
    chosen = [number for number in labs if lab in (None, number)]
    beside = [item.told(item.problem or "not a notebook") for item in rest]
    beside += [item.told(f"Lab {item.lab}, not Lab {lab}") for item in readable if item.lab not in chosen]
    if not chosen:
        yield _ungradable(items, readable, rest, lab), beside
    for number in chosen:
        submission, files = _version([item for item in readable if item.lab == number], rest, answered)
        yield submission, files + (beside if number == chosen[0] else [])


def _version(
    versions: Sequence[_StudentFile], rest: Sequence[_StudentFile], answered: Answered
) -> tuple[Submission, list[CollectedFile]]:
    """Return the version that counts; where the versions may be several students', choose none.

    A notebook counts before a script. The newest counts by the platform's own time; where it gives none, or
    the same, the one with the most answers; then the file's own time decides, which a copy can change.
    """
    places = {tuple(part for part in item.owner.where if not is_wrapper(part))[:1] for item in versions}
    if len(places) > 1:
        # Only the instructor is told these names: they may be those of other students.
        problem = "It is not clear whether this folder holds versions by one student or work by several."
        paths = ", ".join(item.path for item in versions)
        ask = f"Give each student a separate folder, or say whose a file is with --mapping: {paths}."
        submission = Submission("", lab=versions[0].lab, problem=problem, notes=(ask,))
        return submission, [item.told(problem) for item in versions]
    differ = any(item.cells != versions[0].cells for item in versions)
    answers = {item.path: answered(item.cells, item.lab or 0) if differ else 0 for item in versions}
    dated = all(item.age != ((), datetime.min) for item in versions)

    def rank(item: _StudentFile) -> tuple[Any, ...]:
        age = item.age if dated else ()
        is_notebook = item.parts[-1].lower().endswith(NOTEBOOKS)
        return is_notebook, age, answers[item.path], item.time or datetime.min, item.path

    best, *older = sorted(versions, key=rank, reverse=True)
    number, why = len(versions), ""
    notes: list[str] = []
    for item in older[:1]:
        reasons = (
            "the notebook, beside a script",
            f"the newest of {number} by {best.owner.platform or 'nbgrader'}'s own account",
            f"the one of {number} with the most answers ({answers[best.path]})",
            f"the newest of {number} by the files' own times",
            f"one of {number} of the same age",
        )
        decided = [mine != its for mine, its in zip(rank(best), rank(item), strict=True)].index(True)
        why = reasons[decided] if differ else f"one of {number} that are the same"
        if differ and reasons[decided] in reasons[2:4]:
            notes.append(f"{best.path} was graded: {why}. No platform says which version is newer.")
    notes += [
        f"{item.path} is as new as the version that was graded, and differs from it."
        for item in older
        if item.cells != best.cells and rank(item)[:-1] == rank(best)[:-1]
    ]
    notes += [f"{item.path} was not graded: {item.problem}" for item in rest if item.problem]
    said = {item.path: _compared(item, best, answers, dated) for item in older}
    submission = Submission(
        "",
        lab=best.lab,
        path=best.path,
        submitted=best.submitted,
        late=best.owner.late,
        cells=best.cells,
        others=(
            *(f"{item.path} ({said[item.path]}{_on(item.submitted)})" for item in older),
            *(item.path for item in rest if not item.problem),
        ),
        notes=tuple(notes),
    )
    return submission, [best.told(why), *(item.told(said[item.path]) for item in older)]


def _compared(item: _StudentFile, best: _StudentFile, answers: Mapping[str, int], dated: bool) -> str:
    if not (dated and item.age < best.age) and answers[item.path] < answers[best.path]:
        return f"fewer answers: {answers[item.path]}"
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
            item.time or datetime.min,
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
    others = tuple(f"{i.path}: {i.problem}" if i.problem else i.path for i in items if i is not newest)
    return Submission(
        "",
        lab=lab,
        path=newest.path,
        submitted=newest.submitted,
        late=newest.owner.late,
        others=others,
        problem=problem,
    )


def _on(time: datetime | None) -> str:
    return f", {time:%Y-%m-%d %H:%M}" if time else ""
