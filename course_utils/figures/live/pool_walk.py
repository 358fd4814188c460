"""pool_walk: max and average pooling, where their gradients go, and what a shift changes."""

from __future__ import annotations

from typing import Any

import numpy as np

from course_utils.errors import FigureError
from course_utils.figures.live.live_figure import LiveFigure, count, numbers, take
from course_utils.figures.live.still import Still
from course_utils.text import number_text, shape_text

SIDE, MOST = 32, 2500
"""The most pixels of a map's side, and the most numbers."""

MAP = [
    [3, 3, 0, 1, 1, 1],
    [7, 2, 1, 1, 5, 2],
    [7, 9, 1, 0, 5, 6],
    [5, 6, 1, 0, 3, 2],
    [9, 7, 0, 0, 0, 0],
    [4, 7, 0, 0, 0, 1],
]
"""The lecture's example."""


def pool_walk(x: Any = None, size: int = 2, stride: int | None = None) -> LiveFigure:
    """Show pooling one output at a time, its gradient, and the same for the image moved by some pixels.

    Parameters
    ----------
    x : tensor, optional
        The maps, C×H×W or H×W; the lecture's 6×6 map by default.
    size : int
        The window's side.
    stride : int, optional
        `size` by default. The reader can change both.

    Raises
    ------
    FigureError
        If the shape does not fit, the window is larger than the map, or there are too many numbers.

    Examples
    --------
    >>> import torch
    >>> pool_walk(torch.ones(2, 8, 8), size=3, stride=2)
    pool_walk: 2×8×8 map, 3×3 windows, stride 2: output 2×3×3, its first maximum 1
    """
    wanted = f"pool_walk takes maps C×H×W of at most {SIDE}×{SIDE} pixels and {MOST:,} numbers"
    maps = take(MAP if x is None else x, wanted, (2, 3), (MOST, SIDE, SIDE))
    shape = shape_text(maps.shape)
    if maps.size > MOST:
        raise FigureError(f"{wanted}; this one is {shape}.", next_step="Use fewer channels.")
    size = count(size, "pool_walk's size", 1)
    stride = size if stride is None else count(stride, "pool_walk's stride", 1)
    if size > min(maps.shape[1:]):
        raise FigureError(
            f"pool_walk takes a window no larger than the map; {size}×{size} does not fit {shape}."
        )
    output = _max_pool(maps, size, stride)
    text = (
        f"pool_walk: {shape} map, {size}×{size} windows, stride {stride}: output {shape_text(output.shape)}, "
        f"its first maximum {number_text(output[0, 0, 0])}"
    )
    data = {"x": numbers(maps), "size": size, "stride": stride}
    png = _still(maps[0], output[0], size)
    return LiveFigure("pool_walk", "Pooling, window by window", data, png, text)


def _max_pool(maps: np.ndarray, size: int, stride: int) -> np.ndarray:
    import torch
    from torch.nn import functional

    given = torch.from_numpy(np.asarray(maps, np.float64))
    output: np.ndarray = functional.max_pool2d(given, size, stride).numpy()
    return output


def _still(plane: np.ndarray, output: np.ndarray, size: int) -> bytes:
    cell = 26 if plane.shape[1] <= 10 else 8
    width = (plane.shape[1] + output.shape[1]) * cell + 90
    still = Still(max(420, width), len(plane) * cell + 24)
    window = {(i, j) for i in range(size) for j in range(size)}
    x = still.cells(2, 2, plane, name="x[0]", window=window, size=cell)
    still.cells(x, 2, output, name=f"output, {shape_text(output.shape)}", at=(0, 0), size=cell)
    return still.png()
