"""Exercise 3.2: the network LeNet5."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from course_utils.exercises.model import Exercise, Misconception, Probe
from course_utils.exercises.networks import has_other_count, network_difference, observe_network
from course_utils.exercises.probes import Draw

SECTION = "Lab 03, The network"


class LeNet5(nn.Module):
    """The lab's LeNet5: N×1×28×28 images to N×10 scores."""

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
    flatten: Callable[[], nn.Module] = nn.Flatten,
    last: Callable[[], nn.Module] = nn.Identity,
) -> Callable[[], nn.Module]:
    """Return a network like LeNet5 with some parts exchanged."""

    def build() -> nn.Module:
        side = 28
        layers: list[nn.Module] = []
        for channels, out in zip((1, *widths), widths, strict=False):
            layers += [nn.Conv2d(channels, out, f, padding=padding, bias=bias)]
            layers += [(after_convs or activation)(), pool(2)]
            side = (side + 2 * padding - f + 1) // (2 if pool is not _no_pool else 1)
        layers.append(flatten())
        features = (widths[-1] * side * side, *hidden)
        for inputs, out in zip(features, hidden, strict=False):
            layers += [nn.Linear(inputs, out, bias=bias), (after_hidden or activation)()]
        return nn.Sequential(*layers, nn.Linear(features[-1], 10, bias=bias), last())

    return build


def _no_pool(size: int) -> nn.Module:
    return nn.Identity()


class _Flattened(nn.Module):
    def __init__(self, flatten: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.flatten = flatten

    def forward(self, x: Tensor) -> Tensor:
        return self.flatten(x)


def _with_dropout() -> nn.Module:
    return nn.Sequential(nn.ReLU(), nn.Dropout(0.5))


def probes(seed: int) -> Sequence[Probe]:
    """Draw three small images."""
    images = Draw(seed).integers(3, 1, 28, 28, low=-2, high=2)
    return (Probe((images,), note="three images of 28×28", call="LeNet5()(images)", shown={}),)


def observe_lenet5(candidate: Callable[[], Any], probe: Probe) -> dict[str, Any]:
    """Build the candidate and look at what it does to the probe's images."""
    (images,) = probe.arguments
    return observe_network(candidate, images)


def _network(
    name: str, wrong: Callable[[], nn.Module], sentence: str, section: str = SECTION
) -> Misconception:
    return Misconception(name, wrong, sentence, section)


EXERCISE = Exercise(
    number="3.2",
    points=3,
    reference=LeNet5,
    probes=probes,
    observe=observe_lenet5,
    compare=network_difference,
    rules_out=lambda wrong, probe, actual: has_other_count(wrong, actual),
    misconceptions=(
        _network(
            "no-padding",
            _like(padding=0),
            "The convolutions have no padding, so each of them makes the map smaller by 2.",
        ),
        _network(
            "kernel-5",
            _like(f=5, padding=2),
            "The kernels are 5×5, as in the network of 1998; the lab's are 3×3.",
        ),
        _network(
            "kernel-5-no-padding",
            _like(f=5, padding=0),
            "The kernels are 5×5 without padding, as in the network of 1998; the lab's keep the size of "
            "the map.",
        ),
        _network(
            "widths-of-1998",
            _like(widths=(6, 16)),
            "The convolutions have 6 and 16 filters, as in the network of 1998; the lab's has 50 and 100.",
        ),
        _network(
            "head-of-1998",
            _like(hidden=(120, 84)),
            "The head has layers of 120 and 84 units, as in the network of 1998.",
        ),
        _network(
            "extra-linear-layer",
            _like(hidden=(100, 100)),
            "There is one linear layer more than in the lab's network.",
        ),
        _network(
            "no-hidden-layer",
            _like(hidden=()),
            "The scores come straight from the flattened map: the hidden linear layer is missing.",
        ),
        _network(
            "softmax-inside",
            _like(last=lambda: nn.Softmax(dim=1)),
            "The network ends in a softmax, and the cross-entropy loss applies one itself.",
            "Lab 03, Loss and error",
        ),
        _network(
            "log-softmax-inside",
            _like(last=lambda: nn.LogSoftmax(dim=1)),
            "The network ends in a log-softmax, which the cross-entropy loss already contains.",
            "Lab 03, Loss and error",
        ),
        _network(
            "relu-on-scores",
            _like(last=nn.ReLU),
            "A ReLU acts on the scores, so that no score can be negative.",
        ),
        _network(
            "sigmoid-on-scores",
            _like(last=nn.Sigmoid),
            "A sigmoid squeezes the scores into 0 to 1 before the loss.",
            "Lab 03, Loss and error",
        ),
        _network(
            "no-relu",
            _like(activation=nn.Identity),
            "There is no ReLU anywhere: without one, convolutions and linear layers collapse into one "
            "linear map.",
        ),
        _network(
            "no-relu-after-convolutions",
            _like(after_convs=nn.Identity),
            "No ReLU follows the convolutions.",
        ),
        _network(
            "no-relu-in-head",
            _like(after_hidden=nn.Identity),
            "No ReLU stands between the two linear layers, which so collapse into one.",
        ),
        _network("sigmoid", _like(activation=nn.Sigmoid), "The activations are sigmoids, not ReLUs."),
        _network(
            "tanh",
            _like(activation=nn.Tanh),
            "The activations are tanh, as in the network of 1998; the lab's are ReLUs.",
        ),
        _network(
            "average-pooling",
            _like(pool=nn.AvgPool2d),
            "The maps are averaged, as in the network of 1998; the lab's network keeps the maximum.",
        ),
        _network(
            "no-pooling",
            _like(pool=_no_pool),
            "Nothing is pooled, so that the maps stay 28×28.",
        ),
        _network(
            "dropout",
            _like(after_hidden=_with_dropout),
            "Dropout stands in the head; the lab's network has none.",
        ),
        _network("no-biases", _like(bias=False), "The layers have no biases."),
        _network(
            "batch-into-one-row",
            _like(flatten=lambda: _Flattened(lambda x: x.reshape(1, -1))),
            "The flattening makes one single row of the whole batch.",
        ),
        _network(
            "everything-flattened",
            _like(flatten=lambda: _Flattened(torch.flatten)),
            "The flattening takes the batch axis too: of a batch nothing is left but one long vector.",
        ),
    ),
    hints=(
        "Two blocks of convolution, ReLU and 2×2 max-pooling, then two linear layers with a ReLU between "
        "them.",
        "Padding 1 keeps the size under a 3×3 kernel, pooling halves it: 28 → 14 → 7.",
        "What enters the first linear layer is 100·7·7 numbers for each image; x.flatten(1) keeps the batch.",
        "The last layer gives the scores as they are: the loss takes care of the softmax.",
    ),
)
