"""Many submissions are graded, in any order, with the same outcome; a stopped run continues."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import pytest
from grading_workers import FULL, PARTIAL, by_words, threads

from course_utils.errors import GradingError
from course_utils.grading import grade_many
from course_utils.grading.grade_many import cluster, grade_tasks, this_machine
from course_utils.grading.grades import Result
from course_utils.grading.records import CodeCell, Limits, RunnableNotebook
from course_utils.grading.result_store import Store, Task, seed_of
from course_utils.grading.sandbox.inside import supervisor


def task(source: str = "RIGHT", *, seed: int = 0, level: str = "full") -> Task:
    return Task(
        RunnableNotebook(1, (CodeCell("import torch"), CodeCell(source, "zero_pad"))), seed, Limits(), level
    )


def keyed(*tasks: Task) -> dict[str, Task]:
    return {one.key: one for one in tasks}


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path / "results")


def graded(tasks, store, workers=None, grade=by_words) -> dict[str, Result]:
    done = {}
    grade_tasks(tasks, store, workers or threads(), grade=grade, done=done.__setitem__)
    return done


def test_every_task_is_graded_once_and_kept(store):
    tasks = keyed(*(task(f"RIGHT {i}") for i in range(20)))
    done = graded(tasks, store)
    assert set(done) == set(tasks)
    assert all(store.get(key) == result for key, result in done.items())


def test_results_survive_json(store):
    (key, result), *_ = graded(keyed(task("<flipped-kernel>")), store).items()
    assert Result.from_json(result.to_json()) == result
    assert store.get(key).marks[1].misconception == "flipped-kernel"


def test_tasks_survive_json():
    one = replace(task(seed=7), limits=Limits(cell_seconds=3.5))
    assert Task.from_json(one.to_json()) == one


@pytest.mark.parametrize(
    "changed",
    [
        task("WRONG"),
        task(seed=1),
        task(level="partial"),
        replace(task(), limits=Limits(cell_seconds=1)),
        replace(task(), notebook=RunnableNotebook(2, task().notebook.cells)),
    ],
)
def test_a_key_depends_on_everything_that_a_grade_depends_on(changed):
    assert changed.key != task().key
    assert task().key == task().key


def test_a_key_depends_on_the_courses_code(monkeypatch):
    before = task().key
    monkeypatch.setattr("course_utils.grading.result_store.course_digest", lambda: "another course")
    assert task().key != before


def test_seeds_are_the_same_in_every_run_and_differ_between_students():
    assert seed_of(0, "alice", 1) == 2206995937
    assert len({seed_of(s, name, lab) for s in (0, 1) for name in ("alice", "bob") for lab in (1, 2)}) == 8


def test_a_result_that_was_cut_off_is_graded_again(store, tmp_path):
    one = task()
    graded(keyed(one), store)
    path = tmp_path / "results" / f"{one.key}.json"
    path.write_text(path.read_text()[:50])
    assert store.get(one.key) is None


def test_what_a_killed_run_left_half_written_is_cleared(tmp_path):
    (tmp_path / "abc.json.1-0a.new").write_text("half")
    Store(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_worker_that_raises_fails_that_submission_alone_and_is_not_kept(store):
    good, bad = task(), task("RAISE")
    done = graded(keyed(good, bad), store)
    assert "OSError: no kernel" in done[bad.key].failed
    assert done[good.key].failed == ""
    assert store.get(bad.key) is None


class TestAgain:
    """What the clock stopped, or what failed, is tried again after everything else, alone."""

    @pytest.fixture
    def tried(self) -> list[tuple[str, int]]:
        """What was tried, in order, and how many ran then."""
        return []

    @pytest.fixture
    def starved(self, tried):
        running = []

        def grade(text: str) -> str:
            source = Task.from_json(text).notebook.cells[1].source
            running.append(source)
            time.sleep(0.05)
            tried.append((source, len(running)))
            running.remove(source)
            first = [word for word, _ in tried].count(source) == 1
            if first and "RAISE" in source:
                raise OSError("no kernel")
            result = Result.from_json(by_words(text.replace("RAISE", "")))
            return replace(result, waited="SLOW" in source and (first or "ALWAYS" in source)).to_json()

        return grade

    def test_it_is_told_once_and_loses_nothing(self, store, tried, starved):
        tasks = keyed(*(task(f"RIGHT {word}") for word in ("SLOW", "RAISE", *map(str, range(6)))))
        told = []
        grade_tasks(tasks, store, threads(), grade=starved, done=lambda *one: told.append(one))
        assert sorted(key for key, _ in told) == sorted(tasks)
        assert not [result for _, result in told if result.failed or result.waited]
        assert all(store.get(key) == result for key, result in told)
        assert len(tried) == 10 and tried[8:] == [(word, 1) for word, _ in tried[8:]]
        assert {word for word, _ in tried[8:]} == {"RIGHT SLOW", "RIGHT RAISE"}

    def test_what_always_waits_is_tried_twice_and_kept(self, store, tried, starved):
        one = task("WRONG SLOW ALWAYS")
        assert graded(keyed(one), store, grade=starved)[one.key].waited
        assert len(tried) == 2 and store.get(one.key).waited


@pytest.mark.slow
def test_a_worker_that_dies_takes_no_other_submission_with_it(store):
    bad = task("DIE")
    tasks = keyed(bad, *(task(f"RIGHT {i}") for i in range(3)))
    done = graded(tasks, store, this_machine(1))
    assert "died, twice" in done[bad.key].failed
    assert [done[key].failed for key in tasks if key != bad.key] == [""] * 3


def test_a_worker_elsewhere_that_isolates_less_does_not_grade(monkeypatch):
    monkeypatch.setattr(grade_many, "own_isolation", lambda: PARTIAL)
    result = Result.from_json(grade_many.grade_task(task().to_json()))
    assert "'partial'" in result.failed


def test_without_space_for_results_it_stops_and_says_how_to_continue(store, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("course_utils.files.os.replace", full)
    with pytest.raises(GradingError, match="No space left") as caught:
        graded(keyed(task()), store)
    assert "continues where it stopped" in str(caught.value)


@pytest.mark.slow
def test_ctrl_c_keeps_what_runs_and_starts_nothing_new(store):
    tasks = keyed(*(task(f"SLEEP {i}") for i in range(12)))
    told = []

    def interrupt(key, result):
        if len(told) == 0:
            told.append("first")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        grade_tasks(tasks, store, threads(), grade=by_words, done=interrupt, stopping=told.append)
    kept = [key for key in tasks if store.get(key)]
    assert 1 <= len(kept) <= 4
    assert len(graded({key: one for key, one in tasks.items() if key not in kept}, store)) == 12 - len(kept)


SCRIPT = """
import sys
from pathlib import Path
sys.path[:0] = [{tests!r}, {tests!r} + "/support"]
from grading_workers import by_words
from test_grading_many import keyed, task
from course_utils.grading.grade_many import grade_tasks, this_machine
from course_utils.grading.result_store import Store

