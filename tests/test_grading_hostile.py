"""Hostile and unlucky submissions: each gets the grade that it deserves, and leaves nothing behind."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import sys
import time
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import nbformat
import pytest

from course_utils import exercises
from course_utils.grading.grade_one import grade_notebook
from course_utils.grading.records import MIB, CodeCell, Limits, RunnableNotebook
from course_utils.grading.sandbox import probe_isolation
from course_utils.grading.sandbox.launch import launcher
from course_utils.grading.sandbox.sandbox import users

HOSTILE = Path(__file__).parent / "hostile"
NAMES = sorted(path.stem for path in HOSTILE.glob("*.py"))
LIMITS = Limits(
    cell_seconds=2,
    call_seconds=0.5,
    notebook_seconds=20,
    patience=4,
    memory_bytes=1000 * MIB,
    processes=64,
    file_bytes=16 * MIB,
    files=400,
    restarts=6,
)
PATIENT = replace(
    LIMITS,
    cell_seconds=60,
    call_seconds=60,
    notebook_seconds=180,
    patience=6,
    memory_bytes=Limits().memory_bytes,
)
"""For submissions that deserve points: a slow machine must not take them away."""
NEIGHBOURS = ("fuse_filters", "count_conv_parameters")
"""Right answers before and after the hostile ones; they must keep their points."""
ON_LESSER_MACHINES = (
    "forged_observations",
    "exit_at_call",
    "daemon",
    "killers",
    "memory_at_call",
    "harmless",
)


@dataclass(frozen=True)
class Fixture:
    """One hostile file: its cells by exercise, and what each deserves."""

    cells: dict[str, str]
    deserved: dict[str, int]


def fixture(name: str, places: dict[str, str]) -> Fixture:
    text = (HOSTILE / f"{name}.py").read_text()
    for place, value in places.items():
        text = text.replace(f"@{place}@", value)
    head, *cells = re.split(r"^# %% (\w+)\n", text, flags=re.MULTILINE)
    declared = re.search(r"^# deserves: (.*)$", head, re.MULTILINE)
    assert declared, name
    deserved = {}
    for entry in declared[1].split(", "):
        exercise, points = entry.split()
        deserved[exercise] = exercises.get(exercise).points if points == "full" else int(points)
    found = dict(zip(cells[::2], cells[1::2], strict=True))
    assert found.keys() == deserved.keys(), name
    return Fixture(found, deserved)


@pytest.fixture(scope="module")
def right(repository: Path) -> dict[str, str]:
    """The right answers' cells by exercise, and under "" the lab's imports."""
    notebook = nbformat.read(repository / "solutions" / "01_conv_layer.ipynb", as_version=4)
    cells = {}
    for cell in notebook.cells:
        about = cell.metadata.get("nbgrader", {})
        if about.get("solution"):
            cells[about["grade_id"]] = cell.source
        elif cell.cell_type == "code":
            cells.setdefault("", cell.source)
    return cells


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    """A folder with somebody else's work, open to everybody as in a careless class."""
    folder = tmp_path / "submissions"
    (folder / "ann").mkdir(parents=True)
    (folder / "ann" / "lab.py").write_text("SECRET = (n + 2 * p - f) // s + 1\n")
    for path in (folder, *folder.parents):
        if path == Path("/tmp"):
            break
        path.chmod(0o777)
    (folder / "ann").chmod(0o755)
    return folder


def state(folder: Path) -> dict[str, str]:
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for path in sorted(folder.rglob("*"))
        if "__pycache__" not in path.parts
    }


def left_over() -> list[str]:
    """Processes of the users that this process's kernels run as."""
    found = []
    for path in Path("/proc").iterdir():
        if path.name.isdigit():
            try:
                if path.stat().st_uid in users():
                    found.append(f"{path.name} {(path / 'stat').read_text()}")
            except OSError:
                continue
    return found


