"""Exercise 4.1: one block of VGG."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from course_utils.exercises.model import Exercise, Misconception, Probe
from course_utils.exercises.networks import has_other_count, network_difference, observe_network
from course_utils.exercises.probes import Draw

SECTION = "Lab 04, Blocks"


def vgg_block(in_channels: int, out_channels: int, convs: int) -> nn.Sequential:
    """Return `convs` times a 3×3 convolution with padding 1 and a ReLU, then 2×2 max-pooling.

    The first convolution changes the number of channels, the others keep it.
    """
    layers: list[nn.Module] = []
    for index in range(convs):
        channels = out_channels if index else in_channels
        layers += [nn.Conv2d(channels, out_channels, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.MaxPool2d(2))


def _like(
    *,
    f: int = 3,
    padding: int = 1,
    stride: int = 1,
    bias: bool = True,
    activation: Callable[[], nn.Module] = nn.ReLU,
    at_the_end: Callable[[], nn.Module] = nn.ReLU,
    pool: Callable[[], nn.Module] = lambda: nn.MaxPool2d(2),
    after_each: Callable[[], nn.Module] = nn.Identity,
    normalise: Callable[[int], nn.Module] | None = None,
    more: int = 0,
) -> Callable[[int, int, int], nn.Module]:
    """Return a builder of blocks with some parts exchanged."""

    def build(in_channels: int, out_channels: int, convs: int) -> nn.Module:
        layers: list[nn.Module] = []
        for index in range(max(convs + more, 1)):
            channels = out_channels if index else in_channels
            layers.append(nn.Conv2d(channels, out_channels, f, padding=padding, stride=stride, bias=bias))
            layers += [normalise(out_channels)] if normalise else []
            layers += [activation() if index < convs + more - 1 else at_the_end(), after_each()]
        return nn.Sequential(*layers, pool())

    return build


def _always_one(in_channels: int, out_channels: int, convs: int) -> nn.Module:
    return vgg_block(in_channels, out_channels, 1)


def _always_two(in_channels: int, out_channels: int, convs: int) -> nn.Module:
    return vgg_block(in_channels, out_channels, 2)


def _input_width_kept(in_channels: int, out_channels: int, convs: int) -> nn.Module:
    convolutions = [nn.Conv2d(in_channels, out_channels, 3, padding=1) for _ in range(convs)]
    layers = [layer for conv in convolutions for layer in (conv, nn.ReLU())]
    return nn.Sequential(*layers, nn.MaxPool2d(2))


def _widened_at_the_end(in_channels: int, out_channels: int, convs: int) -> nn.Module:
    layers: list[nn.Module] = []
    for index in range(convs):
        out = out_channels if index == convs - 1 else in_channels
        layers += [nn.Conv2d(in_channels, out, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.MaxPool2d(2))


def _one_layer_repeated(in_channels: int, out_channels: int, convs: int) -> nn.Module:
    layers: list[nn.Module] = [nn.Conv2d(in_channels, out_channels, 3, padding=1), nn.ReLU()]
    again = nn.Conv2d(out_channels, out_channels, 3, padding=1)
    layers += [again, nn.ReLU()] * (convs - 1)
    return nn.Sequential(*layers, nn.MaxPool2d(2))


def probes(seed: int) -> Sequence[Probe]:
    """Draw widths and images; one convolution first, odd and non-square maps, widths that grow and shrink."""
    draw = Draw(seed)

    def probe(in_channels: int, out_channels: int, convs: int, images: Tensor, note: str) -> Probe:
        count, _, height, width = images.shape
        return Probe(
            (in_channels, out_channels, convs, images),
            note=f"{note}; {count} images of {height}×{width}",
            call=f"vgg_block({in_channels}, {out_channels}, {convs})(images)",
            shown={},
        )

    few, many = draw.between(2, 3), draw.between(4, 6)
    return (
        probe(1, 2, 1, draw.integers(2, 1, 6, 5), "one convolution"),
        probe(few, many, 2, draw.integers(2, few, 6, 4), "two convolutions"),
        probe(many, few, 3, draw.integers(3, many, 7, 5), "three convolutions, odd sizes, fewer channels"),
    )


def observe_block(candidate: Callable[..., Any], probe: Probe) -> dict[str, Any]:
    """Build the candidate's block and look at what it does to the probe's images."""
    *sizes, images = probe.arguments
    return observe_network(lambda: candidate(*sizes), images)


EXERCISE = Exercise(
    number="4.1",
    points=2,
    reference=vgg_block,
    probes=probes,
    observe=observe_block,
    compare=network_difference,
    rules_out=lambda wrong, probe, actual: has_other_count(lambda: wrong(*probe.arguments[:-1]), actual),
    misconceptions=(
        Misconception("no-pool", _like(pool=nn.Identity), "The block ends without pooling.", SECTION),
        Misconception(
            "pool-after-each-convolution",
            _like(after_each=lambda: nn.MaxPool2d(2), pool=nn.Identity),
            "The map is pooled after every convolution; a block pools once, at its end.",
            SECTION,
        ),
        Misconception(
            "average-pooling",
            _like(pool=lambda: nn.AvgPool2d(2)),
            "The maps are averaged; the block keeps the maximum.",
            SECTION,
        ),
        Misconception(
            "overlapping-pool",
            _like(pool=lambda: nn.MaxPool2d(2, stride=1)),
            "The pooling windows overlap (stride 1), so that the map is hardly smaller.",
            SECTION,
        ),
        Misconception(
            "pool-rounds-up",
            _like(pool=lambda: nn.MaxPool2d(2, ceil_mode=True)),
            "The pooled size is rounded up for odd maps.",
            SECTION,
        ),
        Misconception(
            "no-padding",
            _like(padding=0),
            "The convolutions have no padding, so each of them makes the map smaller by 2.",
            SECTION,
        ),
        Misconception(
            "kernel-1", _like(f=1, padding=0), "The kernels are 1×1: they see no neighbours.", SECTION
        ),
        Misconception(
            "kernel-1-padded",
            _like(f=1, padding=1),
            "The kernels are 1×1, and the padding adds an empty frame each time.",
            SECTION,
        ),
        Misconception("kernel-5", _like(f=5, padding=2), "The kernels are 5×5.", SECTION),
        Misconception(
            "strided-convolutions",
            _like(stride=2),
            "The convolutions have stride 2, and the pooling halves the map once more.",
            SECTION,
        ),
        Misconception(
            "no-relu",
            _like(activation=nn.Identity, at_the_end=nn.Identity),
            "There is no ReLU: stacked convolutions collapse into one.",
            SECTION,
        ),
        Misconception(
            "no-final-relu",
            _like(at_the_end=nn.Identity),
            "No ReLU follows the last convolution of the block.",
            SECTION,
        ),
        Misconception(
            "relu-only-at-the-end",
            _like(activation=nn.Identity),
            "One ReLU ends the block, and the convolutions before it collapse into one.",
            SECTION,
        ),
        Misconception("no-biases", _like(bias=False), "The convolutions have no biases.", SECTION),
        Misconception(
            "batch-normalisation",
            _like(normalise=nn.BatchNorm2d),
            "Batch normalisation follows the convolutions; this block has none.",
            SECTION,
        ),
        Misconception(
            "always-one-convolution", _always_one, "The number of convolutions is ignored.", SECTION
        ),
        Misconception(
            "always-two-convolutions",
            _always_two,
            "There are always two convolutions, whatever number is asked for.",
            SECTION,
        ),
        Misconception(
            "one-convolution-more", _like(more=1), "There is one convolution more than asked for.", SECTION
        ),
        Misconception(
            "one-convolution-less",
            _like(more=-1),
            "There is one convolution less than asked for, wherever more than one is.",
            SECTION,
        ),
        Misconception(
            "input-channels-kept",
            _input_width_kept,
            "Every convolution expects the block's input channels, but the second gets what the first gave.",
            SECTION,
        ),
        Misconception(
            "widened-at-the-end",
            _widened_at_the_end,
            "The number of channels changes in the last convolution; in the lecture's blocks it does in "
            "the first.",
            SECTION,
        ),
        Misconception(
            "one-layer-repeated",
            _one_layer_repeated,
            "One and the same convolution is used again and again: the repeats share their weights.",
            SECTION,
        ),
    ),
    hints=(
        "Collect the layers in a list, in a loop over the convolutions, and wrap it: nn.Sequential(*layers).",
        "The first convolution goes from in_channels to out_channels, all others from out_channels to "
        "out_channels.",
        "Padding 1 keeps the size under a 3×3 kernel; nn.MaxPool2d(2) comes once, after the loop.",
    ),
)
