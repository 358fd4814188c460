"""A dataset in memory: uint8 images, minibatches of normalised ones, and what is computed from them once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from course_utils.data.validity import check_half, check_halves

Transform = Callable[[Tensor], Tensor]
NAMES = ("train.images", "train.labels", "test.images", "test.labels")


@dataclass(frozen=True, eq=False)
class Split:
    """The training or the test half of a dataset.

    Attributes
    ----------
    images : Tensor
        uint8, N×C×H×W, all of them, on the device.
    labels : Tensor
        int64, N, on the device.
    mean, std : float
        What `normalised` subtracts and divides by, in units where a pixel is between 0 and 1.

    Raises
    ------
    DataError
        If one of them is something else, with what turns it into this.

    Examples
    --------
    >>> Split(torch.zeros(2, 1, 8, 8, dtype=torch.uint8), torch.tensor([0, 1]), mean=0.1, std=0.3)
    2 images of 1×8×8 on cpu
    >>> Split(torch.zeros(2, 1, 8, 8), torch.tensor([0, 1]), mean=0.1, std=0.3)
    Traceback (most recent call last):
    course_utils.errors.DataError: These images and labels are no dataset.
      why:  The images are torch.float32; a pixel is a whole number from 0 to 255, torch.uint8.
      next: If they go from 0 to 1: (255 * images).round().to(torch.uint8)
    """

    images: Tensor
    labels: Tensor
    mean: float
    std: float

    def __post_init__(self) -> None:
        check_half(self.images, self.labels, self.mean, self.std)

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"{len(self):,} images of {'×'.join(map(str, self.images.shape[1:]))} on {self.images.device}"

    def normalised(self, images: Tensor) -> Tensor:
        """Turn uint8 images into float32 with the training set's mean 0 and standard deviation 1."""
        return images.to(torch.float32).mul_(1 / (255 * self.std)).sub_(self.mean / self.std)

    def batches(
        self,
        size: int,
        *,
        shuffle: bool = False,
        generator: torch.Generator | None = None,
        transform: Transform | None = None,
    ) -> Batches:
        """Minibatches of the whole split; the last one may be smaller.

        Parameters
        ----------
        size : int
            Images in a batch.
        shuffle : bool
            Draw a new order for each pass.
        generator : torch.Generator, optional
            Makes the order repeatable; defaults to torch's global generator.
        transform : callable, optional
            Augmentation, applied to each normalised batch N×C×H×W, where 0 is the mean colour.

        Returns
        -------
        Batches
            Something to loop over, as often as needed; ``len()`` is the number of batches.

        Raises
        ------
        ValueError
            If `size` is below 1.
        """
        if size < 1:
            raise ValueError(f"A batch holds at least one image; size is {size}.")
        return Batches(self, size, shuffle, generator, transform)


@dataclass(frozen=True, eq=False)
class Batches:
    """The minibatches of one split; each loop over it is one pass."""

    split: Split
    size: int
    shuffle: bool
    generator: torch.Generator | None
    transform: Transform | None

    def __len__(self) -> int:
        return -(-len(self.split) // self.size)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        split, count = self.split, len(self.split)
        if self.shuffle:
            device = self.generator.device if self.generator else "cpu"
            order = torch.randperm(count, generator=self.generator, device=device).to(split.images.device)
        for start in range(0, count, self.size):
            chosen = slice(start, start + self.size)
            if self.shuffle:
                rows = order[chosen]
                images, labels = split.images.index_select(0, rows), split.labels.index_select(0, rows)
            else:
                images, labels = split.images[chosen], split.labels[chosen]
            images = split.normalised(images)
            yield (self.transform(images) if self.transform else images), labels


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """Images and labels, and where they came from.

    Attributes
    ----------
    name : str
        What was loaded.
    train, test : Split
        The two halves.
    classes : tuple of str
        Names of the classes, in the order of their labels.
    mean, std : float
        Of all pixels and channels of the training images, scaled to between 0 and 1.
    source : str
        One line: where the images came from.
    substitute_for : str or None
        The dataset that was asked for, when this one stands in for it.
    digest : str
        Short id of the content: the same images and labels have the same digest.
    """

    name: str
    train: Split
    test: Split
    classes: tuple[str, ...]
    mean: float
    std: float
    source: str
    substitute_for: str | None
    digest: str

    def __post_init__(self) -> None:
        check_halves(self.train, self.test, self.classes)

    def __repr__(self) -> str:
        shape = "×".join(map(str, self.train.images.shape[1:]))
        return (
            f"<Dataset {self.name}: {len(self.train):,} train + {len(self.test):,} test images, {shape}, "
            f"{len(self.classes)} classes; {self.source}>"
        )


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
