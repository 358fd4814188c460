"""A tiny dataset and tiny models, for the tests of training."""

from __future__ import annotations

import torch
from torch import nn

from course_utils.data import Dataset, Split
from course_utils.training import Augmentation, Recipe

CLASSES = 4


def tiny_dataset(digest: str = "tiny", *, train: int = 100, test: int = 30, noise: float = 60.0) -> Dataset:
    """8×8 images of four classes: each has one bright quarter, under noise."""
    generator = torch.Generator().manual_seed(7)

    def split(count: int) -> Split:
        labels = torch.arange(count) % CLASSES
        images = torch.rand(count, 1, 8, 8, generator=generator) * noise
        for row, label in enumerate(labels.tolist()):
            top, left = 4 * (label // 2), 4 * (label % 2)
            images[row, 0, top : top + 4, left : left + 4] += 120
        return Split(images.to(torch.uint8), labels, 0.25, 0.2)

    names = tuple(f"class {index}" for index in range(CLASSES))
    return Dataset("tiny", split(train), split(test), names, 0.25, 0.2, "made for a test", None, digest)


class Net(nn.Module):
    """Every kind of state that a checkpoint must keep: batch statistics, dropout, weights of many shapes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3, padding=1)
        self.deep = nn.Conv2d(8, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.drop = nn.Dropout(0.2)
        self.scores = nn.Linear(8 * 16, CLASSES)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = nn.functional.max_pool2d(torch.relu(self.norm(self.deep(torch.relu(self.conv(x))))), 2)
        return self.scores(self.drop(x.flatten(1)))


def tiny_recipe(**changes: object) -> Recipe:
    """Three short epochs with everything switched on."""
    values: dict = {
        "name": "tiny",
        "epochs": 3,
        "batch_size": 16,
        "learning_rate": 0.05,
        "momentum": 0.9,
        "nesterov": True,
        "augmentation": Augmentation(shift=1),
    }
    return Recipe(**(values | changes))


def net(seed: int = 0) -> Net:
    """A `Net` with repeatable weights."""
    torch.manual_seed(seed)
    return Net()
