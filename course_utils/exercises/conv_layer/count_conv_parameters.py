"""Exercise 1.10: counting a layer's parameters."""

from __future__ import annotations

from collections.abc import Sequence

from course_utils.exercises.model import Exercise, Misconception, Probe
from course_utils.exercises.probes import Draw


def count_conv_parameters(in_channels: int, out_channels: int, f: int, bias: bool = True) -> int:
    """Return the number of weights, and one bias for each filter."""
    weights = out_channels * in_channels * f * f
    return weights + out_channels if bias else weights


def _count_probes(seed: int) -> Sequence[Probe]:
    draw = Draw(seed)
    few, many = draw.between(2, 9), draw.between(20, 90)
    return (
        Probe((1, 2, 3), note="one channel in, two out"),
        Probe((2, 1, 3), note="two channels in, one out"),
        Probe((2, 3, 1), note="1×1 kernels still have weights"),
        Probe((3, 2, 5, False), note="without bias"),
        Probe((few, many, 3), {"bias": False}, "without bias"),
        Probe((1, 50, 3), note="the first layer of the lab's LeNet5"),
        Probe((50, 100, 3), {"bias": True}, "its second layer"),
        Probe((many, few, draw.one_of(3, 5, 7)), note="larger numbers"),
    )


EXERCISE = Exercise(
    number="1.10",
    points=1,
    reference=count_conv_parameters,
    probes=_count_probes,
    misconceptions=(
        Misconception(
            "bias-forgotten",
            lambda in_channels, out_channels, f, bias=True: out_channels * in_channels * f * f,
            "Only weights are counted; the biases are parameters too.",
            "Lab 01, nn.Conv2d",
        ),
        Misconception(
            "bias-always",
            lambda in_channels, out_channels, f, bias=True: out_channels * (in_channels * f * f + 1),
            "Biases are counted although there are none.",
            "Lab 01, nn.Conv2d",
        ),
        Misconception(
            "bias-per-input-channel",
            lambda in_channels, out_channels, f, bias=True: in_channels * (out_channels * f * f + bias),
            "One bias is counted for each input channel; a bias belongs to a filter, an output channel.",
            "Lab 01, nn.Conv2d",
        ),
        Misconception(
            "bias-per-kernel",
            lambda in_channels, out_channels, f, bias=True: in_channels * out_channels * (f * f + bias),
            "One bias is counted for each f×f slice of a filter; a whole filter has one.",
            "Lab 01, nn.Conv2d",
        ),
        Misconception(
            "one-bias",
            lambda in_channels, out_channels, f, bias=True: in_channels * out_channels * f * f + bias,
            "One bias is counted for the whole layer.",
            "Lab 01, nn.Conv2d",
        ),
        Misconception(
            "kernel-side-for-area",
            lambda in_channels, out_channels, f, bias=True: out_channels * (in_channels * f + bias),
            "A kernel of side f is counted as f weights.",
            "Lab 01, nn.Conv2d",
        ),
        Misconception(
            "input-channels-forgotten",
            lambda in_channels, out_channels, f, bias=True: out_channels * (f * f + bias),
            "Each filter is counted as one f×f slice; it has a slice for every input channel.",
            "Lab 01, Channels",
        ),
        Misconception(
            "output-channels-forgotten",
            lambda in_channels, out_channels, f, bias=True: in_channels * f * f + bias,
            "This is one filter; the layer has one for every output channel.",
            "Lab 01, Channels",
        ),
    ),
    hints=(
        "How many weights has one filter that sees all input channels?",
        "How many such filters are there, and how many biases has each?",
    ),
)
