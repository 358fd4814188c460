"""Exercise 2.4: where the gradient of max pooling goes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import product

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from course_utils.exercises.altered import altered
from course_utils.exercises.model import Exercise, Misconception, Probe, Window
from course_utils.exercises.pooling_layer.windowing import unfolded
from course_utils.exercises.probes import Draw
from course_utils.exercises.windows import patch


def max_pool_gradient(x: Tensor, grad_output: Tensor, size: int = 2) -> Tensor:
    """Hand each output's gradient to the pixel that was the largest of its window, the first of equals."""
    grad = torch.zeros(x.shape)
    channels, rows, columns = grad_output.shape
    for c in range(channels):
        for i in range(rows):
            for j in range(columns):
                window = x[c, i * size : (i + 1) * size, j * size : (j + 1) * size]
                di, dj = divmod(int(window.argmax()), size)
                grad[c, i * size + di, j * size + dj] = grad_output[c, i, j]
    return grad


def _spread(share: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    """Return a gradient that spreads each output's by its `share` among a window's pixels (…×size²)."""

    def wrong(x: Tensor, grad_output: Tensor, size: int = 2) -> Tensor:
        (_, rows, columns), grad = grad_output.shape, torch.zeros_like(x)
        covered = grad[:, : rows * size, : columns * size]
        parts = share(unfolded(x, size, size)) * grad_output[..., None]
        covered[:] = parts.unflatten(3, (size, size)).permute(0, 1, 3, 2, 4).reshape(covered.shape)
        return grad

    return wrong


def _first(windows: Tensor) -> Tensor:
    return torch.zeros_like(windows).scatter(-1, windows.argmax(-1, keepdim=True), 1.0)


def _largest(windows: Tensor) -> Tensor:
    return (windows == windows.amax(-1, keepdim=True)).float()


def _transposed(windows: Tensor) -> Tensor:
    side = math.isqrt(windows.shape[-1])
    return windows.unflatten(-1, (side, side)).mT.flatten(-2)


def _first_of_each_row(windows: Tensor) -> Tensor:
    side = math.isqrt(windows.shape[-1])
    rows = _largest(windows).unflatten(-1, (side, side))
    return ((rows.cumsum(-1) == 1) & (rows == 1)).float().flatten(-2)


_WITHOUT_CORNER = (
    "The place within the window is used as a place in the image, so everything lands in the top-left "
    "corner: the window itself starts at row i * size, column j * size."
)


def _without_corner(accumulate: bool) -> Callable[..., Tensor]:
    """Return a gradient that forgets where each window starts, and adds up or overwrites what meets."""

    def wrong(x: Tensor, grad_output: Tensor, size: int = 2) -> Tensor:
        grad, indices = torch.zeros_like(x), unfolded(x, size, size).argmax(-1)
        for c, i, j in product(*map(range, grad_output.shape)):
            row, column = divmod(int(indices[c, i, j]), size)
            grad[c, row, column] = grad_output[c, i, j] + accumulate * grad[c, row, column]
        return grad

    return wrong


def _along_a_row(x: Tensor, grad_output: Tensor, size: int = 2) -> Tensor:
    indices = max_pool2d(x, size, return_indices=True)[1]
    return torch.zeros_like(x).scatter_(2, indices, grad_output)


def _loops_over_the_image(x: Tensor, grad_output: Tensor, size: int = 2) -> Tensor:
    if any(length % size for length in x.shape[1:]):
        raise IndexError("grad_output has no such window")
    return max_pool_gradient(x, grad_output, size)


def _cropped(x: Tensor, grad_output: Tensor, size: int = 2) -> Tensor:
    rows, columns = grad_output.shape[1:]
    return max_pool_gradient(x, grad_output, size)[:, : rows * size, : columns * size]


def probes(seed: int) -> Sequence[Probe]:
    """Start with one window; later ask for equal values in every arrangement that ideas tell apart."""
    draw = Draw(seed)
    # Each kind of pair, and four equals: first, last, shared and repeated maxima all differ somewhere.
    ties = [
        [[5, 1], [2, 5]],
        [[1, 5], [5, 2]],
        [[5, 5], [1, 0]],
        [[0, 5], [1, 5]],
        [[5, 2], [5, 1]],
        [[-3, -3], [-3, -3]],
    ]
    order = draw.shuffled(*range(len(ties)))
    windows = torch.tensor([ties[k] for k in order], dtype=torch.float32)
    tied = windows.reshape(1, 2, 3, 2, 2).transpose(2, 3).reshape(1, 4, 6)
    blocks = draw.integers(1, 6, 3, low=0, high=1)
    return (
        Probe((draw.distinct(1, 2, 2), draw.distinct(1, 1, 1, low=3)), note="one window"),
        Probe((draw.distinct(1, 2, 4), draw.distinct(1, 1, 2, low=2)), note="two windows side by side"),
        Probe((draw.distinct(1, 4, 2), draw.distinct(1, 2, 1)), note="two windows, one below the other"),
        Probe((draw.distinct(2, 2, 4), draw.distinct(2, 1, 2)), note="two channels"),
        Probe((draw.distinct(1, 3, 5), draw.distinct(1, 1, 2)), note="a row and a column are in no window"),
        Probe((draw.distinct(1, 2, 4, low=-9), draw.distinct(1, 1, 2)), note="all values negative"),
        Probe((tied, draw.distinct(1, 2, 3, low=2)), note="equal largest values: the first in reading order"),
        Probe((blocks, draw.distinct(1, 2, 1)), {"size": 3}, "3×3 windows with equal values"),
        Probe((draw.distinct(2, 7, 10), draw.distinct(2, 2, 3), 3), note="3×3 windows, two channels"),
        Probe((draw.floats(3, 9, 6), draw.floats(3, 4, 3)), note="fractions"),
    )


def _window(index: tuple[int, ...], x: Tensor, grad_output: Tensor, size: int) -> Window:
    channel, row, column = index[0], index[1] // size, index[2] // size
    if row >= grad_output.shape[1] or column >= grad_output.shape[2]:
        return {"x": [index]}
    region = patch((row, column), (size, size), x.shape[1:], stride=size)
    return {"x": [(channel, *region)], "grad_output": [(channel, row, column)]}


EXERCISE = Exercise(
    number="2.4",
    points=3,
    reference=max_pool_gradient,
    probes=probes,
    section="Lab 02, Where the gradient goes",
    misconceptions=(
        Misconception(
            "spread-evenly",
            _spread(lambda windows: torch.full_like(windows, 1 / windows.shape[-1])),
            "Every pixel of a window gets an equal part: that is the gradient of average pooling.",
        ),
        Misconception(
            "copied-to-the-window",
            _spread(torch.ones_like),
            "Every pixel of a window gets the whole gradient, though only the largest decided the result.",
        ),
        Misconception(
            "all-of-equal-maxima",
            _spread(_largest),
            "If several pixels share the maximum, each gets the whole gradient: it counts several times.",
        ),
        Misconception(
            "split-among-equals",
            _spread(lambda windows: _largest(windows) / _largest(windows).sum(-1, keepdim=True)),
            "If several pixels share the maximum, they split the gradient; PyTorch gives it to the first.",
        ),
        Misconception(
            "last-of-equals",
            _spread(lambda windows: _first(windows.flip(-1)).flip(-1)),
            "If several pixels share the maximum, the last gets the gradient; PyTorch gives it to the first.",
        ),
        Misconception(
            "value-times-gradient",
            _spread(lambda windows: _first(windows) * windows),
            "The gradient is multiplied by the pixel's value; the maximum passes it on unchanged.",
        ),
        Misconception(
            "gradient-ignored",
            altered(max_pool_gradient, grad_output=torch.ones_like),
            "This marks the largest pixels with 1; grad_output is not used.",
        ),
        Misconception(
            "corner-of-the-window",
            _spread(lambda windows: (torch.arange(windows.shape[-1]) == 0).expand_as(windows).float()),
            "The gradient goes to the first pixel of each window, wherever the largest one is.",
        ),
        Misconception(
            "smallest",
            _spread(lambda windows: _first(-windows)),
            "The gradient goes to the smallest pixel of each window.",
        ),
        Misconception(
            "first-channel-decides",
            altered(max_pool_gradient, x=lambda x: x[:1].expand_as(x)),
            "The position of the maximum is taken from the first channel for all channels.",
        ),
        Misconception(
            "row-column-exchanged",
            _spread(lambda windows: _transposed(_first(windows))),
            "Row and column within the window are exchanged: argmax counts along the rows, so the row is "
            "index // size, and the column is index % size.",
        ),
        Misconception(
            "place-in-the-image",
            _without_corner(accumulate=True),
            _WITHOUT_CORNER,
        ),
        Misconception(
            "place-in-the-image-overwritten",
            _without_corner(accumulate=False),
            _WITHOUT_CORNER,
        ),
        Misconception(
            "index-along-a-row",
            _along_a_row,
            "The indices of max_pool2d count through a whole map, row by row; here they are used along one "
            "axis. Flatten the maps first, and reshape at the end.",
        ),
        Misconception(
            "first-of-each-row",
            _spread(_first_of_each_row),
            "If pixels in several rows of a window share the maximum, each row gets the gradient: `break` "
            "ends only the inner loop.",
        ),
        Misconception(
            "loops-over-the-image",
            _loops_over_the_image,
            "A window is asked for its gradient wherever one starts in x; those that do not fit have none.",
        ),
        Misconception(
            "border-dropped",
            _cropped,
            "The result covers the windows only; pixels in no window have a gradient too: 0.",
        ),
    ),
    hints=(
        "If a pixel that is not the largest of its window grew a little, would the output change?",
        "The gradient has the shape of x, and most of it is 0.",
        "argmax counts a window's pixels in reading order; divmod with `size` gives row and column.",
    ),
    window=_window,
)
