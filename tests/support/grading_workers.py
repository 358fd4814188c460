"""Fake grading for the tests of many submissions; a module, because workers import it."""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from course_utils import exercises
from course_utils.grading.grade_many import Workers
from course_utils.grading.grades import Mark, Result
from course_utils.grading.records import Isolation
from course_utils.grading.result_store import Task

FULL = Isolation("full", holds=("no network",))
PARTIAL = Isolation("partial", holds=("no network",), lacks=("other files are visible",))


def threads(isolation: Isolation = FULL, size: int = 2) -> Workers:
    """Workers that need no processes."""
    return Workers(lambda: ThreadPoolExecutor(size), size, "two threads", lambda: isolation)


def by_words(text: str) -> str:
    """Grade by a word in the cells: RIGHT, WRONG, <a misconception>, DIE, RAISE, or nothing."""
    task = Task.from_json(text)
    answers = {p.exercise: p.source for p in task.notebook.cells if p.exercise}
    if log := next((s.split("LOG=")[1].split()[0] for s in answers.values() if "LOG=" in s), ""):
        with Path(log).open("a") as file:
            file.write(f"{task.seed}\n")
    for source in answers.values():
        if "DIE" in source:
            os._exit(9)
        if "RAISE" in source:
            raise OSError("no kernel")
        if "SLEEP" in source:
            time.sleep(0.2)
    known = [e for e in map(exercises.get, exercises.names()) if e.lab == task.notebook.lab]
    marks = [_mark(e, answers.get(e.id, "")) for e in known]
    return Result(tuple(marks), (), 0.1, task.level).to_json()


def _mark(exercise: exercises.Exercise, source: str) -> Mark:
    wrong = source.split("<")[1].split(">")[0] if "<" in source else None
    status = "correct" if "RIGHT" in source else "wrong" if wrong or "WRONG" in source else "not started"
    earned = exercise.points if status == "correct" else 0
    card = f'<div class="cl-card">{exercise.id}: {status}</div>'
    reason = json.dumps(source)[:60]
    return Mark(
        exercise.id, exercise.number, exercise.title, status, wrong, exercise.points, earned, reason, card
    )
