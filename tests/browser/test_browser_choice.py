"""The choice of a browser: the machine's, else Playwright's own, else one reason. No test here drives one."""

from __future__ import annotations

import stat
import sys
import time
from pathlib import Path

import choice
import psutil
import pytest
from choice import INSTALL, OWN, Choice, candidates, choose, complaint, failure, missing_is_a_failure

HERE = {"executable_path": "/bin/one"}
OTHER = {"executable_path": "/bin/other"}


def never() -> str:
    raise AssertionError("fetched although a browser was there")


def program(folder: Path, name: str) -> str:
    file = folder / (f"{name}.exe" if sys.platform == "win32" else name)
    file.write_text("")
    file.chmod(file.stat().st_mode | stat.S_IXUSR)
    return str(file)


def test_the_path_is_searched_first_and_playwrights_own_last(tmp_path: Path) -> None:
    chrome, chromium = program(tmp_path, "google-chrome"), program(tmp_path, "chromium")
    found = candidates(str(tmp_path))
    assert found[:2] == [{"executable_path": chromium}, {"executable_path": chrome}]
    assert found[-1] == OWN


def test_an_empty_path_leaves_installed_ones_and_playwrights_own(tmp_path: Path) -> None:
    assert candidates(str(tmp_path)) == [{"channel": "chrome"}, {"channel": "msedge"}, OWN]


def test_the_first_that_starts_is_taken() -> None:
    assert choose([HERE, OTHER], lambda launch: "", never) == Choice(HERE)
    assert choose([HERE, OTHER], lambda launch: "broken" * (launch == HERE), never) == Choice(OTHER)


def test_playwrights_own_is_fetched_when_none_starts() -> None:
    fetched = []

    def problem(launch: dict[str, str]) -> str:
        return "" if fetched and launch == OWN else "broken"

    assert choose([HERE, OWN], problem, lambda: fetched.append(1) or "") == Choice(OWN)
    assert fetched == [1]


def test_without_any_the_reason_says_what_was_tried_and_what_to_do() -> None:
    found = choose([HERE, {"channel": "chrome"}, OWN], lambda launch: "no libnss3", lambda: "no network")
    assert found.launch is None
    assert found.reason == (
        "No browser: /bin/one does not start (no libnss3); "
        f"Playwright's own could not be fetched (no network). {INSTALL}"
    )


def test_a_fetched_browser_that_does_not_start_is_none() -> None:
    found = choose([OWN], lambda launch: "Host system is missing dependencies", lambda: "")
    assert found.launch is None
    assert "was fetched and does not start (Host system is missing dependencies)" in found.reason


@pytest.mark.parametrize(("value", "failure"), [(None, False), ("", False), ("true", True), ("1", True)])
def test_a_missing_browser_is_a_failure_only_where_ci_is_set(value: str | None, failure: bool) -> None:
    assert missing_is_a_failure({} if value is None else {"CI": value}) is failure


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("print('one')\nprint('Error: no route')\nraise SystemExit(1)", "no route"),
        (
            "print('node: libatomic.so.1 is missing')\nraise SystemExit(127)",
            "node: libatomic.so.1 is missing",
        ),
        ("raise SystemExit(3)", "no reason given"),
        ("print('Error: only a warning')", ""),
    ],
)
def test_a_command_that_fails_says_why(code: str, why: str) -> None:
    assert failure([sys.executable, "-ISc", code], seconds=60) == why


def test_where_playwright_itself_does_not_start_there_is_no_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        choice, "PLAYWRIGHT", (sys.executable, "-ISc", "raise SystemExit('no libatomic.so.1')")
    )
    found = choice.decide(pytest.fail)
    assert found.launch is None
    assert found.reason.startswith("No browser: Playwright itself does not start (no libatomic.so.1).")


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.mark.slow
def test_a_command_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    child = "import time; time.sleep(600)"
    code = (
        "import subprocess, sys, time\n"
        f"child = subprocess.Popen([sys.executable, '-ISc', {child!r}])\n"
        f"open({str(note)!r}, 'w').write(str(child.pid))\n"
        "time.sleep(600)"
    )
    assert failure([sys.executable, "-ISc", code], seconds=10) == "not within 10 s"
    pid = int(note.read_text())
    deadline = time.monotonic() + 60
    while not gone(pid):
        assert time.monotonic() < deadline, "what it had started still runs"
        time.sleep(0.05)


def test_a_browser_that_does_not_start_is_quoted() -> None:
    framed = "BrowserType.launch: \n╔════════╗\n║ Host system is missing dependencies. ║\n╚════════╝"
    assert complaint(framed) == "Host system is missing dependencies."
    ended = (
        "BrowserType.launch: Target closed\nBrowser logs:\n[pid=7][err] libnss3.so: cannot open\nCall log:"
    )
    assert complaint(ended) == "libnss3.so: cannot open"
