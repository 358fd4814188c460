"""Reasons that hold for any exercise: how two arrays are related, and which cases an answer gets right."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from course_utils.exercises.values import number_text, shape_text

Trait = tuple[str, str]


def relation(expected: Any, actual: Any) -> str | None:
    """Return how `actual` relates to `expected`, in one sentence, if the relation has a name."""
    if _is_number(expected) and _is_number(actual):
        return _related_numbers(float(expected), float(actual))
    if not (isinstance(expected, np.ndarray) and isinstance(actual, np.ndarray)):
        return None
    if expected.dtype.kind not in "iuf" or actual.dtype.kind not in "iuf":
        return None
    right, mine = expected.astype(np.float64), actual.astype(np.float64)
    return _related_shapes(right, mine) if right.shape != mine.shape else _related_values(right, mine)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _related_numbers(right: float, mine: float) -> str | None:
    if right and mine == -right:
        return "It is right up to its sign."
    if mine - right in (1, -1):
        return f"It is one too {'large' if mine > right else 'small'}."
    if right and mine / right in (2, 0.5, 100, 0.01):
        return f"It is {number_text(mine / right)} times the expected value."
    return None


def _close(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=1e-4, atol=1e-5))


def _related_shapes(right: np.ndarray, mine: np.ndarray) -> str | None:
    if mine.size == right.size and mine.ndim != right.ndim and _close(mine.reshape(right.shape), right):
        return f"The values are right, but in an array with {mine.ndim} axes instead of {right.ndim}."
    if mine.ndim != right.ndim or right.ndim < 2:
        return None
    if _close(mine.swapaxes(-1, -2), right):
        return "The values are right, with rows and columns exchanged (transposed)."
    if mine.ndim == 3 and _close(np.moveaxis(mine, -1, 0), right):
        return "The values are right, with the channels as the last axis instead of the first."
    if mine.shape == (*right.shape[:-2], right.shape[-1], right.shape[-2]):
        return "The height and the width of the result are exchanged."
    corner = tuple(slice(0, min(a, b)) for a, b in zip(mine.shape, right.shape, strict=True))
    if _close(mine[corner], right[corner]):
        more = all(a >= b for a, b in zip(mine.shape, right.shape, strict=True))
        less = all(a <= b for a, b in zip(mine.shape, right.shape, strict=True))
        if more:
            return f"The first {shape_text(right.shape)} values are right; rows or columns too many follow."
        if less:
            return "The values that are there are right; rows or columns are missing at the end."
    return None


def _related_values(right: np.ndarray, mine: np.ndarray) -> str | None:
    if not np.any(mine) and np.any(right):
        return "Every cell is 0."
    if right.size < 2:
        return (
            _related_numbers(float(right.reshape(-1)[0]), float(mine.reshape(-1)[0])) if right.size else None
        )
    if _close(-mine, right):
        return "Every cell is right up to its sign."
    offsets = mine - right
    if np.ptp(offsets) < 1e-4:
        more = "large" if offsets.flat[0] > 0 else "small"
        return f"Every cell is too {more} by the same {number_text(round(abs(float(offsets.flat[0])), 4))}."
    filled = np.abs(right) > 1e-6
    if filled.sum() > 1:
        ratios = mine[filled] / right[filled]
        if np.ptp(ratios) < 1e-4 and _close(mine, right * ratios[0]):
            return f"Every cell is {number_text(round(float(ratios[0]), 4))} times what it should be."
    return _rearranged(right, mine)


def _rearranged(right: np.ndarray, mine: np.ndarray) -> str | None:
    moves: dict[str, Callable[[np.ndarray], np.ndarray]] = {}
    if right.ndim >= 2:
        moves = {
            "with rows and columns exchanged (transposed)": lambda a: a.swapaxes(-1, -2),
            "turned by 180 degrees": lambda a: a[..., ::-1, ::-1],
            "upside down": lambda a: a[..., ::-1, :],
            "mirrored left to right": lambda a: a[..., ::-1],
        }
    for name, move in moves.items():
        if _close(move(mine), right):
            return f"The values are right, but {name}."
    if right.ndim == 3 and _close(mine[::-1], right):
        return "The values are right, but the channels come in reverse order."
    for axis, step in [(a, s) for a in range(-min(right.ndim, 2), 0) for s in (1, -1)]:
        if right.shape[axis] > 2 and _close(np.roll(mine, step, axis), right):
            way = {(-1, 1): "left", (-1, -1): "right", (-2, 1): "up", (-2, -1): "down"}[(axis, step)]
            if right.ndim > 1:
                return f"The values are right, but shifted by one cell {way}."
    if np.allclose(np.sort(mine, axis=None), np.sort(right, axis=None), rtol=1e-4, atol=1e-5):
        return "It holds the right values in another order."
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
        if name in defaults and not isinstance(value, np.ndarray) and value != defaults[name]:
            found.append((f"whenever {name} is {defaults[name]}", f"where {name} is another value"))
        if name in defaults and isinstance(value, np.ndarray):
            found.append((f"without {name}", f"with {name}"))
        if isinstance(value, int) and not isinstance(value, bool):
            found += [(f"for odd {name}", f"with even {name}")] if value % 2 == 0 else []
            found += [(f"for {name} up to 1", f"with {name} above 1")] if value > 1 else []
        if isinstance(value, np.ndarray) and value.ndim >= 2:
            found += _of_image(name, value)
    found += _of_pairs(case)
    return found


def _of_image(name: str, value: np.ndarray) -> list[Trait]:
    height, width = value.shape[-2:]
    found: list[Trait] = []
    if height != width:
        found.append((f"for a square {name}", f"where {name} is not square"))
    if height > width:
        found.append((f"where {name} is not taller than wide", f"where {name} is taller than wide"))
    if height < width:
        found.append((f"where {name} is not wider than tall", f"where {name} is wider than tall"))
    if value.ndim == 3 and value.shape[0] > 1:
        found.append((f"for one channel of {name}", f"where {name} has several channels"))
    if value.ndim == 4 and value.shape[0] > 1:
        found.append((f"for one item in {name}", f"with several items in {name}"))
    if value.size and value.min() < 0:
        found.append((f"without negative values in {name}", f"with negative values in {name}"))
    if value.size and value.max() < 0:
        found.append((f"where {name} has a positive value", f"where all of {name} is negative"))
    if np.any(value != np.round(value)):
        found.append((f"for whole numbers in {name}", f"with fractions in {name}"))
    return found


def _of_pairs(case: Mapping[str, Any]) -> list[Trait]:
    size, stride = (case.get(name) for name in ("size", "stride"))
    if isinstance(size, int) and isinstance(stride, int):
        if stride < size:
            return [("where windows do not overlap", "where windows overlap (stride below size)")]
        if stride > size:
            return [("where stride is not above size", "where windows leave gaps (stride above size)")]
    return []
