"""Exercise 3.3: how many parameters the layers of LeNet5 have."""

from __future__ import annotations

from course_utils.exercises.counts import explain_counts, miscounted, observe_counts, total_alone
from course_utils.exercises.model import Exercise, Probe


def lenet5_parameters() -> list[int]:
    """Return how many parameters each layer of LeNet5 has, weights and biases."""
    conv1 = 1 * 50 * 3 * 3 + 50
    conv2 = 50 * 100 * 3 * 3 + 100
    linear1 = (100 * 7 * 7) * 100 + 100
    linear2 = 100 * 10 + 10
    return [conv1, conv2, linear1, linear2]


EXERCISE = Exercise(
    number="3.3",
    points=1,
    reference=lenet5_parameters,
    also_right=(total_alone(lenet5_parameters),),
    probes=lambda seed: (Probe((), note="the four layers, conv1 to linear2"),),
    observe=observe_counts,
    explain=explain_counts("conv1", "conv2", "linear1", "linear2"),
    section="Lab 03, Parameters",
    misconceptions=(
        *miscounted(
            "no-biases", [450, 45000, 490000, 1000], "The biases are not counted, one for each output."
        ),
        *miscounted(
            "one-bias-a-layer",
            [451, 45001, 490001, 1001],
            "Each layer is given a single bias; it has one for each filter or output.",
        ),
        *miscounted(
            "bias-per-input",
            [451, 45050, 494900, 1100],
            "The biases are counted for each input; a layer has one for each output.",
        ),
        *miscounted(
            "input-channels-ignored",
            [500, 1000, 490100, 1010],
            "A filter of the second convolution is counted as 3×3; it reaches through all 50 channels.",
        ),
        *miscounted(
            "kernel-counted-once", [100, 5100, 490100, 1010], "A kernel is counted as 1×1 number, not 3×3."
        ),
        *miscounted(
            "kernel-width-only", [200, 15100, 490100, 1010], "A kernel is counted as 3 numbers, not 3×3."
        ),
        *miscounted(
            "kernel-5",
            [1300, 125100, 490100, 1010],
            "The kernels are counted as 5×5, as in the network of 1998.",
        ),
        *miscounted(
            "unpooled-map",
            [500, 45100, 1960100, 1010],
            "The first linear layer is counted on 14×14 maps, before the second pooling.",
        ),
        *miscounted(
            "one-pixel-a-channel",
            [500, 45100, 10100, 1010],
            "The first linear layer is counted as if each of the 100 maps were one number; each has 7×7.",
        ),
        *miscounted(
            "no-padding", [500, 45100, 250100, 1010], "The maps are counted as 5×5, as without padding."
        ),
    ),
    hints=(
        "A filter has a weight for each channel it looks at and each place of its kernel, and one bias.",
        "conv1: 50 filters with 1·3·3 weights and a bias each, so 500. ReLU and pooling have no parameters.",
        "The first linear layer connects each of the 100·7·7 inputs with each of the 100 outputs.",
    ),
)
