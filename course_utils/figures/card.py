"""The card that a check shows: outcome, smallest counterexample, likely cause, and where to read."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from course_utils.figures.base import HtmlFigure
from course_utils.figures.counterexample import draw_case

VERDICT_MIME = "application/vnd.convnet-labs.verdict+json"
"""How tools read verdicts from a notebook's outputs."""


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
    if not verdict.reason:
        return f"{name} is not started."
    return f"{name}: {verdict.reason[0].lower()}{verdict.reason[1:]}"


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
        note = f' <span class="cl-quiet">· {escape(shown.note)}</span>' if shown.note else ""
        html.append(f"<p><code>{escape(shown.call)}</code>{note}</p>")
        text.append(f"{shown.call}   {shown.note}".rstrip())
        if wrong:
            case_html, case_text = draw_case(shown)
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


def _indent(text: str) -> str:
    return "\n".join(f"    {each}" for each in text.splitlines())
