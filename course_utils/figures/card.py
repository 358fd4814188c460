"""The card that a check shows: outcome, smallest counterexample, likely cause, and where to read."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any, Protocol

import numpy as np

from course_utils.figures.base import HtmlFigure
from course_utils.figures.grids import Grid, beside, grid_html, grid_text, grids, mask_of
from course_utils.figures.numbers import as_array, digits_to_tell_apart, shape_text

VERDICT_MIME = "application/vnd.convnet-labs.verdict+json"
"""How tools read verdicts from a notebook's outputs."""

_LEGEND_DIFFERS = "differs"
_LEGEND_WINDOW = "what the first differing number is made from"
_LONGEST = 400


class Counterexample(Protocol):
    """The smallest case that an answer gets wrong: see `course_utils.exercises.Counterexample`."""

    call: str
    note: str
    inputs: dict[str, Any]
    expected: Any
    actual: Any
    differing: Any
    window: Mapping[str, Any] | None


class Verdict(Protocol):
    """What a check says: see `course_utils.exercises.Verdict`."""

    exercise: str
    number: str
    status: Any
    misconception: str | None
    message: str
    counterexample: Any
    section: str | None
    points: int
    earned: int
    reason: str
    traceback: str
    printed: str


def verdict_card(verdict: Any) -> HtmlFigure:
    """Draw a verdict.

    Parameters
    ----------
    verdict : course_utils.exercises.Verdict
        Its status decides the form: one slim line when correct or not started, a card otherwise.
    """
    data = {
        VERDICT_MIME: {
            "id": verdict.exercise,
            "status": verdict.status,
            "misconception": verdict.misconception,
            "points": verdict.points,
            "earned": verdict.earned,
        }
    }
    name = f"Exercise {verdict.number} ({verdict.exercise})"
    if verdict.status == "correct":
        return _line("cl-correct", f"✓ {name}: correct.", data)
    if verdict.status == "not started":
        return _line("", f"○ {_not_started(verdict, name)}", data)
    return _card(verdict, name, data)


def _not_started(verdict: Any, name: str) -> str:
    return verdict.reason or f"{name} is not started."


def _line(kind: str, text: str, data: Mapping[str, Any]) -> HtmlFigure:
    return HtmlFigure(f'<div class="cl-card {kind}" role="note">{escape(text)}</div>', text, data)


def _card(verdict: Any, name: str, data: Mapping[str, Any]) -> HtmlFigure:
    wrong = verdict.status == "wrong"
    title = f"✗ {name}: not right yet." if wrong else f"! {name}: your code stopped with an error."
    html = [f"<p><strong>{escape(title)}</strong></p>"]
    text = [title]
    reason = verdict.reason or verdict.message
    shown = verdict.counterexample
    if shown is not None:
        call = _call(shown)
        html.append(f"<p><code>{escape(shown.call)}</code>{escape(call[len(shown.call) :])}</p>")
        text.append(call)
        if wrong:
            case_html, case_text = _case(shown)
            html.append(case_html)
            text.append(case_text)
    if verdict.traceback:
        html.append(f"<pre>{escape(verdict.traceback.rstrip())}</pre>")
        text.append(_indent(verdict.traceback.rstrip()))
    if verdict.printed:
        html.append(f"<p>Your code printed:</p><pre>{escape(verdict.printed.rstrip())}</pre>")
        text.append("Your code printed:\n" + _indent(verdict.printed.rstrip()))
    html.append(f'<p style="white-space:pre-line">{escape(reason)}</p>')
    text.append(reason)
    footer = f"Read: {verdict.section}. " if verdict.section else ""
    footer_call = f"check.{verdict.exercise}.hint()"
    html.append(f'<p class="cl-quiet">{escape(footer)}<code>{escape(footer_call)}</code> gives a hint.</p>')
    text.append(f"{footer}{footer_call} gives a hint.")
    body = "\n".join(html)
    kind = "cl-wrong" if wrong else "cl-error"
    return HtmlFigure(
        f'<div class="cl-card {kind}" role="group" aria-label="{escape(title[2:])}">\n{body}\n</div>',
        "\n\n".join(part for part in text if part),
        data,
    )


def _call(shown: Any) -> str:
    return f"{shown.call}   {shown.note}" if shown.note else shown.call


