"""Networks and training runs that the tests of the figures share."""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from course_utils import exercises

LeNet5 = exercises.get("lenet5").reference
VGG = exercises.get("vgg").reference


def lenet_1998() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2),
        nn.Flatten(), nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10),
    )  # fmt: skip


def zoo(name: str, **options: bool) -> Callable[[], nn.Module]:
    """Return what builds one of torchvision's networks; importing it takes a second and a half."""

    def build() -> nn.Module:
        return getattr(import_module("torchvision.models"), name)(**options)

    return build


NETWORKS: dict[str, tuple[Any, tuple[int, int, int]]] = {
    "LeNet5 (Lab 03)": (LeNet5, (1, 28, 28)),
    "VGG (Lab 04)": (VGG, (3, 32, 32)),
    "LeNet-5 (1998)": (lenet_1998, (1, 32, 32)),
    "AlexNet (2012)": (zoo("alexnet"), (3, 224, 224)),
    "VGG-16 (2014)": (zoo("vgg16"), (3, 224, 224)),
    "GoogLeNet (2014)": (zoo("googlenet", aux_logits=False, init_weights=False), (3, 224, 224)),
    "ResNet-152 (2015)": (zoo("resnet152"), (3, 224, 224)),
}


class Branches(nn.Module):
    """Everything the chain has a rule for: ceil, dilation, groups, view, cat, add, pad, mean."""

    def __init__(self) -> None:
        super().__init__()
        self.wide = nn.Conv2d(3, 4, (3, 5), stride=(2, 1), padding=(1, 2))
        self.left = nn.Conv2d(4, 4, 3, padding=1, groups=2, bias=False)
        self.right = nn.Conv2d(4, 4, 3, padding=2, dilation=2)
        self.norm = nn.BatchNorm2d(4)
        self.pool = nn.MaxPool2d(3, 2, 1, ceil_mode=True)
        self.average = nn.AvgPool2d(3, 2, 1, ceil_mode=True)
        self.last = nn.Linear(8, 5, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(self.wide(F.pad(x, (1, 1, 0, 0)))).relu()
        x = self.left(x) + self.right(x)
        x = torch.cat([self.pool(x), self.average(x)], 1)
        return self.last(x.mean((2, 3)).view(-1, 8))


def history(epochs: int = 12, *, classes: int = 10, step: int = 5, **other: Any) -> SimpleNamespace:
    """Return what figures read of the history of `fit`: a plateau of three epochs, then learning."""
    records = [
        SimpleNamespace(
            epoch=epoch + 1,
            learning_rate=0.25 / 1.5 ** (epoch // step),
            train_loss=math.log(classes) if epoch < 3 else math.log(classes) * math.exp((2 - epoch) / 3),
            train_error=0.9 * math.exp(-epoch / 3),
            test_error=0.01 + 0.89 * math.exp(-epoch / 3),
        )
        for epoch in range(epochs)
    ]
    about = {
        "dataset": "digits",
        "source": "digits (scikit-learn)",
        "substitute_for": "mnist",
        "classes": classes,
    }
    return SimpleNamespace(
        recipe=SimpleNamespace(name="lenet5, quick"), records=records, **{**about, **other}
    )


def answers(labels: Tensor, classes: int = 10, *, right: float = 2.0) -> Tensor:
    """Return seeded scores that are often right."""
    noise = torch.randn(len(labels), classes, generator=torch.Generator().manual_seed(0))
    return noise + right * F.one_hot(labels, classes)
