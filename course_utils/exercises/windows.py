"""Where in the input an output cell comes from, and where a result is stored by mistake."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def span(start: int, length: int, size: int) -> slice:
    """Return `length` positions from `start`, cut to what lies inside an axis of `size`."""
    return slice(min(max(start, 0), size), max(min(start + length, size), 0))


def patch(
    index: Sequence[int],
    window: Sequence[int],
    image: Sequence[int],
    *,
    padding: int = 0,
    stride: int = 1,
) -> tuple[slice, slice]:
    """Return the rows and columns under a window, without the part that lies in the padding.

    Parameters
    ----------
    index : (row, column)
        Of the output cell.
    window, image : (height, width)
    """
    rows, columns = (
        span(i * stride - padding, length, size) for i, length, size in zip(index, window, image, strict=True)
    )
    return rows, columns


def stored_at_the_pixel(every: Tensor, strided: Tensor, stride: int) -> Tensor:
    """Write the results of all positions where their windows start, not where their numbers belong.

    Parameters
    ----------
    every, strided : Tensor
        The result with stride 1, and the right one: …×H×W and …×H'×W'.

    Raises
    ------
    IndexError
        Where a window starts beyond the result, as in a loop that makes this slip.
    """
    out = torch.zeros_like(strided)
    for i in range(0, every.shape[-2], stride):
        for j in range(0, every.shape[-1], stride):
            out[..., i, j] = every[..., i, j]
    return out
