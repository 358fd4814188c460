"""What comes out of grading, for one submission and for a class: plain, frozen data."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field

from course_utils import exercises
from course_utils.exercises.model import Verdict
from course_utils.grading.collect.roster import Roster
from course_utils.grading.corrections import Correction
from course_utils.grading.deadlines import Deadline, Timing
from course_utils.grading.records import Isolation, Question, Submission
from course_utils.grading.similarity import SimilarPair


@dataclass(frozen=True)
class JudgedSubmission:
    """One submission, run and judged.

    Attributes
    ----------
    verdicts : tuple of Verdict
        One for each exercise of the lab, in the lab's order, also for those that are missing.
    notes : tuple of str
        What a human should look at, and why.
    seconds : float
        Wall time.
    isolation : Isolation
        How it was run.
    waited : bool
        Whether it may have lost points because the clock stopped it, with CPU time left.
    """

    verdicts: Sequence[Verdict]
    notes: tuple[str, ...]
    seconds: float
    isolation: Isolation
    waited: bool = False


@dataclass(frozen=True)
class Mark:
    """What one exercise earned.

    Attributes
    ----------
    exercise, number, title : str
    status : str
        As in `Verdict`, or ``"not graded"`` where a human must decide.
    misconception : str or None
    points, earned : int
    reason : str
        Why, in a sentence or two.
    card : str
        The verdict as the notebook shows it: HTML, the student's text in it escaped.
    lent : tuple of str
        As in `Verdict`.
    """

    exercise: str
    number: str
    title: str
    status: str
    misconception: str | None
    points: int
    earned: int
    reason: str
    card: str
    lent: tuple[str, ...] = ()


@dataclass(frozen=True)
class Result:
    """The grade of one submission.

    Attributes
    ----------
    marks : tuple of Mark
        By exercise, in the lab's order.
    notes : tuple of str
        What a human should look at.
    seconds : float
    level : str
        The isolation it ran under.
    failed : str
        Why it was not graded, for a reason that is not its own; such a result is not stored.
    waited : bool
        As in `JudgedSubmission`: it is graded again, alone.
    """

    marks: tuple[Mark, ...] = ()
    notes: tuple[str, ...] = ()
    seconds: float = 0.0
    level: str = ""
    failed: str = ""
    waited: bool = False

    def to_json(self) -> str:
        """Return the result as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Result:
        """Return the result that `to_json` wrote."""
        fields = json.loads(text)
        marks = tuple(Mark(**mark | {"lent": tuple(mark["lent"])}) for mark in fields.pop("marks"))
        return cls(marks=marks, notes=tuple(fields.pop("notes")), **fields)


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
    corrections : dict
        By exercise, what the instructor said about it.
    questions : tuple of Correction
        The open questions.
    comment : str
        The instructor's, on all of it.
    remarks : tuple of str
        What was found in the notebook, in words for the student.
    look : tuple of str
        Why a human should look at it.
    timing : Timing or None
        How it keeps to its due date; None without one.
    written : dict
        As in `Rebuilt`.
    """

    submission: Submission
    result: Result = field(default_factory=Result)
    key: str = ""
    corrections: Mapping[str, Correction] = field(default_factory=dict)
    questions: tuple[Correction, ...] = ()
    comment: str = ""
    remarks: tuple[str, ...] = ()
    look: tuple[str, ...] = ()
    timing: Timing | None = None
    written: Mapping[str, str] = field(default_factory=dict)

    @property
    def student(self) -> str:
        """The student."""
        return self.submission.student

    @property
    def lab(self) -> int | None:
        """The lab."""
        return self.submission.lab

    @property
    def causes(self) -> tuple[str, ...]:
        """The remarks on exercises that lost points: they may say why."""
        lost = tuple(f"Exercise {m.number} ({m.exercise})" for m in self.result.marks if m.earned < m.points)
        return tuple(remark for remark in self.remarks if remark.startswith(lost))

    @property
    def problem(self) -> str:
        """Why it was not graded, or an empty string."""
        return self.submission.problem or self.result.failed

    @property
    def points(self) -> dict[str, float | None]:
        """What each exercise and open question earned; None where nobody has graded it."""
        return (
            {mark.exercise: mark.earned for mark in self.result.marks}
            | {name: one.points for name, one in self.corrections.items() if one.points is not None}
            | {one.name: one.points for one in self.questions}
        )

    @property
    def status(self) -> str:
        """``"graded"``, ``"by hand"``, ``"in part"`` where a human must decide yet, or ``"not graded"``."""
        if self.problem:
            return "not graded" if all(value is None for value in self.points.values()) else "by hand"
        return "in part" if any(self.waits(mark) for mark in self.result.marks) else "graded"

    def waits(self, mark: Mark) -> bool:
        """Whether a human must decide on an exercise, and has not yet."""
        return mark.status == "not graded" and not self.is_corrected(mark.exercise)

    def is_corrected(self, exercise: str) -> bool:
        """Whether the points of an exercise are the instructor's."""
        return exercise in self.corrections and self.corrections[exercise].points is not None

    @property
    def earned(self) -> float:
        """Points of the exercises and of open questions."""
        return sum(value or 0 for value in self.points.values())

    @property
    def is_missing(self) -> bool:
        """Whether nothing was handed in, and no points were given for it."""
        return not self.submission.path and self.status == "not graded"

    @property
    def needs_look(self) -> bool:
        """Whether a human should look at what was handed in."""
        return bool(self.look) and not self.is_missing

    @property
    def is_late(self) -> bool:
        """Whether it is late: by its due date, or else by the platform's mark."""
        return self.timing.begun > 0 if self.timing and self.timing.submitted else self.submission.late

    @property
    def penalty(self) -> float:
        """Points that lateness costs: never more than were earned."""
        return min(self.timing.penalty(self.maximum), self.earned) if self.timing else 0.0

    @property
    def total(self) -> float:
        """Points that count: those earned, less the penalty."""
        return self.earned - self.penalty

    @property
    def maximum(self) -> float:
        """Points that the lab offers."""
        known = [exercises.get(name) for name in exercises.names()]
        return sum(e.points for e in known if e.lab == self.lab) + sum(one.maximum for one in self.questions)

    @property
    def open(self) -> float:
        """Points of the questions that nobody has graded yet."""
        return sum(one.maximum for one in self.questions if one.points is None)

    @property
    def unanswered(self) -> list[Correction]:
        """The open questions that nobody has graded, and in whose cells nothing stands."""
        return [one for one in self.questions if one.points is None and self.written.get(one.name) == ""]

    @property
    def unread(self) -> float:
        """Points of the answers that a human has yet to read."""
        return self.open - sum(one.maximum for one in self.unanswered)

    @property
    def percent(self) -> float:
        """What was earned, in percent of what has been graded so far."""
        so_far = self.maximum - self.open
        return 100 * self.earned / so_far if so_far else 0.0


