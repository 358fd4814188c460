"""Lab 02's exercises: the lecture's numbers, the marked windows, and what typical answers are told."""

import pytest
import torch
from torch.nn import functional
from window_property import check_window

from course_utils import exercises
from course_utils.exercises.pooling_layer import EXERCISES


def digits(text):
    """Return a float tensor from rows of digits."""
    return torch.tensor([[float(digit) for digit in row] for row in text.split()])


REFERENCE = {exercise.id: exercise.reference for exercise in EXERCISES}
MAP_6 = digits("330111 721152 791056 561032 970000 470001")


def test_a_window_gives_its_largest_value_or_its_mean():
    x = digits("15 23")[None]
    assert REFERENCE["max_pool"](x).tolist() == [[[max(1, 5, 2, 3)]]]
    assert REFERENCE["avg_pool"](x).tolist() == [[[(1 + 5 + 2 + 3) / 4]]]


def test_windows_are_counted_like_positions_of_a_kernel():
    assert REFERENCE["pooled_shape"]((3, 7, 5)) == (3, (7 - 2) // 2 + 1, (5 - 2) // 2 + 1)
    assert REFERENCE["pooled_shape"]((3, 7, 5), 3, 1) == (3, 7 - 3 + 1, 5 - 3 + 1)


def test_the_largest_pixel_gets_the_gradient():
    x, grad_output = digits("1537 2341")[None], digits("89")[None]
    assert REFERENCE["max_pool_gradient"](x, grad_output).tolist() == [digits("0809 0000").tolist()]


def test_every_output_takes_a_multiply_add_for_each_weight_of_its_filter():
    outputs, weights_of_a_filter = 3 * 4 * 5, 2 * 7 * 7
    assert REFERENCE["conv_multiply_adds"](2, 3, 4, 5, 7) == outputs * weights_of_a_filter


def test_agreement_is_the_share_of_outputs_that_stay():
    def first_three(x):
        return x[..., :3]

    before, after = [1, 2, 2], [1, 1, 2]  # of 1 2 2 1, and of 1 1 2 2: it has moved right by one pixel
    share = sum(one == other for one, other in zip(before, after, strict=True)) / 3
    x = digits("1221")[None, None]
    assert REFERENCE["shift_agreement"](first_three, x, 1) == pytest.approx(share) == pytest.approx(2 / 3)


def test_equivariance_is_the_share_of_outputs_that_move_along():
    def from_zero(x):
        return x - functional.pad(x, (1, -1))

    # 1 3 4 2 gives 1 2 1 -2, which moves to -2 1 2 1; the image that has moved, 2 1 3 4, gives 2 -1 2 1.
    share = sum(one == other for one, other in zip([-2, 1, 2, 1], [2, -1, 2, 1], strict=True)) / 4
    x = digits("1342")[None, None]
    assert REFERENCE["shift_equivariance"](from_zero, x, 1) == pytest.approx(share) == pytest.approx(2 / 4)


def test_after_a_stride_of_two_the_output_moves_half_as_far_rounded_down():
    def every_second(x):
        return x[..., ::2]

    x = digits("123456")[None, None]  # gives 1 3 5
    along = REFERENCE["shift_equivariance"]
    assert along(every_second, x, 2) == 1  # 5 6 1 2 3 4 gives 5 1 3: one step to the right
    assert along(every_second, x, 1) == 0  # 6 1 2 3 4 5 gives 6 2 4
    assert REFERENCE["shift_agreement"](every_second, x, 2) == 0


def test_the_reference_gives_the_lectures_numbers():
    assert REFERENCE["max_pool"](MAP_6[None])[0].tolist() == [[7, 1, 5], [9, 1, 6], [9, 0, 1]]


def test_the_gradient_is_pytorchs_for_equal_maxima_too():
    x = torch.randint(0, 3, (2, 7, 8)).float()
    upstream = torch.randn(2, 3, 4)
    leaf = x.clone().requires_grad_()
    functional.max_pool2d(leaf, 2).backward(upstream)
    assert torch.equal(REFERENCE["max_pool_gradient"](x, upstream), leaf.grad)


def test_multiply_adds_are_those_of_the_first_layer_of_lenet5():
    assert REFERENCE["conv_multiply_adds"](1, 50, 28, 28, 3) == 352_800


def max_from_zero(x, size=2, stride=None):
    stride = stride or size
    out = torch.zeros(len(x), (x.shape[1] - size) // stride + 1, (x.shape[2] - size) // stride + 1)
    for c, i, j in [
        (c, i, j) for c in range(out.shape[0]) for i in range(out.shape[1]) for j in range(out.shape[2])
    ]:
        best = 0
        for u in range(size):
            for v in range(size):
                best = max(best, x[c, i * stride + u, j * stride + v].item())
        out[c, i, j] = best
    return out


@pytest.mark.parametrize(
    ("exercise_id", "candidate", "misconception"),
    [
        ("max_pool", max_from_zero, "starts-from-zero"),
        ("max_pool", lambda x, size=2, stride=1: functional.max_pool2d(x, size, stride), "stride-one"),
        ("max_pool", lambda x, size=2, stride=2: functional.max_pool2d(x, size, stride), "stride-two"),
        (
            "avg_pool",
            lambda x, size=2, stride=None: (
                functional.lp_pool2d(x, 1, size, stride) * 0 + max_from_zero(x, size, stride)
            ),
            None,
        ),
        ("pooled_shape", lambda s, size=2, stride=None: (s[0], s[1] // 2, s[2] // 2), "always-halved"),
        (
            "conv_multiply_adds",
            lambda c, k, h, w, f: k * (c * f * f + 1),
            "parameters-counted",
        ),
        (
            "shift_agreement",
            lambda layer, x, shift: torch.equal(layer(x), layer(torch.roll(x, shift, -1))),
            "yes-or-no",
        ),
        (
            "shift_equivariance",
            lambda layer, x, shift: (layer(x.roll(shift, 3)) == layer(x).roll(shift, 3)).float().mean(),
            "by-input-pixels",
        ),
        (
            "shift_equivariance",
            lambda layer, x, shift: (layer(x.roll(shift, 3)) == layer(x)).float().mean(),
            "stays",
        ),
        (
            "shift_agreement",
            lambda layer, x, shift: (layer(x.roll(shift, -1)) == layer(x).roll(shift, -1)).float().mean(),
            "moved-along",
        ),
    ],
)
def test_an_answer_written_in_another_way_gets_the_misconceptions_name(exercise_id, candidate, misconception):
    verdict = exercises.evaluate(exercise_id, candidate)
    assert verdict.status == "wrong" and verdict.misconception == misconception, verdict.message


def test_a_maximum_that_starts_from_zero_is_shown_on_negative_values():
    verdict = exercises.evaluate("max_pool", max_from_zero)
    assert verdict.counterexample.inputs["x"].max() < 0
    assert verdict.counterexample.window == {"x": [(0, slice(0, 2), slice(0, 2))]}


@pytest.mark.parametrize("exercise", [e for e in EXERCISES if e.window], ids=lambda e: e.id)
@pytest.mark.parametrize("seed", range(3))
def test_the_marked_window_is_what_the_cell_depends_on(exercise, seed):
    check_window(exercise, seed)


@pytest.mark.parametrize("seed", range(20))
def test_the_shapes_that_tell_ideas_apart_are_asked_with_every_seed(seed):
    probes = exercises.get("max_pool").probes(seed)
    images = [probe.arguments[0] for probe in probes]
    assert any(x.max() < 0 for x in images)
    assert any(x.shape[1] > x.shape[2] for x in images) and any(x.shape[1] < x.shape[2] for x in images)
    assert any(len(x) > 1 for x in images)
    for exercise_id in ("shift_agreement", "shift_equivariance"):
        values = [
            REFERENCE[exercise_id](*probe.arguments) for probe in exercises.get(exercise_id).probes(seed)
        ]
        assert sum(0 < value < 1 for value in values) >= 4


def test_whether_all_outputs_agree_is_not_how_many():
    for exercise_id in ("shift_agreement", "shift_equivariance"):
        verdict = exercises.evaluate(exercise_id, lambda layer, x, shift: torch.tensor(True))
        assert "not how many" in verdict.message


def test_layers_are_shown_by_their_names():
    verdict = exercises.evaluate("shift_agreement", lambda layer, x, shift: 2.0)
    assert verdict.counterexample.call == "shift_agreement(no_layer, x, 1)"


def test_a_layer_that_is_returned_is_to_be_called():
    def uncalled(x, size=2, stride=None):
        return torch.nn.MaxPool2d(size, stride)

    assert "Call it, and return what it gives." in exercises.evaluate("max_pool", uncalled).message


def test_an_answer_that_needs_an_optional_argument_is_told_so():
    def without_default(x, size=2, stride=None):
        return functional.max_pool2d(x, size, stride + 0)

    assert "wrong in every case without it, when stride is None" in (
        exercises.evaluate("max_pool", without_default).message
    )
