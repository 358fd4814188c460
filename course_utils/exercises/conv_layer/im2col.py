"""Exercise 1.7: patches as columns."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from course_utils.exercises.conv_layer.output_size import output_size
from course_utils.exercises.conv_layer.wrong_conv2d import pad
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


def _patches(x: Tensor, f: int, padding: int = 0, stride: int | tuple[int, int] = 1) -> Tensor:
    """Return all patches as C×f×f×H'×W': what the wrong references rearrange."""
    down, right = (stride, stride) if isinstance(stride, int) else stride
    views = pad(x, padding).unfold(1, f, down).unfold(2, f, right)
    return views.permute(0, 3, 4, 1, 2)


def _columns(x: Tensor, f: int, padding: int = 0, stride: int | tuple[int, int] = 1) -> Tensor:
    return _patches(x, f, padding, stride).flatten(3).flatten(0, 2)


def _cropped(x: Tensor, f: int, padding: int = 0, stride: int = 1) -> Tensor:
    rows, columns = _patches(x, f, padding, stride).shape[3:]
    return _patches(x, f, padding)[..., :rows, :columns].flatten(3).flatten(0, 2)


def _reshaped(x: Tensor, f: int, padding: int = 0, stride: int = 1) -> Tensor:
    columns = _columns(x, f, padding, stride)
    return columns.T.reshape(columns.shape)


IM2COL_MISCONCEPTIONS = (
    Misconception(
        "patches-as-rows",
        lambda x, f, padding=0, stride=1: _columns(x, f, padding, stride).T,
        "Each patch is a row; the name says that it becomes a column.",
        "Lab 01, Convolution as matrix multiplication",
    ),
    Misconception(
        "reshape-for-transpose",
        _reshaped,
        "The shape is right, but `reshape` deals the numbers out anew: it does not turn rows into columns.",
        "Lab 01, Convolution as matrix multiplication",
    ),
    Misconception(
        "channel-last-patches",
        lambda x, f, padding=0, stride=1: (
            _patches(x, f, padding, stride).permute(1, 2, 0, 3, 4).flatten(3).flatten(0, 2)
        ),
        "A patch is written pixel by pixel, channels together; the filters are stored channel by channel.",
        "Lab 01, Convolution as matrix multiplication",
    ),
    Misconception(
        "patches-by-columns",
        lambda x, f, padding=0, stride=1: (
            _patches(x, f, padding, stride).permute(0, 2, 1, 3, 4).flatten(3).flatten(0, 2)
        ),
        "The pixels of a patch are read column by column.",
        "Lab 01, Convolution as matrix multiplication",
    ),
    Misconception(
        "positions-by-columns",
        lambda x, f, padding=0, stride=1: (
            _patches(x, f, padding, stride).permute(0, 1, 2, 4, 3).flatten(3).flatten(0, 2)
        ),
        "The positions of the kernel are visited down the columns first; the result is read row by row.",
        "Lab 01, Convolution as matrix multiplication",
    ),
    Misconception(
        "channels-apart",
        lambda x, f, padding=0, stride=1: _patches(x, f, padding, stride).flatten(3).flatten(1, 2),
        "The channels stay apart; one column holds the patch of all channels.",
        "Lab 01, Channels",
    ),
    Misconception(
        "first-channel-only",
        lambda x, f, padding=0, stride=1: _columns(x[:1], f, padding, stride),
        "Only the first channel is written down.",
        "Lab 01, Channels",
    ),
    Misconception(
        "flipped-kernel",
        lambda x, f, padding=0, stride=1: _patches(x, f, padding, stride).flip(1, 2).flatten(3).flatten(0, 2),
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
        lambda x, f, padding=0, stride=1: _columns(x, f, 0, stride),
        "The padding has no effect.",
        "Lab 01, Padding",
    ),
    Misconception(
        "stride-ignored",
        lambda x, f, padding=0, stride=1: _columns(x, f, padding),
        "The stride has no effect: the window moves by one pixel.",
        "Lab 01, Stride",
    ),
    Misconception(
        "stride-on-rows-only",
        lambda x, f, padding=0, stride=1: _columns(x, f, padding, (stride, 1)),
        "The stride acts on rows only; columns still move by one.",
        "Lab 01, Stride",
    ),
    Misconception(
        "stride-on-columns-only",
        lambda x, f, padding=0, stride=1: _columns(x, f, padding, (1, stride)),
        "The stride acts on columns only; rows still move by one.",
        "Lab 01, Stride",
    ),
    Misconception(
        "crop-instead-of-stride",
        _cropped,
        "There are as many patches as the stride asks for, but they are those of the top-left corner "
        "with stride 1.",
        "Lab 01, Stride",
    ),
)


def _im2col_probes(seed: int) -> Sequence[Probe]:
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
        Probe((draw.distinct(1, 5, 7), 2), {"stride": 3}, "a stride above the window's size"),
        Probe((draw.floats(4, 6, 8), 3), {"padding": draw.between(1, 2), "stride": 2}, "fractions"),
    )


def _im2col_window(probe: Probe, index: tuple[int, ...]) -> Window:
    x, f, *rest = probe.arguments
    rest += [0, 1][len(rest) :]
    padding, stride = probe.keywords.get("padding", rest[0]), probe.keywords.get("stride", rest[1])
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
    probes=_im2col_probes,
    misconceptions=IM2COL_MISCONCEPTIONS,
    hints=(
        "One column is what the kernel sees at one position, all channels of it. How many numbers are that?",
        "The order within a column is the order in which a filter C×f×f is stored: flatten does it.",
        "Collect the flattened patches in a list, positions row by row; then stack them side by side.",
    ),
    window=_im2col_window,
)
