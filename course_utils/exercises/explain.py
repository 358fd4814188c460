"""Reasons that need no knowledge of the exercise: how a result relates to the right one, which cases fail."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from course_utils.exercises.relations import relations

ENOUGH = 3  # so many cases of single numbers are no chance


@dataclass(frozen=True, order=True)
class Trait:
    """A kind of case. Of several that fit, the lowest rank is named: chosen properties before drawn ones."""

    rank: int
    without: str
    with_it: str
    guess: str = ""


def common_relation(pairs: Sequence[tuple[Any, Any]]) -> str | None:
    """Return how the answer relates to the right result, if the relation holds in every case that is wrong.

    Parameters
    ----------
    pairs : sequence of (expected, actual)
        The cases that are wrong, smallest first.
    """
    if not pairs:
        return None
    if len(pairs) >= ENOUGH and _constant(pairs):
        return "It is the same in all these cases."
    first, *others = [relations(expected, actual) for expected, actual in pairs]
    keys = [{relation.key for relation in found} for found in others]
    # A few numbers may be related by chance; a larger array is not.
    sizeable = isinstance(pairs[0][0], np.ndarray) and pairs[0][0].size > 3
    if not sizeable and len(_distinct(expected for expected, _ in pairs)) < ENOUGH:
        return None
    for relation in first:
        if all(relation.key in known for known in keys):
            return relation.sentence
    if first and sizeable:
        return f"In this case: {first[0].sentence[0].lower()}{first[0].sentence[1:]}"
    return None


def _constant(pairs: Sequence[tuple[Any, Any]]) -> bool:
    """Whether the answer is the same where several results are expected; 0 and 1 are often by chance."""
    (_, actual), *_ = pairs
    if not isinstance(actual, (int, float, np.ndarray)) or np.isin(actual, (0, 1)).all():
        return False
    one = len(_distinct(mine for _, mine in pairs)) == 1
    return one and len(_distinct(right for right, _ in pairs)) > 1


def _distinct(values: Iterable[Any]) -> set[Any]:
    return {(v.shape, v.tobytes()) if isinstance(v, np.ndarray) else repr(v) for v in values}


def pattern(
    cases: Sequence[Mapping[str, Any]], defaults: Mapping[str, Any], right: Sequence[bool]
) -> str | None:
    """Return which kind of case an answer gets wrong, if exactly the cases of one kind are wrong.

    Parameters
    ----------
    cases : sequence of mappings
        The arguments of each case by name, plain.
    defaults : mapping
        The default of each argument that has one.
    right : sequence of bool
        Whether the answer is right in that case.
    """
    if all(right) or sum(right) < 2:
        return None  # a single right case shows no pattern
    traits = [set(_traits(case, defaults)) for case in cases]
    for trait in sorted(set().union(*traits)):
        if [trait in of_case for of_case in traits] == [not ok for ok in right]:
            return (
                f"It is right {trait.without}, and wrong in every case {trait.with_it}. {trait.guess}".strip()
            )
    return None


_ONE_LENGTH = "Perhaps one length is used for both rows and columns, or the two are exchanged."


def _traits(case: Mapping[str, Any], defaults: Mapping[str, Any]) -> Iterator[Trait]:
    for name, default in defaults.items():
        yield from _of_option(name, case.get(name, default), default)
    for name, value in case.items():
        if isinstance(value, int) and not isinstance(value, bool):
            yield from (
                Trait(3, f"for {name} up to {k}", f"with {name} above {k}") for k in (1, 2) if value > k
            )
            if value % 2 == 0:
                yield Trait(5, f"for odd {name}", f"with even {name}")
        if isinstance(value, np.ndarray) and value.ndim >= 2:
            yield from _of_image(name, value)
    yield from _of_steps({**defaults, **case})


def _of_option(name: str, value: Any, default: Any) -> Iterator[Trait]:
    if default is None:
        given = Trait(0, f"without {name}", f"with {name}")
        missing = Trait(0, f"with {name}", f"without it, when {name} is None")
        yield missing if value is None else given
    elif not isinstance(value, np.ndarray) and value != default:
        other = value if isinstance(default, bool) else "another value"
        yield Trait(0, f"whenever {name} is {default}", f"where {name} is {other}")


def _of_image(name: str, value: np.ndarray) -> Iterator[Trait]:
    height, width = value.shape[-2:]
    if height != width:
        yield Trait(2, f"for a square {name}", f"where {name} is not square", _ONE_LENGTH)
    if height > width:
        yield Trait(2, f"where {name} is not taller than wide", f"where {name} is taller than wide")
    if height < width:
        yield Trait(2, f"where {name} is not wider than tall", f"where {name} is wider than tall")
    if value.ndim == 3 and value.shape[0] > 1:
        yield Trait(2, f"for one channel of {name}", f"where {name} has several channels")
    if value.ndim == 4 and value.shape[0] > 1:
        thing = "filter" if name == "weight" else "item"
        yield Trait(2, f"for one {thing} in {name}", f"with several {thing}s in {name}")
    if value.size and value.min() < 0:
        yield Trait(4, f"without negative values in {name}", f"with negative values in {name}")
    if value.size and value.max() < 0:
        yield Trait(4, f"where {name} has a positive value", f"where all of {name} is negative")
    if np.any(value != np.round(value)):
        yield Trait(4, f"for whole numbers in {name}", f"with fractions in {name}")


def _of_steps(case: Mapping[str, Any]) -> Iterator[Trait]:
    """Yield how window, stride and length fit together, where a case has all three."""
    lengths, window = _first(case, _LENGTHS), _first(case, _WINDOWS)
    stride = case.get("stride", case.get("s"))
    if lengths is None or window is None or len(window) < len(lengths):
        return
    if not {"stride", "s", "size"} & case.keys():
        return
    stride = window[0] if stride is None else stride
    padding = case.get("padding", case.get("p", 0))
    if any((n + 2 * padding - f) % stride for n, f in zip(lengths, window, strict=False)):
        yield Trait(1, "wherever the stride divides", "where the stride does not divide")
    if padding and stride > 1:
        yield Trait(1, "with padding or stride alone", "with both padding and a stride above 1")
    if stride < window[0]:
        yield Trait(1, "where windows do not overlap", "where windows overlap")
    if stride > window[0]:
        yield Trait(1, "where windows leave no gaps", "where windows leave gaps between them")


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
