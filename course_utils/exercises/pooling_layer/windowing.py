"""What max- and average-pooling share: probes, the window behind a cell, and wrong ways to move it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from course_utils.exercises.model import Misconception, Probe, Window
from course_utils.exercises.probes import Draw
from course_utils.exercises.windows import patch, stored_at_the_pixel

Pool = Callable[..., Tensor]
"""``(x C×H×W, size, stride, ceil_mode) -> C×H'×W'``; sizes and strides may be pairs."""


def probes(seed: int) -> Sequence[Probe]:
    """Start with one window; then ask for several, for overlaps, gaps and what lies in no window."""
    draw = Draw(seed)
    return (
        Probe((draw.distinct(1, 2, 2, low=1),), note="one window"),
        Probe((draw.distinct(1, 2, 4),), note="two windows side by side"),
        Probe((draw.distinct(1, 4, 2),), note="two windows, one below the other"),
        Probe((draw.distinct(1, 2, 2, low=-6),), note="all values negative"),
        Probe((draw.distinct(2, 2, 4),), note="two channels"),
        Probe((draw.distinct(1, 3, 5),), note="size 2 does not divide: a row and a column are in no window"),
        Probe((draw.distinct(1, 3, 4), 2, 1), note="stride 1: windows overlap"),
        Probe((draw.distinct(1, 5, 4), 3), note="3×3 windows; the stride is 3 too"),
        Probe((draw.distinct(2, 6, 8, low=-99), 3), {"stride": 2}, "3×3 windows, stride 2, all negative"),
        Probe((draw.distinct(1, 4, 5),), {"stride": 3}, "stride above size: some pixels are in no window"),
        Probe((draw.distinct(1, 2, 3), 1), note="windows of one pixel"),
        Probe((draw.floats(3, 8, 9), draw.one_of(4, 5)), {"stride": draw.between(1, 2)}, "fractions"),
    )


def window(index: tuple[int, ...], x: Tensor, size: int, stride: int | None) -> Window:
    """Return the window behind one output cell."""
    channel, *place = index
    return {"x": [(channel, *patch(place, (size, size), x.shape[1:], stride=stride or size))]}


def unfolded(x: Tensor, size: int, stride: int | None) -> Tensor:
    """Return the pixels of each window along a last axis of size²."""
    return x.unfold(1, size, stride or size).unfold(2, size, stride or size).flatten(3)


def _beyond(x: Tensor, size: int, stride: int) -> Tensor:
    height, width = x.shape[1:]
    return pad(x, (0, -(width - size) % stride, 0, -(height - size) % stride))


def _one_apart(pool: Pool, x: Tensor, size: int, stride: int) -> Tensor:
    rows, columns = pool(x, size, stride).shape[1:]
    return pool(x, size, 1)[:, :rows, :columns]


def _counted(pool: Pool, x: Tensor, size: int, stride: int, count: Callable[[int], int]) -> Tensor:
    """Pool as many windows along each axis as `count` makes of its length; those at the border are cut."""
    rows, columns = (count(length) for length in x.shape[1:])
    windows = [
        [x[:, i * stride : i * stride + size, j * stride : j * stride + size] for j in range(columns)]
        for i in range(rows)
    ]
    pooled = [torch.cat([pool(w, tuple(w.shape[1:])) for w in row], dim=2) for row in windows]
    return torch.cat(pooled, dim=1)


def _stored_at_the_pixel(pool: Pool, x: Tensor, size: int, stride: int) -> Tensor:
    return stored_at_the_pixel(pool(x, size, 1), pool(x, size, stride), stride)


def _over_axes(pool: Pool, x: Tensor, size: int, stride: int, order: tuple[int, int, int]) -> Tensor:
    """Pool each window over its last two axes in another order than channels, rows, columns."""
    out = torch.zeros_like(pool(x, size, stride))
    for i in range(out.shape[1]):
        for j in range(out.shape[2]):
            window = x[:, i * stride : i * stride + size, j * stride : j * stride + size].permute(order)
            out[:, i, j] = pool(window, tuple(window.shape[1:])).flatten()
    return out


def _blocks(pool: Pool, x: Tensor, size: int, stride: int) -> Tensor:
    if any(length % size for length in x.shape[1:]):
        raise RuntimeError("the windows do not fill the image")
    return pool(x, size)


def _positions(pool: Pool, x: Tensor, size: int, stride: int) -> Tensor:
    windows = x.unfold(1, size, stride).unfold(2, size, stride)
    places = windows.permute(0, 3, 4, 1, 2)
    return pool(places.flatten(0, 2), tuple(places.shape[3:])).reshape(places.shape[:3])


def _last_axis(pool: Pool, x: Tensor, size: int, stride: int) -> Tensor:
    windows = x.unfold(1, size, stride).unfold(2, size, stride)
    return pool(windows.flatten(0, 2), (1, size)).reshape(windows.shape[:4])


def _one_axis(pool: Pool, x: Tensor, size: int, stride: int) -> Tensor:
    out = torch.zeros_like(pool(x, size, stride))
    for i in range(out.shape[1]):
        for j in range(out.shape[2]):
            window = x[:, i * stride : i * stride + size, j * stride : j * stride + size]
            out[:, i, j] = pool(window, (size, 1))[:, 0]
    return out


def _channels_last(pool: Pool, x: Tensor, size: int, stride: int) -> Tensor:
    height, width, channels = x.shape
    out = torch.zeros((height - size) // stride + 1, (width - size) // stride + 1, channels)
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            window = x[i * stride : i * stride + size, j * stride : j * stride + size].permute(2, 0, 1)
            out[i, j] = pool(window, tuple(window.shape[1:])).flatten()
    return out


def moved_wrongly(pool: Pool) -> tuple[Misconception, ...]:
    """Return the wrong ideas about where the windows of `pool` lie."""
    return (
        Misconception(
            "partial-windows",
            lambda x, size=2, stride=None: pool(x, size, stride, ceil_mode=True),
            "Windows that reach over the border are counted too: the number of windows is rounded up.",
            "Lab 02, Shapes",
        ),
        Misconception(
            "windows-one-apart",
            lambda x, size=2, stride=None: _one_apart(pool, x, size, stride or size),
            "The number of windows is right, but they start one pixel apart: window i starts at i * stride.",
        ),
        Misconception(
            "stride-one",
            lambda x, size=2, stride=None: pool(x, size, stride or 1),
            "When no stride is given, the window moves by one pixel; in pooling it moves by its own size.",
        ),
        Misconception(
            "stride-two",
            lambda x, size=2, stride=None: pool(x, size, stride or 2),
            "When no stride is given, the window moves by two pixels; in pooling it moves by its own size.",
        ),
        Misconception(
            "stride-ignored",
            lambda x, size=2, stride=None: pool(x, size, size),
            "The stride has no effect: the window always moves by its own size.",
        ),
        Misconception(
            "zeros-in-partial-windows",
            lambda x, size=2, stride=None: pool(_beyond(x, size, stride or size), size, stride or size),
            "Windows that reach over the border are counted too, padded with zeros.",
            "Lab 02, Shapes",
        ),
        Misconception(
            "length-over-stride",
            lambda x, size=2, stride=None: _counted(
                pool, x, size, stride or size, lambda length: length // (stride or size)
            ),
            "The number of windows is length over stride, which ignores the window's own size.",
            "Lab 02, Shapes",
        ),
        Misconception(
            "length-over-size",
            lambda x, size=2, stride=None: _counted(
                pool, x, size, stride or size, lambda length: length // size
            ),
            "The number of windows is length over size, whatever the stride.",
            "Lab 02, Shapes",
        ),
        Misconception(
            "windows-up-to-the-border",
            lambda x, size=2, stride=None: _counted(
                pool, x, size, stride or size, lambda length: -(-length // (stride or size))
            ),
            "The loops go up to the border, so windows that reach over it are counted too; these should be "
            "left out.",
            "Lab 02, Shapes",
        ),
        Misconception(
            "stored-at-the-pixel",
            lambda x, size=2, stride=None: _stored_at_the_pixel(pool, x, size, stride or size),
            "The window that starts at pixel row i belongs in row i // stride of the result, not in row i; "
            "the columns likewise.",
        ),
        Misconception(
            "channels-and-rows-pooled",
            lambda x, size=2, stride=None: _over_axes(pool, x, size, stride or size, (2, 0, 1)),
            "Each window is pooled over the axes 0 and 1, channels and rows; its rows and columns are the "
            "axes 1 and 2.",
        ),
        Misconception(
            "positions-pooled",
            lambda x, size=2, stride=None: _positions(pool, x, size, stride or size),
            "After `unfold`, the axes 1 and 2 are the positions of the windows; the pixels of each are the "
            "axes 3 and 4, and those are pooled.",
        ),
        Misconception(
            "last-axis-pooled",
            lambda x, size=2, stride=None: _last_axis(pool, x, size, stride or size),
            "Only the last axis of each window is pooled, its columns; its rows are the axis before.",
        ),
        Misconception(
            "one-axis-of-each-window",
            lambda x, size=2, stride=None: _one_axis(pool, x, size, stride or size),
            "Each window is pooled along one axis only; rows and columns are two, dim=(1, 2).",
        ),
        Misconception(
            "channels-last",
            lambda x, size=2, stride=None: _channels_last(pool, x, size, stride or size),
            "The last axis is taken for the channels; x is C×H×W, so they are the first.",
        ),
        Misconception(
            "blocks",
            lambda x, size=2, stride=None: _blocks(pool, x, size, stride or size),
            "The image is cut into blocks, as with `reshape`: the stride has no effect, and rows and columns "
            "that are left over give an error.",
            "Lab 02, Shapes",
        ),
        Misconception(
            "stride-on-rows-only",
            lambda x, size=2, stride=None: pool(x, size, (stride or size, 1)),
            "The window moves by the stride down the rows, but by one pixel along the columns.",
        ),
        Misconception(
            "stride-on-columns-only",
            lambda x, size=2, stride=None: pool(x, size, (1, stride or size)),
            "The window moves by the stride along the columns, but by one pixel down the rows.",
        ),
        Misconception(
            "along-rows-only",
            lambda x, size=2, stride=None: pool(x, (1, size), (1, stride or size)),
            "The windows are one row high: only neighbours in a row are pooled.",
        ),
        Misconception(
            "along-columns-only",
            lambda x, size=2, stride=None: pool(x, (size, 1), (stride or size, 1)),
            "The windows are one column wide: only neighbours in a column are pooled.",
        ),
        Misconception(
            "result-transposed",
            lambda x, size=2, stride=None: pool(x, size, stride).transpose(1, 2),
            "The result is transposed: its rows and columns are exchanged.",
            "Lab 02, Shapes",
        ),
        Misconception(
            "first-channel-only",
            lambda x, size=2, stride=None: pool(x[:1], size, stride),
            "Only the first channel is pooled; each channel gives a map of its own.",
            "Lab 02, Shapes",
        ),
    )
