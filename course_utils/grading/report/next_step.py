"""What a student should do next: one thing, and where to read about it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from course_utils import exercises
from course_utils.grading.grades import GradeRow, Mark
from course_utils.grading.report.summary import error_sentence, is_cause, overruled

_TRY = "write your answer, and run the check below it"


@dataclass(frozen=True)
class NextStep:
    """What to do next in a lab.

    Attributes
    ----------
    sentences : tuple of str
        Two or three, for the student; code stands between backticks.
    exercise : str
        Whose card shows the mistake, or an empty string.
    mistake : str
        What the card says, in a sentence.
    """

    sentences: tuple[str, ...]
    exercise: str = ""
    mistake: str = ""

    @property
    def message(self) -> str:
        """The sentences where there is no card."""
        first, *rest = self.sentences
        return " ".join([first, self.mistake, rest[-1]] if self.mistake else self.sentences)


def next_step(row: GradeRow) -> NextStep | None:
    """Return the next step, or None where only the instructor can say it.

    A mistake comes first: the first exercise, of those that count points, that is wrong for a reason of its
    own and not only because another one is. Then comes what is not started, and where all is right, what else
    the lab offers.
    """
    needed = [mark for mark in row.result.marks if mark.points]
    open_ = [mark for mark in row.result.marks if mark.status != "correct" and not overruled(row, mark)]
    left = [mark for mark in open_ if mark.points]
    failed = [mark for mark in left if mark.status in ("wrong", "error")]
    alone = sum(bool(mark.points) or mark.status != "not started" for mark in open_) == 1
    if mark := next(filter(is_cause, failed), None):
        return _mend(mark, alone=alone)
    if mark := next((mark for mark in left if mark.status == "not started"), None):
        return _begin(row, mark)
    if failed:
        return _mend(failed[0], alone=alone)
    if left:
        waits = " and ".join(map(_called, left))
        return NextStep(("What could be graded is right.", f"Your instructor will look at {waits}."))
    lowered = any((row.points[mark.exercise] or 0) < mark.points for mark in needed)
    return None if lowered or not needed else _more(row)


def feedback_text(row: GradeRow) -> str:
    """Return what a message tells a student: the instructor's comment, and the next step or the problem."""
    step = next_step(row)
    told = row.problem or (step.message if step else "")
    comment = row.comment and f"Your instructor: {row.comment}"
    more = f"Up to {row.unread:g} more points are open until your instructor has read your answer."
    return " ".join(filter(None, [comment, told, more if row.unread and row.status != "not graded" else ""]))


def _mend(mark: Mark, *, alone: bool) -> NextStep:
    exercise = exercises.get(mark.exercise)
    known = next((one for one in exercise.misconceptions if one.id == mark.misconception), None)
    section = known.section if known else exercise.section
    if mark.status == "error":
        shown = "The card says what stops it."
    else:
        shown = f"The card shows the smallest case that fails{', and the likely cause' if known else ''}."
    return NextStep(
        (
            f"Only {_called(mark)} is not right yet." if alone else f"Start with {_called(mark)}.",
            shown,
            f"Read {_quoted(section)} again, then change your answer and run its check.",
        ),
        mark.exercise,
        known.sentence if known else re.sub(r"(?<![.!?])$", ".", error_sentence(mark.reason)),
    )


def _begin(row: GradeRow, mark: Mark) -> NextStep:
    counted = [other for other in row.result.marks if other.points]
    known = f"Exercise {mark.number} ({mark.exercise}): "
    if remark := next((text for text in row.causes if text.startswith(known)), ""):
        return NextStep((f"Start with {_called(mark)}: {remark.removeprefix(known)}",))
    read = f"read {_quoted(exercises.get(mark.exercise).section)}, {_TRY}."
    if all(other.status == "not started" for other in counted):
        nothing = "This file answers no exercise yet: if you wrote answers, please check which file you sent."
        return NextStep((nothing, f"Otherwise start with {_called(mark)}: {read}"))
    if all(other.status in ("correct", "not started") for other in counted):
        return NextStep(("What you have answered is right.", f"Go on with {_called(mark)}: {read}"))
    return NextStep((f"Go on with {_called(mark)}: {read}",))


def _more(row: GradeRow) -> NextStep:
    what = "Everything is" if row.earned >= row.maximum else "All exercises are"
    praise = "All points. Well done." if row.corrections else f"{what} right. Well done."
    for question in row.unanswered:
        return NextStep((praise, f"The question `{question.name}` of the lab has no answer."))
    optional = next((m for m in row.result.marks if not m.points and m.status != "correct"), None)
    offer = f"{_called(optional)}, which is optional, or " if optional else ""
    more = f"If you would like more, try {offer}the challenge at the end of Lab {row.lab:02}."
    return NextStep((praise, more))


def _called(mark: Mark) -> str:
    return f"Exercise {mark.number} (`{mark.exercise}`)"


def _quoted(section: str) -> str:
    """Return where to read, as in a sentence: ``“Padding” in Lab 01``."""
    lab, _, heading = section.partition(", ")
    return f"“{heading}” in {lab}"
