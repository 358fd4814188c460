"""Exercise 4.3: how many parameters the blocks and the head of VGG have."""

from __future__ import annotations

import itertools

from course_utils.exercises.counts import compare_counts, miscounted
from course_utils.exercises.layer_counts import CountedConvolution, CountedLinear, Layer, explain_layers
from course_utils.exercises.model import Exercise, Probe
from course_utils.exercises.vgg.vgg import ARCH, Arch


def vgg_parameters() -> list[int]:
    """Return how many parameters each of VGG's four blocks has, and its head."""
    counts, channels = [], 3
    for convs, out in ARCH:
        counts.append(0)
        for _ in range(convs):
            counts[-1] += channels * out * 3 * 3 + out
            channels = out
    features = (channels * 2 * 2, 4096, 4096, 10)
    return [*counts, sum(inputs * outputs + outputs for inputs, outputs in itertools.pairwise(features))]


def _counted(
    arch: Arch = ARCH,
    hidden: tuple[int, ...] = (4096, 4096),
    f: int = 3,
    biases: bool = True,
    side: int = 2,
) -> list[int]:
    """Count VGG's parameters with some things changed."""
    counts, channels = [], 3
    for convs, out in arch:
        counts.append(0)
        for _ in range(convs):
            counts[-1] += channels * out * f * f + out * biases
            channels = out
    features = (channels * side * side, *hidden, 10)
    head = sum(i * o + o * biases for i, o in itertools.pairwise(features))
    return [*counts, head]


def _layers() -> dict[str, list[Layer]]:
    parts: dict[str, list[Layer]] = {}
    channels, side = 3, 32
    for number, (convs, out) in enumerate(ARCH, 1):
        inputs = [channels, *[out] * (convs - 1)]
        parts[f"block {number}"] = [CountedConvolution(i, out, side) for i in inputs]
        channels, side = out, side // 2
    return parts | {
        "the head": [CountedLinear(channels, 4096, side), CountedLinear(4096, 4096), CountedLinear(4096, 10)]
    }


_FIRST_CONVOLUTIONS = _counted(arch=tuple((1, out) for _, out in ARCH))
_HEAD = vgg_parameters()[-1]


EXERCISE = Exercise(
    number="4.3",
    points=1,
    reference=vgg_parameters,
    probes=lambda seed: (Probe((), note="the four blocks, then the head"),),
    compare=compare_counts,
    explain=explain_layers(_layers()),
    section="Lab 04, Parameters",
    misconceptions=(
        *miscounted(
            "second-conv-in-block-4",
            _counted(arch=(*ARCH[:3], (2, 512))),
            "The last block is counted with two convolutions; that is the slide's variant.",
        ),
        *miscounted(
            "216-channels",
            _counted(arch=(*ARCH[:2], (2, 216), ARCH[3])),
            "The third block is counted with 216 channels, a misprint on the slide.",
        ),
        *miscounted(
            "no-biases",
            _counted(biases=False),
            "The biases are not counted; there is one for each filter or output.",
        ),
        *miscounted(
            "first-convolutions-only",
            _FIRST_CONVOLUTIONS,
            "Only the first convolution of each block is counted.",
        ),
        *miscounted(
            "second-like-first",
            [*(convs * count for (convs, _), count in zip(ARCH, _FIRST_CONVOLUTIONS, strict=False)), _HEAD],
            "The second convolution of a block is counted like the first; its input already has the block's "
            "own number of channels.",
        ),
        *miscounted(
            "input-channels-ignored",
            [*(convs * (9 * out + out) for convs, out in ARCH), _HEAD],
            "A filter is counted as 3×3 weights; it reaches through all channels of its input.",
        ),
        *miscounted("kernel-counted-once", _counted(f=1), "A kernel is counted as one number, not 3×3."),
        *miscounted("kernel-5", _counted(f=5), "The kernels are counted as 5×5, not 3×3."),
        *miscounted(
            "one-hidden-layer",
            _counted(hidden=(4096,)),
            "The head is counted with one hidden layer; it has two.",
        ),
        *miscounted(
            "unpooled-map",
            _counted(side=4),
            "The head is counted for 4×4 maps, the size before the last pooling.",
        ),
        *miscounted(
            "one-pixel-a-channel",
            _counted(side=1),
            "The head is counted as if each of the 512 maps were one number; each has 2×2.",
        ),
        *miscounted(
            "imagenet-head",
            _counted(side=7),
            "The head is counted for 7×7 maps, as for ImageNet's images; 32×32 images leave 2×2.",
        ),
    ),
    hints=(
        "A 3×3 convolution has in·out·3·3 weights and out biases; ReLU and pooling have no parameters.",
        "Block 1: (3·64·9 + 64) + (64·64·9 + 64). In the second convolution of a block, in equals out.",
        "The head: 2048 → 4096 → 4096 → 10, since 512 maps of 2×2 are left.",
    ),
)
