"""Counterexamples: inputs, expected and actual result side by side, with the differences marked."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np

from course_utils.figures.arrays import as_array
from course_utils.figures.grids import Grid, beside, grid_html, grid_text, grids, mask_of
from course_utils.text import digits_to_tell_apart, value_text

_LEGEND = {"differs": "differs", "window": "what the first that differs is made from"}
_SIGNS = {"differs": "[ ]", "window": "( )"}
_LONGEST = 400


def draw_case(shown: Any) -> tuple[str, str]:
    """Return a counterexample as HTML and as text.

    Parameters
    ----------
    shown : course_utils.exercises.Counterexample
        Arrays are drawn as grids; numbers, shapes and everything else are written on one line.
    """
    expected, actual = _drawable(shown.expected), _drawable(shown.actual)
    differs, digits, first = None, 4, None
    if expected is not None and actual is not None and expected.shape == actual.shape:
        differs = _differing(shown.differing, expected, actual)
        digits = digits_to_tell_apart(_pairs(expected, actual, differs))
        first = tuple(np.argwhere(differs)[0].tolist()) if differs.any() else None
    given = [
        grid
        for name, value in shown.inputs.items()
        if (array := _drawable(value)) is not None
        for grid in _input(name, array, shown.window, expected, first)
    ]
    results, words = [], []
    for name, value, array in (("expected", shown.expected, expected), ("yours", shown.actual, actual)):
        if array is None:
            words.append((name, _in_words(value)))
        else:
            results += grids(name, array, differs=differs, digits=digits, slices=1)
    return _html(given, results, words), _text(given, results, words)


def _pairs(expected: np.ndarray, actual: np.ndarray, differs: np.ndarray) -> list[tuple[Any, Any]]:
    return list(zip(expected[differs].tolist(), actual[differs].tolist(), strict=True))[:200]


def _drawable(value: Any) -> np.ndarray | None:
    """Return an array to draw, or None; a tuple or list of numbers, such as a shape, is not drawn."""
    array = as_array(value)
    if array is None or array.ndim == 0 or (array.ndim == 1 and isinstance(value, (list, tuple))):
        return None
    return array


def _differing(mask: Any, expected: np.ndarray, actual: np.ndarray) -> np.ndarray:
    if mask is not None and np.shape(mask) == expected.shape:
        return np.asarray(mask, bool)
    return ~np.isclose(expected, actual, rtol=1e-4, atol=1e-5, equal_nan=True)


def _input(
    name: str,
    array: np.ndarray,
    window: Mapping[str, Any] | None,
    expected: np.ndarray | None,
    first: tuple[int, ...] | None,
) -> list[Grid]:
    read = mask_of(window[name], array.shape) if window and name in window else None
    # Of several filters, show the one that makes the first differing channel.
    filters = array.ndim == 4 and expected is not None and expected.ndim == 3 and len(array) == len(expected)
    return grids(name, array, window=read, focus=(first[0], 0, 0, 0) if filters and first else None)


def _in_words(value: Any) -> str:
    named = isinstance(value, (tuple, list)) and value and all(isinstance(item, str) for item in value)
    text = ", ".join(value) if named else value_text(value)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " …"


def _html(given: list[Grid], results: list[Grid], words: list[tuple[str, str]]) -> str:
    parts = []
    if given or results:
        rows = ("".join(map(grid_html, group)) for group in (given, results) if group)
        inner = "\n".join(f'<div class="cl-row">{row}</div>' for row in rows)
        parts.append(f'<div class="cl-row">{inner}</div>')
    if words:
        # What is too long to be compared in one line stands on two.
        between = " · " if sum(len(text) for _, text in words) < 60 else "<br>"
        said = between.join(f"{name} <code>{escape(text)}</code>" for name, text in words)
        parts.append(f"<p>{said}</p>")
    if keys := _keys(given + results):
        samples = (f'<span class="cl-key cl-{key}">&emsp;</span> {_LEGEND[key]}' for key in keys)
        parts.append(f'<p class="cl-quiet">{" &nbsp; ".join(samples)}</p>')
    return "\n".join(parts)


def _text(given: list[Grid], results: list[Grid], words: list[tuple[str, str]]) -> str:
    parts = [beside([[grid_text(grid) for grid in group] for group in (given, results) if group])]
    if words:
        wide = max(len(name) for name, _ in words)
        parts.append("\n".join(f"{name:<{wide}}  {text}" for name, text in words))
    if keys := _keys(given + results):
        parts.append("   ".join(f"{_SIGNS[key]} {_LEGEND[key]}" for key in keys))
    return "\n\n".join(part for part in parts if part)


def _keys(drawn: list[Grid]) -> list[str]:
    return [key for key in _LEGEND if any(getattr(grid, key).any() for grid in drawn)]