isolation_at = cache(lambda level: probe_isolation(at_most=level))


def graded(name: str, level: str, right: dict[str, str], victim: Path, repository: Path):
    isolation = isolation_at(level)
    if isolation.level != level:
        pytest.skip(f"this machine offers isolation {isolation.level} at most")
    if name == "killers" and not {"namespaces", "seccomp", "uid"} & set(isolation.mechanisms):
        pytest.skip("nothing keeps a submission from the processes of the user that it runs as")
    fork_server_id = launcher()._process.pid
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        known = {
            "REPOSITORY": str(repository),
            "COURSE": str(repository / "course_utils"),
            "VICTIM": str(victim),
            "PORT": str(listener.getsockname()[1]),
            "GRADER": str(os.getpid()),
            "FORK_SERVER": str(fork_server_id),
        }
        hostile = fixture(name, known)
        before = state(victim), state(repository / "solutions")
        cells = [CodeCell(right[""]), CodeCell(right[NEIGHBOURS[0]], NEIGHBOURS[0])]
        cells += [CodeCell(source, exercise) for exercise, source in hostile.cells.items()]
        cells += [CodeCell(right[NEIGHBOURS[1]], NEIGHBOURS[1])]
        limits = PATIENT if any(hostile.deserved.values()) else LIMITS
        done = grade_notebook(RunnableNotebook(1, tuple(cells)), isolation=isolation, limits=limits)
        with pytest.raises(BlockingIOError):
            listener.accept()
    given = {verdict.exercise: verdict.earned for verdict in done.verdicts}
    deserved = hostile.deserved | {name: exercises.get(name).points for name in NEIGHBOURS}
    table = {exercise: (given[exercise], points) for exercise, points in deserved.items()}
    messages = {verdict.exercise: verdict.message for verdict in done.verdicts}
    print(f"{name} {level} {done.seconds:.1f} s {table} {done.notes}")
    wrong = {exercise: messages[exercise] for exercise, (given, due) in table.items() if given != due}
    assert not wrong, (wrong, done.notes)
    assert (state(victim), state(repository / "solutions")) == before
    assert not left_over()
    assert launcher()._process.pid == fork_server_id
    for verdict in done.verdicts:
        verdict.message.encode()
    return done


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="namespaces are Linux's")
@pytest.mark.parametrize("name", NAMES)
def test_every_submission_gets_what_it_deserves(name, right, victim, repository):
    done = graded(name, "full", right, victim, repository)
    if name == "daemon":
        time.sleep(3)
        assert not (victim / "daemon").exists() and not Path("/tmp/course-daemon").exists()
        assert not left_over()
    if name == "harmless":
        assert not done.notes


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="processes are found through /proc")
@pytest.mark.parametrize("level", ["partial", "none"])
@pytest.mark.parametrize("name", ON_LESSER_MACHINES)
def test_lesser_machines_do_what_they_can(name, level, right, victim, repository):
    graded(name, level, right, victim, repository)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="namespaces are Linux's")
@pytest.mark.parametrize("answer", ["0", "(f - 1) // 2"], ids=["wrong", "right"])
def test_a_submission_that_kills_every_kernel_loses_nothing_else(answer, right):
    isolation = isolation_at("full")
    source = (
        fixture("saboteur", {}).cells["output_size"].replace("output_size(n, f, p=0, s=1)", "same_padding(f)")
    )
    cells = right | {"same_padding": source.replace("return 0", f"return {answer}")}
    notebook = RunnableNotebook(1, tuple(CodeCell(text, name or None) for name, text in cells.items()))
    done = grade_notebook(notebook, isolation=isolation, limits=LIMITS)
    earned = {v.exercise: v.earned for v in done.verdicts if v.exercise != "same_padding"}
    messages = {v.exercise: v.message for v in done.verdicts if v.earned < v.points}
    assert earned == {name: exercises.get(name).points for name in earned}, (messages, done.notes)
