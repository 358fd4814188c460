"""The card that a check shows: outcome, smallest counterexample, likely cause, and where to read."""

from __future__ import annotations

import re
from html import escape
from textwrap import indent
from typing import Any

from course_utils.figures.counterexample import draw_case
from course_utils.figures.html_figure import HtmlFigure
from course_utils.text import duration_text

VERDICT_MIME = "application/vnd.convnet-labs.verdict+json"
"""The MIME type under which tools find verdicts in a notebook's outputs."""


def verdict_card(verdict: Any) -> HtmlFigure:
    """Draw a verdict.

    Parameters
    ----------
    verdict : course_utils.exercises.Verdict
        Drawn as one line if it is correct or not started, as a card otherwise.

    Examples
    --------
    >>> from course_utils.exercises import evaluate
    >>> verdict_card(evaluate("output_size", lambda n, f, p=0, s=1: (n + 2 * p - f) // s + 1))
    ✓ Exercise 1.4 (output_size): correct.
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
    if verdict.status in ("correct", "not started"):
        kind = "cl-correct" if verdict.status == "correct" else ""
        html = f'<div class="cl-card {kind}" role="note">{escape(_title(verdict))}</div>'
    else:
        html = _card(verdict)
    return HtmlFigure(html, verdict_text(verdict), data)


def verdict_text(verdict: Any) -> str:
    """Return everything that a verdict says as plain text, for terminals and screen readers."""
    if verdict.status in ("correct", "not started"):
        return _title(verdict)
    parts = [_title(verdict)]
    if (shown := verdict.counterexample) is not None:
        parts.append(f"{shown.call}   {shown.note}".rstrip())
        if verdict.status == "wrong":
            parts.append(draw_case(shown)[1])
    if verdict.traceback:
        parts.append(indent(verdict.traceback.rstrip(), "    "))
    if verdict.printed:
        parts.append("Your code printed:\n" + indent(verdict.printed.rstrip(), "    "))
    parts += [verdict.reason, f"{_where_to_read(verdict)}For a hint: {_hint_call(verdict)}"]
    return "\n\n".join(part for part in parts if part)


def _title(verdict: Any) -> str:
    name = f"Exercise {verdict.number} ({verdict.exercise})"
    if verdict.status == "correct":
        prints = " Your code prints while it runs; remove the print." if verdict.printed else ""
        return f"✓ {name}: correct.{' ' + verdict.reason if verdict.lent else ''}{prints}"
    if verdict.status == "wrong":
        return f"✗ {name}: not right yet."
    if verdict.stopped_after is not None:
        return f"! {name}: your code was stopped after {duration_text(verdict.stopped_after)}."
    if verdict.status == "error":
        ended = "stopped with an error" if verdict.traceback else "could not be checked"
        return f"! {name}: your code {ended}."
    if not verdict.reason:
        return f"○ {name} is {'' if verdict.points else 'optional and '}not started."
    return f"○ {name}: {verdict.reason[0].lower()}{verdict.reason[1:]}"


def _where_to_read(verdict: Any) -> str:
    return f"Read: {verdict.section}. " if verdict.section else ""


def _hint_call(verdict: Any) -> str:
    return f"check.{verdict.exercise}.hint()"


def _card(verdict: Any) -> str:
    title = _title(verdict)
    wrong = verdict.status == "wrong"
    html = [f"<p><strong>{escape(title)}</strong></p>"]
    if (shown := verdict.counterexample) is not None:
        note = f' <span class="cl-quiet">· {escape(shown.note)}</span>' if shown.note else ""
        html.append(f"<p><code>{escape(shown.call)}</code>{note}</p>")
        if wrong:
            html.append(draw_case(shown)[0])
    if verdict.traceback:
        html.append(f"<pre>{escape(verdict.traceback.rstrip())}</pre>")
    if verdict.printed:
        html.append(f"<p>Your code printed:</p><pre>{escape(verdict.printed.rstrip())}</pre>")
    reason = re.sub(r"`([^`\n]+)`", r"<code>\1</code>", escape(verdict.reason))
    html.append(f'<p style="white-space:pre-line">{reason}</p>')
    where, call = escape(_where_to_read(verdict)), escape(_hint_call(verdict))
    html.append(f'<p class="cl-quiet">{where}For a hint: <code>{call}</code></p>')
    body = "\n".join(html)
    kind = "cl-wrong" if wrong else "cl-error"
    return f'<div class="cl-card {kind}" role="group" aria-label="{escape(title[2:])}">\n{body}\n</div>'
