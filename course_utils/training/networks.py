"""Networks described as data: the two labs' own, and small ones in the style of VGG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from course_utils.data.dataset import Dataset
from course_utils.errors import TrainingError
from course_utils.training.recipes import recipe
from course_utils.training.whitening import whiten

Arch = Sequence[tuple[int, int]]

VGG_SIZES: dict[str, dict[str, Any]] = {
    "lecture": {"arch": ((2, 64), (2, 128), (2, 256), (1, 512)), "hidden": 4096},
    "fast": {"arch": ((1, 32), (1, 64), (1, 128)), "hidden": 128},
    "quick": {"arch": ((1, 16), (1, 32), (1, 64)), "hidden": 64},
}
"""What Lab 04 gives to the student's `VGG`, by profile: blocks (convolutions, filters), and linear units."""

MODERN_ARCHS: dict[str, Arch] = {
    "lecture": ((1, 32), (1, 64), (2, 128)),
    "fast": ((1, 32), (1, 64), (2, 128)),
    "quick": ((1, 16), (1, 32), (1, 64)),
}
"""The blocks of Lab 04's last network, by profile."""

PATCHES = 16
"""Filters of a `SmallVGG`'s first layer, two for each direction that `whiten` keeps."""


@dataclass(frozen=True)
class LabNetwork:
    """The network of a lab, and what it is trained on.

    Attributes
    ----------
    lab : int
        Number of the lab.
    blocks : Arch
        Number of convolutions and width of each block.
    hidden : tuple of int
        Widths of the linear layers before the scores.
    dataset, substitute : str
        The dataset, and the embedded one that may stand in for it.
    images : int
        Training images in the dataset.
    channels, side : int
        Shape of an image: `channels`×`side`×`side`.
    """

    lab: int
    blocks: Arch
    hidden: tuple[int, ...]
    dataset: str
    substitute: str
    images: int
    channels: int
    side: int


LABS = {
    "lenet5": LabNetwork(3, ((1, 50), (1, 100)), (100,), "mnist", "digits", 60_000, 1, 28),
    "vgg": LabNetwork(4, VGG_SIZES["lecture"]["arch"], (4096, 4096), "cifar10", "shapes", 50_000, 3, 32),
}
"""The networks of labs 03 and 04, as the lecture has them."""

NETWORKS = LABS | {"modern": LABS["vgg"]}
"""What `build` builds, by name, and whose lab and data it shares: ``modern`` is Lab 04's last network."""


class SmallVGG(nn.Module):
    """A layer of small patches, blocks of convolutions, and one linear layer.

    It leaves out the two linear layers of 4,096 units, which hold 92 % of the weights of the lab's VGG.

    Parameters
    ----------
    blocks : nn.Module
        Maps N×`PATCHES`×H×W to N×`width`×H'×W', for example `vgg_blocks`.
    width : int
        Channels of the last block.
    channels : int
        Of an image.
    classes : int
        Number of scores.
    mirror : bool
        Whether evaluation averages the scores of an image and of its mirror image: for networks that are
        trained on both.

    Notes
    -----
    A last max-pool over what remains of the map makes the linear layer's size independent of the image's.

    Examples
    --------
    >>> import torch
    >>> model = SmallVGG(vgg_blocks(((1, 32), (1, 64))), width=64)
    >>> model(torch.zeros(5, 3, 32, 32)).shape
    torch.Size([5, 10])
    """

    def __init__(
        self, blocks: nn.Module, width: int, *, channels: int = 3, classes: int = 10, mirror: bool = False
    ) -> None:
        super().__init__()
        self.mirror = mirror
        self.patches = nn.Conv2d(channels, PATCHES, 3)
        self.blocks = blocks
        self.pool = nn.AdaptiveMaxPool2d(1)
        self.scores = nn.Linear(width, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map N×C×H×W images to N×classes scores."""
        if self.mirror and not self.training:
            return (self._scores(x) + self._scores(x.flip(-1))) / 2
        return self._scores(x)

    def _scores(self, x: Tensor) -> Tensor:
        return self.scores(self.pool(self.blocks(self.patches(x).relu())).flatten(1))


def vgg_blocks(
    arch: Arch, *, channels: int = PATCHES, batch_norm: bool = True, pool_first: bool = False
) -> nn.Sequential:
    """Build blocks of 3×3 convolutions, each with ReLU, and pooling that halves the map.

    Parameters
    ----------
    arch : sequence of (int, int)
        Number of convolutions and width of each block.
    channels : int
        Of the blocks' input.
    batch_norm : bool
        Whether each convolution is followed by batch normalisation.
    pool_first : bool
        Whether a block pools after its first convolution, so that the others cost a quarter, and not at its
        end, as VGG does.
    """
    layers: list[nn.Module] = []
    for convs, width in arch:
        for conv in range(1, convs + 1):
            layers.append(nn.Conv2d(channels, width, 3, padding=1, bias=not batch_norm))
            layers += [nn.BatchNorm2d(width)] * batch_norm + [nn.ReLU()]
            if conv == (1 if pool_first else convs):
                layers.append(nn.MaxPool2d(2))
            channels = width
    return nn.Sequential(*layers)


def lab_network(
    name: str, profile: str = "lecture", *, channels: int, side: int, classes: int = 10
) -> nn.Sequential:
    """Build a network of `LABS` for images of `channels`×`side`×`side`, in the size of a profile.

    LeNet5 has one size, the lecture's.
    """
    blocks, hidden = LABS[name].blocks, LABS[name].hidden
    if name == "vgg":
        blocks, hidden = VGG_SIZES[profile]["arch"], (VGG_SIZES[profile]["hidden"],) * 2
    layers = [*vgg_blocks(blocks, channels=channels, batch_norm=False), nn.Flatten()]
    inputs = blocks[-1][1] * (side // 2 ** len(blocks)) ** 2
    for width in hidden:
        layers += [nn.Linear(inputs, width), nn.ReLU()]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, classes))


def build(name: str, profile: str, dataset: Dataset) -> nn.Module:
    """Build a network of `NETWORKS` in the size of a profile; the modern one has a whitened first layer.

    Raises
    ------
    TrainingError
        If the network is unknown.
    """
    if name not in NETWORKS:
        raise TrainingError(
            f"There is no network {name!r}.",
            why=f"The labs' networks are {', '.join(NETWORKS)}.",
            next_step="Use one of these names.",
        )
    _, channels, side, _ = dataset.train.images.shape
    classes = len(dataset.classes)
    if name != "modern":
        return lab_network(name, profile, channels=channels, side=side, classes=classes)
    mirror = recipe(name, profile).augmentation.flip
    arch = MODERN_ARCHS[profile]
    model = SmallVGG(vgg_blocks(arch), arch[-1][1], channels=channels, classes=classes, mirror=mirror)
    whiten(model.patches, dataset.train)
    return model
