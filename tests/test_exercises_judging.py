"""How an answer is judged: the four outcomes, and the reason that a verdict gives."""

import dataclasses

import numpy as np
import pytest
import torch
from doubled import DOUBLED, IMAGE, doubled, verdict_of
from torch import nn

from course_utils import exercises
from course_utils.errors import ExerciseError
from course_utils.exercises import Observation, judge, judging, observe
from course_utils.exercises.explain import common_relation
from course_utils.exercises.values import Unreadable
from course_utils.figures.card import verdict_card

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


def test_agreement_on_all_but_one_case_is_not_a_misconception():
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
        (
            lambda image, times=1: image * 2**times + (image.shape[0] != image.shape[1]),
            "right for a square image, and wrong in every case where image is not square",
        ),
    ],
)
def test_an_unknown_mistake_gets_a_reason(answer, told):
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


def test_an_answer_that_ignores_what_it_is_given_is_told_so():
    image = torch.arange(12.0).reshape(3, 4)
    for exercise_id, answer in (
        ("cross_correlate", lambda *_: image),
        ("output_size", lambda *_: 77),
    ):
        reason = exercises.evaluate(exercise_id, answer).reason
        assert "It is the same in all these cases." in reason
        assert "notebook" not in reason  # nothing says where the value is from


def test_an_error_of_another_type_is_no_misconception():
    wrong = {m.id: m.wrong for m in exercises.get("lenet5_learning_rate").misconceptions}
    divides = wrong["divided-by-multiples-of-0"]

    def looks_up(epoch):
        return {n: divides(n) for n in range(5, 60)}[epoch]

    assert exercises.evaluate("lenet5_learning_rate", divides).misconception == "divided-by-multiples-of-0"
    assert exercises.evaluate("lenet5_learning_rate", looks_up).misconception is None


def test_a_later_error_is_told_where_the_first_case_only_has_other_numbers():
    def answer(image, times=1):
        return image + (torch.zeros(2, 2) if image.shape == (2, 2) else torch.zeros(7))

    reason = verdict_of(answer).reason
    assert "In another case (" in reason and ") it raises RuntimeError." in reason
    assert "the shapes of two tensors do not fit" in reason


def test_a_few_numbers_that_are_related_by_chance_are_no_reason():
    assert common_relation([(0, 1), (1, 0)]) is None
    assert common_relation([(0.4, 0)]) is None
    assert common_relation([(2, 3), (4, 5), (6, 7)]) == "It is too large by 1."


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(0,), (2, 0), (1, 0, 0), (0, 3, 3), (2, 2, 2, 0)], ids=str)
def test_an_answer_without_numbers_is_told_like_any_other(shape: tuple[int, ...]) -> None:
    for exercise_id in exercises.names():
        verdict = exercises.evaluate(exercise_id, lambda *args, **keywords: torch.zeros(shape))
        assert verdict.status in ("wrong", "error")
        assert verdict_card(verdict)._repr_mimebundle_()["text/plain"]
    assert "empty" in exercises.evaluate("zero_pad", lambda image, padding: torch.zeros(shape)).message
