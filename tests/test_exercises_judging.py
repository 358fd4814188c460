"""How an answer is judged: what runs, what is compared, and what is said."""

import dataclasses
import random
import signal
import threading
import time

import numpy as np
import pytest
import torch
from torch import nn

from course_utils import exercises
from course_utils.errors import ExerciseError
from course_utils.exercises import Exercise, Misconception, Observation, Probe, judge, judging, observe
from course_utils.exercises.compare import difference
from course_utils.exercises.guard import RunawayError, deadline, guarded
from course_utils.exercises.values import Unreadable, plain
from course_utils.figures.card import verdict_card

conv2d = exercises.get("conv2d").reference
IMAGE = torch.tensor([[1.0, 2.0], [3.0, 4.0]])


def doubled(image, times=1):
    return image * 2**times


DOUBLED = Exercise(
    number="9.9",
    points=3,
    reference=doubled,
    probes=lambda seed: (
        Probe((IMAGE,), note="a 2×2 image"),
        Probe((IMAGE - 5, 2), note="all pixels negative"),
        Probe((torch.arange(6.0).reshape(2, 3) + seed,), {"times": 2}, "wider than tall"),
        Probe((torch.tensor([[1.0, -2.0], [-0.5, 3.0]]),), note="both signs"),
    ),
    misconceptions=(
        Misconception("once", lambda image, times=1: image * 2, "Only once.", "Lab 01, Padding"),
        Misconception("squared", lambda image, times=1: image**2, "This squares.", "Lab 01, Stride"),
    ),
    hints=("One hint.",),
)


def verdict_of(candidate, **options):
    return judging.evaluate(DOUBLED, candidate, **options)


# Four outcomes


def test_a_right_answer_is_correct_and_earns_its_points():
    verdict = verdict_of(lambda image, times=1: image * 2**times)
    assert (verdict.status, verdict.points, verdict.earned) == ("correct", 3, 3)
    assert verdict.counterexample is None and "correct" in verdict.message


def test_a_stub_is_not_started():
    def stub(image, times=1):
        raise NotImplementedError()

    verdict = verdict_of(stub)
    assert (verdict.status, verdict.earned) == ("not started", 0)
    assert verdict.message == "○ Exercise 9.9 (doubled) is not started."


def test_an_answer_that_calls_an_unfinished_exercise_says_which():
    def zero_pad(image, padding):
        raise NotImplementedError

    def answer(image, times=1):
        return zero_pad(image, 1)

    verdict = verdict_of(answer)
    assert verdict.status == "not started"
    assert "waits for zero_pad" in verdict.message


def test_an_unfinished_class_waits_for_nothing_else():
    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            raise NotImplementedError

    def uses_it(image, times=1):
        return Network()(image)

    lenet5 = exercises.evaluate("lenet5", Network)
    assert lenet5.status == "not started" and "waits" not in lenet5.message
    assert "waits for Network" in verdict_of(uses_it).message


def test_a_network_without_forward_is_an_error_not_a_stub():
    class Network(nn.Module):
        pass

    assert exercises.evaluate("lenet5", Network).status in ("error", "wrong")


def test_an_unfinished_branch_is_an_error_not_a_stub():
    def partly(image, times=1):
        if times > 1:
            raise NotImplementedError
        return image * 2

    verdict = verdict_of(partly)
    assert verdict.status == "error"
    assert "after 1 right answer." in verdict.reason


def test_an_error_shows_the_authors_lines_and_the_call():
    def helper(image):
        return image.reshape(7, 7)

    def answer(image, times=1):
        return helper(image)

    verdict = verdict_of(answer)
    assert verdict.status == "error"
    assert "doubled(image) raises RuntimeError" in verdict.message
    assert "in helper" in verdict.traceback and "in answer" in verdict.traceback
    assert "return image.reshape(7, 7)" in verdict.traceback
    assert [line.split(", in ")[1] for line in verdict.traceback.splitlines() if ", in " in line] == [
        "answer",
        "helper",
    ]
    assert "yours" not in verdict.message


