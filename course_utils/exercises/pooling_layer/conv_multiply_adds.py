"""Exercise 2.5: what a convolution costs."""

from __future__ import annotations

from collections.abc import Sequence

from course_utils.exercises.model import Exercise, Misconception, Probe
from course_utils.exercises.probes import Draw


def conv_multiply_adds(in_channels: int, out_channels: int, height: int, width: int, f: int) -> int:
    """Return the multiply-adds of a layer: every weight is used once at each position of the output map."""
    weights = in_channels * out_channels * f * f
    return weights * height * width


def probes(seed: int) -> Sequence[Probe]:
    """Start with numbers to multiply in one's head; then ask for the lab's layers and larger ones."""
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
        Probe((2, 3, 4, 5, 2), note="2×2 kernels"),
    )


EXERCISE = Exercise(
    number="2.5",
    points=1,
    reference=conv_multiply_adds,
    probes=probes,
    section="Lab 02, Cost",
    misconceptions=(
        Misconception(
            "weights-counted",
            lambda c_in, c_out, h, w, f: c_in * c_out * f * f,
            "This counts the weights; each of them is used at every position of the output map.",
        ),
        Misconception(
            "parameters-counted",
            lambda c_in, c_out, h, w, f: c_out * (c_in * f * f + 1),
            "This counts the parameters; each weight is used at every position of the output map.",
        ),
        Misconception(
            "kernel-side-for-area",
            lambda c_in, c_out, h, w, f: c_in * c_out * f * h * w,
            "A kernel of side f is counted as f multiplications.",
        ),
        Misconception(
            "input-channels-added",
            lambda c_in, c_out, h, w, f: (c_in + f * f) * c_out * h * w,
            "Input channels and kernel are added; a filter has f·f weights for each input channel, so they "
            "multiply.",
        ),
        Misconception(
            "input-channels-forgotten",
            lambda c_in, c_out, h, w, f: c_out * f * f * h * w,
            "Each output is counted as one kernel on one channel; it sees all input channels.",
        ),
        Misconception(
            "output-channels-forgotten",
            lambda c_in, c_out, h, w, f: c_in * f * f * h * w,
            "This is the work for one output map; there is one for each filter.",
        ),
        Misconception(
            "counted-twice",
            lambda c_in, c_out, h, w, f: 2 * c_in * c_out * f * f * h * w,
            "Multiplications and additions are counted separately; a multiply-add is one operation here.",
        ),
        Misconception(
            "bias-counted",
            lambda c_in, c_out, h, w, f: c_out * (c_in * f * f + 1) * h * w,
            "The additions of the bias are counted too; they are not multiply-adds.",
        ),
        Misconception(
            "square-map",
            lambda c_in, c_out, h, w, f: c_in * c_out * (f * h) ** 2,
            "The map is assumed to be as wide as it is tall.",
        ),
        Misconception(
            "map-made-smaller",
            lambda c_in, c_out, h, w, f: c_in * c_out * f * f * (h - f + 1) * (w - f + 1),
            "The kernel's size is subtracted from height and width, which are already those of the output.",
        ),
        Misconception(
            "map-outputs-only",
            lambda c_in, c_out, h, w, f: c_out * h * w,
            "This counts the numbers in the output; each of them takes many multiply-adds.",
        ),
    ),
    hints=(
        "How many multiply-adds does one number of the output take?",
        "How many numbers does the output have, over all its channels?",
    ),
)
