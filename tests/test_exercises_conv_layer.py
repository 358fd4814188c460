"""Lab 01's exercises: the lecture's numbers, the marked windows, and what typical answers are told."""

import numpy as np
import pytest
import torch
from window_property import check_window

from course_utils import exercises
from course_utils.exercises.conv_layer import EXERCISES


def digits(text):
    """Return a float tensor from rows of digits."""
    return torch.tensor([[float(digit) for digit in row] for row in text.split()])


REFERENCE = {exercise.id: exercise.reference for exercise in EXERCISES}
IMAGE_6 = digits("323331 013312 220020 301330 232001 222310")
IMAGE_7 = digits("3233312 0133121 2200200 3013303 2320011 2223101 0211331")
KERNEL = torch.tensor([[0.0, 1, 0], [0, 0, 0], [1, 1, 2]])


def test_a_kernel_multiplies_and_adds_at_each_position():
    image, kernel = digits("012 345 678"), digits("12 34")
    assert REFERENCE["cross_correlate"](image, kernel).tolist() == [
        [0 * 1 + 1 * 2 + 3 * 3 + 4 * 4, 1 * 1 + 2 * 2 + 4 * 3 + 5 * 4],
        [3 * 1 + 4 * 2 + 6 * 3 + 7 * 4, 4 * 1 + 5 * 2 + 7 * 3 + 8 * 4],
    ]


def test_zeros_surround_the_image():
    assert REFERENCE["zero_pad"](digits("12"), 1).tolist() == digits("0000 0120 0000").tolist()


@pytest.mark.parametrize("f", [1, 3, 5, 7])
def test_same_padding_keeps_the_size(f):
    assert 10 + 2 * REFERENCE["same_padding"](f) - f + 1 == 10


def test_positions_are_counted_from_the_first_start_to_the_last():
    assert REFERENCE["output_size"](7, 3, 1, 2) == len([0, 2, 4, 6]) == (7 + 2 * 1 - 3) // 2 + 1
    assert REFERENCE["output_size"](6, 3, s=2) == len([0, 2])  # a start at 4 would need a seventh pixel


def test_padding_comes_before_the_stride():
    image = kernel = digits("12 34")
    assert REFERENCE["conv2d_single"](image, kernel, padding=1, stride=2).tolist() == [
        [1 * 0 + 2 * 0 + 3 * 0 + 4 * 1, 1 * 0 + 2 * 0 + 3 * 2 + 4 * 0],
        [1 * 0 + 2 * 3 + 3 * 0 + 4 * 0, 1 * 4 + 2 * 0 + 3 * 0 + 4 * 0],
    ]


def test_a_filter_adds_its_channels_and_its_bias():
    x = torch.tensor([1.0, 2, 3, 4]).reshape(2, 1, 2)  # two channels of two pixels
    weight = torch.tensor([5.0, 6, 7, 8]).reshape(2, 2, 1, 1)  # two filters of two 1×1 kernels
    out = [
        [[1 * 5 + 3 * 6 + 100, 2 * 5 + 4 * 6 + 100]],
        [[1 * 7 + 3 * 8 + 200, 2 * 7 + 4 * 8 + 200]],
    ]
    for exercise_id in ("conv2d", "conv2d_as_matmul"):
        assert REFERENCE[exercise_id](x, weight, torch.tensor([100.0, 200])).tolist() == out


def test_a_patch_becomes_a_column():
    x = torch.stack([digits("123 456"), digits("789 012")])
    assert REFERENCE["im2col"](x, 2).T.tolist() == [[1, 2, 4, 5, 7, 8, 0, 1], [2, 3, 5, 6, 8, 9, 1, 2]]


def test_each_output_hands_its_gradient_to_its_window_and_to_its_filter():
    x, weight, grad_output = digits("123 456"), digits("12 34"), digits("12")  # two windows of one filter
    grad_x, grad_weight = REFERENCE["conv2d_gradient"](x[None], weight[None, None], grad_output[None])
    assert grad_x[0].tolist() == [
        [1 * 1, 1 * 2 + 2 * 1, 2 * 2],
        [1 * 3, 1 * 4 + 2 * 3, 2 * 4],
    ]
    assert grad_weight[0, 0].tolist() == [
        [1 * 1 + 2 * 2, 1 * 2 + 2 * 3],
        [1 * 4 + 2 * 5, 1 * 5 + 2 * 6],
    ]