def test_deep_recursion_is_told_briefly():
    def endless(image, times=1):
        return endless(image, times)

    verdict = verdict_of(endless)
    assert verdict.status == "error" and "RecursionError" in verdict.traceback
    assert len(verdict.traceback.splitlines()) < 20


def test_a_wrong_answer_names_its_misconception_and_shows_the_first_case():
    verdict = verdict_of(lambda image, times=1: image * 2)
    assert (verdict.status, verdict.misconception, verdict.section) == ("wrong", "once", "Lab 01, Padding")
    shown = verdict.counterexample
    assert shown.call == "doubled(image, 2)" and shown.note == "all pixels negative"
    assert np.array_equal(shown.inputs["image"], (IMAGE - 5).numpy()) and shown.inputs["times"] == 2
    assert np.array_equal(shown.expected, (IMAGE - 5).numpy() * 4)
    assert np.array_equal(shown.actual, (IMAGE - 5).numpy() * 2)
    assert shown.differing.all()
    assert "Only once." in verdict.message and "Read: Lab 01, Padding." in verdict.message


def test_agreement_on_all_but_one_case_is_no_misconception():
    def nearly(image, times=1):
        return image * 2 if times == 2 and image.shape == (2, 2) else image * 2**times

    verdict = verdict_of(nearly)
    assert verdict.status == "wrong" and verdict.misconception is None


# The judge


def test_judge_never_runs_the_answer(monkeypatch):
    probes = DOUBLED.probes(0)
    seen = [observe(DOUBLED, lambda image, times=1: image * 2, probe) for probe in probes]
    monkeypatch.setattr("course_utils.exercises.observing._run", _only_trusted())
    assert judge(DOUBLED, probes, seen).misconception == "once"


def _only_trusted():
    from course_utils.exercises import observing

    real = observing._run

    def run(exercise, candidate, probe, text, seconds):
        assert candidate is exercise.reference or candidate in [m.wrong for m in exercise.misconceptions]
        return real(exercise, candidate, probe, text, seconds)

    return run


def test_missing_observations_are_never_correct():
    probes = DOUBLED.probes(0)
    right = [observe(DOUBLED, doubled, probe) for probe in probes]
    assert judge(DOUBLED, probes, right).status == "correct"
    assert judge(DOUBLED, probes, right[:2]).status == "error"
    assert judge(DOUBLED, probes, []).status == "error"
    with pytest.raises(ExerciseError):
        judge(DOUBLED, probes[:1], right)
    with pytest.raises(ExerciseError):
        judge(DOUBLED, (), [])


def test_observations_of_odd_content_are_judged_wrong():
    probes = DOUBLED.probes(0)
    for value in (
        None,
        "text",
        {},
        [],
        (),
        True,
        [[1], [1, 2]],
        {"a": [None]},
        2**250,
        Unreadable("x"),
        -0.0,
    ):
        verdict = judge(DOUBLED, probes, [Observation("returned", value=value)] * len(probes))
        assert verdict.status == "wrong" and verdict.message


def test_another_convention_is_accepted_only_as_a_whole():
    exercise = dataclasses.replace(DOUBLED, also_right=(lambda image, times=1: image * 3**times,))
    assert judging.evaluate(exercise, lambda image, times=1: image * 3**times).status == "correct"
    mixed = judging.evaluate(exercise, lambda image, times=1: image * (3 if times == 1 else 4))
    assert mixed.status == "wrong"


def test_an_unknown_exercise_lists_the_known():
    with pytest.raises(ExerciseError, match="cross_correlate"):
        exercises.get("convolve")


# Forms that are accepted


