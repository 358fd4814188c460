"""What the proof tests share: observed values of the references, and quick judgements."""

import pkgutil
from functools import cache, lru_cache
from importlib import import_module

import right_ways as ways_of_labs

from course_utils import exercises
from course_utils.exercises import observe
from course_utils.exercises.forms import other_form
from course_utils.exercises.model import call

SEEDS = range(20)


def right_ways():
    """Return the right ways of all labs, by exercise id."""
    names = [module.name for module in pkgutil.iter_modules(ways_of_labs.__path__, "right_ways.")]
    modules = [import_module(name) for name in names if name != "right_ways.equivalents"]
    return {exercise_id: ways for module in modules for exercise_id, ways in module.RIGHT_WAYS.items()}


@cache
def probes(exercise_id, seed):
    return tuple(exercises.get(exercise_id).probes(seed))


@cache
def expected(exercise_id, seed):
    exercise = exercises.get(exercise_id)
    seen = [observe(exercise, exercise.reference, probe) for probe in probes(exercise_id, seed)]
    assert all(s.status == "returned" for s in seen), [s.traceback for s in seen]
    return tuple(s.value for s in seen)


@lru_cache(maxsize=64)
def wrong_observations(exercise_id, seed):
    """Return, for each misconception, what its wrong reference does on every probe."""
    exercise = exercises.get(exercise_id)
    return {
        m.id: tuple(observe(exercise, m.wrong, probe) for probe in probes(exercise_id, seed))
        for m in exercise.misconceptions
    }


@cache
def conventions(exercise_id, seed):
    """Return what the reference, and each other convention that is accepted, gives on every probe."""
    exercise = exercises.get(exercise_id)
    others = [
        tuple(observe(exercise, way, probe).value for probe in probes(exercise_id, seed))
        for way in exercise.also_right
    ]
    return [expected(exercise_id, seed), *others]


def is_accepted(exercise_id, candidate, seed):
    """Whether `candidate` is right on every probe; ends at the first that it gets wrong."""
    exercise = exercises.get(exercise_id)
    agreeing = conventions(exercise_id, seed)
    for number, probe in enumerate(probes(exercise_id, seed)):
        seen = observe(exercise, candidate, probe, seconds=5)
        if seen.status != "returned" or seen.changed_inputs or seen.cut_off:
            return False
        agreeing = [values for values in agreeing if not exercise.compare(values[number], seen.value)]
        right = expected(exercise_id, seed)[number]
        if exercise.observe is call and other_form(right, seen.value, numpy=seen.numpy):
            return False
    return bool(agreeing)


def agree(exercise, one, other):
    """Whether two lists of observations cannot be told apart."""
    return all(
        a.status == b.status and (a.status != "returned" or not exercise.compare(a.value, b.value))
        for a, b in zip(one, other, strict=True)
    )
