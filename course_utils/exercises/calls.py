"""A probe's call: its arguments by name, its text, and how it fits an answer's signature."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from course_utils.exercises.model import Exercise, Probe, call
from course_utils.exercises.values import Unreadable, plain
from course_utils.text import value_text

SHORT = 48


@cache
def _signature(reference: Callable[..., Any]) -> inspect.Signature:
    return inspect.signature(reference)


def arguments(exercise: Exercise, probe: Probe) -> dict[str, Any]:
    """Return the probe's arguments by the names that the exercise's signature gives them."""
    try:
        bound = _signature(exercise.reference).bind(*probe.arguments, **probe.keywords)
    except (TypeError, ValueError):
        return {}
    return dict(bound.arguments)


def shown_inputs(exercise: Exercise, probe: Probe) -> dict[str, Any]:
    """Return what a counterexample shows as the inputs, plain."""
    inputs: Mapping[str, Any] = arguments(exercise, probe) if probe.shown is None else probe.shown
    return {name: value_of(value) for name, value in inputs.items()}


def value_of(value: Any) -> Any:
    """Return a plain value; for a function or module, its name."""
    found = plain(value)
    return getattr(value, "__name__", found.kind) if isinstance(found, Unreadable) else found


def defaults(exercise: Exercise) -> dict[str, Any]:
    """Return the defaults in the exercise's signature."""
    parameters = _signature(exercise.reference).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def call_text(exercise: Exercise, probe: Probe) -> str:
    """Return the call as one would type it: short values as they are, arrays by their names."""
    if probe.call:
        return probe.call
    names = list(arguments(exercise, probe))
    named = zip(names, probe.arguments, strict=False)
    parts = [_argument(name, value) for name, value in named]
    parts += [f"{name}={_argument(name, value)}" for name, value in probe.keywords.items()]
    return f"{exercise.title}({', '.join(parts)})"


def _argument(name: str, value: Any) -> str:
    found = value_of(value)
    if isinstance(found, np.ndarray):
        return name
    if callable(value):
        return str(found)
    text = value_text(found)
    return text if len(text) <= SHORT else name


def fit_to(candidate: Callable[..., Any], exercise: Exercise, probe: Probe) -> Probe | str:
    """Return `probe` in a form that `candidate` accepts, or the reason why there is none.

    An answer may name its parameters as it likes: the arguments then go by position.
    """
    if exercise.observe is not call:
        return probe
    try:
        theirs = inspect.signature(candidate)
    except (TypeError, ValueError):
        return probe
    if _refusal(theirs, probe) is None:
        return probe
    ours = _signature(exercise.reference).bind(*probe.arguments, **probe.keywords)
    last = list(ours.arguments)[-1]
    ours.apply_defaults()
    names = list(ours.arguments)
    in_order = tuple(ours.arguments[name] for name in names[: names.index(last) + 1])
    by_position = replace(probe, arguments=in_order, keywords={})
    refusal = _refusal(theirs, by_position)
    if refusal is None:
        return by_position
    name = getattr(candidate, "__name__", "the answer")
    return (
        f"The check calls {call_text(exercise, probe)}, and {name}{theirs} cannot be called that way: "
        f"{refusal}. The signature in the exercise is {exercise.signature}."
    )


def _refusal(signature: inspect.Signature, probe: Probe) -> str | None:
    try:
        signature.bind(*probe.arguments, **probe.keywords)
    except TypeError as error:
        return str(error)
    return None