def _indent(text: str) -> str:
    return "\n".join(f"    {each}" for each in text.splitlines())


def _case(shown: Any) -> tuple[str, str]:
    """Return the counterexample as HTML and as text."""
    expected, actual = as_array(shown.expected), as_array(shown.actual)
    if (
        expected is None
        or actual is None
        or max(expected.ndim, actual.ndim) == 0
        or min(expected.ndim, actual.ndim) == 0
    ):
        drawn, words = [], [("expected", _plain(shown.expected)), ("yours", _plain(shown.actual))]
        focus = None
    else:
        differs = _differing(shown.differing, expected, actual)
        digits = 4 if differs is None else digits_to_tell_apart(expected, actual, differs)
        few = {"differs": differs, "digits": digits, "slices": 1}
        drawn = grids("expected", expected, **few) + grids("yours", actual, **few)
        words = []
        focus = None if differs is None or not differs.any() else tuple(np.argwhere(differs)[0].tolist())
    given = [
        grid
        for name, value in shown.inputs.items()
        for grid in _input(name, value, shown.window, expected, focus)
    ]
    everything = given + drawn
    return _case_html(everything, words), _case_text(everything, words)


def _differing(mask: Any, expected: np.ndarray, actual: np.ndarray) -> np.ndarray | None:
    if expected.shape != actual.shape:
        return None
    if mask is not None and np.shape(mask) == expected.shape:
        return np.asarray(mask, bool)
    return ~np.isclose(expected, actual, rtol=1e-4, atol=1e-5, equal_nan=True)


def _input(
    name: str,
    value: Any,
    window: Mapping[str, Any] | None,
    expected: np.ndarray | None,
    focus: tuple[int, ...] | None,
) -> list[Grid]:
    array = as_array(value)
    if array is None or array.ndim == 0 or isinstance(value, (list, tuple)):
        return []
    read = mask_of(window[name], array.shape) if window and name in window else None
    filters = array.ndim == 4 and expected is not None and expected.ndim == 3 and len(array) == len(expected)
    at = (focus[0], 0, 0, 0) if filters and focus else None
    return grids(name, array, window=read, focus=at)


def _plain(value: Any) -> str:
    array = as_array(value)
    text = repr(value) if array is None or isinstance(value, (list, tuple)) else _short(array)
    return text if len(text) <= _LONGEST else text[:_LONGEST] + " …"


def _short(array: np.ndarray) -> str:
    if array.ndim == 0:
        return repr(array.item())
    if array.size <= 12:
        return repr(array.tolist())
    return f"an array of shape {shape_text(array.shape)}"


def _case_html(drawn: list[Grid], words: list[tuple[str, str]]) -> str:
    parts = []
    if drawn:
        parts.append('<div class="cl-row">' + "\n".join(grid_html(grid) for grid in drawn) + "</div>")
    if words:
        parts.append(
            "<p>" + " · ".join(f"{name} <code>{escape(text)}</code>" for name, text in words) + "</p>"
        )
    keys = [
        f'<span class="cl-key {kind}">&nbsp;5&nbsp;</span> {escape(meaning)}'
        for kind, meaning, present in _keys(drawn)
        if present
    ]
    if keys:
        parts.append(f'<p class="cl-quiet">{" &nbsp; ".join(keys)}</p>')
    return "\n".join(parts)


def _keys(drawn: list[Grid]) -> list[tuple[str, str, bool]]:
    return [
        ("cl-differs", _LEGEND_DIFFERS, any(grid.differs.any() for grid in drawn)),
        ("cl-window", _LEGEND_WINDOW, any(grid.window.any() for grid in drawn)),
    ]


def _case_text(drawn: list[Grid], words: list[tuple[str, str]]) -> str:
    parts = [beside([grid_text(grid) for grid in drawn])] if drawn else []
    if words:
        wide = max(len(name) for name, _ in words)
        parts.append("\n".join(f"{name:<{wide}}  {text}" for name, text in words))
    signs = {"cl-differs": "[ ]", "cl-window": "( )"}
    keys = [f"{signs[kind]} {meaning}" for kind, meaning, present in _keys(drawn) if present]
    if keys:
        parts.append("   ".join(keys))
    return "\n\n".join(parts)
