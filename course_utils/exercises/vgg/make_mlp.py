"""Exercise 4.5: multilayer perceptrons, the baselines."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from torch import nn

from course_utils.exercises.model import Exercise, Misconception, Probe
from course_utils.exercises.networks import (
    changed_scores,
    has_other_count,
    network_difference,
    observe_network,
)
from course_utils.exercises.probes import Draw

Sizes = Sequence[int]


def make_mlp(sizes: Sizes) -> nn.Sequential:
    """Return linear layers with ReLUs between them; images are flattened first.

    Parameters
    ----------
    sizes : sequence of int
        Inputs, hidden units …, classes: (3072, 512, 10) has two linear layers.
    """
    layers: list[nn.Module] = [nn.Flatten()]
    for inputs, outputs in itertools.pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def _like(
    *,
    activation: Callable[[], nn.Module] = nn.ReLU,
    first: Callable[[], nn.Module] = nn.Flatten,
    last: Callable[[], nn.Module] = nn.Identity,
    bias: bool = True,
    after_input: Callable[[], nn.Module] = nn.Identity,
    change: Callable[[Sizes], Sizes] = lambda sizes: sizes,
) -> Callable[[Sizes], nn.Module]:
    """Return a function that builds perceptrons with some parts changed."""

    def build(asked: Sizes) -> nn.Module:
        sizes = list(change(asked))
        layers: list[nn.Module] = [first(), after_input()]
        for inputs, outputs in itertools.pairwise(sizes):
            layers += [nn.Linear(inputs, outputs, bias=bias), activation()]
        return nn.Sequential(*layers[:-1], last())

    return build


def _relu_once(sizes: Sizes) -> nn.Module:
    layers: list[nn.Module] = [nn.Flatten()]
    for index, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
        layers += [nn.Linear(inputs, outputs)]
        layers += [nn.ReLU()] if index == 0 and len(sizes) > 2 else []
    return nn.Sequential(*layers)


def _relu_unless(skip: Callable[[int, int], bool]) -> Callable[[Sizes], nn.Module]:
    """Return a function that leaves the ReLU out where `skip` says so of a layer's place and outputs."""

    def build(sizes: Sizes) -> nn.Module:
        layers: list[nn.Module] = [nn.Flatten()]
        for index, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
            layers += [nn.Linear(inputs, outputs)]
            layers += [] if skip(index, outputs) else [nn.ReLU()]
        return nn.Sequential(*layers)

    return build


def _every_second_pair(sizes: Sizes) -> nn.Module:
    layers: list[nn.Module] = []
    for index in range(0, len(sizes) - 1, 2):
        layers += [nn.Linear(sizes[index], sizes[index + 1]), nn.ReLU()]
    return nn.Sequential(nn.Flatten(), *layers[:-1])


def probes(seed: int) -> Sequence[Probe]:
    """Draw sizes and images: first a single layer, then one to three hidden layers of different widths."""
    draw = Draw(seed)

    def probe(channels: int, height: int, width: int, *widths: int, count: int, note: str) -> Probe:
        sizes = (channels * height * width, *widths)
        return Probe(
            (sizes, draw.integers(count, channels, height, width)),
            note=f"{note}; {count} images of {channels}×{height}×{width}",
            call=f"make_mlp({sizes})(images)",
            shown={},
        )

    few, some, many = draw.between(2, 4), draw.between(5, 7), draw.between(8, 9)
    return (
        probe(1, 2, 3, few, count=2, note="one linear layer"),
        probe(2, 2, 2, many, few, count=3, note="one hidden layer"),
        probe(3, 4, 3, some, many, few, count=3, note="two hidden layers"),
        probe(1, 4, 4, many, some, few, 3, count=2, note="three hidden layers"),
        probe(1, 3, 4, 10, some, 10, count=2, note="10 classes, and a hidden layer of 10 units"),
    )


EXERCISE = Exercise(
    number="4.5",
    points=1,
    reference=make_mlp,
    probes=probes,
    observe=observe_network,
    compare=network_difference,
    rules_out=has_other_count,
    section="Lab 04, Baselines",
    misconceptions=(
        Misconception(
            "no-relu",
            _like(activation=nn.Identity),
            "There is no ReLU between the layers, so they collapse into one linear layer.",
        ),
        Misconception(
            "relu-once",
            _relu_once,
            "Only the first hidden layer has a ReLU, so the layers after it collapse into one.",
        ),
        Misconception(
            "relu-on-input",
            _like(after_input=nn.ReLU),
            "A ReLU is applied to the input, so the dark pixels, which are negative, are lost.",
        ),
        Misconception(
            "not-flattened",
            _like(first=nn.Identity),
            "The images are not flattened, so the first linear layer acts on each of their rows.",
        ),
        Misconception(
            "batch-flattened",
            _like(first=lambda: nn.Flatten(0)),
            "The batch is flattened along with the images.",
        ),
        Misconception("no-biases", _like(bias=False), "The linear layers have no biases."),
        *changed_scores(_like),
        Misconception(
            "last-layer-by-its-size",
            _relu_unless(lambda index, outputs: outputs == 10),
            "The last layer is recognised by its 10 outputs, but there may be another number of classes, and "
            "a hidden layer of 10; its place is what makes it the last.",
        ),
        Misconception(
            "relu-after-all-but-the-first",
            _relu_unless(lambda index, outputs: index == 0),
            "A ReLU follows every layer but the first; it should follow every layer but the last.",
        ),
        Misconception(
            "every-second-pair",
            _every_second_pair,
            "Every second pair of sizes is left out, as by a loop in steps of two; each size but the last "
            "begins a layer.",
        ),
        Misconception("sigmoid", _like(activation=nn.Sigmoid), "The activations are sigmoids, not ReLUs."),
        Misconception("tanh", _like(activation=nn.Tanh), "The activations are tanh, not ReLUs."),
        Misconception(
            "last-layer-missing",
            _like(change=lambda sizes: sizes[:-1] if len(sizes) > 2 else sizes),
            "The last linear layer is missing: the loop ends one pair of sizes too early.",
        ),
        Misconception(
            "one-hidden-width",
            _like(change=lambda sizes: [sizes[0], *[sizes[1]] * (len(sizes) - 2), sizes[-1]]),
            "All hidden layers get the width of the first.",
        ),
        Misconception(
            "one-hidden-layer",
            _like(change=lambda sizes: [sizes[0], sizes[1], sizes[-1]] if len(sizes) > 2 else sizes),
            "There is never more than one hidden layer, however many sizes are given.",
        ),
        Misconception(
            "always-a-hidden-layer",
            _like(change=lambda sizes: sizes if len(sizes) > 2 else [sizes[0], sizes[0], sizes[1]]),
            "Two sizes mean a single linear layer, but a hidden layer is added.",
        ),
        Misconception(
            "dropout",
            _like(activation=lambda: nn.Sequential(nn.ReLU(), nn.Dropout(0.5))),
            "Dropout follows the activations; the lecture's baselines have none.",
        ),
    ),
    hints=(
        "n sizes make n − 1 linear layers, one for each pair of neighbours.",
        "zip(sizes[:-1], sizes[1:]) gives the pairs; nn.Flatten() comes first and turns each image into "
        "a row.",
        "A ReLU goes between two linear layers, so none follows the last.",
    ),
)