@pytest.mark.parametrize(
    "form",
    [
        lambda x: x.double(),
        lambda x: x.numpy(),
        lambda x: x.tolist(),
        lambda x: x.int(),
        lambda x: x.clone().requires_grad_(),
        lambda x: nn.Parameter(x),
        lambda x: x.T.contiguous().T,
        lambda x: np.asfortranarray(x.numpy()),
        lambda x: [[np.float64(v) for v in row] for row in x.tolist()],
        lambda x: x.to(torch.bfloat16),
        lambda x: x.to_sparse(),
        lambda x: torch.resolve_neg(torch.complex(x, -x).conj().imag),
        lambda x: x.numpy().view(np.matrix),
    ],
)
def test_the_form_of_an_array_does_not_matter(form):
    verdict = verdict_of(lambda image, times=1: form(image * 2**times))
    assert verdict.status == "correct", verdict.message


@pytest.mark.parametrize(
    "form",
    [float, np.int64, torch.tensor, np.float32, lambda n: torch.tensor([n]), lambda n: np.array(n), np.uint8],
)
def test_the_form_of_a_number_does_not_matter(form):
    verdict = exercises.evaluate("same_padding", lambda f: form((f - 1) // 2))
    assert verdict.status == "correct", verdict.message


@pytest.mark.parametrize("form", [list, torch.Size, torch.tensor, np.array, lambda t: tuple(map(float, t))])
def test_the_form_of_a_shape_does_not_matter(form):
    def answer(shape, size=2, stride=None):
        stride = stride or size
        return form((shape[0], (shape[1] - size) // stride + 1, (shape[2] - size) // stride + 1))

    assert exercises.evaluate("pooled_shape", answer).status == "correct"


def test_parameters_may_have_other_names():
    assert verdict_of(lambda picture, n=1: picture * 2**n).status == "correct"
    assert (
        exercises.evaluate("output_size", lambda a, b, c=0, d=1: (a + 2 * c - b) // d + 1).status == "correct"
    )


def test_keywords_meet_parameters_in_another_order():
    def answer(n, f, s=1, p=0):
        return (n + 2 * p - f) // s + 1

    seen = observe(exercises.get("output_size"), answer, Probe((6, 3), {"s": 2, "p": 1}))
    assert seen.value == 3


# Forms that are refused, each in its own words


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda image, times=1: None, "returns nothing (None)"),
        (lambda image, times=1: "text", "the text 'text'"),
        (lambda image, times=1: [[1.0], [1.0, 2.0]], "a list of 2 whose parts have different lengths"),
        (lambda image, times=1: {"a": 1}, "a dict of 1"),
        (lambda image, times=1: (image, "text"), "a tuple of 2"),
        (lambda image, times=1: (image, image), "a tuple of 2"),
        (lambda image, times=1: object(), "an object of type object"),
        (lambda image, times=1: nn.Linear(1, 1), "a module (Linear)"),
        (lambda image, times=1: lambda: 0, "a function"),
        (lambda image, times=1: image[0], "shape is (2,); expected 2×2"),
        (lambda image, times=1: torch.zeros(3, 3), "shape is 3×3; expected 2×2"),
        (lambda image, times=1: image > 2, "True and False"),
        (lambda image, times=1: image * 2j, "complex numbers"),
        (lambda image, times=1: image * float("nan"), "4 of 4 cells hold NaN, first at row 0, column 0"),
        (lambda image, times=1: image / 0, "4 of 4 cells hold infinity"),
        (lambda image, times=1: (image * 2**times + 0.5).int(), "is 2"),
        (lambda image, times=1: torch.zeros(3000, 3000), "gigantic"),
        (lambda image, times=1: torch.empty(2, 2, device="meta"), "without plain values"),
        (lambda image, times=1: np.array([[None]]), "holds no numbers"),
    ],
)
def test_what_is_wrong_about_a_result_is_said_in_words(answer, told):
    if told == "is 2":
        answer, told = (lambda image, times=1: image * 2), "expected -16"
    verdict = verdict_of(answer)
    assert verdict.status == "wrong"
    assert told in verdict.message, verdict.message
    assert "mismatch" not in verdict.message.lower()


def test_lost_fractions_are_told():
    halved = dataclasses.replace(DOUBLED, reference=lambda image, times=1: image / 2, misconceptions=())
    verdict = judging.evaluate(halved, lambda image, times=1: (image / 2).int())
    assert "whole numbers (int32), so the fractions are lost" in verdict.message


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda f: True, "True, where a number"),
        (lambda f: None, "None"),
        (lambda f: "1", "'1'"),
        (lambda f: [1], "a list of 1"),
        (lambda f: float("nan"), "NaN"),
        (lambda f: 10**100, "gigantic integer"),
        (lambda f: torch.ones(2), "a tensor of shape (2,)"),
        (lambda f: 1j, "complex"),
    ],
)
def test_what_is_wrong_about_a_number_is_said_in_words(answer, told):
    verdict = exercises.evaluate("same_padding", answer)
    assert verdict.status == "wrong" and told in verdict.message, verdict.message


