"""Networks described as data: the two labs' own, and small ones in the style of VGG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from course_utils.data.dataset import Dataset
from course_utils.errors import TrainingError
from course_utils.training.recipes import recipe
from course_utils.training.whitening import whiten

Arch = Sequence[tuple[int, int]]

ARCHS: dict[str, Arch] = {
    "fast": ((2, 32), (2, 64), (2, 128)),
    "quick": ((1, 16), (1, 32), (1, 64)),
}
"""The small network of each profile that has one: number of convolutions and width of each block."""

PATCHES = 16
"""Filters of the layer before a `SmallVGG`'s blocks, two for each direction that `whiten` keeps."""


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
    "vgg": LabNetwork(
        4, ((2, 64), (2, 128), (2, 256), (1, 512)), (4096, 4096), "cifar10", "shapes", 50_000, 3, 32
    ),
}
"""The networks of labs 03 and 04, as the lecture has them."""


class SmallVGG(nn.Module):
    """Blocks of 3×3 convolutions with batch normalisation, each halving the map; then one linear layer.

    It keeps the small filters of the lab's VGG, and doubles the channels as the map halves. It leaves out
    the two linear layers of 4,096 units, which hold 92 % of the weights there, and pools after a block's
    first convolution, so that the others cost a quarter.

    Parameters
    ----------
    arch : sequence of (int, int)
        Number of convolutions and width of each block.
    channels : int
        Of an image.
    classes : int
        Number of scores.
    batch_norm : bool
        Whether each convolution is followed by batch normalisation.
    mirror : bool
        Whether evaluation averages the scores of an image and of its mirror image: for networks that are
        trained on both.

    Notes
    -----
    A last max-pool over what remains of the map makes the linear layer's size independent of the image's.
    """

    def __init__(
        self,
        arch: Arch = ARCHS["fast"],
        *,
        channels: int = 3,
        classes: int = 10,
        batch_norm: bool = True,
        mirror: bool = False,
    ) -> None:
        super().__init__()
        self.mirror = mirror
        self.patches = nn.Conv2d(channels, PATCHES, 3)
        layers: list[nn.Module] = [nn.ReLU()]
        channels = PATCHES
        for convs, width in arch:
            for conv in range(convs):
                layers.append(nn.Conv2d(channels, width, 3, padding=1, bias=not batch_norm))
                if conv == 0:
                    # Pooling commutes with ReLU: done first, it leaves the others a quarter of the values.
                    layers.append(nn.MaxPool2d(2))
                layers += [nn.BatchNorm2d(width), nn.ReLU()] if batch_norm else [nn.ReLU()]
                channels = width
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveMaxPool2d(1)
        self.scores = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map N×C×H×W images to N×classes scores."""
        if self.mirror and not self.training:
            return (self._scores(x) + self._scores(x.flip(-1))) / 2
        return self._scores(x)

    def _scores(self, x: Tensor) -> Tensor:
        return self.scores(self.pool(self.features(self.patches(x))).flatten(1))


def lab_network(name: str, *, channels: int, side: int, classes: int = 10) -> nn.Sequential:
    """Build a network of `LABS` for images of `channels`×`side`×`side`, as the lecture has it."""
    layers: list[nn.Module] = []
    for convs, width in LABS[name].blocks:
        for _ in range(convs):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        layers.append(nn.MaxPool2d(2))
        side //= 2
    layers.append(nn.Flatten())
    inputs = channels * side * side
    for width in LABS[name].hidden:
        layers += [nn.Linear(inputs, width), nn.ReLU()]
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, classes))


def build(name: str, profile: str, dataset: Dataset) -> nn.Module:
    """Build the network of a profile: the lab's, or in Lab 04 the small one with a whitened first layer.

    Raises
    ------
    TrainingError
        If the network is unknown.
    """
    if name not in LABS:
        raise TrainingError(
            f"There is no network {name!r}.",
            why=f"The labs' networks are {' and '.join(LABS)}.",
            next_step="Use one of these names.",
        )
    _, channels, side, _ = dataset.train.images.shape
    classes = len(dataset.classes)
    if name == "lenet5" or profile not in ARCHS:
        return lab_network(name, channels=channels, side=side, classes=classes)
    mirror = recipe(name, profile).augmentation.flip
    model = SmallVGG(ARCHS[profile], channels=channels, classes=classes, mirror=mirror)
    whiten(model.patches, dataset.train)
    return model
