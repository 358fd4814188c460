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
        ("zero_pad(x, 1)\n    return x", "no effect", "The result of `zero_pad(x, 1)` is given no name"),
        ("torch.roll(x, 1)\n    return x", "no effect", "The result of `torch.roll(x, 1)` is given no name"),
        ("return x - x / 2", "expression", "In `x - x / 2` only `x` is divided: / and // come before"),
        ("best = x.max(dim=1)\n    return best != x", "expression", "`x.max(dim=1)` is a pair: the values"),
        ("best = torch.min(x, 0)\n    return best + 1", "expression", "where they are (argmin)"),
        ("for c in x:\n        a = c * 2\n    return a", "loop", "`a` gets a new value in every round"),
        ("for c in x:\n        x.layer = list(c)", "loop", "`x.layer` gets a new value in every round"),
        (
            "c, h, w = x.shape\n    return c, h, h",
            "argument",
            "`w` is never used: does `h` stand in its place?",
        ),
        (
            "if x >= 10:\n        return 1\n    elif x >= 14:\n        return 2\n    return 3",
            "unreachable",
            "`elif x >= 14` is never reached: where it is true, `x >= 10` above it is true already",
        ),
        (
            "if x < 9:\n        return 1\n    elif x < 5:\n        return 2\n    return 3",
            "unreachable",
            "`elif x < 5` is never reached",
        ),
        (
            "a = [0]\n    for i in range(9):\n        for c in x:\n            a[i] = c\n    return a",
            "loop",
            "Each round of the loop over `c` replaces `a[i]`, so only the last one counts",
        ),
        (
            "a = [0]\n    for i in range(9):\n        for k in range(9):\n            a[i + k] = x[i] * k\n"
            "    return a",
            "loop",
            "`a[i + k] = …` meets the same cell in several rounds",
        ),
        (
            "a = [0]\n    for i in range(9):\n        a[i : i + n] = x[i]\n    return a",
            "loop",
            "`a[i:i + n] = …` meets the same cell in several rounds",
        ),
        (
            "a = []\n    for i in range(9):\n        a.append(x[i:n])\n    return a",
            "loop",
            "`x[i:n]` starts later in every round, but always ends at `n`",
        ),
    ],
)
def test_a_slip_is_read(body, kind, said):
    found = slips(run_cell(f"def answer(x):\n    {body}\n", "answer"))
    assert [slip.kind for slip in found] == [kind]
    assert said in found[0].sentence


@pytest.mark.slow
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
        "return (x - x) / 2",
        "return 1 - x / 2",
        "return x + x // 2",
        "best, where = x.max(dim=1)\n    return best + where",
        "best = x.max(dim=1)\n    return best.values",
        "best = x.max(dim=1)\n    return best[0]",
        "best = torch.max(x, x)\n    return best + 1",
        "best = x.max()\n    return best + 1",
        "a = 0\n    for c in x:\n        a = a + c\n    return a",
        "for c in x:\n        x = c(x)\n    return x",
        "for c in x:\n        x.layer = c(x.layer)",
        "for c in x:\n        a = c\n        if a > 1:\n            break\n    return a",
        "a = []\n    for i, c in enumerate(x):\n        a[i] = c\n    return a",
        "a = []\n    for c in x:\n        a[0] = max(a[0], c)\n    return a",
        "n, a = 0, []\n    for c in x:\n        a[n] = c\n        n += 1\n    return a",
        "a = []\n    for i in range(9):\n        row = []\n        for c in x:\n            row[c] = i\n"
        "        a.append(row)\n    return a",
        "a = []\n    for i in range(9):\n        a[i : i + 1] = x[i]\n    return a",
        "a = []\n    for i in range(0, 9, n):\n        a[i : i + n] = x[i]\n    return a",
        "a = []\n    for i in range(9):\n        for k in range(9):\n            a[3 * i + k] = x[i, k]\n"
        "    return a",
        "a = []\n    for i in range(9):\n        a.append(x[i : i + n])\n    return a",
        "a = []\n    for i in range(9):\n        a.append(x[i:n:2])\n    return a",
    ],
)
def test_what_is_no_slip_is_left_alone(body):
    assert slips(run_cell(f"def answer(x):\n    {body}\n", "answer")) == ()


def test_a_tensor_of_the_notebook_is_told_by_name():
    cell = "image, net, size = torch.zeros(2), nn.Linear(2, 1), 3\ndef answer(x, image2):\n    return {}\n"

    def outside(expression):
        return [s.sentence for s in slips(run_cell(cell.format(expression), "answer")) if s.kind == "outside"]

    assert outside("x + image2 + image") == [
        "`image` is a variable of the notebook, not a parameter of the function: the same in every call."
    ]
    (both,) = outside("[net(image) for _ in x] + [image2]")
    assert both.startswith("`image` and `net` are variables of the notebook, not parameters")
    digits = run_cell(
        "from course_utils import load_dataset\nd = load_dataset('digits')\ndef a():\n    return d.train", "a"
    )
    assert [slip.kind for slip in slips(digits)] == ["outside"]
    half_made = run_cell("net = nn.Linear.__new__(nn.Linear)\ndef a():\n    return net", "a")
    assert slips(half_made) == ()
    for right in ("x + image2 * size", "nn.ReLU()(x + image2)", "(lambda image: image)(x).image + image2"):
        assert outside(right) == []


def test_the_card_tells_a_tensor_of_the_notebook_beside_a_misconception_and_without():
    cell = "kernel = torch.ones(3, 3)\ndef {}:\n    return {}\n"
    for exercise_id, signature, result, known in (
        ("same_padding", "same_padding(f)", "kernel.shape[0] // 2 + 0 * f", True),
        ("fuse_filters", "fuse_filters(first, second)", "kernel + 0 * first.sum() + second.sum()", False),
    ):
        verdict = exercises.evaluate(exercise_id, run_cell(cell.format(signature, result), exercise_id))
        assert bool(verdict.misconception) == known
        assert "`kernel` is a variable of the notebook" in verdict.reason


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
        ([RIGHT[0], 11 * 20 + 20], "It is counted with 11 inputs; it has 128."),
        ([RIGHT[0], 20], "Its outputs are counted, not the numbers that it learns."),
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