def test_a_shape_of_another_length_is_refused():
    verdict = exercises.evaluate("pooled_shape", lambda shape, size=2, stride=None: (*shape, 1))
    assert "4 values; expected 3" in verdict.message


def test_a_result_instead_of_the_function_is_told():
    verdict = exercises.evaluate("output_size", 4)
    assert verdict.status == "error"
    assert "check.output_size(output_size)" in verdict.message and "the number 4" in verdict.message


def test_a_missing_parameter_is_told():
    verdict = exercises.evaluate("output_size", lambda n, f: n - f + 1)
    assert verdict.status == "error"
    assert "too many positional arguments" in verdict.message
    assert "output_size(n, f, p=0, s=1)" in verdict.message


def test_a_missing_default_is_told():
    verdict = exercises.evaluate("output_size", lambda n, f, p, s: (n + 2 * p - f) // s + 1)
    assert verdict.status == "error" and "missing a required argument: 'p'" in verdict.message


# Hostile answers


class AlwaysEqual(torch.Tensor):
    def __eq__(self, other):
        return True

    __hash__ = torch.Tensor.__hash__

    @classmethod
    def __torch_function__(cls, func, types, args=(), kwargs=None):
        return True


class Sly(torch.Tensor):
    """Holds zeros and shows something else to whoever calls its methods."""

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


def test_a_runaway_is_stopped_and_says_so():
    def endless(image, times=1):
        while True:
            pass

    started = time.monotonic()
    verdict = verdict_of(endless, seconds=0.2)
    assert time.monotonic() - started < 30
    assert verdict.status == "error" and "took too long and was stopped" in verdict.message


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


def test_a_runaway_in_another_thread_is_stopped():
    found = []

    def endless(image, times=1):
        while True:
            time.sleep(0.001)

    thread = threading.Thread(target=lambda: found.append(verdict_of(endless, seconds=0.2)))
    thread.start()
    thread.join(10)
    assert found and "was stopped" in found[0].message


def test_the_time_limit_holds_for_all_cases_together():
    started = time.monotonic()
    verdict = verdict_of(lambda image, times=1: (time.sleep(0.15), image * 2**times)[1], seconds=0.2)
    assert time.monotonic() - started < 30
    assert verdict.status == "error" and "was stopped" in verdict.message


def test_an_alarm_of_somebody_else_survives():
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


# Reasons without a misconception


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (lambda image, times=1: -image * 2**times, "right up to its sign"),
        (lambda image, times=1: image * 2**times + 3, "too large by 3 everywhere"),
        (lambda image, times=1: image * 2**times * 0.5, "0.5 times what it should be everywhere"),
        (lambda image, times=1: (image * 2**times).flip(0), "upside down"),
        (lambda image, times=1: (image * 2**times).flip(1), "mirrored left to right"),
        (lambda image, times=1: (image * 2**times).flip(0, 1), "turned by 180 degrees"),
        (lambda image, times=1: (image * 2**times).T, "exchanged (transposed)"),
        (lambda image, times=1: (image * 2**times).roll(1, 1), "by one column"),
        (lambda image, times=1: (image * 2**times)[None], "array with 3 axes instead of 2"),
        (lambda image, times=1: (image * 2**times).abs(), "the sign is lost"),
        (lambda image, times=1: (image * 2**times).clamp(min=0), "what should be negative is 0"),
        (lambda image, times=1: nn.functional.pad(image * 2**times, (1, 1, 1, 1)), "from row 1, column 1 on"),
        (lambda image, times=1: (image * 2**times)[:-1], "rows or columns are missing"),
        (lambda image, times=1: image * 2 * times + (image.shape[0] != image.shape[1]), "wherever"),
    ],
)
def test_an_unknown_mistake_gets_a_reason(answer, told):
    if told == "wherever":
        answer = lambda image, times=1: image * 2**times + (image.shape[0] != image.shape[1])  # noqa: E731
        told = "right for a square image, and wrong in every case where image is not square"
    verdict = verdict_of(answer)
    assert verdict.status == "wrong" and verdict.misconception is None
    assert told in verdict.reason, verdict.reason


