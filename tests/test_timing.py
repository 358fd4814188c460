"""Clocks: they wait for the accelerator, count only warm batches, and write times for people."""

from __future__ import annotations

import pytest

from course_utils import timing
from course_utils.text import duration_text
from course_utils.timing import Stopwatch, estimate_epoch


class Clock:
    """A clock that moves only when told."""

    def __init__(self) -> None:
        self.now = 100.0

    def perf_counter(self) -> float:
        return self.now

    def work(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    fake = Clock()
    monkeypatch.setattr(timing, "time", fake)
    return fake


def test_a_stopwatch_measures_a_block(clock: Clock) -> None:
    with Stopwatch() as watch:
        clock.work(2)
        assert watch.seconds == 2
        assert repr(watch) == "Stopwatch(running, 2.0 s so far)"
    clock.work(5)
    assert watch.seconds == 2
    assert repr(watch) == "Stopwatch(2.0 s)"


def test_a_stopwatch_waits_for_the_accelerator_at_both_ends(clock: Clock, monkeypatch) -> None:
    # Work queued before the block must not be counted, work queued inside it must.
    queued = [3.0]

    def finish(device: object) -> None:
        clock.work(sum(queued))
        queued.clear()

    monkeypatch.setattr(timing, "synchronize", finish)
    with Stopwatch() as watch:
        queued.append(7.0)
    assert watch.seconds == 7


def test_a_stopwatch_decorates_a_function_and_prints_its_label(clock: Clock, capsys) -> None:
    @Stopwatch("one epoch")
    def work(seconds: float) -> str:
        clock.work(seconds)
        return "done"

    assert work(1.5) == "done"
    assert work(40) == "done"
    assert capsys.readouterr().out == "one epoch: 1.5 s\none epoch: 40 s\n"


def test_a_stopwatch_without_a_label_prints_nothing(clock: Clock, capsys) -> None:
    with Stopwatch():
        pass
    assert capsys.readouterr().out == ""


def test_a_stopwatch_may_be_nested_in_itself(clock: Clock) -> None:
    watch = Stopwatch()
    with watch:
        clock.work(1)
        with watch:
            clock.work(2)
        assert watch.seconds == 3
    assert watch.seconds == 3


def test_a_failure_inside_stops_the_clock_and_is_not_hidden(clock: Clock, monkeypatch) -> None:
    watch = Stopwatch()
    with pytest.raises(ValueError, match="first"), watch:
        clock.work(1)
        monkeypatch.setattr(timing, "synchronize", lambda device: pytest.fail("the accelerator is dead"))
        raise ValueError("first")
    assert watch.seconds == 1


def test_a_stopwatch_that_never_ran_has_no_seconds() -> None:
    assert repr(Stopwatch()) == "Stopwatch(not started)"
    with pytest.raises(RuntimeError, match="never started"):
        _ = Stopwatch().seconds


def test_the_estimate_leaves_cold_batches_out(clock: Clock) -> None:
    costs = iter([50.0, 20.0] + [0.5] * 98)
    seconds = estimate_epoch(
        lambda batch: clock.work(next(costs)), [(0,)] * 100, 100, device="cpu", budget=1.0
    )
    assert seconds == pytest.approx(50)


def test_the_estimate_stops_when_its_time_is_spent(clock: Clock) -> None:
    done = []

    def step(batch: int) -> None:
        done.append(batch)
        clock.work(0.25)

    estimate_epoch(step, ((number,) for number in range(1000)), 1000, device="cpu", budget=1.0)
    assert len(done) == 2 + 5
    done.clear()
    estimate_epoch(step, ((number,) for number in range(1000)), 1000, device="cpu", budget=60, at_most=9)
    assert len(done) == 2 + 9


def test_the_estimate_makes_do_with_few_batches(clock: Clock) -> None:
    assert estimate_epoch(lambda batch: clock.work(2), [(0,)], 1, device="cpu") == 2
    assert estimate_epoch(lambda batch: clock.work(2), [], 0, device="cpu") == 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 µs"),
        (0.00045, "450 µs"),
        (0.0042, "4.2 ms"),
        (0.042, "42 ms"),
        (0.42, "0.42 s"),
        (0.999, "1.0 s"),
        (3.21, "3.2 s"),
        (9.97, "10 s"),
        (45.4, "45 s"),
        (59.9, "1 min"),
        (96, "1 min 36 s"),
        (150, "2 min 30 s"),
        (431, "7 min"),
        (3599, "1 h"),
        (4800, "1 h 20 min"),
        (86400, "1 d"),
        (90000, "1 d 1 h"),
    ],
)
def test_durations_are_written_for_people(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text
