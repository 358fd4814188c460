"""Random changes to the training images that keep their class."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from course_utils.errors import TrainingError


@dataclass(frozen=True)
class Augmentation:
    """Shift and flip each image at random.

    Attributes
    ----------
    shift : int
        Largest shift in pixels, drawn uniformly, rows and columns separately; the border is mirrored.
    flip : bool
        Whether to mirror each image left to right with probability one half. Not for digits.
    """

    shift: int = 0
    flip: bool = False

    def __post_init__(self) -> None:
        whole = isinstance(self.shift, int) and not isinstance(self.shift, bool)
        if not whole or self.shift < 0 or not isinstance(self.flip, bool):
            given = f"Augmentation(shift={self.shift!r:.40}, flip={self.flip!r:.40})"
            raise TrainingError(
                f"The images cannot be changed by {given}.",
                why="shift is a whole number of pixels, 0 or more; flip is True or False.",
                next_step="Change these values.",
            )

    def __bool__(self) -> bool:
        return self.shift > 0 or self.flip

    def __str__(self) -> str:
        changes = [f"shifted by up to {self.shift} pixel{'s' * (self.shift != 1)}"] * (self.shift > 0)
        changes += ["mirrored half the time"] * self.flip
        return f"each image is {' and '.join(changes)}" if changes else "none"

    def __call__(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Change a batch.

        Parameters
        ----------
        images : Tensor
            N×C×H×W.
        generator : torch.Generator
            Source of all randomness, on the CPU.

        Returns
        -------
        Tensor
            A new N×C×H×W tensor, or `images` itself if there is nothing to do.
        """
        count = len(images)
        if self.flip:
            flipped = _sent(torch.rand(count, generator=generator), images.device) < 0.5
            images = torch.where(flipped[:, None, None, None], images.flip(-1), images)
        if self.shift:
            offsets = torch.randint(2 * self.shift + 1, (2, count), generator=generator)
            images = shifted(images, _sent(offsets, images.device), self.shift)
        return images


def shifted(images: Tensor, offsets: Tensor, largest: int) -> Tensor:
    """Shift each image; the border is mirrored.

    Parameters
    ----------
    images : Tensor
        N×C×H×W.
    offsets : Tensor
        2×N whole numbers from 0 to twice `largest`: where each window begins in the padded image.
    largest : int
        Pixels of padding.
    """
    count, _, height, width = images.shape
    padded = functional.pad(images, [largest] * 4, mode="reflect")
    # A view with every shifted copy; indexing then copies one of them for each image.
    windows = padded.unfold(2, height, 1).unfold(3, width, 1)
    return windows[torch.arange(count, device=images.device), :, offsets[0], offsets[1]]


def _sent(drawn: Tensor, device: torch.device) -> Tensor:
    # A blocking copy would wait at every batch until the GPU has done all its work. From unpinned memory to
    # CUDA the other kind is safe, since it reads the values before it returns; to MPS it is not.
    return drawn.to(device, non_blocking=device.type == "cuda")
