"""Exercise 4.2: the network VGG."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from course_utils.exercises.model import Exercise, Misconception, Probe
from course_utils.exercises.networks import has_other_count, network_difference, observe_network
from course_utils.exercises.probes import Draw
from course_utils.exercises.vgg.vgg_block import vgg_block

Arch = tuple[tuple[int, int], ...]
ARCH: Arch = ((2, 64), (2, 128), (2, 256), (1, 512))


class VGG(nn.Module):
    """The lab's VGG, from N×3×32×32 images to N×10 scores.

    Parameters
    ----------
    arch : tuple of (convs, channels)
        One pair for each block: how many convolutions, and how many channels they return.
    hidden : int
        Width of the two hidden linear layers.
    """

    def __init__(self, arch: Arch = ARCH, hidden: int = 4096) -> None:
        super().__init__()
        channels = (3, *(out for _, out in arch))
        self.blocks = nn.Sequential(
            *(vgg_block(c, out, convs) for c, (convs, out) in zip(channels, arch, strict=False))
        )
        side = 32 // 2 ** len(arch)
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(channels[-1] * side * side, hidden),
            nn.ReLU(),
            nn.Linear(hidden, hidden),
            nn.ReLU(),
            nn.Linear(hidden, 10),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of a batch of images."""
        return self.head(self.blocks(x))


def _like(
    *,
    arch: Arch = ARCH,
    hidden: tuple[int, ...] = (4096, 4096),
    f: int = 3,
    padding: int = 1,
    activation: Callable[[], nn.Module] = nn.ReLU,
    in_head: Callable[[], nn.Module] | None = None,
    pool: Callable[[int], nn.Module] = nn.MaxPool2d,
    pools: int = 4,
    normalise: Callable[[int], nn.Module] | None = None,
    last: Callable[[], nn.Module] = nn.Identity,
) -> Callable[[], nn.Module]:
    """Return a function that builds VGG with some parts changed."""

    def build() -> nn.Module:
        layers: list[nn.Module] = []
        channels, side = 3, 32
        for index, (convs, out) in enumerate(arch):
            for _ in range(convs):
                layers.append(nn.Conv2d(channels, out, f, padding=padding))
                layers += [normalise(out)] if normalise else []
                layers.append(activation())
                channels, side = out, side + 2 * padding - f + 1
            if index < pools:
                layers.append(pool(2))
                side //= 2
        layers.append(nn.Flatten())
        features = (channels * side * side, *hidden)
        for inputs, out in zip(features, hidden, strict=False):
            layers += [nn.Linear(inputs, out), (in_head or activation)()]
        return nn.Sequential(*layers, nn.Linear(features[-1], 10), last())

    return build


def probes(seed: int) -> Sequence[Probe]:
    """Draw two small images."""
    images = Draw(seed).integers(2, 3, 32, 32, low=-2, high=2)
    return (Probe((images,), note="two images of 3×32×32", call="VGG()(images)", shown={}),)


EXERCISE = Exercise(
    number="4.2",
    points=3,
    reference=VGG,
    probes=probes,
    observe=observe_network,
    compare=network_difference,
    rules_out=has_other_count,
    section="Lab 04, The network",
    misconceptions=(
        Misconception(
            "second-conv-in-block-4",
            _like(arch=(*ARCH[:3], (2, 512))),
            "The last block has two convolutions; that is the slide's variant with 29.9 million parameters.",
        ),
        Misconception(
            "216-channels",
            _like(arch=(*ARCH[:2], (2, 216), ARCH[3])),
            "The third block has 216 channels, a misprint on the slide.",
        ),
        Misconception(
            "one-conv-a-block",
            _like(arch=tuple((1, out) for _, out in ARCH)),
            "Every block has a single convolution.",
        ),
        Misconception(
            "no-padding",
            _like(padding=0),
            "The convolutions have no padding, so each of them shrinks the map by 2 rows and 2 columns.",
        ),
        Misconception(
            "kernel-5", _like(f=5, padding=2), "The kernels are 5×5; VGG's idea is to stack small 3×3 ones."
        ),
        Misconception(
            "last-pool-forgotten",
            _like(pools=3),
            "The last block is not pooled, so 512 maps of 4×4 reach the head.",
        ),
        Misconception(
            "one-hidden-layer", _like(hidden=(4096,)), "The head has one hidden layer; the lab's has two."
        ),
        Misconception(
            "no-hidden-layer",
            _like(hidden=()),
            "The head has no hidden layer: the scores come straight from the flattened maps.",
        ),
        Misconception(
            "narrow-head", _like(hidden=(512, 512)), "The hidden layers of the head have 512 units, not 4096."
        ),
        Misconception(
            "batch-normalisation",
            _like(normalise=nn.BatchNorm2d),
            "Batch normalisation follows the convolutions; it was invented after VGG, and the lab's network "
            "has none.",
        ),
        Misconception(
            "dropout",
            _like(in_head=lambda: nn.Sequential(nn.ReLU(), nn.Dropout(0.5))),
            "There is dropout in the head, as in the published VGG; the lab's network has none.",
        ),
        Misconception(
            "no-relu-in-head",
            _like(in_head=nn.Identity),
            "There is no ReLU between the linear layers, so they collapse into one.",
        ),
        Misconception(
            "no-relu",
            _like(activation=nn.Identity),
            "There is no ReLU anywhere: apart from the pooling, the whole network is linear.",
        ),
        Misconception(
            "no-relu-after-convolutions",
            _like(activation=nn.Identity, in_head=nn.ReLU),
            "No ReLU follows the convolutions, so stacked convolutions collapse into one.",
        ),
        Misconception(
            "relu-on-scores",
            _like(last=nn.ReLU),
            "A ReLU is applied to the scores, so no score can be negative.",
        ),
        Misconception(
            "softmax-inside",
            _like(last=lambda: nn.Softmax(dim=1)),
            "The network ends in a softmax, but the cross-entropy loss already applies one.",
            "Lab 03, Loss and error",
        ),
        Misconception(
            "log-softmax-inside",
            _like(last=lambda: nn.LogSoftmax(dim=1)),
            "The network ends in a log-softmax, but the cross-entropy loss already applies one.",
            "Lab 03, Loss and error",
        ),
        Misconception(
            "average-pooling",
            _like(pool=nn.AvgPool2d),
            "The pooling takes the average; the lab's takes the maximum.",
        ),
    ),
    hints=(
        "Four blocks as in Exercise 4.1, with 2, 2, 2 and 1 convolutions and 64, 128, 256 and 512 channels.",
        "Each block halves the map: 32 → 16 → 8 → 4 → 2, so 512·2·2 numbers reach the head.",
        "The head: linear 2048 → 4096, ReLU, linear 4096 → 4096, ReLU, linear 4096 → 10, and nothing after "
        "it.",
    ),
)
