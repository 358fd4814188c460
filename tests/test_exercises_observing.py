"""How an answer is run: what it cannot do, what is stopped, and what is restored."""

import random
import re
import signal
import threading
import time

import numpy as np
import pytest
import torch
from doubled import DOUBLED, IMAGE, verdict_of

from course_utils import exercises
from course_utils.exercises import Probe, observe
from course_utils.exercises.guard import PATIENCE, RunawayError, deadline, guarded
from course_utils.exercises.values import plain
from course_utils.figures import verdict_card

# Hostile answers


class AlwaysEqual(torch.Tensor):
    def __eq__(self, other):
        return True

    __hash__ = torch.Tensor.__hash__

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return True


class Sly(torch.Tensor):
    """Holds zeros and shows something else to its callers."""

    def detach(self):
        return torch.full((2, 2), 7.0)

    cpu = numpy = clone = tolist = detach


def test_only_the_data_of_a_subclass_counts():
    assert plain(torch.zeros(2, 2).as_subclass(Sly)).tolist() == [[0, 0], [0, 0]]
    assert plain(EqualList([0.0])) == [0.0]
    assert plain(np.zeros(2).view(EqualArray)).tolist() == [0, 0]


class EqualList(list):
    def __eq__(self, other):
        return True

    def __iter__(self):
        return iter([[2.0, 4.0], [6.0, 8.0]])

    __hash__ = None


class EqualFloat(float):
    def __eq__(self, other):
        return True

    def __sub__(self, other):
        return 0

    __hash__ = float.__hash__


class EqualArray(np.ndarray):
    def __array_ufunc__(self, *arguments, **keywords):
        return True

    def __array_function__(self, *arguments, **keywords):
        return True


@pytest.mark.parametrize(
    "result",
    [
        lambda: torch.zeros(2, 2).as_subclass(AlwaysEqual),
        lambda: EqualList([[0.0, 0.0], [0.0, 0.0]]),
        lambda: EqualFloat(3),
        lambda: np.zeros((2, 2)).view(EqualArray),
    ],
)
def test_objects_that_equal_everything_are_wrong(result):
    assert verdict_of(lambda image, times=1: result()).status == "wrong"
    assert exercises.evaluate("same_padding", lambda f: result()).status == "wrong"


def test_patched_comparisons_do_not_help(monkeypatch):
    def patching(image, times=1):
        monkeypatch.setattr(torch, "equal", lambda *a, **k: True)
        monkeypatch.setattr(torch, "allclose", lambda *a, **k: True)
        return image

    assert verdict_of(patching).status == "wrong"


def test_an_exit_is_an_error():
    def leaving(image, times=1):
        raise SystemExit(0)

    assert verdict_of(leaving).status == "error"


def test_an_error_whose_text_fails_is_still_told():
    class OddError(Exception):
        def __str__(self):
            raise ValueError("no text")

    def answer(image, times=1):
        raise OddError

    assert "OddError" in verdict_of(answer).message


def test_a_keyboard_interrupt_reaches_the_user():
    def interrupted(image, times=1):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        verdict_of(interrupted)


# Inputs are protected


def test_a_changed_input_is_told_although_the_result_is_right():
    def in_place(image, times=1):
        image *= 2**times
        return image

    verdict = verdict_of(in_place)
    assert verdict.status == "wrong" and verdict.earned == 0
    assert (
        "The result is right" in verdict.message and "changes its input `image` in place" in verdict.message
    )


def test_probes_keep_their_values_whatever_an_answer_does():
    probe = Probe((IMAGE.clone(),))
    observe(DOUBLED, lambda image, times=1: image.zero_(), probe)
    assert torch.equal(probe.arguments[0], IMAGE)


def test_a_changed_input_is_told_beside_a_wrong_result():
    verdict = verdict_of(lambda image, times=1: image.mul_(5))
    assert "expected" in verdict.reason and "in place" in verdict.reason


# Runaways, prints, and what is restored


