"""A verdict as plain text, complete in a terminal and for a screen reader."""

from __future__ import annotations

from typing import Any

import numpy as np

from course_utils.exercises.model import Counterexample, Verdict, Window
from course_utils.exercises.values import axis_names, describe, number_text, shape_text

MOST_ROWS, MOST_COLUMNS, MOST_PLANES = 10, 12, 4
_HEADS = {
    "correct": "Correct.",
    "wrong": "Not right yet.",
    "error": "It stopped with an error.",
    "not started": "Not started.",
}


def render(verdict: Verdict) -> str:
    """Return everything that `verdict` says, as text."""
    parts = [f"Exercise {verdict.number} ({verdict.title}): {_HEADS[verdict.status]}"]
    if verdict.reason:
        parts.append(verdict.reason)
    if verdict.traceback:
        parts.append(verdict.traceback)
    if verdict.counterexample:
        parts.append(counterexample_text(verdict.counterexample, with_actual=verdict.status == "wrong"))
    if verdict.printed:
        parts.append("Printed during this call:\n" + _indented(verdict.printed.rstrip()))
    if verdict.section:
        parts.append(f"Read: {verdict.section}.")
    return "\n\n".join(parts)


def counterexample_text(shown: Counterexample, *, with_actual: bool = True) -> str:
    """Return the call, its inputs, and what was expected beside what came back."""
    note = f"    # {shown.note}" if shown.note else ""
    lines = [f"{shown.call}{note}"]
    lines += [named(name, value) for name, value in shown.inputs.items() if isinstance(value, np.ndarray)]
    lines.append(named("expected", shown.expected))
    if with_actual:
        lines.append(named("yours", shown.actual, shown.differing))
    if shown.window:
        first = "" if isinstance(shown.expected, (int, float)) else " of the first differing cell"
        lines.append(f"window{first}: {window_text(shown.window)}")
    return "\n".join(lines)


def named(name: str, value: Any, marked: Any = None) -> str:
    """Return ``name = value``; an array below its name, with the marked cells in brackets."""
    if isinstance(value, np.ndarray) and value.ndim > 0:
        return f"{name} ({shape_text(value.shape)}):\n{_indented(array_text(value, marked))}"
    return f"{name} = {value_text(value)}"


def value_text(value: Any) -> str:
    """Return a plain value on one line, as one would type it."""
    if isinstance(value, np.ndarray) and value.ndim == 0:
        return number_text(value.item())
    if isinstance(value, str):
        return repr(value)
    if value is None or isinstance(value, (bool, int, float)):
        return number_text(value) if value is not None else "None"
    if isinstance(value, (tuple, list)) and len(value) <= 16:
        inner = ", ".join(value_text(item) for item in value)
        if isinstance(value, list):
            return f"[{inner}]"
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    return describe(value)


def array_text(array: np.ndarray, marked: Any = None) -> str:
    """Return an array row by row; channels one below the other, what is too large cut with an ellipsis."""
    if array.size == 0:
        return "no numbers"
    if array.ndim > 2:
        flat = array.reshape(-1, *array.shape[-2:])
        marks = None if marked is None else np.asarray(marked).reshape(flat.shape)
        names = [", ".join(map(str, np.unravel_index(i, array.shape[:-2]))) for i in range(len(flat))]
        planes = [
            f"[{names[i]}]\n" + array_text(flat[i], None if marks is None else marks[i])
            for i in range(min(len(flat), MOST_PLANES))
        ]
        planes += [f"… {len(flat) - MOST_PLANES} more"] if len(flat) > MOST_PLANES else []
        return "\n".join(planes)
    rows = np.atleast_2d(array)
    marks = np.zeros(rows.shape, bool) if marked is None else np.atleast_2d(marked)
    cells = [
        [f"[{number_text(v)}]" if m else f" {number_text(v)} " for v, m in zip(row, mark, strict=True)]
        for row, mark in zip(rows[:MOST_ROWS, :MOST_COLUMNS], marks[:MOST_ROWS, :MOST_COLUMNS], strict=True)
    ]
    width = max((len(cell) for row in cells for cell in row), default=0)
    tail = " …" if rows.shape[1] > MOST_COLUMNS else ""
    lines = [("".join(cell.rjust(width) for cell in row) + tail).rstrip() for row in cells]
    return "\n".join([*lines, "…"] if rows.shape[0] > MOST_ROWS else lines)


def window_text(window: Window) -> str:
    """Return where a window lies: ``image rows 0 to 1, columns 2 to 3``."""
    return "; ".join(
        f"{name} {' and '.join(_region(region) for region in regions)}"
        for name, regions in window.items()
        if regions
    )


def _region(region: tuple[int | slice, ...]) -> str:
    names = axis_names(len(region))
    return ", ".join(_span(name, part) for name, part in zip(names, region, strict=True))


def _span(name: str, part: int | slice) -> str:
    if isinstance(part, int):
        return f"{name} {part}"
    if part.start is None or part.stop is None:
        return f"all {name}s"
    if part.stop - part.start == 1:
        return f"{name} {part.start}"
    return f"{name}s {part.start} to {part.stop - 1}"


def _indented(text: str) -> str:
    return "\n".join("  " + line for line in text.splitlines())
