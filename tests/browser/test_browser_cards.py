"""The cards of the checks, as students see them: readable, accessible, asking nobody for anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from accessibility import violations
from artefacts import keep
from playwright.sync_api import BrowserContext

from course_utils.exercises import evaluate, get
from course_utils.figures.card import verdict_card

pytestmark = pytest.mark.slow


def cards() -> list[Any]:
    """One card of each kind: right, wrong with a known idea, wrong without, an error, not started."""

    def unfinished(n: int, f: int, p: int = 0, s: int = 1) -> int:
        raise NotImplementedError

    pool = get("max_pool")
    answers = [
        ("output_size", get("output_size").reference),
        *[("conv2d", wrong.wrong) for wrong in get("conv2d").misconceptions[:2]],
        ("max_pool", pool.misconceptions[0].wrong),
        ("cross_correlate", lambda image, kernel: torch.zeros(3)),
        ("cross_correlate", lambda image, kernel: image @ kernel),
        ("output_size", unfinished),
    ]
    return [verdict_card(evaluate(exercise, answer)) for exercise, answer in answers]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_cards_pass_axe_in_both_themes(theme: str, contexts: Callable[..., BrowserContext]) -> None:
    page = contexts(color_scheme=theme).new_page()
    html = "\n".join(card._repr_mimebundle_()["text/html"] for card in cards())
    paper, ink = {"light": ("#fff", "#000"), "dark": ("#111", "#fff")}[theme]
    page.set_content(f"<style>html {{ background: {paper}; color: {ink}; }}</style>{html}")
    assert violations(page, "body") == []
    keep(page, f"cards-{theme}")
