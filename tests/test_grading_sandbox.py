"""Isolation is tested from inside, level by level; nothing is left when a sandbox ends."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from importlib.util import find_spec
from pathlib import Path

import prepared
import pytest
from hostile_files import folders_in_folders

from course_utils.grading.grade_one import grade_notebook
from course_utils.grading.records import CodeCell, Isolation, Limits, RunnableNotebook
from course_utils.grading.sandbox import Sandbox, probe_isolation
from course_utils.grading.sandbox.inside import supervisor
from course_utils.grading.sandbox.launch import _hold, launcher, remove_folder

pytestmark = [pytest.mark.slow, pytest.mark.skipif(sys.platform != "linux", reason="the walls are Linux's")]
LEVELS = ("full", "partial", "none")


@pytest.fixture(scope="module")
def levels() -> dict[str, Isolation]:
    found = {level: probe_isolation(at_most=level) for level in LEVELS}
    return {level: isolation for level, isolation in found.items() if isolation.level == level}


def isolation_of(levels: dict[str, Isolation], level: str) -> Isolation:
    if level not in levels:
        pytest.skip(f"this machine does not offer isolation {level}")
    return levels[level]


def told(expression: str, isolation: Isolation) -> str:
    """What an expression gives inside."""
    source = f"import os, socket, sys, glob\ndef same_padding(f):\n    raise ValueError({expression})\n"
    done = grade_notebook(RunnableNotebook(1, (CodeCell(source, "same_padding"),)), isolation=isolation)
    verdict = next(v for v in done.verdicts if v.exercise == "same_padding")
    return verdict.traceback.rpartition("Error: ")[2]


def test_a_level_is_never_better_than_asked(levels):
    assert probe_isolation(at_most="none").level == "none"
    assert probe_isolation(at_most="partial").level in ("partial", "none")


def test_the_report_says_what_holds_and_what_does_not(levels):
    for level, isolation in levels.items():
        lines = isolation.lines()
        assert lines[0] == f"Isolation: {level}."
        assert [line for line in lines if line.startswith("weakness")] or level == "full"
        assert any("no network" in line for line in lines) == (level == "full")
    assert any("answers" in line for line in levels["none"].lacks)


def test_a_full_root_holds_neither_the_course_nor_anybody_elses_folders(levels, repository):
    isolation = isolation_of(levels, "full")
    places_ = f"['{repository}', '{Path.home()}/.bashrc', '/etc/passwd', '/home', '/var', '/work']"
    assert told(f"[p for p in {places_} if os.path.exists(p)]", isolation) == "[]"
    assert told(
        "[n for n in os.listdir('/tmp') if not n.startswith(('course-grade', 'course-redacted'))]"
        " and sorted(p for p in os.listdir('/proc') if p.isdigit())[0]",
        isolation,
    ) in ("1", "[]")


def test_only_the_private_folder_can_be_written(levels):
    tried = "['/', '/usr', '/tmp', '/etc', sys.prefix, sys.path[0], '/proc', '/dev', os.getcwd()]"
    expression = f"[p for p in {tried} if os.access(p, os.W_OK)] == [os.getcwd()]"
    assert told(expression, isolation_of(levels, "full")) == "True"


def test_landlock_opens_neither_answers_nor_other_folders(levels, repository, tmp_path):
    isolation = isolation_of(levels, "partial")
    if "landlock" not in isolation.mechanisms:
        pytest.skip("this machine has no Landlock")
    (tmp_path / "secret").write_text("of somebody else")
    source = (
        "def readable(path):\n"
        "    try:\n        return bool(open(path).read())\n"
        "    except OSError:\n        return False\n"
        "def same_padding(f):\n"
        f"    raise ValueError([p for p in {[str(repository / 'README.md'), str(tmp_path / 'secret')]!r} "
        "if readable(p)])\n"
    )
    done = grade_notebook(RunnableNotebook(1, (CodeCell(source, "same_padding"),)), isolation=isolation)
    assert "Error: []" in next(v for v in done.verdicts if v.exercise == "same_padding").traceback


@pytest.mark.parametrize("level", LEVELS)
def test_nothing_of_the_graders_environment_is_inside(levels, level, monkeypatch):
    monkeypatch.setenv("GRADERS_TOKEN", "secret")
    isolation = isolation_of(levels, level)
    assert told("'GRADERS_TOKEN' in os.environ", isolation) == "False"
    assert told("b'GRADERS_TOKEN' in open('/proc/self/environ', 'rb').read()", isolation) != "True"


@pytest.mark.parametrize("level", LEVELS)
def test_a_sandbox_leaves_no_process_and_no_folder(levels, level):
    with Sandbox(isolation_of(levels, level), Limits()) as sandbox:
        assert sandbox.wait_for_sockets(30)
        folder = Path(sandbox.spec.folder)
        inside = [pid for pid in supervisor.descendants(launcher()._process.pid)]
        assert inside and folder.exists()
    assert not folder.exists()
    end = time.monotonic() + 5
    while list(supervisor.descendants(launcher()._process.pid)) and time.monotonic() < end:
        time.sleep(0.01)
    assert not list(supervisor.descendants(launcher()._process.pid))


def test_what_a_killed_run_leaves_behind_is_removed_by_the_next(tmp_path):
    make = (
        "import os, signal; from course_utils.grading.sandbox.launch import own_folder; "
        "print(own_folder(), flush=True); {}"
    )

    def run(end: str) -> Path:
        done = prepared.run(make.format(end), env=os.environ | {"TMPDIR": str(tmp_path)})
        return Path(done.stdout.strip())

    killed = run("os.kill(os.getpid(), signal.SIGKILL)")
    new = run("os.kill(os.getpid(), signal.SIGKILL)")
    os.utime(killed, (1_700_000_000, 1_700_000_000))
    mine, others = tmp_path / "course-grade-mine", tmp_path / "course-other"
    for folder in (mine, others):
        folder.mkdir()
        os.utime(folder, (1_700_000_000, 1_700_000_000))
    lock = _hold(mine)
    assert killed.exists() and new.exists()
    assert not run("pass").exists()
    os.close(lock)
    assert {path.name for path in tmp_path.iterdir()} == {new.name, mine.name, others.name}


def test_a_warden_whose_grader_is_gone_ends_its_kernel(levels):
    sandbox = Sandbox(levels["none"], Limits())
    sandbox.__enter__()
    assert sandbox.wait_for_sockets(30)
    pids = list(supervisor.descendants(launcher()._process.pid))
    sandbox._line.close()
    end = time.monotonic() + 10
    while any(os.path.exists(f"/proc/{pid}") for pid in pids) and time.monotonic() < end:
        time.sleep(0.02)
    assert not [pid for pid in pids if os.path.exists(f"/proc/{pid}")]
    sandbox._line = None
    sandbox._forget()


def test_a_warden_that_is_stopped_is_ended(levels, monkeypatch):
    monkeypatch.setattr("course_utils.grading.sandbox.sandbox._END_SECONDS", 0.5)
    with Sandbox(levels["none"], Limits()) as sandbox:
        assert sandbox.wait_for_sockets(30)
        pids = [sandbox._supervisor, *supervisor.descendants(sandbox._supervisor)]
        os.kill(sandbox._supervisor, signal.SIGSTOP)
    end = time.monotonic() + 5
    while any(os.path.exists(f"/proc/{pid}") for pid in pids) and time.monotonic() < end:
        time.sleep(0.02)
    assert len(pids) > 2 and not [pid for pid in pids if os.path.exists(f"/proc/{pid}")]


@pytest.mark.parametrize("level", ["full", "partial"])
def test_what_is_hidden_inside_what_is_shown_stays_hidden(levels, level, monkeypatch):
    isolation = isolation_of(levels, level)
    package = Path(find_spec("tqdm").origin).parent
    monkeypatch.setattr("course_utils.grading.sandbox.sandbox._hidden", lambda: (str(package),))
    source = (
        "def same_padding(f):\n    found = []\n"
        f"    for path in {[str(package / '__init__.py'), str(package.parent / 'numpy/__init__.py')]!r}:\n"
        "        try:\n            found.append(bool(open(path).read()))\n"
        "        except OSError:\n            found.append(False)\n"
        "    raise ValueError(found)\n"
    )
    done = grade_notebook(RunnableNotebook(1, (CodeCell(source, "same_padding"),)), isolation=isolation)
    assert "Error: [False, True]" in next(v for v in done.verdicts if v.exercise == "same_padding").traceback


def test_a_fork_server_that_died_is_started_again(levels):
    before = launcher()._process
    before.kill()
    before.wait()
    assert told("'alive'", levels["none"]) == "alive"
    assert launcher()._process.pid != before.pid


def test_attempts_in_several_threads_do_not_meet(levels):
    isolation = next(iter(levels.values()))
    found = {}

    def grade(number):
        found[number] = told(f"str({number})", isolation)

    threads = [threading.Thread(target=grade, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: str(number) for number in range(3)}


@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "socket", "large"])
def test_only_plain_files_of_a_fair_size_are_read(levels, kind, tmp_path):
    sandbox = Sandbox(levels["none"], Limits())
    try:
        path = Path(sandbox.path("result"))
        if kind == "link":
            (tmp_path / "secret").write_text("secret")
            path.symlink_to(tmp_path / "secret")
        elif kind == "pipe":
            os.mkfifo(path)
        elif kind == "folder":
            path.mkdir()
        elif kind == "socket":
            with socket.socket(socket.AF_UNIX) as made:
                made.bind(str(path))
        else:
            path.write_bytes(bytes(101))
        assert sandbox.read("result", 100) is None
        Path(sandbox.path("other")).write_bytes(bytes(100))
        assert sandbox.read("other", 100) == bytes(100)
        assert sandbox.read("missing", 100) is None
    finally:
        sandbox.end()


def test_a_folder_goes_whatever_is_in_it(tmp_path):
    folder = tmp_path / "deep"
    folder.mkdir()
    folders_in_folders(folder, "x")
    (folder / "closed").mkdir(mode=0)
    remove_folder(folder)
    assert not folder.exists()
