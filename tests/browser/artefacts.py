"""Screenshots that a run of the tests leaves behind for people to look at, in ``build/screenshots``."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

FOLDER = Path(__file__).parents[2] / "build" / "screenshots"


def keep(page: Page, name: str, *, greyscale: bool = True) -> None:
    """Keep what the page shows, in colour and as somebody without colour vision sees it."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=FOLDER / f"{name}.png", full_page=True)
    if greyscale:
        session = page.context.new_cdp_session(page)
        session.send("Emulation.setEmulatedVisionDeficiency", {"type": "achromatopsia"})
        page.screenshot(path=FOLDER / f"{name}-greyscale.png", full_page=True)
        session.send("Emulation.setEmulatedVisionDeficiency", {"type": "none"})
        session.detach()
