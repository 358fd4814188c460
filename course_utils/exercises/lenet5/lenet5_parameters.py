"""Exercise 3.3: how many parameters the layers of LeNet5 have."""

from __future__ import annotations

from course_utils.exercises.counts import compare_counts, miscounted
from course_utils.exercises.layer_counts import CountedConvolution, CountedLinear, Layer, explain_layers
from course_utils.exercises.model import Exercise, Probe


def lenet5_parameters() -> list[int]:
    """Return how many parameters each layer of LeNet5 has, weights and biases."""
    conv1 = 1 * 50 * 3 * 3 + 50
    conv2 = 50 * 100 * 3 * 3 + 100
    linear1 = (100 * 7 * 7) * 100 + 100
    linear2 = 100 * 10 + 10
    return [conv1, conv2, linear1, linear2]


_LAYERS: dict[str, list[Layer]] = {
    "conv1": [CountedConvolution(1, 50, 28)],
    "conv2": [CountedConvolution(50, 100, 14)],
    "linear1": [CountedLinear(100, 100, 7)],
    "linear2": [CountedLinear(100, 10)],
}


EXERCISE = Exercise(
    number="3.3",
    points=1,
    reference=lenet5_parameters,
    probes=lambda seed: (Probe((), note="the four layers, conv1 to linear2"),),
    compare=compare_counts,
    explain=explain_layers(_LAYERS),
    section="Lab 03, Parameters",
    misconceptions=(
        *miscounted(
            "no-biases",
            [450, 45000, 490000, 1000],
            "The biases are not counted; there is one for each filter or output.",
        ),
        *miscounted(
            "one-bias-a-layer",
            [450 + 1, 45000 + 1, 490000 + 1, 1000 + 1],
            "A single bias is counted for each layer; there is one for each filter or output.",
        ),
        *miscounted(
            "bias-per-input",
            [450 + 1, 45000 + 50, 490000 + 4900, 1000 + 100],
            "A bias is counted for each input; there is one for each filter or output.",
        ),
        *miscounted(
            "input-channels-ignored",
            [500, 100 * 3 * 3 + 100, 490100, 1010],
            "A filter of the second convolution is counted as 3×3; it reaches through all 50 channels.",
        ),
        *miscounted(
            "kernel-counted-once",
            [1 * 50 + 50, 50 * 100 + 100, 490100, 1010],
            "A kernel is counted as one number, not 3×3.",
        ),
        *miscounted(
            "kernel-width-only",
            [1 * 50 * 3 + 50, 50 * 100 * 3 + 100, 490100, 1010],
            "A kernel is counted as 3 numbers, not 3×3.",
        ),
        *miscounted(
            "kernel-5",
            [1 * 50 * 5 * 5 + 50, 50 * 100 * 5 * 5 + 100, 490100, 1010],
            "The kernels are counted as 5×5, as in the 1998 network.",
        ),
        *miscounted(
            "unpooled-map",
            [500, 45100, (100 * 14 * 14) * 100 + 100, 1010],
            "The first linear layer is counted for 14×14 maps, the size before the second pooling.",
        ),
        *miscounted(
            "unpooled-maps",
            [500, 45100, (100 * 28 * 28) * 100 + 100, 1010],
            "The first linear layer is counted for 28×28 maps, the image's size; each pooling halves it.",
        ),
        *miscounted(
            "one-map",
            [500, 45100, (7 * 7) * 100 + 100, 1010],
            "The first linear layer is counted as if it got a single map; it gets 100.",
        ),
        *miscounted(
            "one-pixel-a-channel",
            [500, 45100, 100 * 100 + 100, 1010],
            "The first linear layer is counted as if each of the 100 maps were one number; each has 7×7.",
        ),
        *miscounted(
            "no-padding",
            [500, 45100, (100 * 5 * 5) * 100 + 100, 1010],
            "The first linear layer is counted for 5×5 maps, the size without padding.",
        ),
    ),
    hints=(
        "A filter has one weight for each place of its kernel in each channel of its input, and one bias.",
        "conv1: 50 filters with 1·3·3 weights and one bias each, so 500. ReLU and pooling have no "
        "parameters.",
        "The first linear layer connects each of the 100·7·7 inputs with each of the 100 outputs.",
    ),
)
