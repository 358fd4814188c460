"""Which browser the tests drive: one that is here, else Playwright's own, else none, and why."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import psutil
from playwright.sync_api import BrowserType, Error, sync_playwright

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "msedge")
PLAYWRIGHT = (sys.executable, "-m", "playwright")
FETCH_SECONDS = 300
NO_BROWSER = "No browser: "
# Playwright's Node.js needs libatomic1, which neither Debian's base nor its chromium brings.
INSTALL = (
    "Install what is missing: apt-get install chromium libatomic1 (Debian), Google Chrome (Ubuntu, macOS, "
    "Windows), or playwright install --with-deps chromium."
)

Launch = dict[str, str]
"""Keywords of Playwright's `launch` that say which browser; without any it starts its own."""

OWN: Launch = {}


@dataclass(frozen=True)
class Choice:
    """The browser to drive, or None, and then one sentence that says what was tried and what to do."""

    launch: Launch | None
    reason: str = ""


def candidates(path: str | None = None) -> list[Launch]:
    """The browsers to try, the machine's first; `path` stands for the variable PATH."""
    on_path = [place for name in NAMES if (place := shutil.which(name, path=path))]
    # Playwright knows where the installers of Chrome and Edge put them on each system.
    installed: list[Launch] = [{"channel": "chrome"}, {"channel": "msedge"}]
    return [{"executable_path": place} for place in dict.fromkeys(on_path)] + installed + [OWN]


def choose(browsers: Iterable[Launch], problem: Callable[[Launch], str], fetch: Callable[[], str]) -> Choice:
    """Return the first browser that starts; if none does, fetch Playwright's own and try that.

    Parameters
    ----------
    browsers : iterable
        What to try, in order.
    problem : callable
        Starts a browser and returns why that failed, or an empty string.
    fetch : callable
        Fetches Playwright's own and returns why that failed, or an empty string.
    """
    broken = []
    for launch in browsers:
        why = problem(launch)
        if not why:
            return Choice(launch)
        # What is not installed needs no mention; what is there and does not start does.
        if "executable_path" in launch:
            broken.append(f"{launch['executable_path']} does not start ({why})")
    why = fetch()
    if why:
        broken.append(f"Playwright's own could not be fetched ({why})")
    else:
        why = problem(OWN)
        if not why:
            return Choice(OWN)
        broken.append(f"Playwright's own was fetched and does not start ({why})")
    return Choice(None, f"{NO_BROWSER}{'; '.join(broken)}. {INSTALL}")


def missing_is_a_failure(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether tests without a browser fail, as they do in continuous integration, or are skipped."""
    return bool(environ.get("CI"))


def decide(say: Callable[[str], None]) -> Choice:
    """Choose on this machine; `say` gets one line before anything is fetched."""
    if why := failure([*PLAYWRIGHT, "--version"], seconds=60):
        return Choice(None, f"{NO_BROWSER}Playwright itself does not start ({why}). {INSTALL}")

    def fetch() -> str:
        say("No browser of this machine starts: Playwright fetches its own (about 100 MB, for tests only) …")
        return failure([*PLAYWRIGHT, "install", "--only-shell", "chromium"], FETCH_SECONDS)

    with sync_playwright() as playwright:
        return choose(candidates(), lambda launch: start_problem(playwright.chromium, launch), fetch)


def start_problem(kind: BrowserType, launch: Launch) -> str:
    """Why a browser does not start, or an empty string."""
    try:
        kind.launch(**launch, args=ARGUMENTS, timeout=60_000).close()
    except Error as error:
        return complaint(error.message)
    return ""


def failure(command: Iterable[str], seconds: float) -> str:
    """Run a command for at most so long; return why it failed, or an empty string."""
    with tempfile.TemporaryFile("w+") as said:
        process = psutil.Popen([*command], stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT)
        try:
            failed = process.wait(seconds)
        except psutil.TimeoutExpired:
            for one in (*process.children(recursive=True), process):
                one.kill()
            process.wait()
            return f"not within {seconds:g} s"
        said.seek(0)
        text = said.read()
        return (first_line(text, "Error: ") or first_line(text) or "no reason given") if failed else ""


def complaint(text: str) -> str:
    """What the browser itself said last, else Playwright's first line, without its frames."""
    said = re.findall(r"\[err\] (.+)", text)
    return said[-1] if said else first_line(re.sub("BrowserType.launch:|[╔═╗║╚╝]", "", text))


def first_line(text: str, start: str = "") -> str:
    """The first line that begins with `start` and is not empty."""
    lines = (line.strip() for line in text.splitlines())
    return next((line.removeprefix(start) for line in lines if line and line.startswith(start)), "")
