"""Exercise 1.6: several channels in, several filters, a bias for each."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from course_utils.exercises.conv_layer.conv2d_single import conv2d_single
from course_utils.exercises.conv_layer.wrong_conv2d import MISCONCEPTIONS
from course_utils.exercises.model import Exercise, Probe, Window
from course_utils.exercises.probes import Draw
from course_utils.exercises.windows import patch


def conv2d(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, padding: int = 0, stride: int = 1
) -> Tensor:
    """Give one map for each filter: what its kernels see in all channels, added up, plus its bias."""
    maps = []
    for filter_ in weight:
        pairs = zip(x, filter_, strict=True)
        parts = [conv2d_single(channel, kernel, padding, stride) for channel, kernel in pairs]
        maps.append(torch.stack(parts).sum(dim=0))
    out = torch.stack(maps)
    return out if bias is None else out + bias[:, None, None]


def conv2d_probes(seed: int) -> Sequence[Probe]:
    """Return the cases of exercises 1.6 and 1.8, which share a contract."""
    draw = Draw(seed)
    return (
        Probe(
            (draw.integers(1, 2, 2, low=1), draw.distinct(1, 1, 2, 2)),
            note="one channel, filter and pixel",
        ),
        Probe((draw.integers(1, 2, 3), draw.distinct(2, 1, 2, 2)), note="two filters"),
        Probe((draw.integers(2, 3, 2), draw.distinct(1, 2, 2, 2)), note="two channels"),
        Probe(
            (draw.integers(2, 2, 4), draw.distinct(2, 2, 2, 2)),
            note="two channels, two filters: which axis of the weights is which",
        ),
        Probe(
            (draw.integers(1, 3, 3), draw.distinct(3, 1, 2, 2), draw.distinct(3, low=2)),
            note="a bias for each of three filters",
        ),
        Probe(
            (draw.integers(3, 4, 3), draw.distinct(2, 3, 2, 2), draw.distinct(2, low=2)),
            note="three channels, two filters, bias",
        ),
        Probe((draw.integers(2, 2, 3), draw.distinct(2, 2, 2, 2)), {"padding": 1}, "padding 1"),
        Probe((draw.integers(2, 5, 4), draw.distinct(2, 2, 2, 2)), {"stride": 2}, "stride 2 does not divide"),
        Probe(
            (
                draw.integers(3, 5, 6, low=-6, high=-1),
                draw.distinct(2, 3, 3, 3),
                draw.distinct(2, low=2),
                2,
                3,
            ),
            note="padding 2, stride 3 and bias, all pixels negative",
        ),
        Probe(
            (draw.floats(4, 7, 9), draw.floats(3, 4, 3, 3), draw.floats(3)),
            {"padding": 1, "stride": draw.between(1, 2)},
            "fractions",
        ),
    )


def conv2d_window(probe: Probe, index: tuple[int, ...]) -> Window:
    """Return the part of every channel, and the filter, behind one output cell."""
    x, weight, *rest = probe.arguments
    rest += [None, 0, 1][len(rest) :]
    padding, stride = probe.keywords.get("padding", rest[1]), probe.keywords.get("stride", rest[2])
    f = weight.shape[-1]
    region = patch(index[1], index[2], (f, f), tuple(x.shape[1:]), padding=padding, stride=stride)
    everywhere = tuple(slice(0, size) for size in weight.shape[1:])
    return {"x": [(slice(0, len(x)), *region)], "weight": [(index[0], *everywhere)]}


EXERCISE = Exercise(
    number="1.6",
    points=3,
    reference=conv2d,
    probes=conv2d_probes,
    misconceptions=MISCONCEPTIONS,
    hints=(
        "weight[k] is one filter: a stack of kernels, one for each channel of the input.",
        "One filter gives one map: convolve each channel with its own kernel, then bring these together.",
        "The bias of filter k is one number, added to the whole of map k. To add all of them at once, "
        "the bias needs the shape F×1×1.",
    ),
    window=conv2d_window,
)
