"""The engine: `observe` runs an answer, `judge` compares what was observed, `evaluate` does both."""

from __future__ import annotations

import time
from typing import Any

from course_utils.exercises.judging import judge
from course_utils.exercises.model import Exercise, Observation, Verdict
from course_utils.exercises.observing import SECONDS, observe

__all__ = ["evaluate", "judge", "observe"]


def evaluate(exercise: Exercise, candidate: Any, *, seed: int = 0, seconds: float = SECONDS) -> Verdict:
    """Observe `candidate` on every probe, within `seconds` in all, and judge it."""
    probes = exercise.probes(seed)
    observations: list[Observation] = []
    end = time.monotonic() + seconds
    for probe in probes:
        observations.append(observe(exercise, candidate, probe, seconds=end - time.monotonic()))
        if observations[-1].status == "timeout" or observations[0].status == "not started":
            break
    return judge(exercise, probes, observations)
