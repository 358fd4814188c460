"""Compare two plain values: type before shape, shape before dtype, dtype before values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from course_utils.exercises.values import Unreadable
from course_utils.text import axis_names, describe, number_text, shape_text, told_apart

RELATIVE = 1e-4
ABSOLUTE = 1e-5


@dataclass(frozen=True)
class Difference:
    """How an answer differs from what is expected.

    Attributes
    ----------
    kind : str
        ``"nothing"``, ``"type"``, ``"length"``, ``"shape"``, ``"dtype"``, ``"not finite"`` or ``"values"``.
    sentence : str
        The difference in words.
    expected, actual
        The plain values that differ: of a dict, those under the first key that differs.
    mask : numpy.ndarray of bool, or None
        Which cells differ.
    """

    kind: str
    sentence: str
    expected: Any = None
    actual: Any = None
    mask: Any = None

    @property
    def first(self) -> tuple[int, ...] | None:
        """Index of the first differing cell in reading order."""
        if self.mask is None or not np.any(self.mask):
            return None
        return tuple(int(i) for i in np.argwhere(self.mask)[0])


def difference(expected: Any, actual: Any) -> Difference | None:
    """Return how `actual` differs from `expected`, or None when it does not.

    The form does not matter here; `other_form` looks at it. Numbers may come as int, float or a tensor with
    one value; arrays as tensors, arrays or nested lists, in any precision, as integers where that is exact;
    sequences as tuple, list or 1-D tensor.
    """
    found = _difference(expected, actual)
    if found is None or found.expected is not None:
        return found
    return replace(found, expected=expected, actual=actual)


def _difference(expected: Any, actual: Any) -> Difference | None:
    if expected is None or isinstance(expected, (str, bool, Unreadable)):
        same = type(actual) is type(expected) and actual == expected
        return (
            None if same else Difference("values", f"It gives {describe(actual)}, not {describe(expected)}.")
        )
    if actual is None:
        return Difference("nothing", "It returns nothing (None): is a `return` missing?")
    if isinstance(actual, Unreadable):
        uncalled = (
            " Call it, and return what it gives."
            if actual.kind.startswith(("a module", "a function"))
            else ""
        )
        sentence = f"It returns {actual.kind}, where {_wanted(expected)} is expected.{uncalled}"
        return Difference("type", sentence)
    if isinstance(expected, Mapping):
        return _mapping(expected, actual)
    if isinstance(expected, (tuple, list)):
        return _sequence(expected, actual)
    if isinstance(expected, np.ndarray):
        return _array(expected, actual)
    return _number(expected, actual)


def _wanted(expected: Any) -> str:
    if isinstance(expected, (int, float)):
        return "a number"
    if isinstance(expected, (tuple, list)):
        return f"a {type(expected).__name__} of {len(expected)}"
    return describe(expected)


def _mapping(expected: Mapping[Any, Any], actual: Any) -> Difference | None:
    if not isinstance(actual, dict):
        return Difference("type", f"It returns {describe(actual)}, where {_wanted(expected)} is expected.")
    for key, value in expected.items():
        found = difference(value, actual.get(key))
        if found:
            return replace(found, sentence=f"{str(key)[:1].upper()}{str(key)[1:]}: {found.sentence}")
    surplus = [key for key in actual if key not in expected]
    if surplus:
        return Difference("length", f"There is more than expected: {surplus[0]}.")
    return None


def _sequence(expected: tuple | list, actual: Any) -> Difference | None:
    if isinstance(actual, np.ndarray) and actual.ndim == 1:
        actual = actual.tolist()
    if not isinstance(actual, (tuple, list)):
        return Difference("type", f"It returns {describe(actual)}, where {_wanted(expected)} is expected.")
    if len(actual) != len(expected):
        return Difference("length", f"It returns {len(actual)} {_values(actual)}; expected {len(expected)}.")
    found = [difference(e, a) for e, a in zip(expected, actual, strict=True)]
    wrong = [i for i, f in enumerate(found) if f]
    if not wrong:
        return None
    mask = np.array([f is not None for f in found])
    first = found[wrong[0]]
    assert first is not None
    if first.kind != "values":
        return Difference(first.kind, f"Entry {wrong[0]}: {first.sentence}", expected, actual, mask)
    return Difference(
        "values", f"It returns {_row(actual)}; expected {_row(expected)}.", expected, actual, mask
    )


def _values(items: tuple | list) -> str:
    return "value" if len(items) == 1 else "values"


def _row(items: tuple | list) -> str:
    numeric = all(isinstance(i, (int, float)) or (isinstance(i, np.ndarray) and i.size == 1) for i in items)
    shown = [number_text(np.asarray(i).item()) if numeric else describe(i) for i in items[:12]]
    return f"({', '.join(shown)}{', …' if len(items) > 12 else ''})"


def _number(expected: float, actual: Any) -> Difference | None:
    if isinstance(actual, np.ndarray) and actual.size == 1:
        actual = actual.reshape(())[()].item()
    if isinstance(actual, bool) or not isinstance(actual, (int, float)):
        return Difference("type", f"It returns {describe(actual)}, where a number is expected.")
    if actual != actual and expected == expected:
        return Difference("not finite", "It returns NaN, which is not a number.")
    if _same_number(expected, actual):
        return None
    mine, right = told_apart(actual, expected)
    return Difference("values", f"It returns {mine}; expected {right}.")


def _same_number(expected: float, actual: float) -> bool:
    if isinstance(expected, int):
        # Counts are exact: one parameter more in 27 million is one too many.
        return abs(actual - expected) < 1e-6
    return bool(np.isclose(float(actual), expected, rtol=RELATIVE, atol=ABSOLUTE / 10, equal_nan=True))


def _array(expected: np.ndarray, given: Any) -> Difference | None:
    actual = given
    if isinstance(given, tuple) and any(np.ndim(i) >= max(expected.ndim, 1) for i in given if _is_array(i)):
        return Difference("type", f"It returns {describe(given)}, where {_wanted(expected)} is expected.")
    if isinstance(actual, (tuple, list, int, float)) and not isinstance(actual, bool):
        try:
            actual = np.asarray(given)
        except ValueError:
            return Difference("type", f"It returns {describe(given)} whose parts have different lengths.")
    if not isinstance(actual, np.ndarray) or actual.dtype.kind not in "biufc":
        return Difference("type", f"It returns {describe(given)}, where {_wanted(expected)} is expected.")
    if actual.shape != expected.shape:
        return Difference(
            "shape", f"The shape is {_shape(actual)}; expected {_shape(expected)}.", expected, actual
        )
    if actual.dtype.kind == "b" and expected.dtype.kind != "b":
        return Difference("dtype", "It holds True and False, where numbers are expected.", expected, actual)
    if actual.dtype.kind == "c" and expected.dtype.kind != "c":
        return Difference(
            "dtype", "It holds complex numbers, where real ones are expected.", expected, actual
        )
    return _cells(expected, actual)


def _is_array(value: Any) -> bool:
    return isinstance(value, np.ndarray)


def _shape(array: np.ndarray) -> str:
    return f"({array.shape[0]},)" if array.ndim == 1 else shape_text(array.shape)


def _cells(expected: np.ndarray, actual: np.ndarray) -> Difference | None:
    if expected.dtype == actual.dtype and np.array_equal(expected, actual):
        return None
    with np.errstate(all="ignore"):
        right, mine = expected.astype(np.float64), actual.astype(np.float64)
        scale = float(np.abs(right[np.isfinite(right)]).max(initial=1.0))
        mask = ~np.isclose(mine, right, rtol=RELATIVE, atol=ABSOLUTE * scale, equal_nan=True)
    if not mask.any():
        return None
    strange = ~np.isfinite(mine) & np.isfinite(right)
    if strange.any():
        name = "NaN" if np.isnan(mine[strange][0]) else "infinity"
        at = position(tuple(int(i) for i in np.argwhere(strange)[0]))
        many = f"{strange.sum()} of {strange.size} cells hold {name}, first {at}."
        sentence = f"The only value is {name}." if strange.size == 1 else many
        return Difference("not finite", sentence, expected, actual, mask)
    if actual.dtype.kind in "iu" and np.abs(mine - right).max() < 1:
        sentence = f"It holds whole numbers ({actual.dtype}), so the fractions are lost."
        return Difference("dtype", sentence, expected, actual, mask)
    first = tuple(int(i) for i in np.argwhere(mask)[0])
    first_mine, first_right = told_apart(actual[first], expected[first])
    values = f"is {first_mine}; expected {first_right}"
    if mask.size == 1:
        sentence = f"The only value {values}."
    elif mask.sum() == 1:
        sentence = f"One of {mask.size} cells differs: {position(first)} it {values}."
    else:
        sentence = f"{mask.sum()} of {mask.size} cells differ; the first, {position(first)}, {values}."
    return Difference("values", sentence, expected, actual, mask)


def position(index: tuple[int, ...]) -> str:
    """Return where a cell is: ``at row 0, column 2``, with the channel or the leading axes before it."""
    return "at " + ", ".join(f"{axis} {i}" for axis, i in zip(axis_names(len(index)), index, strict=True))
