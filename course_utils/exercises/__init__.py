"""The exercises as data, and how answers to them are judged."""

from __future__ import annotations

import time
from functools import cache
from importlib import import_module
from typing import Any

from course_utils.errors import ExerciseError
from course_utils.exercises import following
from course_utils.exercises.judging import judge
from course_utils.exercises.model import (
    Counterexample,
    Exercise,
    Misconception,
    Observation,
    Probe,
    Verdict,
)
from course_utils.exercises.observing import observe
from course_utils.exercises.one_change import look_closer

__all__ = [
    "LABS",
    "Counterexample",
    "Exercise",
    "Misconception",
    "Observation",
    "Probe",
    "Verdict",
    "evaluate",
    "get",
    "judge",
    "names",
    "observe",
]

_QUICK = 0.3
_LABS = {
    "conv_layer": "Convolutional layer",
    "pooling_layer": "Pooling layer",
    "lenet5": "LeNet5",
    "vgg": "VGG",
}
LABS = dict(enumerate(_LABS.values(), start=1))
"""The labs' titles by number."""


@cache
def _bank() -> dict[str, Exercise]:
    labs = [import_module(f"{__name__}.{lab}") for lab in _LABS]
    return {exercise.id: exercise for lab in labs for exercise in lab.EXERCISES}


def names() -> list[str]:
    """Return the ids of all exercises, in the course's order."""
    return list(_bank())


def get(exercise_id: str) -> Exercise:
    """Return one exercise.

    Raises
    ------
    ExerciseError
        If there is no such exercise.
    """
    if exercise_id not in _bank():
        raise ExerciseError(
            f"There is no exercise {exercise_id!r}.", why=f"The exercises are {', '.join(names())}."
        )
    return _bank()[exercise_id]


def evaluate(exercise_id: str, candidate: Any, *, seed: int = 0, closely: bool = False) -> Verdict:
    """Run `candidate` on an exercise's probes and judge what it did.

    Where it is not right and calls another exercise's answer that is not right either, it is judged with the
    course's in its place.

    Parameters
    ----------
    exercise_id : str
        One of `names`.
    candidate
        The answer: a function or a class.
    seed : int
        Decides which numbers and sizes the probes draw.
    closely : bool
        Where no cause is known, look for one small change that makes the answer right, for up to a second.
    """
    began = time.process_time()
    verdict = following.evaluate(get(exercise_id), candidate, get=get, seed=seed)
    # Few changes could be tried of an answer that takes long, and the check would take longer still.
    closely &= time.process_time() - began < _QUICK
    return look_closer(get(exercise_id), candidate, verdict, seed=seed) if closely else verdict
