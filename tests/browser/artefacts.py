"""Screenshots that a run of the tests leaves behind for people to look at, in ``build/screenshots``."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Locator, Page

FOLDER = Path(__file__).parents[2] / "build" / "screenshots"


def keep(shown: Page | Locator, name: str, *, greyscale: bool = True) -> None:
    """Keep what a page or a part of it shows, in colour and as somebody without colour vision sees it."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    page = shown if isinstance(shown, Page) else shown.page
    whole = {"full_page": True} if shown is page else {}
    name = name.replace(" ", "-").lower()
    shown.screenshot(path=FOLDER / f"{name}.png", **whole)
    if greyscale:
        session = page.context.new_cdp_session(page)
        session.send("Emulation.setEmulatedVisionDeficiency", {"type": "achromatopsia"})
        shown.screenshot(path=FOLDER / f"{name}-greyscale.png", **whole)
        session.send("Emulation.setEmulatedVisionDeficiency", {"type": "none"})
        session.detach()
