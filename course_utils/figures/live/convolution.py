"""conv_walk and im2col_walk: a convolution window by window, and the same as one matrix product."""

from __future__ import annotations

from typing import Any

import numpy as np

from course_utils.errors import FigureError
from course_utils.figures.live.base import LiveFigure, count, numbers, take
from course_utils.figures.live.still import Still
from course_utils.text import number_text, shape_text

SIDE, MOST = 32, 2400
"""Pixels of an image's side, and numbers of image and filters together, that a figure takes."""

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


def conv_walk(
    x: Any = None, weight: Any = None, bias: Any = None, padding: int = 0, stride: int = 1
) -> LiveFigure:
    """Show a convolution one output at a time: window, filter, products, and their sum.

    Parameters
    ----------
    x : tensor, optional
        The image, C×H×W or H×W; the lecture's 6×6 image by default.
    weight : tensor, optional
        The filters, F×C×f×f, C×f×f or f×f; the lecture's 3×3 filter by default.
    bias : tensor, optional
        One number per filter.
    padding, stride : int
        Where the figure starts; the reader changes them.

    Raises
    ------
    FigureError
        If shapes do not fit each other, the filter is larger than the padded image, or there are more than
        `MOST` numbers.
    """
    return _walk("conv_walk", "convolution", x, weight, bias, padding, stride)


def im2col_walk(
    x: Any = None, weight: Any = None, bias: Any = None, padding: int = 0, stride: int = 1
) -> LiveFigure:
    """Show a convolution as one matrix product: each window is a column, each filter a row.

    Parameters
    ----------
    x, weight, bias, padding, stride
        As in `conv_walk`.

    Raises
    ------
    FigureError
        As in `conv_walk`.
    """
    return _walk("im2col_walk", "columns", x, weight, bias, padding, stride)


def _walk(call: str, script: str, x: Any, weight: Any, bias: Any, padding: int, stride: int) -> LiveFigure:
    image, filters, offsets = _inputs(call, x, weight, bias)
    padding, stride = count(padding, f"{call}'s padding", 0), count(stride, f"{call}'s stride", 1)
    output = _output(call, image, filters, offsets, padding, stride)
    drawn, still, title = (_convolution if script == "convolution" else _columns)(
        image, filters, output, padding, stride
    )
    data = {
        "x": numbers(image),
        "weight": numbers(filters),
        "bias": numbers(offsets),
        "biased": bias is not None,
        "padding": padding,
        "stride": stride,
    }
    return LiveFigure(script, title, data, still, drawn, needs=("arithmetic",))


def _inputs(call: str, x: Any, weight: Any, bias: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    wanted = f"{call} takes an image C×H×W of at most {SIDE}×{SIDE} pixels"
    image = take(IMAGE if x is None else x, wanted, (2, 3), (MOST, SIDE, SIDE))
    wanted = f"{call} takes filters F×C×f×f of at most {SIDE}×{SIDE}"
    filters = take(FILTER if weight is None else weight, wanted, (2, 3, 4), (MOST, MOST, SIDE, SIDE))
    if filters.shape[1] != image.shape[0]:
        raise FigureError(
            f"{call} takes an image and filters of as many channels; the image {shape_text(image.shape)} has "
            f"{image.shape[0]}, the filters {shape_text(filters.shape)} have {filters.shape[1]}."
        )
    if image.size + filters.size > MOST:
        raise FigureError(
            f"{call} takes at most {MOST:,} numbers in image and filters together; {shape_text(image.shape)} "
            f"and {shape_text(filters.shape)} are {image.size + filters.size:,}.",
            next_step="take fewer channels or filters, or cut out a part of the image",
        )
    wanted = f"{call} takes one bias per filter, here {len(filters)}"
    offsets = np.zeros(len(filters)) if bias is None else take(bias, wanted, (1,), (MOST,))
    if len(offsets) != len(filters):
        raise FigureError(f"{wanted}; these are {len(offsets)}.")
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
        raise FigureError(f"{call} takes a padding with which the image stays within {2 * SIDE}×{2 * SIDE}.")
    x, weight = (torch.from_numpy(np.asarray(each, np.float64)) for each in (image[None], filters))
    output: np.ndarray = functional.conv2d(x, weight, None, stride, padding)[0].numpy()
    return output + bias[:, None, None]


def _small(sides: np.ndarray) -> int:
    """Return the side of a cell: numbers, or squares where numbers would make the picture large."""
    return 26 if sides.shape[1] <= 10 else 8


def _convolution(
    image: np.ndarray, filters: np.ndarray, output: np.ndarray, padding: int, stride: int
) -> tuple[str, bytes, str]:
    high, wide = filters.shape[2:]
    padded = np.pad(image[0], padding)
    window = {(i, j) for i in range(high) for j in range(wide)}
    size, out_size = _small(padded), _small(output[0])
    tall = max(len(padded) * size, len(output[0]) * out_size, high * 26) + 24
    width = padded.shape[1] * size + wide * 26 + output.shape[2] * out_size + 160
    still = Still(max(420, width), tall)
    x = still.cells(2, 2, padded, name="x[0]", window=window, size=size)
    x = still.cells(x, 2, filters[0, 0], name="weight[0, 0]")
    still.cells(x, 2, output[0], name=f"output[0], {shape_text(output.shape[1:])}", at=(0, 0), size=out_size)
    text = (
        f"conv_walk: {shape_text(image.shape)} image, {shape_text(filters.shape)} filters, "
        f"padding {padding}, stride {stride}: output {shape_text(output.shape)}, "
        f"its first number {number_text(output[0, 0, 0])}"
    )
    return text, still.png(), "Convolution, window by window"


def _columns(
    image: np.ndarray, filters: np.ndarray, output: np.ndarray, padding: int, stride: int
) -> tuple[str, bytes, str]:
    import torch
    from torch.nn import functional

    high, wide = filters.shape[2:]
    given = torch.from_numpy(np.asarray(image[None], np.float64))
    matrix = functional.unfold(given, (high, wide), padding=padding, stride=stride)[0].numpy()
    part = matrix[:9, :16]
    part_of = ", its first rows and columns" if part.size < matrix.size else ""
    padded = np.pad(image[0], padding)
    size = _small(padded)
    tall = max(len(padded) * size, len(part) * 26) + 24
    still = Still(max(420, padded.shape[1] * size + part.shape[1] * 26 + 60), tall)
    window = {(i, j) for i in range(high) for j in range(wide)}
    x = still.cells(2, 2, padded, name="x[0]", window=window, size=size)
    column = {(i, 0) for i in range(len(part))}
    still.cells(x, 2, part, name=f"matrix {shape_text(matrix.shape)}{part_of}", window=column)
    text = (
        f"im2col_walk: {shape_text(image.shape)} image, windows {high}×{wide}, padding {padding}, "
        f"stride {stride}: matrix {shape_text(matrix.shape)}, "
        f"{matrix.size / image.size:.3g} times the image's numbers"
    )
    return text, still.png(), "Convolution as one matrix product"
