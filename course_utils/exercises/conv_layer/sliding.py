"""What the wrong references of lab 01 share: PyTorch's own layer, and wrong ideas about its stride."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from course_utils.exercises.altered import altered
from course_utils.exercises.model import Misconception

Layer = Callable[..., Tensor]
"""``(x, …, padding, stride) -> …×H'×W'``; the stride may be a pair."""


def convolve(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, padding: Any = 0, stride: Any = 1
) -> Tensor:
    """Apply PyTorch's layer to one image."""
    return functional.conv2d(x[None], weight, bias, stride=stride, padding=padding)[0]


def correlate(image: Tensor, kernel: Tensor, padding: Any = 0, stride: Any = 1) -> Tensor:
    """Apply PyTorch's layer to one channel, with one kernel."""
    return convolve(image[None], kernel[None, None], None, padding, stride)[0]


def cropped(layer: Layer) -> Layer:
    """Return `layer` with stride 1, cut to the size that the stride asks for."""

    def wrong(*arguments: Any, **keywords: Any) -> Tensor:
        rows, columns = layer(*arguments, **keywords).shape[-2:]
        return altered(layer, stride=lambda stride: 1)(*arguments, **keywords)[..., :rows, :columns]

    return wrong


def moved_wrongly(layer: Layer) -> tuple[Misconception, ...]:
    """Return the wrong ideas about the stride of `layer`."""
    return (
        Misconception(
            "stride-ignored",
            altered(layer, stride=lambda stride: 1),
            "The stride has no effect: the kernel moves by one pixel.",
            "Lab 01, Stride",
        ),
        Misconception(
            "stride-on-rows-only",
            altered(layer, stride=lambda stride: (stride, 1)),
            "The stride applies to the rows only; along a row the kernel still moves by one pixel.",
            "Lab 01, Stride",
        ),
        Misconception(
            "stride-on-columns-only",
            altered(layer, stride=lambda stride: (1, stride)),
            "The stride applies to the columns only; down a column the kernel still moves by one pixel.",
            "Lab 01, Stride",
        ),
    )


def _kept(rows: slice, columns: slice) -> Callable[[Tensor], Tensor]:
    """Return a function that keeps some rows and columns of a result, and leaves zeros elsewhere."""

    def only(result: Tensor) -> Tensor:
        kept = torch.zeros_like(result)
        kept[..., rows, columns] = result[..., rows, columns]
        return kept

    return only


def looped_wrongly(layer: Layer) -> tuple[Misconception, ...]:
    """Return the slips of loops that write a result of the right size."""
    return (
        Misconception(
            "returned-at-the-first-position",
            altered(layer, result=_kept(slice(1), slice(1))),
            "Only the first position is computed, and the rest is still 0: the `return` is inside the loops.",
        ),
        Misconception(
            "returned-after-the-first-row",
            altered(layer, result=_kept(slice(1), slice(None))),
            "Only the first row is computed, and the rest is still 0: the `return` is inside the loop over "
            "the rows.",
        ),
        Misconception(
            "loops-end-early",
            altered(layer, result=_kept(slice(-1), slice(-1))),
            "The loops stop one position early, so the last row and the last column are still 0: range "
            "leaves out its end.",
        ),
    )
