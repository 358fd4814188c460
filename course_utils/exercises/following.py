"""An answer that calls another exercise's: where that one is not right, the course's takes its place.

So a slip in ``zero_pad`` costs the points of ``zero_pad`` alone, and what calls it is told its own faults.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import FunctionType
from typing import Any

from course_utils.exercises import judging
from course_utils.exercises.model import Exercise, Verdict
from course_utils.exercises.own_source import codes_of, functions_of
from course_utils.text import quoted


def evaluate(exercise: Exercise, candidate: Any, *, get: Callable[[str], Exercise], seed: int = 0) -> Verdict:
    """Judge `candidate`; if it is not right, once more with the course's answers in place of wrong ones.

    Parameters
    ----------
    get : callable
        Returns the exercise that has an id.
    """
    verdict = judging.evaluate(exercise, candidate, seed=seed)
    functions = functions_of(candidate)
    if verdict.status == "correct" or not functions:
        return verdict
    namespace = functions[0].__globals__
    called = _called(functions, namespace)
    lent: dict[str, Any] = {}
    for other in map(get, exercise.builds_on):
        if other.title in called:
            with _replaced(namespace, lent):
                right = judging.evaluate(other, namespace[other.title], seed=seed).status == "correct"
            if not right:
                lent[other.title] = other.reference
    if not lent:
        return verdict
    with _replaced(namespace, lent):
        return judged_with(judging.evaluate(exercise, candidate, seed=seed), list(lent))


def judged_with(verdict: Verdict, lent: Sequence[str]) -> Verdict:
    """Say in a verdict which of the course's functions stood in for the student's.

    Parameters
    ----------
    lent : sequence of str
        Their names.
    """
    yours = f"yours {'are' if len(lent) > 1 else 'is'} not right yet"
    told = f"It was judged with the course's {quoted(lent)}: {yours}."
    reason = told if verdict.status == "correct" else f"{told} {verdict.reason}".rstrip()
    return replace(verdict, reason=reason, lent=tuple(lent))


def _called(functions: Sequence[FunctionType], namespace: dict[str, Any]) -> set[str]:
    """Return the names of the notebook that functions use, directly or through one another."""
    names, unread = set[str](), list(functions)
    while unread:
        used = {name for code in codes_of(unread.pop().__code__) for name in code.co_names} & namespace.keys()
        unread += [function for name in used - names for function in functions_of(namespace[name])]
        names |= used
    return names


@contextmanager
def _replaced(namespace: dict[str, Any], values: dict[str, Any]) -> Iterator[None]:
    before = {name: namespace[name] for name in values}
    namespace.update(values)
    try:
        yield
    finally:
        namespace.update(before)