def test_the_gradients_are_pytorchs():
    x, weight = torch.randn(2, 5, 7, requires_grad=True), torch.randn(3, 2, 3, 3, requires_grad=True)
    grad_output = torch.randn(3, 3, 5)
    torch.conv2d(x[None], weight)[0].backward(grad_output)
    found = REFERENCE["conv2d_gradient"](x.detach(), weight.detach(), grad_output)
    for mine, theirs in zip(found, (x.grad, weight.grad), strict=True):
        assert torch.allclose(mine, theirs, atol=1e-5)


def test_an_answer_with_one_wrong_gradient_is_told_which():
    def half(x, weight, grad_output):
        grad_x, grad_weight = REFERENCE["conv2d_gradient"](x, weight, grad_output)
        return grad_x, 0 * grad_weight

    verdict = exercises.evaluate("conv2d_gradient", half)
    assert "The gradient for weight: 4 of 4 cells differ" in verdict.message
    assert verdict.counterexample.window == {
        "x": [(0, slice(0, 1), slice(0, 1))],
        "grad_output": [(0, slice(0, 1), slice(0, 1))],
    }


def test_no_stride_is_blamed_where_there_is_none():
    def reshaped(x, weight, grad_output):
        patches = weight.flatten(1).T @ grad_output.flatten(1)
        return patches.reshape(x.shape), REFERENCE["conv2d_gradient"](x, weight, grad_output)[1]

    verdict = exercises.evaluate("conv2d_gradient", reshaped)
    assert verdict.status == "error" and "stride" not in verdict.message


def test_fused_weights_are_sums_of_products():
    first, second = digits("12"), digits("34")
    assert REFERENCE["fuse_filters"](first, second).tolist() == [[3 * 1, 3 * 2 + 4 * 1, 4 * 2]]


def test_parameters_are_filters_times_weights_and_a_bias_each():
    assert REFERENCE["count_conv_parameters"](3, 10, 5) == 10 * (3 * 5 * 5 + 1)
    assert REFERENCE["count_conv_parameters"](3, 10, 5, bias=False) == 10 * 3 * 5 * 5


def test_the_references_give_the_lectures_numbers():
    assert REFERENCE["cross_correlate"](IMAGE_6, KERNEL).tolist() == [
        [6, 5, 7, 5],
        [6, 10, 13, 7],
        [11, 5, 2, 4],
        [8, 11, 10, 7],
    ]
    assert REFERENCE["conv2d_single"](IMAGE_7, KERNEL, stride=2).tolist() == [
        [6, 7, 3],
        [11, 2, 3],
        [7, 8, 9],
    ]
    assert REFERENCE["conv2d_single"](IMAGE_6, KERNEL, padding=1)[0].tolist() == [2, 7, 10, 8, 8, 3]


def test_the_slides_stride_example_is_the_crop_misconception():
    wrong = next(m for m in exercises.get("conv2d_single").misconceptions if m.id == "crop-instead-of-stride")
    assert wrong.wrong(IMAGE_7, KERNEL, stride=2).tolist() == [[6, 5, 7], [6, 10, 13], [11, 5, 2]]


def test_two_filters_are_one():
    first, second, x = torch.randn(3, 2), torch.randn(2, 4), torch.randn(9, 11)
    correlate = REFERENCE["cross_correlate"]
    fused = correlate(x, REFERENCE["fuse_filters"](first, second))
    assert torch.allclose(correlate(correlate(x, first), second), fused, atol=1e-5)


