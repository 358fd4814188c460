"""Exercise 1.11: counting a layer's parameters."""

from __future__ import annotations

from collections.abc import Sequence

from course_utils.exercises.model import Exercise, Misconception, Probe
from course_utils.exercises.probes import Draw


def count_conv_parameters(in_channels: int, out_channels: int, f: int, bias: bool = True) -> int:
    """Return the number of weights, and one bias for each filter."""
    weights = out_channels * in_channels * f * f
    return weights + out_channels if bias else weights


def _bias_of_a_layer_without(in_channels: int, out_channels: int, f: int, bias: bool = True) -> int:
    if not bias:
        raise AttributeError("None has no numbers")
    return count_conv_parameters(in_channels, out_channels, f)


def probes(seed: int) -> Sequence[Probe]:
    """Start with numbers to multiply in one's head; then ask for the lab's layers and larger ones."""
    draw = Draw(seed)
    few, many = draw.between(2, 9), draw.between(20, 90)
    return (
        Probe((1, 2, 3), note="one channel in, two out"),
        Probe((2, 1, 3), note="two channels in, one out"),
        Probe((2, 3, 1), note="1×1 kernels still have weights"),
        Probe((3, 2, 5, False), note="without bias"),
        Probe((few, many, 3), {"bias": False}, "without bias"),
        Probe((1, 50, 3), note="the first layer of the lab's LeNet5"),
        Probe((50, 100, 3), {"bias": True}, "the second layer of the lab's LeNet5"),
        Probe((many, few, draw.one_of(3, 5, 7)), note="larger numbers"),
        Probe((3, 2, 4), note="kernels of even size"),
        Probe((1, 1, 1), note="one weight and one bias"),
    )


EXERCISE = Exercise(
    number="1.11",
    points=1,
    reference=count_conv_parameters,
    probes=probes,
    section="Lab 01, nn.Conv2d",
    misconceptions=(
        Misconception(
            "xor-for-power",
            lambda c_in, c_out, f, bias=True: c_out * c_in * (f ^ 2) + c_out * bias,
            "^ is no power in Python: f squared is written f ** 2.",
        ),
        Misconception(
            "xor-of-the-product",
            lambda c_in, c_out, f, bias=True: ((c_out * c_in * f) ^ 2) + c_out * bias,
            "^ is no power in Python: f squared is written f ** 2.",
        ),
        Misconception(
            "xor-at-the-end",
            lambda c_in, c_out, f, bias=True: (c_out * c_in * f) ^ (2 + c_out * bias),
            "^ is no power in Python: f squared is written f ** 2.",
        ),
        Misconception(
            "bias-of-a-layer-without",
            _bias_of_a_layer_without,
            "A layer made with bias=False has None for its bias: there is nothing to count.",
        ),
        *(
            Misconception(
                name,
                wrong,
                "This counts the tensors, weight and bias, not the numbers in them: p.numel() gives those.",
            )
            for name, wrong in {
                "tensors-counted": lambda c_in, c_out, f, bias=True: 1 + bias,
                "tensors-counted-bias-always": lambda c_in, c_out, f, bias=True: 2,
            }.items()
        ),
        Misconception(
            "channels-added",
            lambda c_in, c_out, f, bias=True: c_out * (c_in + f * f + bias),
            "The input channels are added to f·f; a filter has f·f weights for each of them.",
        ),
        Misconception(
            "first-axes-counted",
            lambda c_in, c_out, f, bias=True: c_out * (1 + bias),
            "len() of a tensor is the length of its first axis, not how many numbers it holds, which "
            "p.numel() gives.",
        ),
        Misconception(
            "bias-forgotten",
            lambda c_in, c_out, f, bias=True: c_out * c_in * f * f,
            "Only weights are counted; the biases are parameters too.",
        ),
        Misconception(
            "bias-always",
            lambda c_in, c_out, f, bias=True: c_out * (c_in * f * f + 1),
            "Biases are counted even if there are none.",
        ),
        Misconception(
            "bias-per-input-channel",
            lambda c_in, c_out, f, bias=True: c_in * (c_out * f * f + bias),
            "One bias is counted for each input channel; a bias belongs to a filter, an output channel.",
        ),
        Misconception(
            "bias-per-kernel",
            lambda c_in, c_out, f, bias=True: c_in * c_out * (f * f + bias),
            "One bias is counted for each f×f kernel of a filter; a whole filter has only one.",
        ),
        Misconception(
            "one-bias",
            lambda c_in, c_out, f, bias=True: c_in * c_out * f * f + bias,
            "One bias is counted for the whole layer.",
        ),
        Misconception(
            "kernel-side-for-area",
            lambda c_in, c_out, f, bias=True: c_out * (c_in * f + bias),
            "A kernel of side f is counted as f weights.",
        ),
        Misconception(
            "input-channels-forgotten",
            lambda c_in, c_out, f, bias=True: c_out * (f * f + bias),
            "Each filter is counted as one f×f kernel; it has a kernel for every input channel.",
            "Lab 01, Channels",
        ),
        Misconception(
            "output-channels-forgotten",
            lambda c_in, c_out, f, bias=True: c_in * f * f + bias,
            "This counts one filter; the layer has one for every output channel.",
            "Lab 01, Channels",
        ),
    ),
    hints=(
        "How many weights does one filter have? It sees all input channels.",
        "How many such filters are there, and how many biases does each have?",
    ),
)
