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
        assert "a variable of the notebook" in exercises.evaluate(exercise_id, answer).reason


def test_a_few_numbers_that_are_related_by_chance_are_no_reason():
    assert common_relation([(0, 1), (1, 0)]) is None
    assert common_relation([(0.4, 0)]) is None
    assert common_relation([(2, 3), (4, 5), (6, 7)]) == "It is too large by 1."


@pytest.mark.parametrize("shape", [(0,), (2, 0), (1, 0, 0), (0, 3, 3), (2, 2, 2, 0)], ids=str)
def test_an_answer_without_numbers_is_told_like_any_other(shape: tuple[int, ...]) -> None:
    for exercise_id in exercises.names():
        verdict = exercises.evaluate(exercise_id, lambda *args, **keywords: torch.zeros(shape))
        assert verdict.status in ("wrong", "error")
        assert verdict_card(verdict)._repr_mimebundle_()["text/plain"]
    assert "empty" in exercises.evaluate("zero_pad", lambda image, padding: torch.zeros(shape)).message


# Errors of PyTorch


def test_pixels_without_a_mean_are_an_error_not_a_stub():
    verdict = exercises.evaluate("pixel_statistics", lambda images: (images.mean() / 255, images.std() / 255))
    assert verdict.status == "error"
    assert "uint8 pixels have no mean: convert with .float() first." in verdict.reason
    assert "could not infer output dtype" in verdict.message


def test_only_a_bare_raise_of_the_authors_own_is_a_stub():
    def of_torch(image, times=1):
        return image.long().softmax(1)  # a NotImplementedError of C++, which has no frame

    def with_a_message(image, times=1):
        raise NotImplementedError("later")

    def of_a_library(image, times=1):
        return FakeLibrary.mean(image)

    for answer in (of_torch, with_a_message, of_a_library):
        verdict = verdict_of(answer)
        assert verdict.status == "error" and "NotImplementedError" in verdict.message


class FakeLibrary:
    exec(compile("def mean(x): raise NotImplementedError", torch.__file__, "exec"))


LEAF = torch.zeros(2, requires_grad=True)


@pytest.mark.parametrize(
    ("fails", "told"),
    [
        (lambda: torch.tensor([1, 2]).mean(), "int64 numbers has no mean: convert with .float()"),
        (lambda: torch.tensor([1, 2]).std(), "no standard deviation"),
        (lambda: torch.tensor([[1, 2]]).log_softmax(1), "The scores are int64"),
        (
            lambda: nn.functional.cross_entropy(torch.tensor([[1, 2]]), torch.tensor([1])),
            "The scores are int64",
        ),
        (
            lambda: nn.functional.conv2d(torch.zeros(1, 1, 3, 3).byte(), torch.zeros(1, 1, 2, 2)),
            "different types meet here, uint8 and float32",
        ),
        (
            lambda: nn.Linear(3, 2)(torch.zeros(1, 3).double()),
            "different types meet here, float64 and float32",
        ),
        (
            lambda: torch.zeros(2, 3) @ torch.zeros(3, 2).long(),
            "different types meet here, float32 and int64",
        ),
        (
            lambda: torch.tensor([1]).div_(2),
            "A tensor of int64 numbers cannot hold the result, which is float32",
        ),
        (lambda: nn.functional.nll_loss(torch.zeros(2, 3), torch.zeros(2)), "labels must be whole numbers"),
        (
            lambda: torch.zeros(2, 3) @ torch.zeros(2, 2),
            "A 2×3 matrix cannot be multiplied by a 2×2 matrix: the first has 3 columns, the second 2 rows",
        ),
        (lambda: torch.zeros(3) + torch.zeros(2), "along axis 0, one has size 3 and the other 2"),
        (lambda: torch.zeros(3, 3).reshape(2, 2), "holds 9 numbers, which do not fill the shape (2, 2)"),
        (
            lambda: nn.functional.conv2d(torch.zeros(1, 3, 4, 4), torch.zeros(2, 1, 3, 3)),
            "made for 1 channels, but the input has 3",
        ),
        (
            lambda: nn.functional.conv2d(torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 3, 3)),
            "larger than its input",
        ),
        (lambda: torch.zeros(1).backward(), "not connected to any parameter"),
        (lambda: (2 * LEAF).backward(), "starts from a single number"),
        (lambda: [loss.backward() for loss in [(LEAF**2).sum()] * 2], "backward() runs twice"),
        (lambda: LEAF.add_(1), "changed in place while PyTorch records"),
        (lambda: LEAF[0].fill_(1), "changed in place while PyTorch records"),
        (lambda: (LEAF.exp().mul(e := LEAF.exp()).add(e.add_(1))).sum().backward(), "gradient still needs"),
        (lambda: torch.tensor([1]).requires_grad_(), "Only tensors of fractions"),
        (lambda: bool(torch.zeros(2)), "a single yes or no"),
        (lambda: max(torch.zeros(2, 2)), "Python's own max and min"),
        (lambda: float(torch.zeros(2)), "tensors with a single number"),
        (lambda: torch.zeros(2).item(), "tensors with a single number"),
        (lambda: torch.tensor([torch.zeros(2)]), "torch.stack"),
        (lambda: range(torch.tensor(1.0)), "use // or int()"),
        (lambda: range(1.0), "use // instead of /"),
        (lambda: torch.zeros(4)[1.0:2], "use // instead of /"),
        (lambda: nn.functional.pad(torch.zeros(2, 2), (1.0, 1.0)), "use // instead of /"),
        (lambda: torch.zeros(3, 4)[1, 5], "Axis 1 has size 4, and index 5 is outside it"),
        (lambda: nn.functional.nll_loss(torch.zeros(1, 3), torch.tensor([5])), "A label is 5"),
        (lambda: torch.zeros(3)[1, 2], "more indices than the tensor has axes, which is 1"),
        (lambda: torch.zeros(3).sum(dim=2), "no axis 2: its axes go from -1 to 0"),
    ],
)
def test_an_error_of_pytorch_is_told_in_plain_words_beside_the_original(fails, told):
    with pytest.raises(Exception) as error:
        fails()
    verdict = verdict_of(lambda image, times=1: fails())
    assert verdict.status == "error"
    assert told in verdict.reason, (verdict.reason, str(error.value))
    assert str(error.value) in " ".join(verdict.message.split()) or str(error.value)[:60] in verdict.message
