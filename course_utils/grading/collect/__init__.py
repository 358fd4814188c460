"""Collect what a class handed in: whose it is, which lab it is, which version counts, what is unreadable."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from course_utils import exercises
from course_utils.errors import GradingError
from course_utils.grading.collect.owner import Owner, groups_of, is_wrapper, owner_of
from course_utils.grading.collect.submitted_files import NOTEBOOKS, SubmittedFile, find_files
from course_utils.grading.collect.submitted_notebook import UnreadableNotebookError, read_cells
from course_utils.grading.records import Cell, Collection, Submission
from course_utils.grading.source import names_defined

_NO_OWNER = "its path does not say whose it is, or it is not a notebook."


@dataclass(frozen=True)
class _StudentFile:
    """A file of a student, read."""

    parts: tuple[str, ...]
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
    def age(self) -> tuple[bool, tuple[int, ...], datetime]:
        """How late it is among a student's versions; a script is never later than the notebook."""
        return self.parts[-1].lower().endswith(NOTEBOOKS), self.owner.order, self.time or datetime.min


def collect(submissions: Path, lab: int | None = None) -> Collection:
    """Find what each student handed in.

    Parameters
    ----------
    submissions : Path
        A folder or a zip archive in any usual layout: a folder or an archive per student, a download from
        Moodle, Canvas or nbgrader, files named after students; archives may contain archives.
    lab : int, optional
        Only this lab.

    Raises
    ------
    GradingError
        If there is nothing to read.
    """
    if not submissions.exists():
        raise GradingError(
            f"{submissions} does not exist.",
            next_step="Give the folder or zip file that holds the submissions.",
        )
    items, stamps = _read(find_files(submissions))
    items = [replace(item, time=stamps.get(item.parts[:-1], item.time)) for item in items]
    groups = groups_of((item.parts, item.folders) for item in items if item.is_notebook)
    by_student: dict[tuple[str, str], list[_StudentFile]] = defaultdict(list)
    unread = []
    for item in items:
        owner = _owner(item, groups)
        if owner is None or (owner.source == "file name" and not (item.is_notebook or item.problem)):
            unread.append(f"{item.path}: {item.problem or _NO_OWNER}")
        else:
            by_student[owner.name, owner.number].append(replace(item, owner=owner))
    if not by_student:
        why = "; ".join(unread[:3]) or "It contains no files."
        raise GradingError(f"There are no submissions in {submissions}.", why=why)
    names = Counter(name for name, _ in by_student)
    found = []
    for (name, number), theirs in sorted(by_student.items()):
        shared = names[name] > 1
        student = f"{name} ({number})" if shared and number else name
        note = (
            (f"Other students are called {name} too; they are told apart by their numbers.",)
            if shared
            else ()
        )
        for one in _of_student(theirs, lab):
            platform = theirs[0].owner.source
            found.append(
                replace(
                    one,
                    student=student,
                    number=number,
                    platform=platform if platform in ("Moodle", "Canvas", "nbgrader") else "",
                    notes=one.notes + note,
                )
            )
    return Collection(found, unread)


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


def _read(files: Iterable[SubmittedFile]) -> tuple[list[_StudentFile], dict[tuple[str, ...], datetime]]:
    items, stamps = [], {}
    for file in files:
        if file.parts[-1] == "timestamp.txt" and file.content is not None:
            if time := _timestamp(file.content):
                stamps[file.parts[:-1]] = time
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
    return items, stamps


def _timestamp(content: bytes) -> datetime | None:
    # nbgrader's own: 2026-11-22 10:01:03.948203 UTC
    try:
        return datetime.fromisoformat(content.decode("ascii").strip()[:19])
    except ValueError:
        return None


def _owner(item: _StudentFile, groups: set[str]) -> Owner | None:
    parts, folders = item.parts, item.folders
    first = next((i for i, part in enumerate(parts[:-1]) if not is_wrapper(part)), None)
    if first is not None and parts[first] in groups:
        parts, folders = parts[first + 1 :], folders[first + 1 :]
    return owner_of(parts, folders)


def _of_student(items: Sequence[_StudentFile], lab: int | None) -> Iterator[Submission]:
    readable = [item for item in items if item.lab is not None]
    rest = [item for item in items if item.lab is None]
    labs = sorted({item.lab for item in readable if item.lab is not None})
    chosen = [number for number in labs if lab in (None, number)]
    if not chosen:
        yield _ungradable(items, readable, rest, lab)
    for number in chosen:
        versions = sorted((i for i in readable if i.lab == number), key=lambda item: (item.age, item.path))
        yield _version(versions, rest)


def _version(versions: Sequence[_StudentFile], rest: Sequence[_StudentFile]) -> Submission:
    """Return the newest version; where the versions cannot be told apart, choose none."""
    newest, older = versions[-1], versions[:-1]
    places = {tuple(part for part in item.owner.where if not is_wrapper(part))[:1] for item in versions}
    submission = Submission(
        "",
        lab=newest.lab,
        path=newest.path,
        submitted=newest.time,
        late=newest.owner.late,
        cells=newest.cells,
    )
    if len(places) > 1:
        # Only the instructor is told these names: they may be those of other students.
        return replace(
            submission,
            path="",
            cells=(),
            problem="It is not clear whether this folder holds versions by one student or work by several.",
            notes=(f"Give each student a separate folder: {', '.join(item.path for item in versions)}.",),
        )
    notes = [
        f"{item.path} is as new as the version that was graded, and differs from it."
        for item in older
        if item.age == newest.age and item.cells != newest.cells
    ]
    notes += [f"{item.path} was not graded: {item.problem}" for item in rest if item.problem]
    others = [f"{item.path} (older{_on(item.time)})" for item in older]
    others += [item.path for item in rest if not item.problem]
    return replace(submission, others=tuple(others), notes=tuple(notes))


def _ungradable(
    items: Sequence[_StudentFile],
    readable: Sequence[_StudentFile],
    rest: Sequence[_StudentFile],
    lab: int | None,
) -> Submission:
    newest = max(items, key=lambda item: (bool(item.problem) or item.is_notebook, item.age, item.path))
    problems = [item for item in rest if item.problem]
    if problems and newest.problem:
        problem = newest.problem
    elif readable:
        problem = f"It is Lab {readable[0].lab}, not Lab {lab}."
    elif problems:
        problem = problems[0].problem
    else:
        problem = "No notebook was handed in."
    others = tuple(f"{i.path}: {i.problem}" if i.problem else i.path for i in items if i is not newest)
    return Submission(
        "",
        lab=lab,
        path=newest.path,
        submitted=newest.time,
        late=newest.owner.late,
        others=others,
        problem=problem,
    )


def _on(time: datetime | None) -> str:
    return f", {time:%Y-%m-%d %H:%M}" if time else ""
