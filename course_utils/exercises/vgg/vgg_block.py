"""Exercise 4.1: one block of VGG."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor, nn

from course_utils.exercises.model import Exercise, Misconception, Probe
from course_utils.exercises.networks import has_other_count, listed, network_difference, observe_network
from course_utils.exercises.probes import Draw

Plan = list[tuple[int, int]]


def vgg_block(in_channels: int, out_channels: int, convs: int) -> nn.Sequential:
    """Return `convs` 3×3 convolutions with padding 1, each followed by a ReLU, then 2×2 max-pooling.

    The first convolution changes the number of channels; the others keep it.
    """
    layers: list[nn.Module] = []
    for index in range(convs):
        channels = out_channels if index else in_channels
        layers += [nn.Conv2d(channels, out_channels, 3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.MaxPool2d(2))


def _plan(in_channels: int, out_channels: int, convs: int) -> Plan:
    """Return the channels in and out of each convolution."""
    return [(in_channels, out_channels)] + [(out_channels, out_channels)] * (convs - 1)


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
    plan: Callable[[int, int, int], Plan] = _plan,
) -> Callable[[int, int, int], nn.Module]:
    """Return a function that builds blocks with some parts changed."""

    def build(in_channels: int, out_channels: int, convs: int) -> nn.Module:
        layers: list[nn.Module] = []
        convolutions = plan(in_channels, out_channels, convs)
        for number, (inputs, outputs) in enumerate(convolutions, 1):
            layers.append(nn.Conv2d(inputs, outputs, f, padding=padding, stride=stride, bias=bias))
            layers += [normalise(outputs)] if normalise else []
            layers += [activation() if number < len(convolutions) else at_the_end(), after_each()]
        return nn.Sequential(*layers, pool())

    return build


def _one_layer_repeated(in_channels: int, out_channels: int, convs: int) -> nn.Module:
    layers: list[nn.Module] = [nn.Conv2d(in_channels, out_channels, 3, padding=1), nn.ReLU()]
    again = nn.Conv2d(out_channels, out_channels, 3, padding=1)
    layers += [again, nn.ReLU()] * (convs - 1)
    return nn.Sequential(*layers, nn.MaxPool2d(2))


def probes(seed: int) -> Sequence[Probe]:
    """Draw widths and images: first one convolution; maps of odd size; widths that grow and shrink."""
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


EXERCISE = Exercise(
    number="4.1",
    points=2,
    reference=vgg_block,
    probes=probes,
    observe=observe_network,
    compare=network_difference,
    rules_out=has_other_count,
    section="Lab 04, Blocks",
    misconceptions=(
        *listed(vgg_block),
        Misconception("no-pool", _like(pool=nn.Identity), "The block ends without pooling."),
        Misconception(
            "pool-after-each-convolution",
            _like(after_each=lambda: nn.MaxPool2d(2), pool=nn.Identity),
            "The map is pooled after every convolution; a block pools once, at its end.",
        ),
        Misconception(
            "average-pooling",
            _like(pool=lambda: nn.AvgPool2d(2)),
            "The pooling takes the average; the lecture's blocks take the maximum.",
        ),
        Misconception(
            "overlapping-pool",
            _like(pool=lambda: nn.MaxPool2d(2, stride=1)),
            "The pooling windows overlap (stride 1), so the map hardly shrinks.",
        ),
        Misconception(
            "pool-rounds-up",
            _like(pool=lambda: nn.MaxPool2d(2, ceil_mode=True)),
            "For maps of odd size, the pooled size is rounded up.",
        ),
        Misconception(
            "no-padding",
            _like(padding=0),
            "The convolutions have no padding, so each of them shrinks the map by 2 rows and 2 columns.",
        ),
        Misconception("kernel-1", _like(f=1, padding=0), "The kernels are 1×1: they see no neighbours."),
        Misconception(
            "kernel-1-padded",
            _like(f=1, padding=1),
            "The kernels are 1×1, and the padding makes the map larger each time.",
        ),
        Misconception("kernel-5", _like(f=5, padding=2), "The kernels are 5×5, not 3×3."),
        Misconception(
            "strided-convolutions",
            _like(stride=2),
            "The convolutions have stride 2, so they shrink the map as well; only the pooling should.",
        ),
        Misconception(
            "no-relu",
            _like(activation=nn.Identity, at_the_end=nn.Identity),
            "There is no ReLU, so stacked convolutions collapse into one.",
        ),
        Misconception(
            "no-final-relu",
            _like(at_the_end=nn.Identity),
            "No ReLU follows the last convolution of the block.",
        ),
        Misconception(
            "relu-only-at-the-end",
            _like(activation=nn.Identity),
            "The only ReLU is at the end of the block, so the convolutions before it collapse into one.",
        ),
        Misconception("no-biases", _like(bias=False), "The convolutions have no biases."),
        Misconception(
            "batch-normalisation",
            _like(normalise=nn.BatchNorm2d),
            "Batch normalisation follows the convolutions; this block has none.",
        ),
        Misconception(
            "always-one-convolution",
            _like(plan=lambda before, after, convs: _plan(before, after, 1)),
            "There is always one convolution, whatever number is asked for.",
        ),
        Misconception(
            "always-two-convolutions",
            _like(plan=lambda before, after, convs: _plan(before, after, 2)),
            "There are always two convolutions, whatever number is asked for.",
        ),
        Misconception(
            "one-convolution-more",
            _like(plan=lambda before, after, convs: _plan(before, after, convs + 1)),
            "There is one more convolution than asked for.",
        ),
        Misconception(
            "one-convolution-less",
            _like(plan=lambda before, after, convs: _plan(before, after, max(convs - 1, 1))),
            "There is one convolution fewer than asked for, unless only one is asked for.",
        ),
        Misconception(
            "input-channels-kept",
            _like(plan=lambda before, after, convs: [(before, after)] * convs),
            "Every convolution expects the block's input channels, but the second one gets the output of the "
            "first.",
        ),
        Misconception(
            "widened-at-the-end",
            _like(plan=lambda before, after, convs: [(before, before)] * (convs - 1) + [(before, after)]),
            "The number of channels changes in the last convolution; in the lecture's blocks it changes in "
            "the first.",
        ),
        Misconception(
            "one-layer-repeated",
            _one_layer_repeated,
            "The same convolution is used again and again, so all its uses share their weights.",
        ),
    ),
    hints=(
        "Collect the layers in a list, in a loop over the convolutions, and wrap it: nn.Sequential(*layers).",
        "The first convolution goes from in_channels to out_channels, all others from out_channels to "
        "out_channels.",
        "With a 3×3 kernel, padding 1 keeps the size; nn.MaxPool2d(2) comes once, after the loop.",
    ),
)
