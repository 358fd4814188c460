"""Exercise 2.5: what a convolution costs."""

from __future__ import annotations

from collections.abc import Sequence

from course_utils.exercises.model import Exercise, Misconception, Probe
from course_utils.exercises.probes import Draw

_SECTION = "Lab 02, Cost"


def conv_multiply_adds(in_channels: int, out_channels: int, height: int, width: int, f: int) -> int:
    """Return the multiply-adds of a layer: every weight is used once at each position of the output map."""
    weights = in_channels * out_channels * f * f
    return weights * height * width


def _probes(seed: int) -> Sequence[Probe]:
    draw = Draw(seed)
    few, many, f = draw.between(3, 9), draw.between(20, 70), draw.one_of(5, 7)
    return (
        Probe((1, 2, 3, 4, 3), note="one channel in, two out"),
        Probe((2, 3, 1, 1, 3), note="one position"),
        Probe((2, 1, 3, 5, 1), note="1×1 kernels"),
        Probe((3, 2, 2, 4, 5), note="5×5 kernels"),
        Probe((1, 50, 28, 28, 3), note="the first layer of the lab's LeNet5"),
        Probe((64, 128, 16, 16, 3), note="a layer of the lab's VGG"),
        Probe((few, many, draw.between(10, 20), draw.between(21, 30), f), note="larger numbers"),
    )


EXERCISE = Exercise(
    number="2.5",
    points=1,
    reference=conv_multiply_adds,
    probes=_probes,
    misconceptions=(
        Misconception(
            "weights-counted",
            lambda in_channels, out_channels, height, width, f: in_channels * out_channels * f * f,
            "This counts the weights; each of them works at every position of the output map.",
            _SECTION,
        ),
        Misconception(
            "parameters-counted",
            lambda in_channels, out_channels, height, width, f: out_channels * (in_channels * f * f + 1),
            "This counts the parameters; each weight works at every position of the output map.",
            _SECTION,
        ),
        Misconception(
            "kernel-side-for-area",
            lambda in_channels, out_channels, height, width, f: (
                in_channels * out_channels * f * height * width
            ),
            "A kernel of side f is counted as f multiplications.",
            _SECTION,
        ),
        Misconception(
            "input-channels-forgotten",
            lambda in_channels, out_channels, height, width, f: out_channels * f * f * height * width,
            "Each output is counted as one kernel on one channel; it sees all input channels.",
            _SECTION,
        ),
        Misconception(
            "output-channels-forgotten",
            lambda in_channels, out_channels, height, width, f: in_channels * f * f * height * width,
            "This is the work for one output map; there is one for each filter.",
            _SECTION,
        ),
        Misconception(
            "counted-twice",
            lambda in_channels, out_channels, height, width, f: (
                2 * in_channels * out_channels * f * f * height * width
            ),
            "Multiplications and additions are counted apart; one multiply-add is one operation here.",
            _SECTION,
        ),
        Misconception(
            "bias-counted",
            lambda in_channels, out_channels, height, width, f: (
                out_channels * (in_channels * f * f + 1) * height * width
            ),
            "The additions of the bias are counted too; they are no multiply-adds.",
            _SECTION,
        ),
        Misconception(
            "square-map",
            lambda in_channels, out_channels, height, width, f: (
                in_channels * out_channels * (f * height) ** 2
            ),
            "The map is taken to be as wide as it is tall.",
            _SECTION,
        ),
        Misconception(
            "map-made-smaller",
            lambda in_channels, out_channels, height, width, f: (
                in_channels * out_channels * f * f * (height - f + 1) * (width - f + 1)
            ),
            "The kernel's size is taken off height and width, which are those of the output already.",
            _SECTION,
        ),
        Misconception(
            "map-outputs-only",
            lambda in_channels, out_channels, height, width, f: out_channels * height * width,
            "This counts the numbers in the output; each of them takes many multiply-adds.",
            _SECTION,
        ),
    ),
    hints=(
        "How many multiply-adds does one number of the output take?",
        "How many numbers has the output, over all its channels?",
    ),
)
