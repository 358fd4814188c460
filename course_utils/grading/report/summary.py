"""What a class understood: the commonest causes, the points that exercises cost, the spread of points."""

from __future__ import annotations

import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from course_utils import exercises
from course_utils.exercises.model import Exercise
from course_utils.grading.grades import GradeRow, Mark

STATUSES = ("correct", "wrong", "error", "not started", "not graded")
_BINS = 10
_FEW, _LARGE = 2, 50
"""A cause is common if two students share it; in a class of this size, three."""


@dataclass(frozen=True)
class HardExercise:
    """How a class did on one exercise: how many answers have each status, and the points lost in all."""

    number: str
    exercise: str
    title: str
    optional: bool
    counts: dict[str, int]
    lost: float

    @property
    def share(self) -> float:
        """Share of right answers."""
        return self.counts["correct"] / max(sum(self.counts.values()), 1)


@dataclass(frozen=True)
class CommonCause:
    """Why answers are wrong, and whose.

    Attributes
    ----------
    exercises : tuple of Exercise
        One, or for a Python error all in which it occurs.
    sentence : str
        The misconception's, or what the verdict says.
    id, section : str
        The misconception's, or empty.
    cases : tuple of (GradeRow, str)
        The students, and for each the first such exercise's id.
    """

    exercises: tuple[Exercise, ...]
    sentence: str
    id: str
    section: str
    cases: tuple[tuple[GradeRow, str], ...]


@dataclass(frozen=True)
class LabSummary:
    """One lab of a class.

    Attributes
    ----------
    lab : int
    graded, missing : int
        How many submissions were graded, and how many could not be.
    median, mean : float
        In percent.
    bins : tuple of int
        How many have less than 10 %, 20 %, …, and 90 to 100 %.
    hardest : tuple of HardExercise
        Those that cost the class most points first, optional ones last.
    causes : tuple of CommonCause
        The commonest first, and only those that several students share.
    waiting : dict
        By open question, how many answers have no points yet.
    """

    lab: int
    graded: int
    missing: int
    median: float
    mean: float
    bins: tuple[int, ...]
    hardest: tuple[HardExercise, ...]
    causes: tuple[CommonCause, ...]
    waiting: dict[str, int]


def summarise(rows: Sequence[GradeRow]) -> list[LabSummary]:
    """Return a summary of each lab, in order."""
    labs = sorted({row.lab for row in rows if row.lab is not None})
    return [_summary(lab, [row for row in rows if row.lab == lab]) for lab in labs]


def _summary(lab: int, rows: Sequence[GradeRow]) -> LabSummary:
    graded = [row for row in rows if row.status != "not graded"]
    percents = [row.percent for row in graded]
    bins = Counter(min(max(int(percent * _BINS / 100), 0), _BINS - 1) for percent in percents)
    return LabSummary(
        lab,
        graded=len(graded),
        missing=len(rows) - len(graded),
        median=statistics.median(percents) if percents else 0.0,
        mean=statistics.fmean(percents) if percents else 0.0,
        bins=tuple(bins[i] for i in range(_BINS)),
        hardest=_hardest(graded),
        causes=_causes(graded),
        waiting=Counter(one.name for row in graded for one in row.questions if one.points is None),
    )


def _hardest(rows: Sequence[GradeRow]) -> tuple[HardExercise, ...]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    lost: dict[str, float] = defaultdict(float)
    for row in rows:
        points = row.points
        for mark in row.result.marks:
            if not row.waits(mark):
                lost[mark.exercise] += mark.points - (points[mark.exercise] or 0)
            counts[mark.exercise]["correct" if overruled(row, mark) else mark.status] += 1
    found = [
        HardExercise(
            one.number,
            one.id,
            one.title,
            one.optional,
            {status: counts[one.id][status] for status in STATUSES},
            lost[one.id],
        )
        for one in map(exercises.get, counts)
    ]
    return tuple(sorted(found, key=lambda hard: (hard.optional, -hard.lost, hard.share)))


def _causes(rows: Sequence[GradeRow]) -> tuple[CommonCause, ...]:
    found: dict[tuple[str, str], list[tuple[GradeRow, str]]] = defaultdict(list)
    for row in rows:
        for mark in row.result.marks:
            if is_cause(mark) and not overruled(row, mark):
                # A Python error is the same whichever exercise it stops.
                sentence = mark.misconception or error_sentence(mark.reason)
                where = "" if mark.status == "error" and not mark.misconception else mark.exercise
                found[where, sentence].append((row, mark.exercise))
    least = _FEW if len(rows) < _LARGE else _FEW + 1
    places = {name: place for place, name in enumerate(exercises.names())}
    common = []
    for (_, cause), cases in found.items():
        students = {row.student: (row, name) for row, name in reversed(cases)}
        if len(students) >= least:
            names = sorted({name for _, name in cases}, key=places.__getitem__)
            asked = tuple(map(exercises.get, names))
            known = next((m for m in asked[0].misconceptions if m.id == cause), None)
            told = (known.sentence, known.id, known.section) if known else (cause, "", "")
            common.append(CommonCause(asked, *told, tuple(reversed(students.values()))))
    return tuple(sorted(common, key=lambda one: (-len(one.cases), places[one.exercises[0].id])))


def reasons(rows: Sequence[GradeRow]) -> list[tuple[str, list[GradeRow]]]:
    """Return why a human should look at what was handed in, and at whose; what concerns most first."""
    found: dict[str, list[GradeRow]] = defaultdict(list)
    for row in rows:
        for why in row.look if row.needs_look else ():
            found[why].append(row)
    return sorted(found.items(), key=lambda one: -len(one[1]))


def is_cause(mark: Mark) -> bool:
    """Whether a verdict names a fault of the exercise itself.

    What fails with the course's functions lent may expect another form of them than the course's; then only a
    misconception, which agrees in every case, is certainly its own.
    """
    return mark.status in ("wrong", "error") and bool(mark.misconception or (mark.reason and not mark.lent))


def error_sentence(reason: str) -> str:
    """Return what the reason of a verdict says, in one sentence, without the call that differs each time.

    Examples
    --------
    >>> error_sentence("f(p=1.5) raises NameError after 2 right answers. `hight` is not defined. Oh.")
    'NameError: `hight` is not defined.'
    >>> error_sentence("Its cell fails with SyntaxError: '(' was never closed (<cell>, line 3)")
    "SyntaxError: '(' was never closed"
    >>> error_sentence("f(x) raises TypeError. The case: one window.")
    'It raises TypeError.'
    """
    raised = r"raises \w+(?=(?: after \d+ right answers?)?\. The case: )"
    said = re.sub(rf"^.*? (did not end within [\d.,]+ \w+|{raised}).*", r"It \1.", reason, flags=re.S)
    said = re.sub(r"^.*? raises (\w+)(?: after \d+ right answers?)?\.\s+", r"\1: ", said, flags=re.S)
    said = re.sub(r"^Its cell fails with ", "", said)
    said = re.sub(r" \([^()]*line \d+\)", "", said)
    return re.split(r"(?<=[.!?])\s", said, maxsplit=1)[0]


def overruled(row: GradeRow, mark: Mark) -> bool:
    """Whether the instructor has given full points for an exercise."""
    return row.is_corrected(mark.exercise) and (row.points[mark.exercise] or 0) >= mark.points
