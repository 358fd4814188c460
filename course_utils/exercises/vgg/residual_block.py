"""Exercise 4.9: the block of a residual network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from course_utils.exercises.model import Exercise, Misconception, Probe
from course_utils.exercises.networks import has_other_count, network_difference, observe_network
from course_utils.exercises.probes import Draw


class ResidualBlock(nn.Module):
    """Two 3×3 convolutions whose result is added to the input: relu(x + conv2(relu(conv1(x))))."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """Return a map of the same shape."""
        return F.relu(x + self.conv2(F.relu(self.conv1(x))))


class _Like(nn.Module):
    """A block with parts changed: `first` follows conv1; `join` gets the input and the output of conv2."""

    def __init__(
        self,
        channels: int,
        *,
        f: int = 3,
        padding: int = 1,
        bias: bool = True,
        normalised: bool = False,
        first: Callable[[Tensor], Tensor] = F.relu,
        join: Callable[[Tensor, Tensor], Tensor] = lambda x, y: F.relu(x + y),
        convs: int = 2,
    ) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(channels, channels, f, padding=padding, bias=bias),
                *([nn.BatchNorm2d(channels)] if normalised else []),
            )
            for _ in range(convs)
        )
        self.first, self.join = first, join

    def forward(self, x: Tensor) -> Tensor:
        y = x
        for index, conv in enumerate(self.convs):
            y = conv(self.first(y) if index else y)
        return self.join(x, y)


class _MiddleAdded(_Like):
    """A block that adds what its first convolution gives, instead of its input."""

    def __init__(self, channels: int, kept: Callable[[Tensor], Tensor]) -> None:
        super().__init__(channels)
        self.kept = kept

    def forward(self, x: Tensor) -> Tensor:
        """Return a map of the same shape."""
        middle = self.convs[0](x)
        return F.relu(self.kept(middle) + self.convs[1](F.relu(middle)))


def _like(**changes: Any) -> Callable[[int], nn.Module]:
    return lambda channels: _Like(channels, **changes)


def _one_convolution_used_twice(channels: int) -> nn.Module:
    block = _Like(channels)
    block.convs[1] = block.convs[0]
    return block


def _add_to_cropped(x: Tensor, y: Tensor) -> Tensor:
    edge = (x.shape[-1] - y.shape[-1]) // 2
    return F.relu(x[..., edge : x.shape[-2] - edge, edge : x.shape[-1] - edge] + y)


def probes(seed: int) -> Sequence[Probe]:
    """Draw maps that are not square: first of two channels, then of more."""
    draw = Draw(seed)

    def probe(channels: int, count: int, height: int, width: int, note: str) -> Probe:
        return Probe(
            (channels, draw.integers(count, channels, height, width)),
            note=f"{note}; {count} maps of {channels}×{height}×{width}",
            call=f"ResidualBlock({channels})(x)",
            shown={},
        )

    return (
        probe(2, 2, 5, 6, "two channels"),
        probe(draw.between(3, 5), 3, 7, 5, "more channels, not square"),
    )


EXERCISE = Exercise(
    number="4.9",
    points=2,
    reference=ResidualBlock,
    also_right=(_like(bias=False), _like(normalised=True), _like(normalised=True, bias=False)),
    probes=probes,
    observe=observe_network,
    compare=network_difference,
    rules_out=has_other_count,
    section="Lab 04, Case studies",
    misconceptions=(
        Misconception(
            "relu-before-addition",
            _like(join=lambda x, y: x + F.relu(y)),
            "The last ReLU comes before the addition, so the block can only add, never subtract.",
        ),
        Misconception(
            "relu-before-and-after-addition",
            _like(join=lambda x, y: F.relu(x + F.relu(y))),
            "There is another ReLU between the second convolution and the addition, so the block can only "
            "add, never subtract.",
        ),
        Misconception("no-final-relu", _like(join=lambda x, y: x + y), "No ReLU follows the addition."),
        Misconception(
            "no-first-relu",
            _like(first=lambda y: y),
            "There is no ReLU between the convolutions, so they collapse into one.",
        ),
        Misconception(
            "no-skip",
            _like(join=lambda x, y: F.relu(y)),
            "The input is never added, so there is no skip connection.",
        ),
        Misconception(
            "skip-doubled", _like(join=lambda x, y: F.relu(2 * x + y)), "The input is added twice."
        ),
        Misconception(
            "branch-added-to-itself",
            _like(join=lambda x, y: F.relu(y + y)),
            "The output of the convolutions is added to itself: the name x no longer stands for the input.",
        ),
        *(
            Misconception(
                name,
                lambda channels, kept=kept: _MiddleAdded(channels, kept),
                "The output of the first convolution is added, not the input: the name x no longer stands "
                "for the input.",
            )
            for name, kept in {"middle-added": F.relu, "middle-added-before-relu": lambda y: y}.items()
        ),
        *(
            Misconception(
                name,
                _like(join=join),
                "torch.cat puts the maps of input and branch one behind the other, so there are twice as "
                "many; they should be added, value by value.",
            )
            for name, join in {
                "concatenated": lambda x, y: F.relu(torch.cat([x, y], dim=1)),
                "concatenated-without-relu": lambda x, y: torch.cat([x, y], dim=1),
                "concatenated-images": lambda x, y: F.relu(torch.cat([x, y])),
            }.items()
        ),
        Misconception(
            "multiplied", _like(join=lambda x, y: F.relu(x * y)), "The input is multiplied, not added."
        ),
        Misconception(
            "subtracted",
            _like(join=lambda x, y: F.relu(x - y)),
            "The branch is subtracted from the input, not added to it.",
        ),
        Misconception(
            "skip-through-relu",
            _like(join=lambda x, y: F.relu(F.relu(x) + y)),
            "The input passes through a ReLU before it is added; the skip connection should leave it "
            "unchanged.",
        ),
        Misconception("one-convolution", _like(convs=1), "There is a single convolution; the block has two."),
        Misconception(
            "three-convolutions", _like(convs=3), "There are three convolutions; the block has two."
        ),
        Misconception(
            "one-convolution-used-twice",
            _one_convolution_used_twice,
            "The same convolution is used twice, so both uses share their weights.",
        ),
        Misconception(
            "no-padding",
            _like(padding=0),
            "The convolutions have no padding, so their output is smaller than the input and cannot be added "
            "to it.",
        ),
        Misconception(
            "cropped-input",
            _like(padding=0, join=_add_to_cropped),
            "The convolutions have no padding, and the input is cropped to fit.",
        ),
        Misconception("kernel-1", _like(f=1, padding=0), "The kernels are 1×1: they see no neighbours."),
        Misconception("kernel-5", _like(f=5, padding=2), "The kernels are 5×5, not 3×3."),
    ),
    hints=(
        "The branch is convolution, ReLU, convolution; both convolutions keep channels and size.",
        "Keep the input under its own name: it is needed once more, for the addition.",
        "The last ReLU acts on the sum.",
    ),
)