if __name__ == "__main__":
    tasks = keyed(*(task(f"SLEEP {{i}}") for i in range(100)))
    print("started", flush=True)
    grade_tasks(tasks, Store(Path({store!r})), this_machine(1), grade=by_words,
              done=lambda key, result: print("done", flush=True))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_run_that_is_killed_leaves_whole_results_and_no_process(number, tmp_path):
    script = tmp_path / "run.py"
    script.write_text(
        textwrap.dedent(SCRIPT).format(tests=str(Path(__file__).parent), store=str(tmp_path / "results"))
    )
    run = subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert run.stdout.readline() == "started\n"
    assert run.stdout.readline() == "done\n"
    children = list(supervisor.descendants(run.pid))
    run.send_signal(number)
    run.wait(30)
    run.stdout.close()
    end = time.monotonic() + 20
    while alive := [pid for pid in children if Path(f"/proc/{pid}/exe").exists() and _runs(pid)]:
        assert time.monotonic() < end, f"still there: {alive}"
        time.sleep(0.1)
    kept = list((tmp_path / "results").glob("*.json"))
    assert 1 <= len(kept) < 20
    assert all(Result.from_json(path.read_text()).marks for path in kept)


def _runs(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@pytest.mark.slow
def test_a_dask_cluster_of_two_workers_grades_the_same(store, tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed")
    support = str(Path(__file__).with_name("support"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([support, os.environ.get("PYTHONPATH", "")]))
    tasks = keyed(*(task(f"RIGHT {i}") for i in range(8)), task("RAISE"))
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
        ) as local,
        cluster(local.scheduler_address) as workers,
    ):
        assert workers.size == 2
        over_there = graded(tasks, store, workers)
    here = graded(tasks, Store(tmp_path / "here"), threads(FULL))
    assert over_there == here


@pytest.mark.slow
def test_a_scheduler_that_does_not_answer_is_one_clear_error():
    pytest.importorskip("distributed")
    with pytest.raises(GradingError, match="does not answer"), cluster("tcp://127.0.0.1:9", seconds=0.5):
        pass