@pytest.mark.parametrize(
    ("exercise_id", "answer", "told"),
    [
        (
            "conv2d_single",
            lambda image, kernel, padding=0, stride=1: exercises.get("conv2d_single").reference(
                image, kernel, padding, min(stride, 2)
            ),
            "right for stride up to 2, and wrong in every case with stride above 2",
        ),
        (
            "output_size",
            lambda n, f, p=0, s=1: 0 if (n + 2 * p - f) % s else (n + 2 * p - f) // s + 1,
            "right wherever the stride divides",
        ),
        (
            "conv2d",
            lambda x, weight, bias=None, padding=0, stride=1: exercises.get("conv2d").reference(
                x, weight, None if bias is None else bias - 7, padding, stride
            ),
            "right without bias, and wrong in every case with bias",
        ),
    ],
)
def test_the_kind_of_case_that_goes_wrong_is_named(exercise_id, answer, told):
    assert told in exercises.evaluate(exercise_id, answer).reason


# Plain values and their comparison


def test_plain_keeps_numbers_arrays_and_containers():
    value = plain({"a": [1, 2.5, None, True], "b": (torch.ones(2), np.float32(3)), 3: "x"})
    assert value["a"] == [1, 2.5, None, True] and value[3] == "x"
    assert value["b"][0].tolist() == [1, 1] and value["b"][1] == 3.0


def test_plain_copies():
    tensor = torch.zeros(2)
    kept = plain(tensor)
    tensor += 1
    assert kept.tolist() == [0, 0]


def test_plain_ends_on_a_list_that_holds_itself():
    loop = []
    loop.append(loop)
    plain(loop)


@pytest.mark.parametrize("value", [27540555, 27540554.5, 27540553])
def test_counts_are_exact(value):
    assert difference(27540554, value) is not None
    assert difference(27540554, 27540554.0) is None


def test_a_share_is_compared_with_little_tolerance():
    assert difference(0.25, 0.25000001) is None
    found = difference(0.032921, 0.032929)
    assert found is not None
    # As many digits as it takes to see the difference.
    assert "0.033005; expected 0.033" in difference(0.033, 0.033005).sentence


def test_a_dict_is_told_by_its_first_differing_entry():
    found = difference({"a": np.ones(2), "b": np.ones(2)}, {"a": np.ones(2), "b": np.zeros(2)})
    assert found.sentence.startswith("B: ") and np.array_equal(found.actual, np.zeros(2))
    assert difference({"a": 1}, {"a": 1, "c": 2}).sentence == "There is more than expected: c."


@pytest.mark.parametrize("shape", [(0,), (2, 0), (1, 0, 0), (0, 3, 3), (2, 2, 2, 0)], ids=str)
def test_an_answer_without_numbers_is_told_like_any_other(shape: tuple[int, ...]) -> None:
    for exercise_id in exercises.names():
        verdict = exercises.evaluate(exercise_id, lambda *args, **keywords: torch.zeros(shape))
        assert verdict.status in ("wrong", "error")
        assert verdict_card(verdict)._repr_mimebundle_()["text/plain"]
    assert "empty" in exercises.evaluate("zero_pad", lambda image, padding: torch.zeros(shape)).message
