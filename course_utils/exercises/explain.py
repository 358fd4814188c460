"""Reasons that hold for any exercise: the relation to the right result, and which cases are wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from course_utils.exercises.relations import relations

Trait = tuple[str, str]


def common_relation(pairs: Sequence[tuple[Any, Any]]) -> str | None:
    """Return how the answer relates to the right result, when it does so in every case that is wrong.

    Parameters
    ----------
    pairs : sequence of (expected, actual)
        The cases that are wrong, smallest first.
    """
    if not pairs:
        return None
    first, *others = [relations(expected, actual) for expected, actual in pairs]
    keys = [{relation.key for relation in found} for found in others]
    for relation in first:
        if all(relation.key in known for known in keys):
            return relation.sentence
    # By chance a few numbers have many relations to others; a larger array has not.
    sizeable = isinstance(pairs[0][0], np.ndarray) and pairs[0][0].size > 3
    if first and sizeable:
        return f"In this case: {first[0].sentence[0].lower()}{first[0].sentence[1:]}"
    return None


def pattern(
    cases: Sequence[Mapping[str, Any]], defaults: Mapping[str, Any], right: Sequence[bool]
) -> str | None:
    """Return which kind of case an answer gets wrong, when exactly the cases of one kind are wrong.

    Parameters
    ----------
    cases : sequence of mappings
        The arguments of each case by name, plain.
    defaults : mapping
        The default of each argument that has one.
    right : sequence of bool
        Whether the answer is right in that case.
    """
    if all(right) or not any(right):
        return None
    traits = [_traits(case, defaults) for case in cases]
    for trait in dict.fromkeys(t for of_case in traits for t in of_case):
        if [trait in of_case for of_case in traits] == [not ok for ok in right]:
            return f"It is right {trait[0]}, and wrong in every case {trait[1]}."
    return None


def _traits(case: Mapping[str, Any], defaults: Mapping[str, Any]) -> list[Trait]:
    found: list[Trait] = []
    for name, value in case.items():
        if name in defaults:
            found += _of_option(name, value, defaults[name])
        if isinstance(value, int) and not isinstance(value, bool):
            found += [(f"for odd {name}", f"with even {name}")] if value % 2 == 0 else []
            found += [(f"for {name} up to {k}", f"with {name} above {k}") for k in (1, 2) if value > k]
        if isinstance(value, np.ndarray) and value.ndim >= 2:
            found += _of_image(name, value)
    found += _of_steps({**defaults, **case})
    return found


def _of_option(name: str, value: Any, default: Any) -> Iterator[Trait]:
    if default is None and value is not None:
        yield f"without {name}", f"with {name}"
    elif not isinstance(value, np.ndarray) and value != default:
        yield f"whenever {name} is {default}", f"where {name} is another value"


def _of_image(name: str, value: np.ndarray) -> Iterator[Trait]:
    height, width = value.shape[-2:]
    if height != width:
        yield f"for a square {name}", f"where {name} is not square"
    if height > width:
        yield f"where {name} is not taller than wide", f"where {name} is taller than wide"
    if height < width:
        yield f"where {name} is not wider than tall", f"where {name} is wider than tall"
    if value.ndim == 3 and value.shape[0] > 1:
        yield f"for one channel of {name}", f"where {name} has several channels"
    if value.ndim == 4 and value.shape[0] > 1:
        yield f"for one item in {name}", f"with several items in {name}"
    if value.size and value.min() < 0:
        yield f"without negative values in {name}", f"with negative values in {name}"
    if value.size and value.max() < 0:
        yield f"where {name} has a positive value", f"where all of {name} is negative"
    if np.any(value != np.round(value)):
        yield f"for whole numbers in {name}", f"with fractions in {name}"


def _of_steps(case: Mapping[str, Any]) -> Iterator[Trait]:
    """Yield how the window, the stride and the image's length go together, where a case has all three."""
    lengths, window = _first(case, _LENGTHS), _first(case, _WINDOWS)
    stride = case.get("stride", case.get("s"))
    if lengths is None or window is None:
        return
    stride = window[0] if stride is None else stride
    padding = case.get("padding", case.get("p", 0))
    if any((n + 2 * padding - f) % stride for n, f in zip(lengths, window, strict=False)):
        yield "wherever the stride divides", "where the stride does not divide"
    if stride < window[0]:
        yield "where windows do not overlap", "where windows overlap (the stride is below their size)"
    if stride > window[0]:
        yield "where the stride is not above the window's size", "where windows leave gaps between them"


_LENGTHS = {
    "n": lambda n: (n,),
    "shape": lambda shape: shape[1:],
    "image": lambda image: image.shape,
    "x": lambda x: x.shape[-2:],
}
_WINDOWS = {
    "f": lambda f: (f, f),
    "size": lambda size: (size, size),
    "kernel": lambda kernel: kernel.shape,
    "weight": lambda weight: weight.shape[-2:],
}


def _first(case: Mapping[str, Any], readers: Mapping[str, Any]) -> tuple[int, ...] | None:
    return next((tuple(read(case[name])) for name, read in readers.items() if name in case), None)
