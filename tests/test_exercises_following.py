"""One slip costs its own points: what calls a wrong answer is judged with the course's in its place."""

import pytest

from course_utils import exercises
from course_utils.grading.grade_one import _called
from course_utils.grading.template import read_template
from course_utils.notebooks.layout import find_labs


def notebook(*sources):
    namespace = {}
    for source in ("import torch", *sources):
        exec(source, namespace)
    return namespace


CROSS_CORRELATE = """
def cross_correlate(image, kernel):
    return torch.nn.functional.conv2d(image[None, None], kernel[None, None])[0, 0]
"""
ZERO_PAD = """
def zero_pad(image, padding):
    return torch.nn.functional.pad(image, (padding,) * 4)
"""
NO_PADDING = """
def zero_pad(image, padding):
    return image
"""
NOT_STARTED = """
def zero_pad(image, padding):
    raise NotImplementedError
"""
CONV2D_SINGLE = """
def conv2d_single(image, kernel, padding=0, stride=1):
    return cross_correlate(zero_pad(image, padding), kernel)[::stride, ::stride]
"""
CONV2D = """
def conv2d(x, weight, bias=None, padding=0, stride=1):
    maps = [sum(conv2d_single(c, k, padding, stride) for c, k in zip(x, kernels)) for kernels in weight]
    out = torch.stack(maps)
    return out if bias is None else out + bias[:, None, None]
"""
TOLD = "It was judged with the course's `zero_pad`: yours is not right yet."


@pytest.mark.parametrize("slip", [NO_PADDING, NOT_STARTED])
def test_what_calls_a_wrong_answer_is_judged_with_the_courses(slip):
    mine = notebook(CROSS_CORRELATE, slip, CONV2D_SINGLE, CONV2D)
    before = dict(mine)
    for name in ("conv2d_single", "conv2d"):
        verdict = exercises.evaluate(name, mine[name])
        assert (verdict.status, verdict.earned, verdict.reason) == ("correct", verdict.points, TOLD)
        assert TOLD in verdict.message
    assert mine == before
    assert exercises.evaluate("zero_pad", mine["zero_pad"]).status != "correct"


def test_a_wrong_answer_that_calls_a_wrong_answer_tells_its_own_fault():
    stride_ignored = CONV2D_SINGLE.replace("[::stride, ::stride]", "")
    mine = notebook(CROSS_CORRELATE, NO_PADDING, stride_ignored, CONV2D)
    verdict = exercises.evaluate("conv2d_single", mine["conv2d_single"])
    assert (verdict.status, verdict.misconception, verdict.earned) == ("wrong", "stride-ignored", 0)
    assert verdict.reason.startswith(TOLD)
    verdict = exercises.evaluate("conv2d", mine["conv2d"])
    assert verdict.status == "correct"
    assert "`zero_pad` and `conv2d_single`: yours are not right yet." in verdict.reason


def test_nothing_is_lent_to_an_answer_that_calls_only_right_ones():
    mine = notebook(CROSS_CORRELATE, ZERO_PAD, CONV2D_SINGLE)
    assert exercises.evaluate("conv2d_single", mine["conv2d_single"]).lent == ()
    mine = notebook(CROSS_CORRELATE, ZERO_PAD, CONV2D_SINGLE.replace("padding)", "0)"))
    assert "the course's" not in exercises.evaluate("conv2d_single", mine["conv2d_single"]).reason


def test_an_exercise_that_does_the_same_is_never_lent():
    head = "(x, weight, bias=None, padding=0, stride=1):\n    return "
    calls = f"def conv2d_as_matmul{head}conv2d(x, weight, bias, padding, stride)"
    mine = notebook(
        CROSS_CORRELATE, ZERO_PAD, CONV2D_SINGLE, CONV2D.replace("bias[:, None, None]", "0"), calls
    )
    verdict = exercises.evaluate("conv2d_as_matmul", mine["conv2d_as_matmul"])
    assert verdict.status == "wrong" and "the course's" not in verdict.reason


@pytest.mark.slow
def test_a_class_is_judged_with_the_courses_function_too():
    setup = "from torch import nn\n"
    no_relu = """
def vgg_block(in_channels, out_channels, convs):
    return nn.Sequential(nn.Conv2d(in_channels, out_channels, 3, padding=1), nn.MaxPool2d(2))
"""
    vgg = """
class VGG(nn.Module):
    def __init__(self, arch=((1, 64), (1, 128), (2, 256), (2, 512), (2, 512)), hidden=4096):
        super().__init__()
        channels, blocks = 3, []
        for convs, out in arch:
            blocks.append(vgg_block(channels, out, convs))
            channels = out
        side = 32 // 2 ** len(arch)
        self.net = nn.Sequential(*blocks, nn.Flatten(), nn.Linear(channels * side * side, hidden), nn.ReLU(),
                                 nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 10))
    def forward(self, x):
        return self.net(x)
"""
    arch = exercises.get("vgg").reference().__init__.__func__.__defaults__[0]
    vgg = vgg.replace("((1, 64), (1, 128), (2, 256), (2, 512), (2, 512))", repr(arch))
    verdict = exercises.evaluate("vgg", notebook(setup, no_relu, vgg)["VGG"])
    assert verdict.status == "correct" and "`vgg_block`" in verdict.reason, verdict.message


def test_an_exercise_builds_on_what_the_solution_calls_and_on_earlier_ones_only(repository):
    for lab in find_labs(repository):
        references = dict(read_template(lab).references)
        order = list(references)
        for name in references:
            builds_on = exercises.get(name).builds_on
            assert _called(name, references) - {name} <= set(builds_on)
            assert list(builds_on) == [each for each in order[: order.index(name)] if each in builds_on]
