"""What a class understood: the spread of points, the hardest exercises, the commonest misconceptions."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from course_utils import exercises
from course_utils.grading.grades import GradeRow

STATUSES = ("correct", "wrong", "error", "not started", "not graded")
_BINS = 10


@dataclass(frozen=True)
class HardExercise:
    """How a class did on one exercise: how many answers have each status."""

    number: str
    exercise: str
    title: str
    optional: bool
    counts: dict[str, int]

    @property
    def share(self) -> float:
        """Share of right answers."""
        return self.counts["correct"] / max(sum(self.counts.values()), 1)


@dataclass(frozen=True)
class CommonMisconception:
    """A misconception, and who had it."""

    number: str
    exercise: str
    id: str
    sentence: str
    section: str
    rows: tuple[GradeRow, ...]


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
        The hardest first, optional ones last.
    ideas : tuple of CommonMisconception
        The commonest first.
    """

    lab: int
    graded: int
    missing: int
    median: float
    mean: float
    bins: tuple[int, ...]
    hardest: tuple[HardExercise, ...]
    ideas: tuple[CommonMisconception, ...]


def summarise(rows: Sequence[GradeRow]) -> list[LabSummary]:
    """Return a summary of each lab, in order."""
    labs = sorted({row.lab for row in rows if row.lab is not None})
    return [_summary(lab, [row for row in rows if row.lab == lab]) for lab in labs]


def _summary(lab: int, rows: Sequence[GradeRow]) -> LabSummary:
    graded = [row for row in rows if not row.problem]
    percents = [100 * row.earned / row.maximum for row in graded]
    bins = Counter(min(max(int(percent * _BINS / 100), 0), _BINS - 1) for percent in percents)
    return LabSummary(
        lab,
        graded=len(graded),
        missing=len(rows) - len(graded),
        median=statistics.median(percents) if percents else 0.0,
        mean=statistics.fmean(percents) if percents else 0.0,
        bins=tuple(bins[i] for i in range(_BINS)),
        hardest=_hardest(graded),
        ideas=_ideas(graded),
    )


def _hardest(rows: Sequence[GradeRow]) -> tuple[HardExercise, ...]:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows:
        for mark in row.result.marks:
            counts[mark.exercise][mark.status] += 1
    found = [
        HardExercise(
            one.number,
            one.id,
            one.title,
            one.optional,
            {status: counts[one.id][status] for status in STATUSES},
        )
        for one in map(exercises.get, counts)
    ]
    return tuple(sorted(found, key=lambda hard: (hard.optional, hard.share)))


def _ideas(rows: Sequence[GradeRow]) -> tuple[CommonMisconception, ...]:
    had: dict[tuple[str, str], list[GradeRow]] = defaultdict(list)
    for row in rows:
        for mark in row.result.marks:
            if mark.misconception:
                had[mark.exercise, mark.misconception].append(row)
    ideas = []
    for (exercise_id, name), who in had.items():
        exercise = exercises.get(exercise_id)
        known = next((m for m in exercise.misconceptions if m.id == name), None)
        if known:
            ideas.append(
                CommonMisconception(
                    exercise.number, exercise_id, name, known.sentence, known.section, tuple(who)
                )
            )
    return tuple(sorted(ideas, key=lambda idea: (-len(idea.rows), idea.number)))
