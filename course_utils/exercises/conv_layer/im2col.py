"""Exercise 1.7: patches as columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad, unfold

from course_utils.exercises.altered import altered
from course_utils.exercises.conv_layer.output_size import output_size
from course_utils.exercises.conv_layer.sliding import cropped, moved_wrongly, passed_on_wrongly
from course_utils.exercises.conv_layer.zero_pad import zero_pad
from course_utils.exercises.model import Exercise, Misconception, Probe, Window
from course_utils.exercises.probes import Draw


def im2col(x: Tensor, f: int, padding: int = 0, stride: int = 1) -> Tensor:
    """Write the f×f patch under each position of the kernel as a column: channel by channel, row by row."""
    rows, columns = (output_size(n, f, padding, stride) for n in x.shape[1:])
    x = torch.stack([zero_pad(channel, padding) for channel in x])
    starts = [(i * stride, j * stride) for i in range(rows) for j in range(columns)]
    patches = [x[:, i : i + f, j : j + f].flatten() for i, j in starts]
    return torch.stack(patches, dim=1)


def _patches(x: Tensor, f: int, padding: int = 0, stride: Any = 1) -> Tensor:
    """Return all patches as C×f×f×H'×W': what the wrong references rearrange."""
    down, right = (stride, stride) if isinstance(stride, int) else stride
    views = pad(x, (padding,) * 4).unfold(1, f, down).unfold(2, f, right)
    return views.permute(0, 3, 4, 1, 2)


def _written(patches: Tensor) -> Tensor:
    return patches.flatten(3).flatten(0, 2)


def _columns(x: Tensor, f: int, padding: int = 0, stride: Any = 1) -> Tensor:
    return _written(_patches(x, f, padding, stride))


def _numbered_by_the_height(x: Tensor, f: int, padding: int = 0, stride: int = 1) -> Tensor:
    patches = _patches(x, f, padding, stride)
    rows, columns = patches.shape[-2:]
    out = torch.zeros(patches.shape[:3].numel(), rows * columns)
    for i in range(rows):
        for j in range(columns):
            out[:, i * rows + j] = patches[..., i, j].flatten()
    return out


def _not_padded(x: Tensor, f: int, padding: int = 0, stride: int = 1) -> Tensor:
    rows, columns = (output_size(n, f, padding, stride) for n in x.shape[1:])
    starts = [(i * stride, j * stride) for i in range(rows) for j in range(columns)]
    return torch.stack([x[:, i : i + f, j : j + f].flatten() for i, j in starts], dim=1)


def probes(seed: int) -> Sequence[Probe]:
    """Start with one column; then add positions, channels, padding and a stride that does not divide."""
    draw = Draw(seed)
    return (
        Probe((draw.distinct(1, 2, 2), 2), note="the window fits once: one column"),
        Probe((draw.distinct(1, 2, 3), 1), note="windows of one pixel"),
        Probe((draw.distinct(1, 3, 4), 2), note="one channel; the image is wider than tall"),
        Probe((draw.distinct(2, 2, 3), 2), note="two channels"),
        Probe((draw.distinct(2, 4, 3), 2), note="two channels; the image is taller than wide"),
        Probe((draw.distinct(1, 2, 3), 2, 1), note="padding 1"),
        Probe((draw.distinct(1, 5, 4), 2), {"stride": 2}, "stride 2 does not divide"),
        Probe((draw.distinct(3, 5, 4), 3, 1, 2), note="three channels, padding 1 and stride 2"),
        Probe((draw.distinct(1, 5, 7), 2), {"stride": 3}, "the stride is larger than the window"),
        Probe((draw.floats(4, 6, 8), 3), {"padding": 2, "stride": draw.between(2, 3)}, "fractions"),
        Probe((draw.floats(2, 6, 8), 3), {"padding": 4, "stride": draw.between(4, 5)}, "much padding"),
    )


def _window(index: tuple[int, ...], x: Tensor, f: int, padding: int, stride: int) -> Window:
    width = output_size(x.shape[2], f, padding, stride)
    channel, within = divmod(index[0], f * f)
    row = index[1] // width * stride + within // f - padding
    column = index[1] % width * stride + within % f - padding
    inside = 0 <= row < x.shape[1] and 0 <= column < x.shape[2]
    return {"x": [(channel, row, column)]} if inside else {}


EXERCISE = Exercise(
    number="1.7",
    points=3,
    reference=im2col,
    builds_on=("zero_pad", "output_size"),
    probes=probes,
    section="Lab 01, Convolution as matrix multiplication",
    misconceptions=(
        Misconception(
            "not-permuted",
            altered(
                _patches,
                result=lambda patches: patches.permute(0, 3, 4, 1, 2).reshape(patches.shape[:3].numel(), -1),
            ),
            "The axes of the windows are not moved before the reshape, so the numbers are in another order: "
            "permute first.",
        ),
        Misconception(
            "batch-axis-left",
            altered(_columns, result=lambda columns: columns[None]),
            "The axis for the batch that F.unfold needs is still there: take [0] at the end.",
        ),
        Misconception(
            "patches-as-rows",
            altered(_columns, result=lambda columns: columns.T),
            "Each patch is a row; im2col makes it a column.",
        ),
        Misconception(
            "reshape-for-transpose",
            altered(_columns, result=lambda columns: columns.T.reshape(columns.shape)),
            "The shape is right, but `reshape` keeps the order of the numbers: it does not transpose.",
        ),
        Misconception(
            "channel-last-patches",
            altered(_patches, result=lambda patches: _written(patches.permute(1, 2, 0, 3, 4))),
            "A patch is written pixel by pixel, channels together; filters are stored channel by channel.",
        ),
        Misconception(
            "patches-by-columns",
            altered(_patches, result=lambda patches: _written(patches.transpose(1, 2))),
            "The pixels of a patch are read column by column instead of row by row.",
        ),
        Misconception(
            "positions-by-columns",
            altered(_patches, result=lambda patches: _written(patches.transpose(3, 4))),
            "The kernel visits its positions column by column; the result is read row by row.",
        ),
        Misconception(
            "channels-apart",
            altered(_patches, result=lambda patches: patches.flatten(3).flatten(1, 2)),
            "The channels are kept apart; one column holds the patch of all channels.",
            "Lab 01, Channels",
        ),
        Misconception(
            "first-channel-only",
            altered(_columns, x=lambda x: x[:1]),
            "Only the first channel is used.",
            "Lab 01, Channels",
        ),
        Misconception(
            "flipped-kernel",
            altered(_patches, result=lambda patches: _written(patches.flip(1, 2))),
            "Each patch is turned by 180 degrees, as in the convolution of mathematics.",
            "Lab 01, Convolution",
        ),
        Misconception(
            "tiles",
            lambda x, f, padding=0, stride=1: _columns(x, f, padding, f),
            "The window jumps by its own size, so that patches never overlap.",
            "Lab 01, Stride",
        ),
        Misconception(
            "padding-ignored",
            altered(_columns, padding=lambda padding: 0),
            "The padding has no effect.",
            "Lab 01, Padding",
        ),
        Misconception(
            "image-not-padded",
            _not_padded,
            "The padding counts for the number of positions, but the image is not padded: windows reach "
            "beyond it.",
            "Lab 01, Padding",
        ),
        *moved_wrongly(_columns),
        *passed_on_wrongly(_columns),
        Misconception(
            "dilation-for-padding",
            lambda x, f, padding=0, stride=1: unfold(x, f, padding, stride),
            "F.unfold takes the dilation third, before padding and stride: give them by name, as in "
            "stride=stride.",
        ),
        Misconception(
            "numbered-by-the-height",
            _numbered_by_the_height,
            "The column of position (i, j) is i·W' + j: a row has W' positions, not H'.",
        ),
        Misconception(
            "crop-instead-of-stride",
            altered(cropped(_patches), result=_written),
            "The number of patches is right, but these are the patches of the top-left corner with stride 1.",
            "Lab 01, Stride",
        ),
    ),
    hints=(
        "One column is what the kernel sees at one position, in all channels. How many numbers is that?",
        "The order within a column is the order in which a filter C×f×f is stored: flatten gives it.",
        "Collect the flattened patches in a list, positions row by row; then stack them side by side.",
    ),
    window=_window,
)