@pytest.mark.parametrize(
    ("exercise_id", "candidate", "misconception"),
    [
        ("cross_correlate", lambda image, kernel: conv(image, torch.rot90(kernel, 2)), "flipped-kernel"),
        ("cross_correlate", lambda image, kernel: conv(image, kernel).mT, "result-transposed"),
        ("zero_pad", lambda image, padding: torch.nn.ZeroPad2d((0, padding, 0, padding))(image), "one-side"),
        ("same_padding", lambda f: f / 2, "half-not-whole"),
        ("output_size", lambda n, f, p=0, s=1: int(np.ceil((n + 2 * p - f) / s)) + 1, "ceil-for-floor"),
        ("output_size", lambda n, f, p=0, s=1: int((n + 2 * p - f + 1) / s), "plus-one-inside"),
        (
            "count_conv_parameters",
            lambda i, o, f, bias=True: i * o * f * f + i * bias,
            "bias-per-input-channel",
        ),
    ],
)
def test_an_answer_written_in_another_way_gets_the_misconceptions_name(exercise_id, candidate, misconception):
    verdict = exercises.evaluate(exercise_id, candidate)
    assert verdict.status == "wrong" and verdict.misconception == misconception, verdict.message


def conv(image, kernel):
    return torch.conv2d(image[None, None], kernel[None, None])[0, 0]


def test_a_flipped_kernel_is_told_with_the_smallest_case():
    verdict = exercises.evaluate("cross_correlate", lambda image, kernel: conv(image, kernel.flip(0, 1)))
    shown = verdict.counterexample
    assert shown.inputs["image"].shape == shown.inputs["kernel"].shape == (2, 2)
    assert shown.expected.shape == shown.actual.shape == (1, 1)
    assert shown.window == {"image": [(slice(0, 2), slice(0, 2))]}
    for part in (
        "turned by 180 degrees",
        "image 2×2",
        "kernel 2×2",
        "expected",
        "yours",
        "Lab 01, Convolution",
    ):
        assert part in verdict.message


def test_an_answer_for_square_images_only_is_told_so():
    def square(image, kernel):
        n, f = image.shape[0] - kernel.shape[0] + 1, kernel.shape[0]
        return torch.stack(
            [torch.stack([(image[i : i + f, j : j + f] * kernel).sum() for j in range(n)]) for i in range(n)]
        )

    verdict = exercises.evaluate("cross_correlate", square)
    assert verdict.status in ("wrong", "error")
    assert verdict.counterexample.inputs["image"].shape == (3, 4)


@pytest.mark.slow
@pytest.mark.parametrize("exercise", [e for e in EXERCISES if e.window], ids=lambda e: e.id)
@pytest.mark.parametrize("seed", range(3))
def test_the_marked_window_is_what_the_cell_depends_on(exercise, seed):
    check_window(exercise, seed)


def test_a_window_in_the_padding_is_cut_to_the_image():
    verdict = exercises.evaluate(
        "conv2d_single",
        lambda image, kernel, padding=0, stride=1: (
            REFERENCE["conv2d_single"](image, kernel, padding, stride) + (padding > 0)
        ),
    )
    assert verdict.counterexample.window == {"image": [(slice(0, 1), slice(0, 1))]}


@pytest.mark.parametrize("seed", range(20))
def test_the_shapes_that_tell_ideas_apart_are_asked_with_every_seed(seed):
    for exercise_id in ("cross_correlate", "conv2d_single"):
        images = [probe.arguments[0] for probe in exercises.get(exercise_id).probes(seed)]
        assert any(i.shape[0] > i.shape[1] for i in images) and any(i.shape[0] < i.shape[1] for i in images)
        assert any(i.max() < 0 for i in images)
    probes = exercises.get("conv2d").probes(seed)
    assert {p.arguments[1].shape[0] for p in probes} >= {1, 2, 3}
    assert {p.arguments[1].shape[1] for p in probes} >= {1, 2, 3}
    assert any(len(p.arguments) > 2 for p in probes) and any(len(p.arguments) == 2 for p in probes)
    remainders = [
        (n + 2 * k.get("p", 0) - f) % k["s"]
        for n, f, k in [(*p.arguments[:2], p.keywords) for p in exercises.get("output_size").probes(seed)]
        if "s" in k
    ]
    assert {0} < {min(r, 1) for r in remainders} | {0} and max(remainders) >= 2
