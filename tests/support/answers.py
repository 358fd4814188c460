"""Answers of people to the exercises, in `tests/answers`, judged as a check judges them."""

from __future__ import annotations

import ast
import io
import linecache
import re
import tomllib
import traceback
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from course_utils import exercises
from course_utils.exercises import Verdict
from course_utils.grading.source import bound_by, names_used, parse
from course_utils.notebooks.cells import grade_id_of
from course_utils.notebooks.layout import find_labs
from course_utils.notebooks.pairing import read_text

REPOSITORY = Path(__file__).parents[2]
FOLDER = REPOSITORY / "tests" / "answers"

Outcome = Literal[
    "agreed",
    "right refused",
    "wrong accepted",
    "start mistaken",
    "misleading",
    "silent",
    "located only",
    "cause named",
]
"""What came of an answer. ``"agreed"``: it is right or not started, and judged so. ``"start mistaken"``: a
cell without an answer is called wrong, or a written answer not started."""

_FACTS = re.compile(
    "The case: |One thing is wrong: |It is right |It changes its input |Its layers are as expected |It stops "
)


@dataclass(frozen=True)
class Answer:
    """One answer, and what an experienced teacher says of it.

    Attributes
    ----------
    exercise : str
    number : int
        Its place in the file, from 1.
    verdict : str
        ``"right"``, ``"wrong"`` or ``"not started"``.
    cause : str
        What is wrong with it.
    code : str
        The cell.
    named : sequence of str
        The findings that state this cause: ids of misconceptions, and fragments of messages.
    located : sequence of str
        Findings that are true of it, but are not the cause.
    """

    exercise: str
    number: int
    verdict: str
    cause: str
    code: str
    named: Sequence[str] = ()
    located: Sequence[str] = ()

    def __str__(self) -> str:
        return f"{self.exercise} {self.number}"


@cache
def answers(exercise_id: str) -> tuple[Answer, ...]:
    """Return the answers to an exercise."""
    path = FOLDER / f"{exercise_id}.toml"
    found = tomllib.loads(path.read_text(encoding="utf-8"))["answer"] if path.exists() else []
    return tuple(Answer(exercise_id, number, **fields) for number, fields in enumerate(found, start=1))


def judged(answer: Answer, *, closely: bool = False) -> Verdict:
    """Run an answer's cell where it stands in the notebook, and judge what it defines."""
    exercise = exercises.get(answer.exercise)
    try:
        with redirect_stdout(io.StringIO()):
            defined = _run(answer)[exercise.title]
    except Exception as error:
        said = "".join(traceback.format_exception_only(error)).strip()
        return Verdict(exercise.id, exercise.number, exercise.title, "error", traceback=said)
    return exercises.evaluate(answer.exercise, defined, closely=closely)


def outcome(answer: Answer, verdict: Verdict) -> Outcome:
    """Compare what a check says of an answer with what the teacher says."""
    if answer.verdict == "right":
        return "agreed" if verdict.status == "correct" else "right refused"
    if verdict.status == "correct":
        return "wrong accepted"
    if "not started" in (answer.verdict, verdict.status):
        return "agreed" if answer.verdict == verdict.status else "start mistaken"
    if any(verdict.misconception == name or name in verdict.message for name in answer.named):
        return "cause named"
    if verdict.misconception not in (None, *answer.located):
        return "misleading"
    if not all(any(true in said for true in answer.located) for said in _stated(verdict)):
        return "misleading"
    return "located only" if verdict.reason or verdict.traceback else "silent"


def _stated(verdict: Verdict) -> list[str]:
    """Return the sentences that say more than what differs, and in which cases."""
    known = {m.id: m.sentence for m in exercises.get(verdict.exercise).misconceptions}
    reason = verdict.reason.replace(known.get(verdict.misconception or "", ""), "").strip()
    first, *others = re.split(r"(?<=[.?])\s+(?=[A-Z])", reason)
    said = [first] if first.endswith("?") else []
    return said + [sentence for sentence in others if not _FACTS.match(sentence)]


def _run(answer: Answer) -> dict[str, Any]:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    above, wanted = _statements_above(answer.exercise), names_used(answer.code)
    before: set[str] = set()
    while wanted != before:
        before = set(wanted)
        wanted = wanted.union(*(uses for _, binds, uses in above if wanted & binds))
    for source, binds, _ in above:
        if wanted & binds:
            exec(source, namespace)
    name = f"<{answer}>"
    linecache.cache[name] = (len(answer.code), None, answer.code.splitlines(keepends=True), name)
    exec(compile(answer.code, name, "exec"), namespace)
    return namespace


@cache
def _statements_above(exercise_id: str) -> list[tuple[str, frozenset[str], frozenset[str]]]:
    """Return what stands above an exercise in its notebook: each statement, what it binds, what it uses."""
    (lab,) = find_labs(REPOSITORY, exercises.get(exercise_id).lab)
    found = []
    for cell in read_text(lab.text).cells:
        if grade_id_of(cell) == exercise_id:
            return found
        tree = parse(cell.source) if cell.cell_type == "code" else None
        for statement in tree.body if tree else ():
            source = ast.unparse(statement)
            found.append((source, frozenset(bound_by(statement)), frozenset(names_used(source))))
    raise AssertionError(f"{lab.text.name} has no cell {exercise_id}")
