"""axe-core, the rules that accessibility audits use, asked of a page."""

from __future__ import annotations

from pathlib import Path

import axe_playwright_python
from artefacts import keep
from playwright.sync_api import Page

_AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text("utf-8")
_VIOLATIONS = Path(__file__).with_name("accessibility.js").read_text("utf-8")
# A part of a page has no landmarks and no first heading of its own; the page around it is not ours.
_PAGE_RULES = ("region", "page-has-heading-one", "landmark-one-main")


def violations(
    page: Page, within: str | None = None, *, only_contrast: bool = False, **rules: bool
) -> list[str]:
    """One line for each element that breaks a rule: the rule, what it asks, the element.

    Of texts that look alike in the same place, one is asked for its contrast.

    Parameters
    ----------
    page : Page
    within : str, optional
        Only elements that this selector finds, and what is in them.
    only_contrast : bool
        Of a page that was asked everything in other colours.
    rules : bool
        Rules to turn on or off, with ``_`` for ``-``.
    """
    page.evaluate(f"() => {{ if (!window.axe) {{ {_AXE} }} }}")
    chosen = {name: {"enabled": False} for name in _PAGE_RULES} if within else {}
    chosen |= {name.replace("_", "-"): {"enabled": on} for name, on in rules.items()}
    if within and not page.locator(within).count():
        return []
    asked = {"within": within, "rules": chosen, "onlyContrast": only_contrast}
    found = page.evaluate(f"asked => {{ {_VIOLATIONS} return violations(asked); }}", asked)
    return [
        f"{rule['id']} ({rule['help']}): {node['html'][:200]} · {node['failureSummary'][:300]}"
        for rule in found
        for node in rule["nodes"]
    ]


def assert_accessible(page: Page, name: str) -> None:
    """Ask and photograph a page in both themes; then ask it once more at 400 pixels, and leave it so."""
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        # Themes differ in nothing but colours.
        assert violations(page, only_contrast=theme != "light") == []
        keep(page, f"{name}-{theme}", greyscale=False)
    page.set_viewport_size({"width": 400, "height": 900})
    page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    # Colours are the same at every width, and take nine tenths of the time.
    assert violations(page, color_contrast=False) == []
