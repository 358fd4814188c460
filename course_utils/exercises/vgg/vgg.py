"""Exercise 4.2: the network VGG."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from course_utils.exercises.model import Exercise, Misconception, Probe
from course_utils.exercises.networks import (
    changed_scores,
    has_other_count,
    network_difference,
    observe_network,
)
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
    plan: Callable[[Arch], Arch] = lambda arch: arch,
    hidden: Callable[[int], tuple[int, ...]] = lambda hidden: (hidden, hidden),
    f: int = 3,
    padding: int = 1,
    activation: Callable[[], nn.Module] = nn.ReLU,
    in_head: Callable[[], nn.Module] | None = None,
    pool: Callable[[int], nn.Module] = nn.MaxPool2d,
    last_pool: bool = True,
    normalise: Callable[[int], nn.Module] | None = None,
    enters_head: Callable[[int, int], int] = lambda channels, side: channels * side * side,
    last: Callable[[], nn.Module] = nn.Identity,
) -> Callable[..., nn.Module]:
    """Return a function that builds VGG with some parts changed."""

    def build(arch: Arch = ARCH, width: int = 4096) -> nn.Module:
        layers: list[nn.Module] = []
        channels, side = 3, 32
        blocks, widths = plan(arch), hidden(width)
        for number, (convs, out) in enumerate(blocks, 1):
            for _ in range(convs):
                layers.append(nn.Conv2d(channels, out, f, padding=padding))
                layers += [normalise(out)] if normalise else []
                layers.append(activation())
                channels, side = out, side + 2 * padding - f + 1
            if last_pool or number < len(blocks):
                layers.append(pool(2))
                side //= 2
        layers.append(nn.Flatten())
        features = (enters_head(channels, side), *widths)
        for inputs, out in zip(features, widths, strict=False):
            layers += [nn.Linear(inputs, out), (in_head or activation)()]
        return nn.Sequential(*layers, nn.Linear(features[-1], 10), last())

    return build


def _if_default(arch: Arch) -> Callable[[Arch], Arch]:
    """Return a plan with another default: what is asked for in so many words is built as asked."""
    return lambda asked: arch if asked == ARCH else asked


def probes(seed: int) -> Sequence[Probe]:
    """Draw two small images; ask for the lab's VGG, then for small ones with fewer blocks."""
    draw = Draw(seed)
    images = draw.integers(2, 3, 32, 32, low=-2, high=2)

    def small(*arch: tuple[int, int], hidden: int) -> Probe:
        text = f"VGG(arch={arch}, hidden={hidden})(images)"
        return Probe((arch, hidden, images), note=f"{len(arch)} blocks", call=text, shown={})

    few, some, many = draw.between(2, 4), draw.between(5, 7), draw.between(8, 10)
    return (
        Probe((images,), note="two images of 3×32×32", call="VGG()(images)", shown={}),
        small((1, few), (2, some), hidden=many),
        small((3, few), (1, many), (1, few), hidden=some),
    )


def _explain(probe: Probe, expected: Any, actual: Any) -> str | None:
    arch = probe.arguments[0] if len(probe.arguments) > 1 else ARCH
    # As a misconception, it would run nearly a thousand layers once more.
    filters = [layer["weight"][0] for layer in actual["layers"] if layer["kind"] == "conv"]
    if filters == [convs for convs, out in arch for _ in range(out)]:
        return (
            "The pairs of `arch` are read the wrong way round: the number of convolutions comes first, then "
            "the number of filters."
        )
    return None


EXERCISE = Exercise(
    number="4.2",
    points=3,
    reference=VGG,
    builds_on=("vgg_block",),
    probes=probes,
    observe=observe_network,
    compare=network_difference,
    rules_out=has_other_count,
    explain=_explain,
    section="Lab 04, The network",
    misconceptions=(
        Misconception(
            "second-conv-in-block-4",
            _like(plan=_if_default((*ARCH[:3], (2, 512)))),
            "The last block has two convolutions; that is the slide's variant with 29.9 million parameters.",
        ),
        Misconception(
            "216-channels",
            _like(plan=_if_default((*ARCH[:2], (2, 216), ARCH[3]))),
            "The third block has 216 channels, a misprint on the slide.",
        ),
        Misconception(
            "one-conv-a-block",
            _like(plan=lambda arch: tuple((1, out) for _, out in arch)),
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
            _like(last_pool=False),
            "The last block is not pooled, so 512 maps of 4×4 reach the head.",
        ),
        Misconception(
            "one-hidden-layer",
            _like(hidden=lambda hidden: (hidden,)),
            "The head has one hidden layer; the lab's has two.",
        ),
        Misconception(
            "no-hidden-layer",
            _like(hidden=lambda hidden: ()),
            "The head has no hidden layer: the scores come straight from the flattened maps.",
        ),
        Misconception(
            "narrow-head",
            _like(hidden=lambda hidden: (min(hidden, 512),) * 2),
            "The hidden layers of the head have 512 units, not 4096.",
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
        *changed_scores(_like),
        Misconception(
            "average-pooling",
            _like(pool=nn.AvgPool2d),
            "The pooling takes the average; the lab's takes the maximum.",
        ),
        Misconception(
            "arch-ignored",
            _like(plan=lambda arch: ARCH),
            "The blocks are always the lab's, whatever `arch` says.",
        ),
        Misconception(
            "hidden-ignored",
            _like(hidden=lambda hidden: (4096, 4096)),
            "The hidden layers always have 4096 units, whatever `hidden` says.",
        ),
        Misconception(
            "arch-and-hidden-ignored",
            _like(plan=lambda arch: ARCH, hidden=lambda hidden: (4096, 4096)),
            "It is always the lab's network, whatever `arch` and `hidden` say.",
        ),
        *(
            Misconception(
                name,
                wrong,
                "The head expects the 2×2 maps that four blocks leave; their size depends on `arch`.",
            )
            for name, wrong in {
                "four-blocks-assumed": _like(enters_head=lambda channels, side: channels * 2 * 2),
                "2048-assumed": _like(enters_head=lambda channels, side: 2048),
                "head-fixed": _like(
                    enters_head=lambda channels, side: 2048, hidden=lambda hidden: (4096, 4096)
                ),
            }.items()
        ),
        Misconception(
            "second-hidden-layer-fixed",
            _like(hidden=lambda hidden: (hidden, 4096)),
            "Only the first hidden layer has the width `hidden`; the second always has 4096 units.",
        ),
    ),
    hints=(
        "arch is a list of blocks: each pair says how many convolutions, and how many filters. Go through it "
        "in a loop with vgg_block; the input of a block has as many channels as the block before it has "
        "filters, the image 3.",
        "Each block halves the map: 32 → 16 → 8 → 4 → 2 for four blocks, 32 // 2**len(arch) for any number. "
        "So many rows and columns of each map of the last block reach the head.",
        "hidden is the width of both hidden layers: 2048 → 4096 → 4096 → 10 by default, with a ReLU after "
        "each but the last.",
    ),
)
