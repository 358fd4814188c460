"""A real browser for the tests in this folder, driven by Playwright; `choice` says which.

Every page's console errors and requests are recorded; a test fails when there was an error, or a request that
would leave the machine.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from choice import ARGUMENTS, NO_BROWSER, Choice, Launch, decide, missing_is_a_failure
from filelock import FileLock
from playwright.sync_api import Browser, BrowserContext, Error, Page, sync_playwright

LOOPBACK = {"127.0.0.1", "localhost", "::1"}
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>
<body><main>{body}</main></body></html>
"""


@pytest.fixture(scope="session")
def browser_to_drive(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Launch:
    """Which browser; chosen once, by the first of pytest's processes that needs one."""
    # A worker's folder lies in the folder of the whole run.
    base = tmp_path_factory.getbasetemp()
    note = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "browser.json"

    def say(line: str) -> None:
        capture = request.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled():
            # Of a worker's output only this stream reaches the terminal.
            print(f"\n{line}", file=sys.stderr, flush=True)

    with FileLock(f"{note}.lock"):
        if not note.exists():
            note.write_text(json.dumps(asdict(decide(say))), "utf-8")
    choice = Choice(**json.loads(note.read_text("utf-8")))
    if choice.launch is None:
        if missing_is_a_failure():
            pytest.fail(choice.reason, pytrace=False)
        pytest.skip(choice.reason)
    return choice.launch


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    # pytest's summary has one line for each place of a skip. A missing browser is one reason: one place.
    if report.skipped and NO_BROWSER in report.longrepr[2]:
        report.longrepr = (str(Path(__file__).parent), None, report.longrepr[2])
    return report


_RUNNING: list[Browser] = []
_TO_CLOSE = ExitStack()


@pytest.fixture(scope="module")
def browser(browser_to_drive: Launch) -> Browser:
    """The browser of all tests in this folder that follow one another."""
    if not _RUNNING:
        playwright = _TO_CLOSE.enter_context(sync_playwright())
        _RUNNING.append(playwright.chromium.launch(**browser_to_drive, args=ARGUMENTS))
        _TO_CLOSE.callback(_RUNNING.clear)
        _TO_CLOSE.callback(_RUNNING[0].close)
    return _RUNNING[0]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(nextitem: pytest.Item | None) -> Iterator[None]:
    yield
    # While Playwright's synchronous API is open, no test elsewhere can run an event loop.
    if nextitem is None or Path(__file__).parent not in nextitem.path.parents:
        _TO_CLOSE.close()


class Watch:
    """What went wrong in a browser context, as one list of sentences."""

    def __init__(self, context: BrowserContext) -> None:
        self.complaints: list[str] = []
        context.on("console", self._console)
        context.on("weberror", lambda error: self._script(error.error))
        context.on("request", lambda request: self._request(request.url))

    def check(self) -> None:
        """Fail if there was a complaint since the last check."""
        complaints, self.complaints = self.complaints, []
        assert not complaints, "\n".join(complaints)

    def _console(self, message: Any) -> None:
        # JupyterLab says so itself where a saved notebook has a widget and the kernel is another one.
        if message.type == "error" and "widget model not found" not in message.text:
            self.complaints.append(f"console error: {message.text}")

    def _script(self, error: Error) -> None:
        # Notebook 7 stumbles over its own keyboard shortcuts as it starts: jupyter/notebook#7862.
        if "(reading 'schema')" not in error.message or "/notebook_core." not in (error.stack or ""):
            self.complaints.append(f"script error: {error}")

    def _request(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme in ("http", "https", "ws", "wss") and parts.hostname not in LOOPBACK:
            self.complaints.append(f"a request left the machine: {url}")


def watched(browser: Browser, **options: Any) -> tuple[BrowserContext, Watch]:
    """Open a browser context that is watched; keywords go to Playwright's ``new_context``."""
    context = browser.new_context(**{"viewport": {"width": 1000, "height": 900}, **options})
    context.set_default_timeout(60_000)
    return context, Watch(context)


@pytest.fixture
def contexts(browser: Browser) -> Iterator[Callable[..., BrowserContext]]:
    """Opens watched browser contexts; keywords go to Playwright's ``new_context``."""
    opened: list[tuple[BrowserContext, Watch]] = []

    def open_context(**options: Any) -> BrowserContext:
        opened.append(watched(browser, **options))
        return opened[-1][0]

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
    from course_utils.figures.live import live_figure

    def load(name: str) -> Callable[..., Any]:
        page = contexts().new_page()
        text = json.dumps(live_figure.script(name))

        def run(expression: str, **values: Any) -> Any:
            code = json.dumps(f"\nreturn {expression};")
            call = f"new Function(...Object.keys(values), {text} + {code})(...Object.values(values))"
            return page.evaluate(f"values => {call}", values)

        return run

    return load
