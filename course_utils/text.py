"""How numbers, shapes, durations and plain values are written for people."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np


def number_text(value: Any, digits: int = 4) -> str:
    """Return a number in at most `digits` significant digits; whole numbers without a point.

    Examples
    --------
    >>> [number_text(value) for value in (7.0, -0.5, 0.032918, True, float("inf"))]
    ['7', '-0.5', '0.03292', 'True', 'inf']
    """
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, (complex, np.complexfloating)):
        return f"{complex(value):.{digits}g}"
    value = float(value)
    if not np.isfinite(value):
        return str(value)
    return str(int(value)) if value == round(value) and abs(value) < 1e9 else f"{value:.{digits}g}"


def name_text(name: str) -> str:
    """Return the name of a file; bytes that are no characters become escapes, which can be shown anywhere.

    Examples
    --------
    >>> print(name_text("Caf\\udce9"))
    Caf\\udce9
    >>> name_text("Café")
    'Café'
    """
    return name.encode(errors="backslashreplace").decode()


def quoted(names: Iterable[str]) -> str:
    """Return names of code for a sentence.

    Examples
    --------
    >>> quoted(["x", "weight"])
    '`x` and `weight`'
    """
    return " and ".join(f"`{name}`" for name in names)


def digits_to_tell_apart(pairs: Sequence[tuple[Any, Any]]) -> int:
    """Return how many digits show the numbers of every pair as two different texts, from 4 to 9.

    Examples
    --------
    >>> digits_to_tell_apart([(0.5, 0.6)]), digits_to_tell_apart([(1.000001, 1.000002)])
    (4, 7)
    """
    for digits in range(4, 9):
        if all(number_text(one, digits) != number_text(other, digits) for one, other in pairs):
            return digits
    return 9


def told_apart(one: Any, other: Any) -> tuple[str, str]:
    """Return two different numbers with as many digits as it takes to see that they differ.

    Examples
    --------
    >>> told_apart(1 / 3, 0.333334)
    ('0.333333', '0.333334')
    """
    digits = digits_to_tell_apart([(one, other)])
    return number_text(one, digits), number_text(other, digits)


def shape_text(shape: Sequence[int]) -> str:
    """Return a shape as ``4×3``; one axis as ``5 values``, none as ``a single number``.

    Examples
    --------
    >>> shape_text((3, 32, 32)), shape_text((5,)), shape_text(())
    ('3×32×32', '5 values', 'a single number')
    """
    if len(shape) == 0:
        return "a single number"
    if len(shape) == 1:
        return "1 value" if shape[0] == 1 else f"{shape[0]} values"
    return "×".join(str(int(size)) for size in shape)


def axis_names(axes: int) -> tuple[str, ...]:
    """Return what the axes of an array are called: rows and columns last, channels and items before.

    Examples
    --------
    >>> axis_names(1), axis_names(3)
    (('position',), ('channel', 'row', 'column'))
    """
    known = ("item", "channel", "row", "column")
    if axes == 1:
        return ("position",)
    return known[len(known) - axes :] if axes <= len(known) else tuple(f"axis {i}:" for i in range(axes))


def duration_text(seconds: float) -> str:
    """Return a duration: ``0.4 ms``, ``3.2 s``, ``2 min 30 s``, ``7 min``, ``1 h 20 min``.

    Examples
    --------
    >>> [duration_text(seconds) for seconds in (0.0042, 3.21, 96, 4800)]
    ['4.2 ms', '3.2 s', '1 min 36 s', '1 h 20 min']
    """
    if 0 < seconds < 0.9995e-6:
        return f"{seconds * 1e9:.0f} ns"
    if seconds < 0.9995e-3:
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 0.0995:
        return f"{seconds * 1e3:.{0 if seconds >= 0.00995 else 1}f} ms"
    if seconds < 0.995:
        return f"{seconds:.2f} s"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    if seconds < 299.5:
        return _two_units(round(seconds), 60, "min", "s")
    if seconds < 59.5 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 23.75 * 3600:
        return _two_units(5 * round(seconds / 300), 60, "h", "min")
    return _two_units(round(seconds / 3600), 24, "d", "h")


def _two_units(amount: int, base: int, large: str, small: str) -> str:
    whole, rest = divmod(amount, base)
    return f"{whole} {large} {rest} {small}" if rest else f"{whole} {large}"


def value_text(value: Any) -> str:
    """Return a plain value on one line, as one would type it; what is longer than a line is described.

    Examples
    --------
    >>> value_text((1, 2.5, None)), value_text([0] * 100)
    ('(1, 2.5, None)', 'a list of 100')
    """
    if value is None:
        return "None"
    if isinstance(value, np.ndarray) and value.ndim == 0:
        return number_text(value.item())
    if isinstance(value, str):
        return repr(value)
    if isinstance(value, (bool, int, float)):
        return number_text(value)
    if isinstance(value, (tuple, list)) and len(value) <= 16:
        inner = ", ".join(value_text(item) for item in value)
        if isinstance(value, list):
            return f"[{inner}]"
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    if isinstance(value, Mapping) and len(value) <= 16:
        return "{" + ", ".join(f"{key!r}: {value_text(item)}" for key, item in value.items()) + "}"
    return describe(value)


def describe(value: Any) -> str:
    """Return what a plain value is, in a few words.

    Examples
    --------
    >>> describe(3.0), describe(np.zeros((4, 3))), describe("abc")
    ('the number 3', 'a tensor of shape 4×3', "the text 'abc'")
    """
    if value is None:
        return "None"
    if isinstance(value, str):
        return f"the text {value[:40]!r}"
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, (int, float)):
        return f"the number {number_text(value)}"
    if isinstance(value, np.ndarray):
        if value.ndim == 0:
            return "a tensor with a single number"
        return f"a tensor of shape {shape_text(value.shape) if value.ndim > 1 else f'({value.size},)'}"
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, Mapping):
        return f"a dict of {len(value)}"
    # A value that could not be read says in `kind` what it was.
    return str(getattr(value, "kind", type(value).__name__))


def shown_address(address: str) -> str:
    """Return what of `address`, well-formed or not, may be shown: no user, password or query.

    Examples
    --------
    >>> shown_address("http://ada:secret@example.org/data?token=secret")
    'http://example.org/data'
    >>> shown_address("ada:sec/ret@example.org")
    '…@example.org'
    """
    start = re.match(r"\s*[\w+.-]*:?//", address)
    scheme, rest = (start[0].strip(), address[start.end() :]) if start else ("", address)
    secret, _, rest = rest.rpartition("@")
    # A slash before the @ may belong to a password, or the @ to a path: then the reader sees a gap.
    mark = "…@" if re.search(r"[/?#\s]", secret) else ""
    return scheme + mark + re.split(r"[?#]", rest, maxsplit=1)[0].strip()


def without_secrets(text: str) -> str:
    """Return a line about where something came from, with its addresses as they may be shown.

    Examples
    --------
    >>> without_secrets("shared folder and http://ada:secret@example.org")
    'shared folder and http://example.org'
    """
    return " and ".join(shown_address(part) if "://" in part else part for part in text.split(" and "))
