"""What reviewing needs of a graded class: what students wrote, the questions, and the reasons to look."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from course_utils.errors import GradingError
from course_utils.grading.collect.roster import Person, Roster
from course_utils.grading.grades import GradedClass, GradeRow
from course_utils.grading.records import Question
from course_utils.grading.result_store import publish

MATERIAL = Path("results") / "review.json"
"""The file in the folder of grades."""


@dataclass(frozen=True)
class ReviewedLab:
    """A lab, as the instructor has it.

    Attributes
    ----------
    title : str
    questions : tuple of Question
    references : dict
        By exercise, the instructor's own answer.
    """

    title: str
    questions: tuple[Question, ...]
    references: Mapping[str, str]


@dataclass(frozen=True)
class ReviewedRow:
    """One student's lab, as it was handed in.

    Attributes
    ----------
    student, path, problem, key, look, written
        As in `GradeRow`, its submission and `Rebuilt`.
    lab : int or None
    unclear : dict
        By exercise that waits for a human, why.
    """

    student: str
    lab: int | None
    path: str
    problem: str
    key: str
    look: tuple[str, ...]
    unclear: Mapping[str, str]
    written: Mapping[str, str]


@dataclass(frozen=True)
class Material:
    """A graded class, as it is reviewed.

    Attributes
    ----------
    people : Roster
    labs : dict
        By number.
    rows : tuple of ReviewedRow
        By student and lab.
    """

    people: Roster
    labs: Mapping[int, ReviewedLab]
    rows: tuple[ReviewedRow, ...]


def write_material(graded: GradedClass, output: Path, titles: Mapping[int, str]) -> None:
    """Write what ``course review`` needs."""
    labs = {
        number: ReviewedLab(titles.get(number, f"Lab {number:02}"), asked, graded.references[number])
        for number, asked in graded.questions.items()
    }
    fields = {
        "people": [
            asdict(one) | {"names": sorted(one.names), "keys": sorted(one.keys)}
            for one in graded.people.people
        ],
        "labs": {number: asdict(lab) for number, lab in labs.items()},
        "rows": [asdict(_row(row)) for row in graded.rows],
    }
    publish(output / MATERIAL, json.dumps(fields, ensure_ascii=False))


def read_material(output: Path) -> Material:
    """Read what `write_material` wrote.

    Raises
    ------
    GradingError
        If there are no grades, or if they were made before there was anything to review.
    """
    again = f"course grade SUBMISSIONS -o {output}"
    if not (output / MATERIAL.parent).is_dir():
        raise GradingError(f"There are no grades in {output}.", next_step=f"Grade first: {again}")
    try:
        fields = json.loads((output / MATERIAL).read_text(encoding="utf-8"))
        return Material(
            Roster(tuple(map(_person, fields["people"]))),
            {int(number): _lab(lab) for number, lab in fields["labs"].items()},
            tuple(ReviewedRow(**row | {"look": tuple(row["look"])}) for row in fields["rows"]),
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        raise GradingError(
            f"What students wrote is not kept in {output}.",
            why="Its grades come from an earlier version of the course, or that run was stopped.",
            left="Everything.",
            next_step=f"Run the same command as then once more: {again}",
        ) from None


def _row(row: GradeRow) -> ReviewedRow:
    return ReviewedRow(
        row.student,
        row.lab,
        row.submission.path,
        row.problem,
        row.key,
        row.look,
        {mark.exercise: mark.reason for mark in row.result.marks if mark.status == "not graded"},
        dict(row.written),
    )


def _lab(fields: dict[str, Any]) -> ReviewedLab:
    return ReviewedLab(
        fields["title"], tuple(Question(**one) for one in fields["questions"]), fields["references"]
    )


def _person(fields: dict[str, Any]) -> Person:
    return Person(fields["name"], fields["id"], frozenset(fields["names"]), frozenset(fields["keys"]))
