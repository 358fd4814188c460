"""Points given by hand for open questions: read from a CSV file and matched with students."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from course_utils.errors import GradingError

_COLUMNS = ("student", "lab", "question", "points", "comment")


@dataclass(frozen=True)
class Points:
    """What one student got for one open question; `points` is None until somebody has graded it."""

    question: str
    points: float | None
    maximum: float
    comment: str = ""


@dataclass(frozen=True)
class ManualPoints:
    """The points of a class.

    Attributes
    ----------
    of : dict
        By student and lab: one entry for each question of the lab.
    problems : list of str
        Lines that match no student or no question.
    """

    of: dict[tuple[str, int], tuple[Points, ...]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Line:
    number: int
    student: str
    lab: int
    question: str
    points: float
    comment: str
    maximum: float | None


def match_points(
    file: Path | None,
    students: Iterable[tuple[str, str, int]],
    questions: Mapping[int, Sequence[tuple[str, float]]],
) -> ManualPoints:
    """Read points and match them with students.

    Parameters
    ----------
    file : Path or None
        CSV with the columns student, lab, question, points, comment, in any order, and optionally ``max``,
        which a question needs that is not in the lab's notebook.
    students : iterable of (name, number, lab)
        Who handed in what; a line names a student by either.
    questions : mapping
        The open questions of each lab and their points.

    Raises
    ------
    GradingError
        If the file cannot be read, lacks a column, or has a line without a valid number of points.
    """
    lines = _read(file) if file else []
    known = {lab: dict(pairs) for lab, pairs in questions.items()}
    people = list(students)
    names: dict[tuple[str, int], set[str]] = defaultdict(set)
    for name, number, lab in people:
        for called in {name.casefold(), number}:
            names[called, lab].add(name)
    problems, given = [], dict[tuple[str, int, str], _Line]()
    for line in lines:
        if line.maximum is not None:
            known.setdefault(line.lab, {}).setdefault(line.question, line.maximum)
    for line in lines:
        found = names.get((line.student.casefold(), line.lab), set())
        where = f"line {line.number}"
        if len(found) != 1:
            who = "nobody" if not found else "more than one student"
            problems.append(f"{where}: {line.student!r} matches {who} who handed in Lab {line.lab}.")
        elif line.question not in known.get(line.lab, {}):
            problems.append(
                f"{where}: Lab {line.lab} has no open question {line.question!r}; "
                "add a column max with its points."
            )
        elif (key := (next(iter(found)), line.lab, line.question)) in given:
            problems.append(f"{where}: {line.student!r} already has points for {line.question!r}.")
        else:
            given[key] = line
    return ManualPoints(
        {
            (name, lab): tuple(
                _points(question, most, given.get((name, lab, question)))
                for question, most in known.get(lab, {}).items()
            )
            for name, _, lab in people
        },
        problems,
    )


def _points(question: str, most: float, line: _Line | None) -> Points:
    return Points(question, line.points, most, line.comment) if line else Points(question, None, most)


def _read(file: Path) -> list[_Line]:
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            rows = [
                {(k or "").strip().lower(): (v or "") for k, v in row.items() if isinstance(v, str | None)}
                for row in reader
            ]
            heads = {(head or "").strip().lower() for head in reader.fieldnames or ()}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise GradingError(f"{file} cannot be read.", why=str(error)) from error
    if lacking := [column for column in _COLUMNS if column not in heads]:
        raise GradingError(
            f"{file} lacks the column{'s' * (len(lacking) > 1)} {', '.join(lacking)}.",
            next_step=f"Its first line must be: {','.join(_COLUMNS)}",
        )
    return [_line(file, number, row) for number, row in enumerate(rows, 2)]


def _line(file: Path, number: int, row: Mapping[str, str]) -> _Line:
    try:
        points, most = float(row["points"]), float(row["max"]) if row.get("max") else None
        if not math.isfinite(points + (most or 0)):
            raise ValueError("points must be finite")
        lab = int(row["lab"])
    except ValueError as error:
        raise GradingError(f"Line {number} of {file} cannot be read.", why=str(error)) from error
    return _Line(
        number, row["student"].strip(), lab, row["question"].strip(), points, row["comment"].strip(), most
    )
