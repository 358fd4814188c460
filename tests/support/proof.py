"""What the proof tests share: observed values of the references, and quick judgements."""

import pkgutil
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import import_module
from typing import Any

import numpy as np
import right_ways as ways_of_labs
from varied_probes import varied

from course_utils import exercises
from course_utils.exercises import Probe, observe
from course_utils.exercises.forms import other_form
from course_utils.exercises.guard import same_random_state
from course_utils.exercises.model import call

SEEDS = range(20)


@dataclass(frozen=True)
class Case:
    """A probe with what is right: the reference's value, then that of each other convention.

    `seconds` is how long the reference took.
    """

    probe: Probe
    right: tuple[Any, ...]
    seconds: float


@cache
def right_ways():
    """Return the right ways of all labs, by exercise id."""
    names = [module.name for module in pkgutil.iter_modules(ways_of_labs.__path__, "right_ways.")]
    modules = [import_module(name) for name in names]
    return {exercise_id: ways for module in modules for exercise_id, ways in module.RIGHT_WAYS.items()}


def all_right(exercise_id):
    """Return the reference, the other conventions and the right ways of an exercise."""
    exercise = exercises.get(exercise_id)
    return [exercise.reference, *exercise.also_right, *right_ways().get(exercise_id, [])]


@cache
def probes(exercise_id, seed):
    return tuple(exercises.get(exercise_id).probes(seed))


def case_of(exercise, probe):
    """Return `probe` with the right values, or None where the reference fails."""
    started = time.perf_counter()
    seen = observe(exercise, exercise.reference, probe)
    seconds = time.perf_counter() - started
    if seen.status != "returned":
        return None
    others = tuple(observe(exercise, way, probe).value for way in exercise.also_right)
    return Case(probe, (seen.value, *others), seconds)


@cache
@same_random_state()
def cases(exercise_id, seed):
    """Return the cases that a check asks, in its order."""
    exercise = exercises.get(exercise_id)
    found = tuple(case_of(exercise, probe) for probe in probes(exercise_id, seed))
    assert None not in found, f"{exercise_id}: the reference fails"
    return found


def expected(exercise_id, seed):
    return tuple(case.right[0] for case in cases(exercise_id, seed))


@cache
@same_random_state()
def drawn_cases(exercise_id):
    """Return cases beyond the check's: its probes varied at random, where all right ways agree."""
    exercise = exercises.get(exercise_id)
    takes_long = exercise.rules_out is not None
    wanted, tries = (12, 150) if takes_long else (50, 500)
    rng = np.random.default_rng([ord(letter) for letter in exercise_id])
    pool = [probe for seed in range(20, 30) for probe in exercise.probes(seed)]
    found = []
    for _ in range(tries):
        case = case_of(exercise, varied(exercise, pool, rng))
        if case and all(is_right(exercise, way, [case]) for way in right_ways()[exercise_id]):
            found.append(case)
        if len(found) == wanted:
            break
    return tuple(found)


@same_random_state()
def is_right(exercise, candidate, asked: Iterable[Case]):
    """Whether `candidate` is right in every case; ends at the first that it gets wrong, cheap ones first."""
    agreeing = list(range(1 + len(exercise.also_right)))
    for case in sorted(asked, key=lambda case: case.seconds):
        seen = observe(exercise, candidate, case.probe, limit=3 + 20 * case.seconds)
        if seen.status != "returned" or seen.changed_inputs or seen.cut_off:
            return False
        agreeing = [k for k in agreeing if not exercise.compare(case.right[k], seen.value)]
        if not agreeing:
            return False
        if exercise.observe is call and other_form(case.right[0], seen.value, numpy=seen.numpy):
            return False
    return True


def is_accepted(exercise_id, candidate, seed):
    """Whether the check with this seed accepts `candidate`."""
    return is_right(exercises.get(exercise_id), candidate, cases(exercise_id, seed))


def passes_wrongly(exercise_id, candidate):
    """Whether the check accepts `candidate`, although it differs from the reference in some drawn case."""
    if not all(is_accepted(exercise_id, candidate, seed) for seed in range(3)):
        return False
    return not is_right(exercises.get(exercise_id), candidate, drawn_cases(exercise_id))


@lru_cache(maxsize=30_000)
def observed_wrong(exercise_id, seed, misconception, number):
    """Return what a misconception's wrong reference does on one probe."""
    exercise = exercises.get(exercise_id)
    wrong = {m.id: m.wrong for m in exercise.misconceptions}[misconception]
    return observe(exercise, wrong, cases(exercise_id, seed)[number].probe)


def cheap_first(exercise_id, seed):
    """Return the numbers of the probes, those first on which the reference is fastest."""
    asked = cases(exercise_id, seed)
    return sorted(range(len(asked)), key=lambda number: asked[number].seconds)


def told_apart(exercise, one, other):
    """Whether two observations of one probe differ."""
    return one.status != other.status or (
        one.status == "returned" and bool(exercise.compare(one.value, other.value))
    )
