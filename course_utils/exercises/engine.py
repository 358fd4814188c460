"""The engine: `observe` runs an answer, `judge` compares what was observed and never runs it."""

from __future__ import annotations

import copy
import traceback
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from course_utils.exercises.model import Counterexample, Exercise, Observation, Probe, Verdict


def observe(exercise: Exercise, candidate: Any, probe: Probe, *, seconds: float = 10) -> Observation:
    """Run `candidate` on one probe."""
    mine = copy.deepcopy(probe)
    try:
        value = exercise.observe(candidate, mine)
    except NotImplementedError:
        return Observation("not started", call=exercise.id)
    except Exception as error:
        return Observation("error", traceback=traceback.format_exc(), error=type(error).__name__)
    return Observation("returned", value=_plain(value), call=exercise.id)


def _plain(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.detach().cpu().numpy()
    if isinstance(value, (tuple, list)):
        return type(value)(map(_plain, value)) if type(value) in (tuple, list) else tuple(map(_plain, value))
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def _equal(expected: Any, actual: Any) -> bool:
    if isinstance(expected, dict):
        return (
            isinstance(actual, dict)
            and list(actual) == list(expected)
            and all(_equal(expected[k], actual[k]) for k in expected)
        )
    if isinstance(expected, str):
        return actual == expected
    try:
        return np.shape(expected) == np.shape(actual) and bool(
            np.allclose(expected, actual, rtol=1e-4, atol=1e-5)
        )
    except (TypeError, ValueError):
        return False


def judge(exercise: Exercise, probes: Sequence[Probe], observations: Sequence[Observation]) -> Verdict:
    """Compare what was observed with the reference."""
    about = {
        "exercise": exercise.id,
        "number": exercise.number,
        "title": exercise.title,
        "points": exercise.points,
    }
    for probe, seen in zip(probes, observations, strict=True):
        if seen.status == "not started":
            return Verdict(**about, status="not started", message="not started")
        if seen.status == "error":
            return Verdict(**about, status="error", message=seen.traceback)
        expected = observe(exercise, exercise.reference, probe).value
        if not _equal(expected, seen.value):
            break
    else:
        return Verdict(**about, status="correct", earned=exercise.points, message="correct")
    agreed = None
    for misconception in exercise.misconceptions:
        wrong = [observe(exercise, misconception.wrong, p).value for p in probes]
        if all(_equal(w, s.value) for w, s in zip(wrong, observations, strict=True)):
            agreed = misconception
            break
    shown = Counterexample(seen.call, probe.note, {}, expected, seen.value)
    sentence = agreed.sentence if agreed else f"{probe.note}: expected {expected}, yours {seen.value}"
    return Verdict(
        **about,
        status="wrong",
        misconception=agreed.id if agreed else None,
        message=sentence,
        reason=sentence,
        counterexample=shown,
        section=agreed.section if agreed else None,
    )


def evaluate(exercise: Exercise, candidate: Any, *, seed: int = 0) -> Verdict:
    """Observe `candidate` on every probe and judge it."""
    probes = exercise.probes(seed)
    return judge(exercise, probes, [observe(exercise, candidate, probe) for probe in probes])
