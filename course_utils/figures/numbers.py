"""Numbers as short text, and arrays from whatever a caller holds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def as_array(value: Any) -> np.ndarray | None:
    """Return `value` as an array of numbers, or None when it is none.

    Tensors on any device, arrays, numbers, and lists or tuples of them are taken.
    """
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError):
        return None
    return array if array.dtype.kind in "biuf" else None


def compact(value: Any, digits: int = 4) -> str:
    """Return a number in at most `digits` significant digits; whole numbers without a point."""
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    number = float(value)
    if math.isnan(number):
        return "nan"
    if math.isinf(number):
        return "inf" if number > 0 else "-inf"
    if number == int(number) and abs(number) < 1e7:
        return str(int(number))
    return f"{number:.{digits}g}"


def digits_to_tell_apart(first: np.ndarray, second: np.ndarray, where: np.ndarray) -> int:
    """Return how many digits show every pair of differing cells as two different texts, from 4 to 9."""
    pairs = list(zip(first[where].tolist(), second[where].tolist(), strict=True))[:200]
    for digits in range(4, 9):
        if all(compact(a, digits) != compact(b, digits) for a, b in pairs):
            return digits
    return 9


def shape_text(shape: tuple[int, ...]) -> str:
    """Return for example ``3×5×4``; a vector is ``5 numbers``."""
    if not shape:
        return "one number"
    return "×".join(map(str, shape)) if len(shape) > 1 else f"{shape[0]} numbers"
