"""How an answer's array or number relates to the right one, in plain words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from course_utils.text import axis_names, number_text

MOST_PLACES = 1_000


@dataclass(frozen=True)
class Relation:
    """A relation; `key` is the same wherever it holds, while `sentence` may quote the numbers of one case."""

    key: str
    sentence: str


def relations(expected: Any, actual: Any) -> list[Relation]:
    """Return the known relations of `actual` to `expected`, both plain; the closest first."""
    right, mine = _numeric(expected), _numeric(actual)
    if right is None or mine is None or not right.size:
        return []
    with np.errstate(all="ignore"):
        return list(_other_shape(right, mine) if right.shape != mine.shape else _same_shape(right, mine))


def _numeric(value: Any) -> np.ndarray | None:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return np.asarray(value, dtype=np.float64)
    if isinstance(value, np.ndarray) and value.dtype.kind in "iuf":
        return value.astype(np.float64)
    return None


def _close(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=1e-6, atol=1e-4))


def _other_shape(right: np.ndarray, mine: np.ndarray) -> Iterator[Relation]:
    if mine.size == right.size and mine.ndim != right.ndim and _close(mine.reshape(right.shape), right):
        form = f"an array with {mine.ndim} axes instead of {right.ndim}" if mine.ndim else "a single number"
        yield Relation("axes", f"The values are right, but the result is {form}.")
    if mine.ndim != right.ndim:
        many = f"It has {mine.ndim} {'axis' if mine.ndim == 1 else 'axes'} where {right.ndim} are expected"
        yield Relation(f"{mine.ndim} axes", f"{many}: {', '.join(axis_names(right.ndim))}.")
    if mine.ndim != right.ndim or right.ndim < 2:
        return
    if _close(mine.swapaxes(-1, -2), right):
        yield Relation("transposed", "The values are right, with rows and columns exchanged (transposed).")
    if mine.ndim == 3 and _close(np.moveaxis(mine, -1, 0), right):
        yield Relation(
            "last", "The values are right, with the channels as the last axis instead of the first."
        )
    if mine.shape == (*right.shape[:-2], right.shape[-1], right.shape[-2]):
        yield Relation("swapped", "The height and the width of the result are exchanged.")
    if right.size > 1 or mine.size > 1:
        if (at := _place(right, mine)) is not None:
            where = "at its beginning" if not any(at) else f"from row {at[-2]}, column {at[-1]} on"
            yield Relation("inside", f"It contains the right result {where}; rows or columns are too many.")
        if mine.size and _place(mine, right) is not None:
            yield Relation("part", "The values that are there are right; rows or columns are missing.")


def _place(small: np.ndarray, large: np.ndarray) -> tuple[int, ...] | None:
    """Return where in `large` the array `small` is; the axes before rows and columns must agree."""
    if small.shape[:-2] != large.shape[:-2]:
        return None
    rows, columns = (large.shape[axis] - small.shape[axis] + 1 for axis in (-2, -1))
    if not small.size or rows * columns > MOST_PLACES:
        return None
    for row in range(rows):
        for column in range(columns):
            part = large[..., row : row + small.shape[-2], column : column + small.shape[-1]]
            if _close(part, small):
                return row, column
    return None


_MOVES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "with rows and columns exchanged (transposed)": lambda a: a.swapaxes(-1, -2),
    "turned by 180 degrees": lambda a: a[..., ::-1, ::-1],
    "upside down": lambda a: a[..., ::-1, :],
    "mirrored left to right": lambda a: a[..., ::-1],
    "shifted right by one column": lambda a: np.roll(a, -1, -1),
    "shifted left by one column": lambda a: np.roll(a, 1, -1),
    "shifted down by one row": lambda a: np.roll(a, -1, -2),
    "shifted up by one row": lambda a: np.roll(a, 1, -2),
}
_CHANGES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "It is right up to its sign.": lambda a: -a,
    "It is the magnitude of what is expected: the sign is lost.": np.abs,
    "It is right where the result is positive; what should be negative is 0.": lambda a: np.maximum(a, 0),
    "It is rounded down to whole numbers.": np.floor,
    "It is truncated to whole numbers.": np.trunc,
    "It is rounded to whole numbers.": np.round,
    "It is the square of what is expected.": np.square,
    "It is the square root of what is expected.": lambda a: np.sqrt(np.abs(a)),
    "It is the reciprocal of what is expected.": lambda a: 1 / np.where(a == 0, np.nan, a),
    "It is 1 minus what is expected.": lambda a: 1 - a,
}


def _same_shape(right: np.ndarray, mine: np.ndarray) -> Iterator[Relation]:
    everywhere = " everywhere" if mine.size > 1 else ""
    if mine.size > 1 and not np.any(mine) and np.any(right):
        yield Relation("zero", "It is 0 everywhere.")
    for sentence, change in _CHANGES.items():
        if _close(change(right), mine):
            yield Relation(sentence, sentence)
    offset = float(mine.flat[0] - right.flat[0])
    if _close(right + offset, mine):
        by = f"too {'large' if offset > 0 else 'small'} by {number_text(round(abs(offset), 4))}"
        yield Relation(f"offset {offset:.4f}", f"It is {by}{everywhere}.")
    filled = np.abs(right) > 1e-6
    if filled.any():
        factor = float(mine[filled][0] / right[filled][0])
        if _close(right * factor, mine):
            times = f"{number_text(round(factor, 4))} times what it should be"
            yield Relation(f"factor {factor:.4f}", f"It is {times}{everywhere}.")
    if right.ndim >= 2 and right.size > 1:
        for name, move in _MOVES.items():
            if _close(move(mine), right):
                yield Relation(name, f"The values are right, but {name}.")
    if right.ndim == 3 and _close(mine[::-1], right):
        yield Relation("channels", "The values are right, but the channels are in reverse order.")
    scale = float(np.abs(right).max())
    if np.abs(mine - right).max() < 0.01 * scale:
        yield Relation("near", "It is close: something was rounded, or computed with too few digits.")
    if right.size > 1 and _close(np.sort(mine, axis=None), np.sort(right, axis=None)):
        yield Relation("order", "It holds the right values in another order.")
