"""Exercise 2.4: where the gradient of max pooling goes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from course_utils.exercises.model import Exercise, Misconception, Probe, Window
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


def _share(weights: Callable[[Tensor], Tensor]) -> Callable[..., Tensor]:
    """Return a gradient that spreads each window's share by `weights` of the windows (…×size²)."""

    def wrong(x: Tensor, grad_output: Tensor, size: int = 2) -> Tensor:
        (_, rows, columns), covered = grad_output.shape, torch.zeros_like(x)
        inner = x[:, : rows * size, : columns * size]
        windows = inner.unfold(1, size, size).unfold(2, size, size).flatten(3)
        spread = (weights(windows) * grad_output[..., None]).unflatten(3, (size, size))
        covered[:, : rows * size, : columns * size] = spread.permute(0, 1, 3, 2, 4).reshape(inner.shape)
        return covered

    return wrong


def _first(windows: Tensor) -> Tensor:
    return torch.zeros_like(windows).scatter(-1, windows.argmax(-1, keepdim=True), 1.0)


def _largest(windows: Tensor) -> Tensor:
    return (windows == windows.amax(-1, keepdim=True)).float()


def _corner(windows: Tensor) -> Tensor:
    return (torch.arange(windows.shape[-1]) == 0).expand_as(windows).float()


_spread_by_first = _share(_first)


def _by_first_channel(x: Tensor, grad_output: Tensor, size: int = 2) -> Tensor:
    return _spread_by_first(x[:1].expand_as(x), grad_output, size)


def _crop(x: Tensor, grad_output: Tensor, size: int = 2) -> Tensor:
    rows, columns = grad_output.shape[1:]
    return _spread_by_first(x, grad_output, size)[:, : rows * size, : columns * size]


def _probes(seed: int) -> Sequence[Probe]:
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
        Probe((draw.distinct(1, 3, 5), draw.distinct(1, 1, 2)), note="a row and a column lie in no window"),
        Probe((draw.distinct(1, 2, 4, low=-9), draw.distinct(1, 1, 2)), note="all values negative"),
        Probe((tied, draw.distinct(1, 2, 3, low=2)), note="equal largest values: the first in reading order"),
        Probe((blocks, draw.distinct(1, 2, 1)), {"size": 3}, "3×3 windows with equal values"),
        Probe((draw.distinct(2, 7, 10), draw.distinct(2, 2, 3), 3), note="3×3 windows, two channels"),
        Probe((draw.floats(3, 9, 6), draw.floats(3, 4, 3)), note="fractions"),
    )


def _window(probe: Probe, index: tuple[int, ...]) -> Window:
    x, grad_output, *rest = probe.arguments
    size = rest[0] if rest else probe.keywords.get("size", 2)
    channel, row, column = index[0], index[1] // size, index[2] // size
    if row >= grad_output.shape[1] or column >= grad_output.shape[2]:
        return {"x": [index]}
    region = patch(row, column, (size, size), tuple(x.shape[1:]), stride=size)
    return {"x": [(channel, *region)], "grad_output": [(channel, row, column)]}


EXERCISE = Exercise(
    number="2.4",
    points=3,
    reference=max_pool_gradient,
    probes=_probes,
    misconceptions=(
        Misconception(
            "spread-evenly",
            _share(lambda windows: torch.full_like(windows, 1 / windows.shape[-1])),
            "Every pixel of a window gets an equal part: that is the gradient of average pooling.",
            "Lab 02, Where the gradient goes",
        ),
        Misconception(
            "copied-to-the-window",
            _share(torch.ones_like),
            "Every pixel of a window gets the whole gradient, though most of them did not decide the result.",
            "Lab 02, Where the gradient goes",
        ),
        Misconception(
            "all-of-equal-maxima",
            _share(_largest),
            "When several pixels are equally large, each gets the whole gradient: it counts several times.",
            "Lab 02, Where the gradient goes",
        ),
        Misconception(
            "split-among-equals",
            _share(lambda windows: _largest(windows) / _largest(windows).sum(-1, keepdim=True)),
            "When several pixels are equally large, they share the gradient; PyTorch lets the first have it.",
            "Lab 02, Where the gradient goes",
        ),
        Misconception(
            "last-of-equals",
            _share(lambda windows: _first(windows.flip(-1)).flip(-1)),
            "Of equally large pixels the last in reading order gets the gradient; PyTorch takes the first.",
            "Lab 02, Where the gradient goes",
        ),
        Misconception(
            "value-times-gradient",
            _share(lambda windows: _first(windows) * windows),
            "The gradient is multiplied by the pixel's value; the maximum passes it on as it is.",
            "Lab 02, Where the gradient goes",
        ),
        Misconception(
            "gradient-ignored",
            lambda x, grad_output, size=2: _spread_by_first(x, torch.ones_like(grad_output), size),
            "This marks the largest pixels with 1; the gradient that comes from above is not used.",
            "Lab 02, Where the gradient goes",
        ),
        Misconception(
            "corner-of-the-window",
            _share(_corner),
            "The gradient goes to the first pixel of each window, wherever the largest one is.",
            "Lab 02, Where the gradient goes",
        ),
        Misconception(
            "smallest",
            _share(lambda windows: _first(-windows)),
            "The gradient goes to the smallest pixel of each window.",
            "Lab 02, Where the gradient goes",
        ),
        Misconception(
            "first-channel-decides",
            _by_first_channel,
            "The place of the largest pixel is looked up in the first channel for all channels.",
            "Lab 02, Where the gradient goes",
        ),
        Misconception(
            "border-dropped",
            _crop,
            "The result covers the windows only; pixels that lie in no window have a gradient too: 0.",
            "Lab 02, Where the gradient goes",
        ),
    ),
    hints=(
        "If a pixel that is not the largest of its window grew a little, would the output change?",
        "The gradient has the shape of x, and most of it is 0.",
        "argmax counts a window's pixels in reading order; divmod by `size` gives row and column.",
    ),
    window=_window,
)
