"""im2col_walk: a convolution as one matrix product."""

from __future__ import annotations

from typing import Any

import numpy as np

from course_utils.figures.live.convolution import Convolution, cell_side, convolution
from course_utils.figures.live.live_figure import LiveFigure
from course_utils.figures.live.still import Still
from course_utils.text import shape_text


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

    Examples
    --------
    >>> import torch
    >>> im2col_walk(torch.ones(3, 8, 8), torch.ones(2, 3, 5, 5))
    im2col_walk: 3×8×8 image, windows 5×5, padding 0, stride 1: matrix 75×16, 6.25 times the image's numbers
    """
    walk = convolution("im2col_walk", x, weight, bias, padding, stride)
    matrix = _matrix(walk)
    text = (
        f"im2col_walk: {shape_text(walk.image.shape)} image, windows {shape_text(walk.filters.shape[2:])}, "
        f"padding {padding}, stride {stride}: matrix {shape_text(matrix.shape)}, "
        f"{matrix.size / walk.image.size:.3g} times the image's numbers"
    )
    still = _still(walk, matrix)
    return LiveFigure("im2col_walk", "Convolution as one matrix product", walk.data(), still, text)


def _matrix(walk: Convolution) -> np.ndarray:
    import torch
    from torch.nn import functional

    given = torch.from_numpy(np.asarray(walk.image[None], np.float64))
    size = walk.filters.shape[2:]
    matrix: np.ndarray = functional.unfold(given, size, padding=walk.padding, stride=walk.stride)[0].numpy()
    return matrix


def _still(walk: Convolution, matrix: np.ndarray) -> bytes:
    padded, part = walk.padded, matrix[:9, :16]
    part_of = ", its first rows and columns" if part.size < matrix.size else ""
    size = cell_side(padded)
    tall = max(len(padded) * size, len(part) * 26) + 24
    still = Still(max(420, padded.shape[1] * size + part.shape[1] * 26 + 60), tall)
    x = still.cells(2, 2, padded, name="x[0]", window=walk.window, size=size)
    column = {(i, 0) for i in range(len(part))}
    still.cells(x, 2, part, name=f"matrix {shape_text(matrix.shape)}{part_of}", window=column)
    return still.png()
