"""Exercise 3.2: the network LeNet5."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from course_utils.exercises.model import Exercise, Misconception, Probe
from course_utils.exercises.networks import (
    changed_scores,
    has_other_count,
    network_difference,
    observe_network,
)
from course_utils.exercises.probes import Draw


class LeNet5(nn.Module):
    """The lab's LeNet5, from N×1×28×28 images to N×10 scores."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 50, 3, padding=1)
        self.conv2 = nn.Conv2d(50, 100, 3, padding=1)
        self.linear1 = nn.Linear(100 * 7 * 7, 100)
        self.linear2 = nn.Linear(100, 10)

    def forward(self, x: Tensor) -> Tensor:
        """Return the scores of a batch of images."""
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.max_pool2d(F.relu(self.conv2(x)), 2)
        x = F.relu(self.linear1(x.flatten(1)))
        return self.linear2(x)


def _like(
    *,
    widths: tuple[int, int] = (50, 100),
    hidden: tuple[int, ...] = (100,),
    f: int = 3,
    padding: int = 1,
    bias: bool = True,
    activation: Callable[[], nn.Module] = nn.ReLU,
    after_convs: Callable[[], nn.Module] | None = None,
    after_hidden: Callable[[], nn.Module] | None = None,
    pool: Callable[[int], nn.Module] = nn.MaxPool2d,
    pools: int = 2,
    flatten: Callable[[], nn.Module] = nn.Flatten,
    last: Callable[[], nn.Module] = nn.Identity,
) -> Callable[[], nn.Module]:
    """Return a function that builds LeNet5 with some parts changed."""

    def build() -> nn.Module:
        side = 28
        layers: list[nn.Module] = []
        for index, (channels, out) in enumerate(zip((1, *widths), widths, strict=False)):
            layers += [nn.Conv2d(channels, out, f, padding=padding, bias=bias), (after_convs or activation)()]
            side += 2 * padding - f + 1
            if index < pools:
                layers.append(pool(2))
                side //= 2
        layers.append(flatten())
        features = (widths[-1] * side * side, *hidden)
        for inputs, out in zip(features, hidden, strict=False):
            layers += [nn.Linear(inputs, out, bias=bias), (after_hidden or activation)()]
        return nn.Sequential(*layers, nn.Linear(features[-1], 10, bias=bias), last())

    return build


def probes(seed: int) -> Sequence[Probe]:
    """Draw three small images."""
    images = Draw(seed).integers(3, 1, 28, 28, low=-2, high=2)
    return (Probe((images,), note="three images of 28×28", call="LeNet5()(images)", shown={}),)


EXERCISE = Exercise(
    number="3.2",
    points=3,
    reference=LeNet5,
    probes=probes,
    observe=observe_network,
    compare=network_difference,
    rules_out=has_other_count,
    section="Lab 03, The network",
    misconceptions=(
        Misconception(
            "no-padding",
            _like(padding=0),
            "The convolutions have no padding, so each of them shrinks the map by 2 rows and 2 columns.",
        ),
        Misconception(
            "kernel-5",
            _like(f=5, padding=2),
            "The kernels are 5×5, as in the 1998 network; the lab's are 3×3.",
        ),
        Misconception(
            "kernel-5-no-padding",
            _like(f=5, padding=0),
            "The kernels are 5×5 without padding, as in the 1998 network; the lab's convolutions keep the "
            "size of the map.",
        ),
        Misconception(
            "widths-of-1998",
            _like(widths=(6, 16)),
            "The convolutions have 6 and 16 filters, as in the 1998 network; the lab's have 50 and 100.",
        ),
        Misconception(
            "head-of-1998",
            _like(hidden=(120, 84)),
            "The head has hidden layers of 120 and 84 units, as in the 1998 network.",
        ),
        Misconception(
            "extra-linear-layer",
            _like(hidden=(100, 100)),
            "There is one more linear layer than in the lab's network.",
        ),
        Misconception(
            "no-hidden-layer",
            _like(hidden=()),
            "The scores come straight from the flattened map: the hidden linear layer is missing.",
        ),
        *changed_scores(_like),
        Misconception(
            "sigmoid-on-scores",
            _like(last=nn.Sigmoid),
            "A sigmoid squeezes the scores into the range from 0 to 1 before the loss.",
            "Lab 03, Loss and error",
        ),
        Misconception(
            "no-relu",
            _like(activation=nn.Identity),
            "There is no ReLU anywhere: apart from the pooling, the whole network is linear.",
        ),
        Misconception(
            "no-relu-after-convolutions", _like(after_convs=nn.Identity), "No ReLU follows the convolutions."
        ),
        Misconception(
            "no-relu-in-head",
            _like(after_hidden=nn.Identity),
            "There is no ReLU between the two linear layers, so they collapse into one.",
        ),
        Misconception("sigmoid", _like(activation=nn.Sigmoid), "The activations are sigmoids, not ReLUs."),
        Misconception(
            "tanh",
            _like(activation=nn.Tanh),
            "The activations are tanh, as in the 1998 network; the lab's are ReLUs.",
        ),
        Misconception(
            "average-pooling",
            _like(pool=nn.AvgPool2d),
            "The pooling takes the average, as in the 1998 network; the lab's takes the maximum.",
        ),
        Misconception("no-pooling", _like(pools=0), "Nothing is pooled, so the maps stay 28×28."),
        Misconception(
            "dropout",
            _like(after_hidden=lambda: nn.Sequential(nn.ReLU(), nn.Dropout(0.5))),
            "There is dropout in the head; the lab's network has none.",
        ),
        Misconception("no-biases", _like(bias=False), "The layers have no biases."),
        Misconception(
            "batch-into-one-row",
            _like(flatten=lambda: nn.Sequential(nn.Flatten(0), nn.Unflatten(0, (1, -1)))),
            "The whole batch is flattened into a single row.",
        ),
        Misconception(
            "everything-flattened",
            _like(flatten=lambda: nn.Flatten(0)),
            "The batch axis is flattened too, so the whole batch becomes one long vector.",
        ),
    ),
    hints=(
        "Two blocks of convolution, ReLU and 2×2 max-pooling, then two linear layers with a ReLU between "
        "them.",
        "With a 3×3 kernel, padding 1 keeps the size; pooling halves it: 28 → 14 → 7.",
        "The first linear layer gets 100·7·7 numbers for each image; x.flatten(1) keeps the batch axis.",
        "The last layer gives the scores as they are: the loss takes care of the softmax.",
    ),
)
