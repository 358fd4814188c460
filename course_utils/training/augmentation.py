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
        count, _, height, width = images.shape
        rows = torch.arange(count, device=images.device)
        if self.flip:
            flipped = torch.rand(count, generator=generator).to(images.device) < 0.5
            images = torch.where(flipped[:, None, None, None], images.flip(-1), images)
        if self.shift:
            offsets = torch.randint(2 * self.shift + 1, (2, count), generator=generator).to(images.device)
            padded = functional.pad(images, [self.shift] * 4, mode="reflect")
            # A view with every shifted copy; indexing then copies one of them for each image.
            windows = padded.unfold(2, height, 1).unfold(3, width, 1)
            images = windows[rows, :, offsets[0], offsets[1]]
        return images
