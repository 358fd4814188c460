"""conv_walk: a convolution, window by window."""

from __future__ import annotations

from typing import Any

from course_utils.figures.live.convolution import Convolution, cell_side, convolution
from course_utils.figures.live.live_figure import LiveFigure
from course_utils.figures.live.still import Still
from course_utils.text import number_text, shape_text


def conv_walk(
    x: Any = None, weight: Any = None, bias: Any = None, padding: int = 0, stride: int = 1
) -> LiveFigure:
    """Show a convolution one output at a time: window, filter, products, and their sum.

    Parameters
    ----------
    x : tensor, optional
        The image, C×H×W or H×W; the lecture's 6×6 image by default.
    weight : tensor, optional
        The filters, K×C×f×f, C×f×f or f×f; the lecture's 3×3 filter by default.
    bias : tensor, optional
        One number per filter.
    padding, stride : int
        Where the figure starts; the reader can change them.

    Raises
    ------
    FigureError
        If the shapes do not match, the filter is larger than the padded image, or there are too many numbers.

    Examples
    --------
    >>> import torch
    >>> conv_walk(torch.ones(3, 8, 8), torch.ones(2, 3, 5, 5), padding=2)
    conv_walk: 3×8×8 image, 2×3×5×5 filters, padding 2, stride 1: output 2×8×8, its first number 27
    """
    walk = convolution("conv_walk", x, weight, bias, padding, stride)
    text = (
        f"conv_walk: {shape_text(walk.image.shape)} image, {shape_text(walk.filters.shape)} filters, "
        f"padding {padding}, stride {stride}: output {shape_text(walk.output.shape)}, "
        f"its first number {number_text(walk.output[0, 0, 0])}"
    )
    return LiveFigure("conv_walk", "Convolution, window by window", walk.data(), _still(walk), text)


def _still(walk: Convolution) -> bytes:
    padded, kernel, output = walk.padded, walk.filters[0, 0], walk.output[0]
    size, out_size = cell_side(padded), cell_side(output)
    tall = max(len(padded) * size, len(output) * out_size, len(kernel) * 26) + 24
    wide = padded.shape[1] * size + kernel.shape[1] * 26 + output.shape[1] * out_size + 160
    still = Still(max(420, wide), tall)
    x = still.cells(2, 2, padded, name="x[0]", window=walk.window, size=size)
    x = still.cells(x, 2, kernel, name="weight[0, 0]")
    still.cells(x, 2, output, name=f"output[0], {shape_text(output.shape)}", at=(0, 0), size=out_size)
    return still.png()
