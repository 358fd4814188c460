"""A class, graded: one row for each student and lab."""

from __future__ import annotations

from dataclasses import dataclass, field

from course_utils import exercises
from course_utils.grading.manual_points import Points
from course_utils.grading.records import Isolation
from course_utils.grading.result_store import Result
from course_utils.grading.similarity import SimilarPair
from course_utils.grading.submission import Submission


@dataclass(frozen=True)
class GradeRow:
    """One student and one lab, graded or not.

    Attributes
    ----------
    submission : Submission
        Without its cells.
    result : Result
        Without its cards; empty if the submission could not be graded.
    key : str
        Where the whole result is in the store, or an empty string.
    manual : tuple of Points
    remarks : tuple of str
        What was found in the notebook, as the student is told it.
    look : tuple of str
        Why a human should look at it.
    """

    submission: Submission
    result: Result = field(default_factory=Result)
    key: str = ""
    manual: tuple[Points, ...] = ()
    remarks: tuple[str, ...] = ()
    look: tuple[str, ...] = ()

    @property
    def student(self) -> str:
        """The student."""
        return self.submission.student

    @property
    def lab(self) -> int | None:
        """The lab."""
        return self.submission.lab

    @property
    def problem(self) -> str:
        """Why it was not graded, or an empty string."""
        return self.submission.problem or self.result.failed

    @property
    def status(self) -> str:
        """``"graded"``, ``"in part"`` where a human must decide on an exercise, or ``"not graded"``."""
        if self.problem:
            return "not graded"
        return "in part" if any(mark.status == "not graded" for mark in self.result.marks) else "graded"

    @property
    def earned(self) -> float:
        """Points of the exercises and of open questions."""
        return sum(mark.earned for mark in self.result.marks) + sum(p.points or 0 for p in self.manual)

    @property
    def maximum(self) -> float:
        """Points that the lab offers."""
        known = [exercises.get(name) for name in exercises.names()]
        return sum(e.points for e in known if e.lab == self.lab) + sum(p.maximum for p in self.manual)


@dataclass(frozen=True)
class GradedClass:
    """A class, graded.

    Attributes
    ----------
    rows : list of GradeRow
        By student and lab.
    isolation : Isolation
    graded_by : str
        Who graded.
    seed : int
    graded, kept : int
        How many submissions were graded now, and how many results an earlier run had left.
    similar : list of SimilarPair
    unread : list of str
        Files that belong to nobody.
    problems : list of str
        What else the instructor should know.
    """

    rows: list[GradeRow]
    isolation: Isolation
    graded_by: str
    seed: int
    graded: int = 0
    kept: int = 0
    similar: list[SimilarPair] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
