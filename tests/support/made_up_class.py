"""A class that nobody taught: graded results of any size without kernels, for the tests of the report."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from grading_workers import FULL

from course_utils import exercises
from course_utils.grading.collect.roster import Roster
from course_utils.grading.deadlines import GivenDates, read_deadlines
from course_utils.grading.grades import GradedClass, GradeRow, Mark, Result
from course_utils.grading.records import Submission
from course_utils.grading.report.pages import instructors_page
from course_utils.grading.result_store import Store

TITLES = {1: "Lab 01 · The convolutional layer"}


def mark(exercise_id: str, status: str = "correct", **more: Any) -> Mark:
    """What one exercise earned."""
    exercise = exercises.get(exercise_id)
    card = f'<div class="cl-card">{exercise_id}: {status}</div>'
    fields = {"misconception": None, "reason": "", "card": card} | more
    earned = exercise.points if status == "correct" else 0
    return Mark(
        exercise.id, exercise.number, exercise.title, status,
        points=exercise.points, earned=earned, **fields,
    )  # fmt: skip


def row(student: str, marks: Sequence[Mark], *, lab: int = 1, **more: Any) -> GradeRow:
    """One student's lab."""
    return GradeRow(Submission(student, lab=lab, path=f"{student}/lab.ipynb"), Result(tuple(marks)), **more)


def large_class(students: int, seed: int = 0, due: str = "") -> GradedClass:
    """Return a class in which some are wrong, some need a look, some are late, and some handed in nothing."""
    given = GivenDates(due, late="10% per day, 3 days" if due else "")
    deadlines = read_deadlines(given, None, people=Roster(()), labs=[1])
    draw = random.Random(seed)
    asked = [e for e in map(exercises.get, exercises.names()) if e.lab == 1]
    rows = []
    for number in range(students):
        name = f"{draw.choice(FIRST)} {draw.choice(LAST)} ({number:04})"
        if draw.random() < 0.03:
            nothing = Submission(name, str(number), lab=1, problem="Nothing was handed in.")
            rows.append(GradeRow(nothing, look=(nothing.problem,)))
            continue
        marks = []
        for exercise in asked:
            luck = draw.random()
            if luck < 0.7:
                marks.append(mark(exercise.id))
            elif luck < 0.9:
                known = draw.choice(exercise.misconceptions)
                marks.append(mark(exercise.id, "wrong", misconception=known.id, reason=known.sentence))
            elif luck < 0.95:
                marks.append(
                    mark(exercise.id, "error", reason="Its cell fails with SyntaxError: invalid syntax")
                )
            else:
                marks.append(mark(exercise.id, "not started"))
        look = ("Exercise 1.2 (zero_pad): its cell opens a file.",) * (draw.random() < 0.1)
        submitted = datetime(2026, 11, 1) + timedelta(minutes=draw.randrange(20_000))
        path = f"{name}/lab.ipynb"
        one = Submission(name, str(number), "Moodle", 1, path, submitted=submitted, time_source="file")
        timing = deadlines.timing(one)
        look += timing.look() if timing else ()
        rows.append(GradeRow(one, Result(tuple(marks), seconds=0.7, level="full"), look=look, timing=timing))
    rows.sort(key=lambda one: one.student)
    return GradedClass(rows, FULL, "this machine", 0, graded=len(rows), deadlines=deadlines.of)


def write_page(graded: GradedClass, folder: Path) -> Path:
    """Write the instructor's page, without the students'."""
    page = folder / "index.html"
    pages = {row.student: "students/x.html" for row in graded.rows}
    page.write_text(instructors_page(graded, Store(folder / "results"), pages, TITLES), encoding="utf-8")
    return page


FIRST = ("Ada", "Bo", "Zoë", "José", "Mei", "Ivan", "Ngozi", "Ravi", "Sara", "Tom")
LAST = ("Müller", "Tan", "Okafor", "García", "Nguyen", "Singh", "Smith", "Chen", "Kowalska", "Haddad")
