"""What is reviewed: one answer after the other, and the instructor's word about each, saved at once."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Literal

from course_utils import exercises
from course_utils.errors import GradingError
from course_utils.grading.corrections import KEPT, Correction, Corrections, read_corrections
from course_utils.grading.records import Question
from course_utils.grading.result_store import alone, publish_corrections
from course_utils.grading.review.material import MATERIAL, Material, ReviewedRow, read_material

Kind = Literal["question", "exercise", "submission"]
Word = tuple[str, str]
"""Points and comment, as texts."""

_ABOUT = re.compile(r"(?:Exercise [\d.]+ \((\w+)\)|([^\s:]+)): ")


@dataclass(frozen=True)
class ReviewItem:
    """One thing that a human decides about: an answer, or a submission as a whole.

    Attributes
    ----------
    kind : str
    row : ReviewedRow
        Whose.
    name : str
        Id of the question or exercise; empty for the submission.
    label : str
        The name for people: ``1.2 zero_pad``.
    maximum : float or None
        None for a submission, which takes a comment only.
    reasons : tuple of str
        Why a human should look.
    question : Question or None
    """

    kind: Kind
    row: ReviewedRow
    name: str
    label: str
    maximum: float | None
    reasons: tuple[str, ...] = ()
    question: Question | None = None

    @property
    def place(self) -> str:
        """What names it in an address: ``1/zero_pad/Jane Doe``."""
        return f"{self.row.lab or ''}/{self.name}/{self.row.student}"

    @property
    def written(self) -> str | None:
        """What the student wrote: empty for a question that is not started, None if nothing is known."""
        return self.row.written.get(self.name)

    @property
    def is_not_started(self) -> bool:
        """Whether it is an open question whose cell is as the lab gave it."""
        return self.kind == "question" and self.written == ""


class SavedElsewhereError(GradingError):
    """Something else was saved after a page was opened.

    Attributes
    ----------
    now : (str, str)
        Points and comment that count at present.
    """

    now: Word = ("", "")


@dataclass(frozen=True)
class ReviewedClass:
    """A class at one moment: what was handed in, and what has been said about it.

    Attributes
    ----------
    material : Material
    corrections : Corrections
    """

    material: Material
    corrections: Corrections

    @cached_property
    def items(self) -> tuple[ReviewItem, ...]:
        """By lab: all answers to each question, then the exercises, then submissions as a whole."""
        labs = sorted(self.material.labs)
        return tuple(
            item
            for lab in [*labs, None]
            for part in (self._questions, self._exercises, self._submissions)
            for item in part(lab, [row for row in self.material.rows if row.lab == lab])
        )

    def word(self, item: ReviewItem) -> Word:
        """Return the points and the comment that were given."""
        if item.kind == "submission":
            return "", self.corrections.comments.get((item.row.student, item.row.lab), "")
        said = self._said(item.row).get(item.name)
        points = "" if said is None or said.points is None else f"{said.points:.12g}"
        return points, said.comment if said else ""

    def waits(self, item: ReviewItem) -> bool:
        """Whether nobody has decided yet: there are no points, or of a submission no comment."""
        return not self.word(item)[item.kind == "submission"]

    def _said(self, row: ReviewedRow) -> dict[str, Correction]:
        return self.corrections.of.get((row.student, row.lab or 0), {})

    def _questions(self, lab: int | None, rows: Sequence[ReviewedRow]) -> Iterator[ReviewItem]:
        for question in self.material.labs[lab].questions if lab is not None else ():
            name = question.name
            asked = [
                ReviewItem("question", row, name, name, question.points, _reasons(row, name), question)
                for row in rows
                if not row.problem or self._said(row)
            ]
            yield from sorted(asked, key=lambda item: item.is_not_started)

    def _exercises(self, lab: int | None, rows: Sequence[ReviewedRow]) -> Iterator[ReviewItem]:
        for exercise in (one for one in map(exercises.get, exercises.names()) if one.lab == lab):
            label = f"{exercise.number} {exercise.title}"
            for row in rows:
                reasons = _reasons(row, exercise.id)
                if reasons or exercise.id in row.unclear or exercise.id in self._said(row):
                    yield ReviewItem("exercise", row, exercise.id, label, exercise.points, reasons)

    def _submissions(self, lab: int | None, rows: Sequence[ReviewedRow]) -> Iterator[ReviewItem]:
        asked = {question.name for question in self.material.labs[lab].questions} if lab is not None else ()
        for row in rows:
            reasons = tuple(why for why in row.look if _about(why) not in (*exercises.names(), *asked))
            if reasons or (row.student, row.lab) in self.corrections.comments:
                yield ReviewItem("submission", row, "", "the submission", None, reasons)


class Review:
    """The review of the grades in a folder; several threads may use it.

    Parameters
    ----------
    output : Path
        What ``course grade`` wrote.

    Raises
    ------
    GradingError
        If there are no grades, or if what was given by hand has mistakes.
    """

    def __init__(self, output: Path) -> None:
        self.output = output
        self.saved = 0
        self._saving = threading.Lock()
        self._times: dict[str, tuple[Word, datetime]] = {}
        self._read: tuple[object, ReviewedClass] | None = None
        self.now()

    def now(self) -> ReviewedClass:
        """Return the class as it is on the disk; it is read again when a file has changed."""
        stamp = self._stamp()
        if self._read is None or self._read[0] != stamp:
            material = read_material(self.output)
            self._read = stamp, ReviewedClass(material, self._corrections(material))
        return self._read[1]

    def save(self, place: str, points: str, comment: str, before: Word) -> None:
        """Save points and a comment, as ``course grade --set`` would; both empty take them back.

        Parameters
        ----------
        place : str
            Of the item.
        points, comment : str
        before : (str, str)
            What the page showed when it was opened.

        Raises
        ------
        SavedElsewhereError
            If something else has been saved since.
        GradingError
            If the points are wrong, ``course grade`` is running, or the file cannot be written.
        """
        with self._saving, alone(self.output):
            class_ = self.now()
            item = next((one for one in class_.items if one.place == place), None)
            if item is None:
                raise GradingError("This answer is no longer in the class.", next_step="Reload the page.")
            if (word := class_.word(item)) != before:
                raise self._saved_elsewhere(item, word)
            row = (item.row.student, item.name, points, comment, str(item.row.lab or ""), "")
            class_ = ReviewedClass(class_.material, self._corrections(class_.material, row))
            publish_corrections(self.output, class_.corrections)
            self.saved += 1
            self._times[place] = class_.word(item), datetime.now()
            self._read = self._stamp(), class_

    def _stamp(self) -> list[tuple[int, int] | None]:
        return [_stamp(self.output / name) for name in (MATERIAL, KEPT)]

    def _corrections(self, material: Material, *given: tuple[str, ...]) -> Corrections:
        return read_corrections(
            given,
            self.output / KEPT,
            people=material.people,
            labs=material.labs,
            questions={
                number: {question.name: question.points for question in lab.questions}
                for number, lab in material.labs.items()
            },
        )

    def _saved_elsewhere(self, item: ReviewItem, now: Word) -> SavedElsewhereError:
        points, comment = now
        word, when = self._times.get(item.place, (None, None))
        if word != now or when is None:  # not by this review: an editor, or course grade --set
            file = self.output / KEPT
            when = datetime.fromtimestamp(file.stat().st_mtime) if file.exists() else datetime.now()
        said = [
            f"{points} point{'s' * (points != '1')}" if points else "no points",
            *([f"“{comment}”"] if comment else []),
        ]
        error = SavedElsewhereError(
            f"Not saved: after you opened this page, at {when:%H:%M:%S}, something else was saved here: "
            f"{', '.join(said)}.",
            left="What was saved there.",
        )
        error.now = now
        return error


def _reasons(row: ReviewedRow, name: str) -> tuple[str, ...]:
    return tuple(why for why in row.look if _about(why) == name)


def _about(why: str) -> str:
    """Return the exercise or question that a reason begins with."""
    found = _ABOUT.match(why)
    return found[1] or found[2] if found else ""


def _stamp(file: Path) -> tuple[int, int] | None:
    try:
        about = file.stat()
    except OSError:
        return None
    return about.st_mtime_ns, about.st_ino
