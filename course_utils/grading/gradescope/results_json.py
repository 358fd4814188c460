"""Gradescope's ``results.json``: a test for each exercise, and what is said about all of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from course_utils import exercises
from course_utils.exercises.model import Exercise, Verdict


@dataclass
class Results:
    """What is known of a submission so far.

    Attributes
    ----------
    lab : int
        0 as long as there is nothing that can be graded.
    said : list of str
        Paragraphs for the student, above the exercises.
    extra_data : dict
        For the instructor.
    unclear : mapping
        Exercises that a human must decide, with the reason.
    verdicts : dict of str to Verdict
        By exercise. What is missing has not been judged.
    """

    lab: int = 0
    said: list[str] = field(default_factory=list)
    extra_data: dict[str, Any] = field(default_factory=dict)
    unclear: Mapping[str, str] = field(default_factory=dict)
    verdicts: dict[str, Verdict] = field(default_factory=dict)

    def to_json(self, seconds: float, *, pending: str = "") -> str:
        """Return the text of ``results.json``.

        Parameters
        ----------
        seconds : float
            How long it took.
        pending : str, optional
            Why some exercises have no verdict yet, for the student.
        """
        known = map(exercises.get, exercises.names())
        tests = [test for one in known if one.lab == self.lab and (test := self._test(one))]
        report = {
            "output": "\n\n".join(filter(None, [pending, *self.said])),
            # Plain text everywhere: cards have columns, and what a student wrote must not become markup.
            "output_format": "text",
            "test_output_format": "text",
            "test_name_format": "text",
            "stdout_visibility": "hidden",
            "execution_time": round(seconds, 1),
            "tests": tests,
            # What takes training, such as a challenge's time to accuracy, grading does not measure.
            "leaderboard": [
                {"name": "Points", "value": sum(test.get("score", 0.0) for test in tests)},
                {"name": "Exercises right", "value": sum(test["status"] == "passed" for test in tests)},
            ],
            "extra_data": self.extra_data,
        }
        # Without tests there is nothing to add up.
        return json.dumps(_storable(report if tests else report | {"score": 0.0}), allow_nan=False)

    def _test(self, exercise: Exercise) -> dict[str, Any] | None:
        verdict = None if exercise.id in self.unclear else self.verdicts.get(exercise.id)
        test: dict[str, Any] = {"number": exercise.number, "name": exercise.title, "visibility": "visible"}
        if exercise.id in self.unclear:
            output = f"Your instructor will look at it: {self.unclear[exercise.id]}"
        elif exercise.optional and (verdict is None or verdict.status == "not started"):
            return None
        else:
            output = verdict.message if verdict else "Not judged; see above."
        test |= {
            "status": "passed" if verdict and verdict.status == "correct" else "failed",
            "output": output,
        }
        if exercise.points:  # without, Gradescope shows a test for information
            earned = verdict.earned if verdict else 0
            test |= {"score": float(earned), "max_score": float(exercise.points)}
        if verdict and verdict.misconception:
            test["tags"] = [verdict.misconception]
        return test


def _storable(value: Any) -> Any:
    """Replace the characters that databases do not take: zeros, and halves of surrogate pairs."""
    match value:
        case str():
            return value.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
        case dict():
            return {key: _storable(item) for key, item in value.items()}
        case list() | tuple():
            return [_storable(item) for item in value]
    return value
