"""What the tests ask of a page's contrast: every kind of text once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from accessibility import violations
from playwright.sync_api import BrowserContext

FAINT = "color: #bbb"
CELLS = "<td>1</td><td>10</td>" * 100


@pytest.mark.parametrize(
    ("faint", "found"),
    [
        ("", 0),
        (f"<td style='{FAINT}'>20</td>" * 20, 1),
        (f"<td style='{FAINT}'>2</td><td style='{FAINT}'>20</td>", 1),
        (f"<td><b style='{FAINT}'>20</b></td>", 1),
        (f"<td style='{FAINT}'>20</td><td><b style='{FAINT}'>30</b></td>", 2),
        (f"<td hidden style='{FAINT}'>20</td>", 0),
        (f"<td hidden style='{FAINT}'>20</td><td style='{FAINT}'>30</td>", 1),
        ("<td style='background: #111'>20</td>", 1),
        (f"<td><input value='20' aria-label='number' style='{FAINT}'></td>", 1),
    ],
)
def test_one_of_each_kind_of_faint_text_is_found(
    faint: str, found: int, contexts: Callable[..., BrowserContext]
) -> None:
    page = contexts().new_page()
    table = f"<table><tr>{CELLS}{faint}{CELLS}</tr></table>"
    page.set_content(f"<html lang='en'><title>Table</title><main><h1>Table</h1>{table}</main></html>")
    for within in (None, "table"):
        assert [line.split()[0] for line in violations(page, within)] == ["color-contrast"] * found