def compute(seconds: float) -> None:
    """Use CPU time."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass


@pytest.mark.slow
def test_a_runaway_is_stopped_and_says_so():
    def endless(image, times=1):
        while True:
            pass

    started = time.monotonic()
    verdict = verdict_of(endless, seconds=0.5)
    assert time.monotonic() - started < 30
    assert verdict.status == "error"
    assert verdict.message.startswith("! Exercise 9.9 (doubled): your code was stopped after 0.50 s.")
    assert "doubled(image) did not end within 0.50 s." in verdict.message


@pytest.mark.slow
def test_the_line_at_which_a_runaway_was_is_shown():
    def waiting(image, times=1):
        while image.numel() > 0:
            time.sleep(0.01)

    verdict = verdict_of(waiting, seconds=0.2)
    assert re.fullmatch(r"  line \d+, in waiting\n    (while image.*|time.sleep.*)", verdict.traceback)
    assert verdict.traceback.split("\n")[-1] in verdict.message and "RunawayError" not in verdict.message


@pytest.mark.slow
def test_a_runaway_that_swallows_every_exception_is_stopped():
    def stubborn(image, times=1):
        for _ in range(3):
            try:
                while True:
                    pass
            except:  # noqa: E722
                continue
        return image

    verdict = verdict_of(stubborn, seconds=0.1)
    assert verdict.status in ("error", "wrong")


@pytest.mark.slow
def test_a_runaway_in_another_thread_is_stopped():
    found = []

    def endless(image, times=1):
        while True:
            time.sleep(0.001)

    thread = threading.Thread(target=lambda: found.append(verdict_of(endless, seconds=0.2)))
    thread.start()
    thread.join(10)
    assert found and "was stopped" in found[0].message and "in endless" in found[0].message


@pytest.mark.slow
def test_the_time_limit_holds_for_all_cases_together():
    verdict = verdict_of(lambda image, times=1: (compute(0.6), image * 2**times)[1], seconds=1)
    assert verdict.status == "error" and verdict.stopped_after == 1


@pytest.mark.slow
def test_time_in_which_other_programs_compute_is_not_counted():
    """For the answer, a busy machine is one on which it waits."""
    waiting = verdict_of(lambda image, times=1: (time.sleep(0.3), image * 2)[1], seconds=0.5)
    computing = verdict_of(lambda image, times=1: (compute(2), image * 2)[1], seconds=0.5)
    assert waiting.stopped_after is None and computing.stopped_after == 0.5


def test_what_waits_without_end_is_stopped_by_the_clock_which_the_card_says():
    verdict = verdict_of(lambda image, times=1: time.sleep(600), seconds=0.05)
    assert verdict.stopped_after == pytest.approx(0.05 * PATIENCE)
    assert "your code was stopped after 0.30 s." in verdict.message


@pytest.mark.slow
def test_several_threads_have_the_time_that_the_card_says():
    def in_parallel(image, times=1):
        threads = [threading.Thread(target=compute, args=(0.6,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return image * 2

    started = time.monotonic()
    verdict = verdict_of(in_parallel, seconds=0.4)
    assert verdict.stopped_after == 0.4 and time.monotonic() - started >= 0.4


@pytest.mark.slow
def test_slowness_is_told_with_what_was_right_before():
    verdict = verdict_of(lambda image, times=1: (compute(60 * (times - 1)), image * 2)[1], seconds=1)
    assert "doubled(image, 2) did not end within 1.0 s, after 1 right answer." in verdict.reason
    assert verdict.reason.endswith(
        "Look at the line shown: was it in a loop that never ends, or in work that a loop repeats needlessly?"
    )


def test_input_is_told_at_once_and_works_afterwards(monkeypatch):
    monkeypatch.setattr("builtins.input", lambda prompt="": "typed")

    def asking(image, times=1):
        return image * 2 ** int(input("times? "))

    verdict = verdict_of(asking)
    assert verdict.status == "error"
    assert "input() waits for the keyboard; use the function's arguments." in verdict.message
    assert input() == "typed"


def test_somebody_elses_alarm_survives():
    def handler(*_):
        pass

    before = signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 100)
    try:
        with deadline(1):
            pass
        left, _ = signal.getitimer(signal.ITIMER_REAL)
        assert 90 < left <= 100 and signal.getsignal(signal.SIGALRM) is handler
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@pytest.mark.slow
def test_no_alarm_rings_after_the_body():
    with deadline(0.05):
        pass
    time.sleep(0.1)
    with pytest.raises(RunawayError), deadline(0.05):
        time.sleep(1)


def test_prints_are_caught_and_shown_for_the_case_that_fails(capsys):
    def chatty(image, times=1):
        print("times is", times)
        return image * 2

    verdict = verdict_of(chatty)
    assert capsys.readouterr().out == ""
    assert verdict.printed == "times is 2\n" and "times is 2" in verdict.message


def test_a_right_answer_that_prints_is_told_once(capsys):
    def chatty(image, times=1):
        print("times is", times)
        return image * 2**times

    verdict = verdict_of(chatty)
    note = "✓ Exercise 9.9 (doubled): correct. Your code prints while it runs; remove the print."
    assert (verdict.status, verdict.earned, verdict.message) == ("correct", 3, note)
    assert note in verdict_card(verdict).html and "times is" not in verdict.message


def test_a_flood_of_prints_is_cut():
    def flooding(image, times=1):
        for _ in range(10_000):
            print("x" * 100)
        return image

    assert len(verdict_of(flooding).printed) <= 2_000


def test_nothing_global_is_left_changed():
    torch.manual_seed(5), np.random.seed(5), random.seed(5)
    expected = torch.rand(2), np.random.rand(), random.random()
    torch.manual_seed(5), np.random.seed(5), random.seed(5)

    def messy(image, times=1):
        torch.manual_seed(1), np.random.seed(1), random.seed(1), torch.rand(3)
        torch.set_grad_enabled(False)
        torch.set_default_dtype(torch.float64)
        return image

    verdict_of(messy)
    assert torch.is_grad_enabled() and torch.get_default_dtype() == torch.float32
    assert torch.equal(torch.rand(2), expected[0])
    assert (np.random.rand(), random.random()) == expected[1:]


def test_an_answer_meets_the_same_state_whatever_was_set_before():
    seen = []

    def answer(image, times=1):
        seen.append((torch.is_grad_enabled(), torch.get_default_dtype(), torch.rand(1).item()))
        return image * 2**times

    verdict_of(answer)
    with torch.no_grad():
        torch.set_default_dtype(torch.float64)
        try:
            verdict_of(answer)
        finally:
            torch.set_default_dtype(torch.float32)
    assert seen[:4] == seen[4:] and seen[0][:2] == (True, torch.float32)


def test_warnings_of_an_answer_are_silent(recwarn):
    import warnings

    verdict_of(lambda image, times=1: (warnings.warn("old", stacklevel=1), image)[1])
    assert not recwarn.list


def test_guarded_restores_after_an_error():
    with pytest.raises(ValueError), guarded(1):
        torch.set_grad_enabled(False)
        raise ValueError
    assert torch.is_grad_enabled()
