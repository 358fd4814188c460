"""The form of a right result: the cells below an exercise use it as they use the reference's."""

from __future__ import annotations

from typing import Any

import numpy as np

from course_utils.text import describe


def other_form(expected: Any, actual: Any, *, numpy: bool = False) -> str | None:
    """Return what to change about a right result that the cells below cannot use, or None if they can.

    A tensor with no axes is as good as its number, and a tuple, a list and a tensor with one axis are as
    good as one another.

    Parameters
    ----------
    expected, actual
        Plain values that are equal.
    numpy : bool
        Whether `actual` came as NumPy arrays.

    Examples
    --------
    >>> other_form(1, 1.0)
    'The value is right, but it is a float. Return an int (`//`): the next cells use it.'
    >>> other_form([1, 2], (1, 2))
    """
    found = _other(expected, actual, numpy)
    if found is None:
        return None
    form, wanted = found
    return f"The value is right, but {form}. Return {wanted}: the next cells use it."


def _other(expected: Any, actual: Any, numpy: bool) -> tuple[str, str] | None:
    """Return which form the result has, and which is wanted."""
    if isinstance(expected, np.ndarray):
        return _not_a_tensor(actual, numpy)
    if isinstance(expected, (list, tuple)):
        return _not_a_sequence(expected, actual, numpy)
    kind = "an int" if isinstance(expected, int) else "a float"
    if isinstance(actual, (list, tuple)):
        return f"it is {_named(actual)}", kind
    if np.ndim(actual) > 0:
        return f"it is {describe(actual)}", f"{kind} (`.item()`)"
    if isinstance(expected, int) and np.asarray(actual).dtype.kind == "f":
        return "it is a float", "an int (`//`)"
    return None


def _not_a_tensor(actual: Any, numpy: bool) -> tuple[str, str] | None:
    if numpy:
        return "it is a NumPy array", "a tensor (`torch.from_numpy`)"
    if isinstance(actual, np.ndarray):
        return None
    return f"it is {_named(actual)}", f"a tensor (`torch.{'stack' if _holds_arrays(actual) else 'tensor'}`)"


def _holds_arrays(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and any(isinstance(item, np.ndarray) for item in value)


def _not_a_sequence(expected: list | tuple, actual: Any, numpy: bool) -> tuple[str, str] | None:
    wanted = f"{_named(expected)} of {len(expected)} values"
    if not isinstance(actual, (list, tuple)) and np.ndim(actual) != 1:
        return f"it is {_named(actual)}", wanted
    if len(actual) != len(expected):
        return f"it has {len(actual)} entries", wanted
    for place, (right, mine) in enumerate(zip(expected, actual, strict=True)):
        if found := _other(right, mine, numpy):
            form, wanted_there = found
            return f"in entry {place} {form}", f"{wanted_there} there"
    return None


def _named(value: Any) -> str:
    name = type(value).__name__
    return f"an {name}" if name == "int" else f"a {name}"
