"""Small VGG-style networks, described as data."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

Arch = Sequence[tuple[int, int]]

ARCHS: dict[str, Arch] = {
    "fast": ((1, 32), (1, 64), (1, 128), (1, 256)),
    "quick": ((1, 16), (1, 32), (1, 64)),
}
"""The small network of each profile that has one: number of convolutions and width of each block."""


class SmallVGG(nn.Module):
    """Blocks of 3×3 convolutions with batch normalisation, each halving the map; then one linear layer.

    It keeps of the lab's VGG the small filters and the doubling of channels as the map halves. It leaves out
    the two linear layers of 4,096 units, which hold 92 % of the weights there.

    Parameters
    ----------
    arch : sequence of (int, int)
        Number of convolutions and width of each block.
    channels : int
        Of the images.
    classes : int
        Of the scores.

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
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for convs, width in arch:
            for conv in range(convs):
                layers.append(nn.Conv2d(channels, width, 3, padding=1, bias=False))
                if conv == convs - 1:
                    # Pooling commutes with ReLU: done first, it leaves a quarter of the values to the others.
                    layers.append(nn.MaxPool2d(2))
                layers += [nn.BatchNorm2d(width), nn.ReLU()]
                channels = width
        self.features = nn.Sequential(*layers)
        self.pool = nn.AdaptiveMaxPool2d(1)
        self.scores = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        """Map N×C×H×W images to N×classes scores."""
        return self.scores(self.pool(self.features(x)).flatten(1))
