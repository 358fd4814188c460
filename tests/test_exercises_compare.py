"""What counts as the same result: forms that are accepted, and differences in words."""

import dataclasses

import numpy as np
import pytest
import torch
from doubled import DOUBLED, verdict_of
from torch import nn

from course_utils import exercises
from course_utils.exercises import Probe, judging, observe
from course_utils.exercises.compare import difference
from course_utils.exercises.values import plain

# Forms that are accepted


@pytest.mark.parametrize(
    "form",
    [
        lambda x: x.double(),
        lambda x: x.int(),
        lambda x: x.clone().requires_grad_(),
        lambda x: nn.Parameter(x),
        lambda x: x.T.contiguous().T,
        lambda x: x.to(torch.bfloat16),
        lambda x: x.to_sparse(),
        lambda x: torch.resolve_neg(torch.complex(x, -x).conj().imag),
    ],
)
def test_every_kind_of_tensor_is_accepted(form):
    verdict = verdict_of(lambda image, times=1: form(image * 2**times))
    assert verdict.status == "correct", verdict.message


def padding_as(form):
    return "same_padding", lambda f: form((f - 1) // 2)


def shape_as(form):
    def answer(shape, size=2, stride=None):
        stride = stride or size
        return form((shape[0], (shape[1] - size) // stride + 1, (shape[2] - size) // stride + 1))

    return "pooled_shape", answer


def error_as(form):
    return "error_rate", lambda scores, labels: form((scores.argmax(1) != labels).double().mean())


def correlation_as(form):
    reference = exercises.get("cross_correlate").reference
    return "cross_correlate", lambda image, kernel: form(reference(image, kernel))


def counts_as(form):
    return "lenet5_parameters", lambda: form(exercises.get("lenet5_parameters").reference())


@pytest.mark.parametrize(
    "answer",
    [
        *map(padding_as, [np.int64, torch.tensor, np.array, np.uint8]),
        *map(shape_as, [list, torch.Size, torch.tensor, np.array]),
        *map(error_as, [float, torch.Tensor.numpy, lambda share: share, lambda share: share.item()]),
        *map(counts_as, [tuple, torch.tensor, np.array]),
    ],
)
def test_a_form_that_the_next_cells_can_use_is_accepted(answer):
    verdict = exercises.evaluate(*answer)
    assert verdict.status == "correct", verdict.message


NEXT = ": the next cells use it."


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (padding_as(float), "The value is right, but it is a float. Return an int (`//`)" + NEXT),
        (padding_as(np.float32), "it is a float. Return an int (`//`)" + NEXT),
        (padding_as(lambda n: torch.tensor(float(n))), "it is a float. Return an int (`//`)" + NEXT),
        (padding_as(lambda n: torch.tensor([n])), "a tensor of shape (1,). Return an int (`.item()`)" + NEXT),
        (error_as(lambda share: share[None]), "a tensor of shape (1,). Return a float (`.item()`)" + NEXT),
        (
            shape_as(lambda shape: tuple(map(float, shape))),
            "in entry 0 it is a float. Return an int (`//`) there" + NEXT,
        ),
        (correlation_as(torch.Tensor.tolist), "it is a list. Return a tensor (`torch.tensor`)" + NEXT),
        (correlation_as(list), "it is a list. Return a tensor (`torch.stack`)" + NEXT),
        (correlation_as(torch.Tensor.numpy), "a NumPy array. Return a tensor (`torch.from_numpy`)" + NEXT),
        (correlation_as(lambda x: x.numpy().view(np.matrix)), "it is a NumPy array. Return a tensor"),
        (
            counts_as(lambda counts: dict(zip("abcd", counts, strict=True))),
            "it is a dict. Return a list of 4",
        ),
        (
            counts_as(lambda counts: [*counts, sum(counts)]),
            "it has 5 entries. Return a list of 4 values" + NEXT,
        ),
        (
            counts_as(lambda counts: list(zip("abcd", counts, strict=True))),
            "entry 0 it is a tuple. Return an int",
        ),
        (counts_as(sum), "The total is right. Return the counts of conv1, conv2, linear1, linear2"),
    ],
)
def test_a_right_value_in_a_form_that_breaks_the_next_cells_is_not_accepted(answer, told):
    verdict = exercises.evaluate(*answer)
    assert (verdict.status, verdict.earned, verdict.misconception) == ("wrong", 0, None)
    assert told in verdict.message, verdict.message


def test_a_wrong_value_in_another_form_gets_its_misconception():
    flipped = exercises.get("cross_correlate").misconceptions[0]
    verdict = exercises.evaluate("cross_correlate", lambda *given: flipped.wrong(*given).tolist())
    assert verdict.misconception == flipped.id


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
        (lambda image, times=1: image * 2, "expected -16"),
        (lambda image, times=1: torch.zeros(3000, 3000), "gigantic"),
        (lambda image, times=1: torch.empty(2, 2, device="meta"), "without plain values"),
        (lambda image, times=1: np.array([[None]]), "holds no numbers"),
    ],
)
def test_what_is_wrong_about_a_result_is_said_in_words(answer, told):
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
