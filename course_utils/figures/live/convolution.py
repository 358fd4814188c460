"""The convolution that conv_walk and im2col_walk go through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from course_utils.errors import FigureError
from course_utils.figures.live.live_figure import count, numbers, take
from course_utils.text import shape_text

SIDE, MOST = 32, 2400
"""The most pixels of an image's side, and the most numbers of image and filters together."""

IMAGE = [
    [3, 2, 3, 3, 3, 1],
    [0, 1, 3, 3, 1, 2],
    [2, 2, 0, 0, 2, 0],
    [3, 0, 1, 3, 3, 0],
    [2, 3, 2, 0, 0, 1],
    [2, 2, 2, 3, 1, 0],
]
FILTER = [[0, 1, 0], [0, 0, 0], [1, 1, 2]]
"""The lecture's example."""


@dataclass(frozen=True)
class Convolution:
    """A convolution's numbers.

    Attributes
    ----------
    image, filters, bias, output : numpy.ndarray
        C×H×W, K×C×f×f, K, and K×H'×W'.
    biased : bool
        Whether the bias was given.
    padding, stride : int
    """

    image: np.ndarray
    filters: np.ndarray
    bias: np.ndarray
    biased: bool
    padding: int
    stride: int
    output: np.ndarray

    @property
    def padded(self) -> np.ndarray:
        """The first channel of the padded image."""
        return np.pad(self.image[0], self.padding)

    @property
    def window(self) -> set[tuple[int, int]]:
        """Rows and columns of the first window in the padded image."""
        return set(np.ndindex(self.filters.shape[2:]))

    def data(self) -> dict[str, Any]:
        """Return what the scripts read."""
        return {
            "x": numbers(self.image),
            "weight": numbers(self.filters),
            "bias": numbers(self.bias),
            "biased": self.biased,
            "padding": self.padding,
            "stride": self.stride,
        }


def convolution(call: str, x: Any, weight: Any, bias: Any, padding: int, stride: int) -> Convolution:
    """Check what the figure `call` was given, and compute the output.

    Raises
    ------
    FigureError
        As in `conv_walk`.
    """
    image, filters, offsets = _inputs(call, x, weight, bias)
    padding, stride = count(padding, f"{call}'s padding", 0), count(stride, f"{call}'s stride", 1)
    output = _output(call, image, filters, offsets, padding, stride)
    return Convolution(image, filters, offsets, bias is not None, padding, stride, output)


def cell_side(matrix: np.ndarray) -> int:
    """Return the side of a cell, large enough for a number if the matrix is small."""
    return 26 if matrix.shape[1] <= 10 else 8


def _inputs(call: str, x: Any, weight: Any, bias: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    wanted = f"{call} takes an image C×H×W of at most {SIDE}×{SIDE} pixels"
    image = take(IMAGE if x is None else x, wanted, (2, 3), (MOST, SIDE, SIDE))
    wanted = f"{call} takes filters K×C×f×f of at most {SIDE}×{SIDE}"
    filters = take(FILTER if weight is None else weight, wanted, (2, 3, 4), (MOST, MOST, SIDE, SIDE))
    if filters.shape[1] != image.shape[0]:
        raise FigureError(
            f"{call} takes an image and filters with the same number of channels; "
            f"the image {shape_text(image.shape)} has {image.shape[0]}, "
            f"the filters {shape_text(filters.shape)} have {filters.shape[1]}."
        )
    if image.size + filters.size > MOST:
        raise FigureError(
            f"{call} takes at most {MOST:,} numbers in image and filters together; {shape_text(image.shape)} "
            f"and {shape_text(filters.shape)} are {image.size + filters.size:,}.",
            next_step="Use fewer channels or filters, or a part of the image.",
        )
    wanted = f"{call} takes one bias per filter, here {len(filters)}"
    offsets = np.zeros(len(filters)) if bias is None else take(bias, wanted, (1,), (MOST,))
    if len(offsets) != len(filters):
        raise FigureError(f"{wanted}; it got {len(offsets)}.")
    return image, filters, offsets


def _output(
    call: str, image: np.ndarray, filters: np.ndarray, bias: np.ndarray, padding: int, stride: int
) -> np.ndarray:
    import torch
    from torch.nn import functional

    high, wide = (side + 2 * padding for side in image.shape[1:])
    if filters.shape[2] > high or filters.shape[3] > wide:
        raise FigureError(
            f"{call} takes a filter no larger than the padded image; this one is "
            f"{shape_text(filters.shape[2:])}, the image with padding {padding} is {high}×{wide}."
        )
    if max(high, wide) > 2 * SIDE:
        raise FigureError(f"{call} takes a padding that keeps the image within {2 * SIDE}×{2 * SIDE}.")
    x, weight = (torch.from_numpy(np.asarray(each, np.float64)) for each in (image[None], filters))
    output: np.ndarray = functional.conv2d(x, weight, None, stride, padding)[0].numpy()
    return output + bias[:, None, None]
