"""Grades as CSV and JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from course_utils import exercises
from course_utils.grading.deadlines.dates import length
from course_utils.grading.grades import GradedClass, GradeRow
from course_utils.grading.result_store import publish
from course_utils.grading.spreadsheets import as_csv

HEADS = ("Student", "ID", "Lab", "Points", "Max", "Percent", "Late by", "Penalty", "Total")
ENDS = ("By hand", "Status", "Submitted", "Time from", "Late", "File", "Other files", "Look at", "Notes")
CANVAS = ("Student", "ID", "SIS User ID", "SIS Login ID", "Section")
MOODLE = ("Identifier", "Full name", "Grade", "Maximum Grade", "Last modified (grade)")


def write_tables(graded: GradedClass, output: Path, pages: Mapping[str, str]) -> None:
    """Write ``grades.csv``, ``grades.json``, and a table for each platform and lab that files came from."""
    publish(output / "grades.csv", as_csv(*_grades(graded.rows)))
    publish(output / "grades.json", json.dumps(_as_json(graded, pages), indent=2, ensure_ascii=False) + "\n")
    for lab in sorted({row.lab for row in graded.rows if row.lab is not None}):
        rows = [row for row in graded.rows if row.lab == lab and row.submission.number]
        canvas = [row for row in rows if row.submission.platform == "Canvas"]
        moodle = [row for row in rows if row.submission.platform == "Moodle"]
        if canvas:
            publish(output / f"canvas-lab-{lab:02}.csv", as_csv(*_canvas(lab, canvas)))
        if moodle:
            publish(output / f"moodle-lab-{lab:02}.csv", as_csv(MOODLE, map(_moodle, moodle)))


def _grades(rows: Sequence[GradeRow]) -> tuple[list[str], list[list[Any]]]:
    labs = {row.lab for row in rows}
    asked = [e for e in map(exercises.get, exercises.names()) if e.lab in labs and not e.optional]
    questions = list(dict.fromkeys(one.name for row in rows for one in row.questions))
    heads = [*HEADS, *(f"{e.number} {e.id}" for e in asked), *questions, *ENDS]
    return heads, [_row(row, [e.id for e in asked], questions) for row in rows]


def _row(row: GradeRow, asked: Sequence[str], questions: Sequence[str]) -> list[Any]:
    one = row.submission
    is_graded = row.status != "not graded"
    return [
        row.student,
        one.number,
        "" if row.lab is None else row.lab,
        _number(row.earned) if is_graded else "",
        _number(row.maximum) if row.lab is not None else "",
        round(row.percent, 1) if is_graded else "",
        _late_by(row),
        _number(row.penalty) if is_graded else "",
        _number(row.total) if is_graded else "",
        *("" if row.points.get(name) is None else _number(row.points[name]) for name in (*asked, *questions)),
        _by_hand(row),
        row.status,
        _submitted(row),
        row.timing.source if row.timing else one.time_source,
        "late" if one.late else "",
        one.path,
        "; ".join(one.others),
        " ".join(row.look),
        " ".join(remark for remark in row.remarks if remark not in row.look),
    ]


def _submitted(row: GradeRow) -> str:
    """Return when it was handed in: in the due date's zone, or else as its source gives it."""
    time = row.timing.submitted if row.timing else row.submission.submitted
    return time.isoformat(sep=" ", timespec="seconds") if time else ""


def _late_by(row: GradeRow) -> str:
    return length(row.timing.late_by) if row.timing and row.timing.late_by else ""


def _by_hand(row: GradeRow) -> str:
    """Return the instructor's word: the comment, then what was given for each exercise, and was before."""
    said = [row.comment] if row.comment else []
    before = {mark.exercise: f" (was {mark.earned})" for mark in row.result.marks}
    for one in (*row.corrections.values(), *row.questions):
        given = [] if one.points is None else [f"{one.name} {one.points:g}{before.get(one.name, '')}"]
        if given or one.comment:
            said.append(": ".join([*(given or [one.name]), *([one.comment] if one.comment else [])]))
    return "; ".join(said)


def _canvas(lab: int, rows: Sequence[GradeRow]) -> tuple[list[str], list[list[Any]]]:
    most = [["    Points Possible", "", "", "", "", _number(rows[0].maximum)]]
    return [*CANVAS, f"Lab {lab:02}"], most + [
        [
            row.student,
            row.submission.number,
            "",
            "",
            "",
            "" if row.status == "not graded" else _number(row.total),
        ]
        for row in rows
    ]


def _moodle(row: GradeRow) -> list[Any]:
    grade = "" if row.status == "not graded" else _number(row.total)
    return [f"Participant {row.submission.number}", row.student, grade, _number(row.maximum), ""]


def _as_json(graded: GradedClass, pages: Mapping[str, str]) -> dict[str, Any]:
    return {
        "isolation": {
            "level": graded.isolation.level,
            "holds": list(graded.isolation.holds),
            "lacks": list(graded.isolation.lacks),
        },
        "graded by": graded.graded_by,
        "seed": graded.seed,
        "grades": [_row_json(row, pages) for row in graded.rows],
        "similar": [
            {"lab": p.lab, "students": [p.first, p.second], "share": p.share, "exercises": list(p.exercises)}
            for p in graded.similar
        ],
        "unread": graded.unread,
        "problems": graded.problems,
    }


def _row_json(row: GradeRow, pages: Mapping[str, str]) -> dict[str, Any]:
    one = row.submission
    return {
        "student": row.student,
        "id": one.number,
        "lab": row.lab,
        "status": row.status,
        "problem": row.problem,
        "points": _number(row.earned),
        "max": _number(row.maximum),
        "percent": round(row.percent, 1),
        "due": row.timing.due.isoformat(sep=" ") if row.timing else None,
        "late by": _late_by(row),
        "penalty": _number(row.penalty),
        "total": _number(row.total),
        "exercises": [
            {
                "id": mark.exercise,
                "number": mark.number,
                "status": mark.status,
                "misconception": mark.misconception,
                "points": mark.points,
                "earned": mark.earned,
                "reason": mark.reason,
            }
            for mark in row.result.marks
        ],
        "by hand": [
            {"id": one.name, "points": one.points, "comment": one.comment} for one in row.corrections.values()
        ],
        "questions": [
            {"id": one.name, "max": one.maximum, "earned": one.points, "comment": one.comment}
            for one in row.questions
        ],
        "comment": row.comment,
        "submitted": _submitted(row) or None,
        "time from": row.timing.source if row.timing else one.time_source,
        "late": one.late,
        "file": one.path,
        "others": list(one.others),
        "look": list(row.look),
        "remarks": list(row.remarks),
        "isolation": row.result.level,
        "page": pages.get(row.student),
    }


def _number(value: float | None) -> float | int:
    value = value or 0
    return int(value) if value == int(value) else round(value, 2)
