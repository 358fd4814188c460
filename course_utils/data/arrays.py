"""The four arrays that every dataset comes down to, and what is computed from them once."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import torch
from torch import Tensor

from course_utils.data.dataset import Dataset, Split

NAMES = ("train.images", "train.labels", "test.images", "test.labels")


@dataclass(frozen=True, eq=False)
class Arrays:
    """Decoded images and labels, uint8, on the CPU.

    Attributes
    ----------
    tensors : dict of str to Tensor
        Keyed by `NAMES`; images N×C×H×W, labels N.
    classes : tuple of str
        Names in the order of the labels.
    mean, std : float
        Of all training pixels, in units where a pixel is between 0 and 1.
    sha256 : str
        Checksum of the four tensors' bytes, in the order of `NAMES`.
    """

    tensors: dict[str, Tensor]
    classes: tuple[str, ...]
    mean: float
    std: float
    sha256: str

    @classmethod
    def of(cls, tensors: dict[str, Tensor], classes: tuple[str, ...]) -> Arrays:
        """Compute the statistics and the checksum of decoded `tensors`."""
        mean, std = pixel_statistics(tensors["train.images"])
        return cls(tensors, classes, mean, std, checksum(tensors))

    def dataset(
        self, name: str, source: str, *, device: torch.device | str, substitute_for: str | None = None
    ) -> Dataset:
        """Put the arrays on `device` and say where they came from."""

        def split(half: str) -> Split:
            images, labels = self.tensors[f"{half}.images"], self.tensors[f"{half}.labels"]
            return Split(images.to(device), labels.long().to(device), self.mean, self.std)

        return Dataset(
            name=name,
            train=split("train"),
            test=split("test"),
            classes=self.classes,
            mean=self.mean,
            std=self.std,
            source=source,
            substitute_for=substitute_for,
            digest=self.sha256[:12],
        )


def pixel_statistics(images: Tensor) -> tuple[float, float]:
    """Mean and standard deviation of uint8 `images`, scaled to between 0 and 1.

    Exact, from the histogram of the 256 values, in pieces so that memory stays small.
    """
    counts = torch.zeros(256, dtype=torch.int64)
    for piece in images.flatten().split(1 << 22):
        counts += torch.bincount(piece.int(), minlength=256)
    values = torch.arange(256, dtype=torch.float64) / 255
    share = counts.double() / counts.sum()
    mean = (share * values).sum()
    std = (share * (values - mean) ** 2).sum().sqrt()
    return float(mean), float(std)


def checksum(tensors: dict[str, Tensor]) -> str:
    """SHA-256 of the tensors' bytes in the order of `NAMES`."""
    digest = hashlib.sha256()
    for name in NAMES:
        digest.update(tensors[name].contiguous().numpy().data)
    return digest.hexdigest()