@dataclass(frozen=True, order=True)
class UnexplainedAnswer:
    """A wrong answer whose cause no misconception names.

    Attributes
    ----------
    exercise : str
    code : str
        Its cell, without comments: they may name their author.
    reason : str
        What the check says.
    """

    exercise: str
    code: str
    reason: str


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
        How many submissions were graded now, and how many results are from earlier runs.
    similar : list of SimilarPair
    unread : list of str
        Files without an owner.
    problems : list of str
        What else the instructor should know.
    unexplained : set of UnexplainedAnswer
    deadlines : dict
        By lab.
    people : Roster
        Everybody.
    questions : dict
        By lab, the open questions.
    references : dict
        By lab and exercise, the instructor's own answers.
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
    unexplained: set[UnexplainedAnswer] = field(default_factory=set)
    deadlines: Mapping[int, Deadline] = field(default_factory=dict)
    people: Roster = field(default_factory=lambda: Roster(()))
    questions: Mapping[int, tuple[Question, ...]] = field(default_factory=dict)
    references: Mapping[int, Mapping[str, str]] = field(default_factory=dict)


def result_of(judged: JudgedSubmission) -> Result:
    """Return what is stored of a judged submission."""
    return Result(
        marks=tuple(_mark(verdict) for verdict in judged.verdicts),
        notes=tuple(judged.notes),
        seconds=round(judged.seconds, 3),
        level=judged.isolation.level,
        waited=judged.waited,
    )


def _mark(verdict: Verdict) -> Mark:
    from course_utils.figures.card import verdict_card

    return Mark(
        exercise=verdict.exercise,
        number=verdict.number,
        title=verdict.title,
        status=verdict.status,
        misconception=verdict.misconception,
        points=verdict.points,
        earned=verdict.earned,
        reason=verdict.reason,
        card=verdict_card(verdict).html,
        lent=verdict.lent,
    )
