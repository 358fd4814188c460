"""Slips in an answer's source: what a check reads there, and what it leaves alone."""

import pytest
from cells import run_cell

from course_utils import exercises
from course_utils.exercises.layer_counts import CountedConvolution, CountedLinear, explain_layers
from course_utils.exercises.slips import slips


@pytest.mark.parametrize(
    ("body", "kind", "said"),
    [
        ("x.eval\n    return x", "no effect", "`x.eval` has no parentheses"),
        ("x == 3\n    return x", "no effect", "only compares"),
        ("x / 2\n    return x", "no effect", "The result of `x / 2` is given no name"),
        ("F.relu(x)\n    return x", "no effect", "The result of `F.relu(x)` is given no name"),
        ("a = [x]\n    a = a.append(1)\n    return a", "nothing", "`append` changes a list and returns None"),
        ("a = [x]\n    return a.append(1)", "nothing", "return the list itself"),
        ("return print(x)", "nothing", "`print` only shows a value"),
        ("if x > 1:\n        return x", "nothing", "no `return` is reached"),
        ("return 3", "argument", "`x` is never used"),
        ("x = 3\n    return x", "argument", "`x` is given a new value first"),
        ("with open('f'):\n        x = 3\n    return x", "argument", "`x` is given a new value first"),
        ("for i in x:\n        i += 1\n        return i\n    return 0", "return", "inside the loop"),
        ("global total\n    total += x\n    return total", "memory", "`total` lies outside the function"),
    ],
)
def test_a_slip_is_read(body, kind, said):
    found = slips(run_cell(f"def answer(x):\n    {body}\n", "answer"))
    assert [slip.kind for slip in found] == [kind]
    assert said in found[0].sentence


@pytest.mark.parametrize(
    "body",
    [
        "x = x.float()\n    return x",
        "x += 1\n    return x",
        "if x is None:\n        x = 3\n    return x",
        "def inner():\n        return x\n    return inner()",
        "a = []\n    a.append(x)\n    return a",
        "if x:\n        return x\n    else:\n        return 1",
        "x.zero_()\n    return x",
        "for i in x:\n        if i:\n            return i\n    return None",
        "raise NotImplementedError(x)",
    ],
)
def test_what_is_no_slip_is_left_alone(body):
    assert slips(run_cell(f"def answer(x):\n    {body}\n", "answer")) == ()


def test_the_methods_of_a_class_are_read():
    source = "class Answer:\n    def forward(self, x):\n        x.relu\n        return x\n"
    (slip,) = slips(run_cell(source, "Answer"))
    assert "`x.relu`" in slip.sentence


def test_without_source_or_in_the_course_itself_there_are_no_slips():
    assert slips(len) == slips(lambda x: 3) == slips(exercises.get("conv2d").reference) == ()


def test_a_slip_is_told_beside_a_misconception_and_in_place_of_a_guess():
    bare = "def evaluate(model, batches):\n    model.eval\n    raise ValueError\n"
    assert (
        "`model.eval` has no parentheses" in exercises.evaluate("evaluate", run_cell(bare, "evaluate")).reason
    )
    gaps = "def vgg_learning_rate(epoch):\n    if epoch < 10:\n        return 0.25\n"
    reason = exercises.evaluate("vgg_learning_rate", run_cell(gaps, "vgg_learning_rate")).reason
    assert reason.startswith("It returns nothing (None).") and "no `return` is reached" in reason


LAYERS = {
    "one": [CountedConvolution(3, 8, 16), CountedConvolution(8, 8, 16)],
    "two": [CountedLinear(8, 20, 4)],
}
RIGHT = [3 * 8 * 9 + 8 + 8 * 8 * 9 + 8, 8 * 16 * 20 + 20]


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ([RIGHT[0] - 8, RIGHT[1]], "In one of its convolutions, the biases are not counted"),
        ([RIGHT[0] - 16, RIGHT[1]], "In each of its layers, the biases are not counted"),
        ([3 * 8 * 9 + 8, RIGHT[1]], "Its second convolution is left out."),
        ([3 * 8 * 9 + 8 + 8 * 9 + 8, RIGHT[1]], "In its second convolution, a filter is counted as 3×3"),
        ([RIGHT[0], sum(RIGHT)], "what comes before two is in it, too"),
        ([RIGHT[0], 8 * 64 * 20 + 20], "It is counted for 8×8 maps; they are 4×4 there."),
        ([RIGHT[0], 8 * 64 * 20], "It is counted for 8×8 maps; they are 4×4 there, and the biases"),
    ],
)
def test_a_wrong_count_is_traced_to_its_layer(counts, said):
    assert said in explain_layers(LAYERS)(None, RIGHT, counts)


def test_a_forward_that_is_indented_too_far_or_misspelt_is_found():
    head = "from torch import nn\nclass ResidualBlock(nn.Module):\n    def __init__(self, channels):\n"
    head += "        super().__init__()\n"
    for rest, said in (
        ("        def forward(self, x):\n            return x\n", "inside __init__"),
        ("    def foward(self, x):\n        return x\n", "but one named foward"),
    ):
        assert said in exercises.evaluate("residual_block", run_cell(head + rest, "ResidualBlock")).reason


def test_the_pairs_of_arch_may_be_read_the_wrong_way_round():
    exercise = exercises.get("vgg")
    probe = exercise.probes(0)[1]
    arch = probe.arguments[0]
    layers = [{"kind": "conv", "weight": [convs, 3, 3, 3]} for convs, out in arch for _ in range(out)]
    assert "wrong way round" in exercise.explain(probe, None, {"layers": layers})
    assert exercise.explain(probe, None, {"layers": layers[1:]}) is None
