"""A real browser for the tests in this folder: Debian's chromium, driven by Playwright.

Every page's console errors and requests are recorded; a test fails when there was an error, or a request that
would leave the machine.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

CHROMIUM = "chromium"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>
<body><main>{body}</main></body></html>
"""


def find_chromium() -> str:
    """The browser's path; a failure says how to install it."""
    found = shutil.which(CHROMIUM) or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.fail(
            "These tests drive chromium, and none is on the PATH. Install it: apt-get install chromium "
            "(Debian, Ubuntu), brew install chromium (macOS).",
            pytrace=False,
        )
    return found


# Per module: while Playwright's synchronous API is open, no other test in the process can run an event loop.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = find_chromium()
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield started
        started.close()


class Watch:
    """What went wrong in a browser context, as one list of sentences."""

    def __init__(self, context: BrowserContext) -> None:
        self.complaints: list[str] = []
        context.on("console", self._console)
        context.on("weberror", lambda error: self.complaints.append(f"script error: {error.error}"))
        context.on("request", lambda request: self._request(request.url))

    def _console(self, message: Any) -> None:
        # JupyterLab says so itself where a saved notebook has a widget and the kernel is another one.
        if message.type == "error" and "widget model not found" not in message.text:
            self.complaints.append(f"console error: {message.text}")

    def _request(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.hostname not in LOOPBACK:
            self.complaints.append(f"a request left the machine: {url}")


@pytest.fixture
def contexts(browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Opens watched browser contexts; keywords go to Playwright's ``new_context``."""
    opened: list[tuple[BrowserContext, Watch]] = []

    def open_context(**options: Any) -> BrowserContext:
        context = browser.new_context(**{"viewport": {"width": 1000, "height": 900}, **options})
        context.set_default_timeout(60_000)
        opened.append((context, Watch(context)))
        return context

    yield open_context
    complaints = []
    for context, watch in opened:
        context.close()
        complaints += watch.complaints
    assert not complaints, "\n".join(complaints)


@pytest.fixture
def show(contexts: Callable[..., BrowserContext], tmp_path: Path) -> Callable[..., Page]:
    """Writes figures into an HTML file, opens it from disk, and returns the page."""

    def open_page(*figures: Any, **options: Any) -> Page:
        body = "\n".join(figure._repr_mimebundle_()["text/html"] for figure in figures)
        file = tmp_path / f"figure{len(list(tmp_path.iterdir()))}.html"
        file.write_text(PAGE.format(title="Figure", body=body), "utf-8")
        page = contexts(**options).new_page()
        page.goto(file.as_uri())
        return page

    return open_page


@pytest.fixture
def script(contexts: Callable[..., BrowserContext]) -> Callable[..., Callable[..., Any]]:
    """Loads a script's functions into an empty page; the answer calls them: ``run("short(x)", x=0.5)``."""
    from course_utils.figures.live import base

    def load(*names: str) -> Callable[..., Any]:
        page = contexts().new_page()
        text = json.dumps(base.script(*names))

        def run(expression: str, **values: Any) -> Any:
            code = json.dumps(f"\nreturn {expression};")
            call = f"new Function(...Object.keys(values), {text} + {code})(...Object.values(values))"
            return page.evaluate(f"values => {call}", values)

        return run

    return load
