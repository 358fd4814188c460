"""What is not started: a stub, and a body that does nothing; and the line of a stub beside an answer."""

import pytest
import torch
from cells import run_cell
from doubled import verdict_of

from course_utils import exercises


def of_body(*lines):
    return run_cell("\n    ".join(["def doubled(image, times=1):", *lines]), "doubled")


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


@pytest.mark.parametrize(
    "body",
    [
        ["pass"],
        ["..."],
        ["return"],
        ["return None"],
        ['"""Return the doubled image."""'],
        ['"""Return the doubled image.', "", "without indent", '"""', "# TODO", "pass"],
        ["pass", "...", "return"],
        ["pass", "raise NotImplementedError"],
    ],
    ids=" ".join,
)
def test_a_body_of_nothing_is_not_started(body):
    verdict = verdict_of(of_body(*body))
    assert (verdict.status, verdict.earned) == ("not started", 0)
    assert verdict.message == "○ Exercise 9.9 (doubled) is not started."


@pytest.mark.parametrize(
    "body",
    [["print('todo')"], ["def helper():", "    return 1"], ["image * 2"], ["return 0"], ["x = None"]],
    ids=" ".join,
)
def test_a_body_of_anything_else_is_started(body):
    assert verdict_of(of_body(*body)).status == "wrong"


def test_a_decorator_that_wraps_what_it_should_not_breaks_no_check():
    answer = of_body("return image * 2**times")
    for wrapped in (answer, 3):
        answer.__wrapped__ = wrapped
        assert verdict_of(answer).status in ("correct", "error")


def test_a_decorator_does_not_start_an_answer():
    assert (
        verdict_of(run_cell("@torch.no_grad()\ndef doubled(image, times=1):\n    pass", "doubled")).status
        == "not started"
    )


def test_a_body_without_source_counts():
    namespace = {}
    exec("def doubled(image, times=1): pass", namespace)
    assert verdict_of(namespace["doubled"]).status == "wrong"
    assert verdict_of(lambda image, times=1: None).status == "wrong"


NETWORK = """
class VGG(nn.Module):
    '''N×3×32×32 images → N×10 scores.'''

    def __init__(self, arch=((2, 64), (2, 128), (2, 256), (1, 512)), hidden=4096):
        {init}

    def forward(self, x):
        {forward}
"""


@pytest.mark.parametrize(
    ("init", "forward", "status"),
    [
        ("pass", "pass", "not started"),
        ("super().__init__()", "pass", "not started"),
        ("super(VGG, self).__init__()", "...", "not started"),
        ("super().__init__()", "raise NotImplementedError()", "not started"),
        ("super().__init__(); self.arch = arch", "pass", "wrong"),
        ("super().__init__()", "return x", "wrong"),
    ],
)
def test_a_network_is_started_when_one_of_its_methods_is(init, forward, status):
    network = run_cell(NETWORK.format(init=init, forward=forward), "VGG")
    assert exercises.evaluate("vgg", network).status == status


@pytest.mark.parametrize(
    "body",
    [
        ["raise NotImplementedError()", "return image * 2**times"],
        ["raise NotImplementedError", "return image * 2**times"],
        ["result = image * 2**times", "raise NotImplementedError()"],
    ],
    ids=" ".join,
)
def test_a_line_left_over_beside_an_answer_is_told(body):
    verdict = verdict_of(of_body(*body))
    assert (verdict.status, verdict.earned) == ("error", 0)
    assert (
        "Your answer is there, but the line `raise NotImplementedError()` still stands in `doubled`, and "
        "Python stops at it: delete that line." in verdict.message
    )


def test_a_line_left_over_below_a_return_does_no_harm():
    assert verdict_of(of_body("return image * 2**times", "raise NotImplementedError()")).status == "correct"


def test_a_cell_that_is_edited_is_read_again():
    stub, edited = (
        of_body("raise NotImplementedError()"),
        of_body("raise NotImplementedError()", "return image"),
    )
    assert [verdict_of(each).status for each in (stub, edited, stub)] == [
        "not started",
        "error",
        "not started",
    ]
