"""Limits are of CPU time, so that a busy machine gives the same grades; what only waits ends by the clock."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from course_utils.grading.grade_one import grade_notebook
from course_utils.grading.grades import JudgedSubmission
from course_utils.grading.records import CodeCell, Limits, RunnableNotebook
from course_utils.grading.sandbox import probe_isolation

pytestmark = pytest.mark.slow

RIGHT = "def output_size(n, f, p=0, s=1):\n    return (n + 2 * p - f) // s + 1\n"
PADDING = "def same_padding(f):\n    return (f - 1) // 2\n"
BUSY = "import os\nwhile os.getppid() != 1:\n    for _ in range(10_000_000):\n        pass"
FLOOD = "for _ in range(100):\n    print('x' * (1 << 20))\n\n\n" + RIGHT
SLOW = """import time


def same_padding(f):
    end = time.process_time() + 0.06
    while time.process_time() < end:
        pass
    return (f - 1) // 2
"""


@pytest.fixture(scope="module")
def isolation():
    return probe_isolation()


@contextmanager
def load(processes: int) -> Iterator[None]:
    """Keep that many processes busy meanwhile."""
    running = [
        subprocess.Popen([sys.executable, "-S", "-c", BUSY], start_new_session=True) for _ in range(processes)
    ]
    try:
        yield
    finally:
        for process in running:
            process.kill()
        for process in running:
            process.wait()


def graded(isolation, limits: Limits, **answers: str) -> JudgedSubmission:
    cells = tuple(CodeCell(source, exercise) for exercise, source in answers.items())
    return grade_notebook(RunnableNotebook(1, cells), isolation=isolation, limits=limits)


def earned(done: JudgedSubmission) -> dict[str, int]:
    return {verdict.exercise: verdict.earned for verdict in done.verdicts}


def test_grades_are_the_same_at_load_0_and_load_10(isolation):
    """An honest flood of output, and an honest slow answer, within limits that are close."""
    limits = Limits(cell_seconds=1, call_seconds=1, patience=30)
    found = {}
    for processes in (0, 10):
        with load(processes):
            done = graded(isolation, limits, output_size=FLOOD, same_padding=SLOW)
        found[processes] = earned(done)
    assert found[0] == found[10]
    assert found[0]["output_size"] > 0 and found[0]["same_padding"] > 0


WAITS = "import time\n\n\ndef output_size(n, f, p=0, s=1):\n    time.sleep(600)\n"
DEAF = """def output_size(n, f, p=0, s=1):
    while True:
        try:
            while True:
                n += 1
        except BaseException:
            continue
"""
CHILDREN = """import os
import time
for _ in range(3):
    if os.fork() == 0:
        while True:
            pass
time.sleep(600)
"""
UNSEEN = """import os
import signal
import time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
while True:
    if os.fork() == 0:
        sum(range(100_000))
        os._exit(0)
    time.sleep(0.02)
"""


def test_what_waits_ends_by_the_clock_and_is_told_apart(isolation):
    limits = Limits(cell_seconds=0.5, call_seconds=0.5, patience=4)
    done = graded(isolation, limits, output_size=WAITS)
    verdict = next(v for v in done.verdicts if v.exercise == "output_size")
    assert "your code was stopped after 2.0 s." in verdict.message
    assert done.waited and "by the clock" in done.notes[-1]
    cell = graded(isolation, limits, output_size="import time\ntime.sleep(600)\n" + RIGHT)
    assert cell.waited and cell.seconds < 30 and "within 2 s" in " ".join(cell.notes)


def test_an_answer_that_ignores_its_deadline_is_ended_by_its_cpu_time(isolation):
    done = graded(isolation, Limits(call_seconds=0.5, patience=60), output_size=DEAF)
    verdict = next(v for v in done.verdicts if v.exercise == "output_size")
    assert "your code was stopped after 0.50 s." in verdict.message
    assert not done.waited and not done.notes and done.seconds < 25


def test_processes_that_an_answer_starts_use_up_its_time(isolation):
    limits = Limits(cell_seconds=0.5, patience=120)
    done = graded(isolation, limits, output_size=CHILDREN, same_padding=PADDING)
    assert not done.waited and done.seconds < 50
    assert earned(done)["output_size"] == 0 and earned(done)["same_padding"] == 1


def test_processes_whose_time_nobody_can_read_end_by_the_clock(isolation):
    limits = Limits(cell_seconds=0.5, patience=4)
    done = graded(isolation, limits, output_size=UNSEEN, same_padding=PADDING)
    assert done.seconds < 50
    assert earned(done)["output_size"] == 0 and earned(done)["same_padding"] == 1
