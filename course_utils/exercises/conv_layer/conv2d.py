"""Exercise 1.6: several channels in, several filters, a bias for each."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d as layer
from torch.nn.functional import pad

from course_utils.exercises.altered import altered
from course_utils.exercises.conv_layer.conv2d_single import conv2d_single
from course_utils.exercises.conv_layer.sliding import (
    convolve,
    cropped,
    moved_wrongly,
    passed_on_wrongly,
    sized_as_the_image,
    sized_before_padding,
)
from course_utils.exercises.model import Exercise, Misconception, Probe, Window
from course_utils.exercises.probes import Draw
from course_utils.exercises.windows import patch


def conv2d(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, padding: int = 0, stride: int = 1
) -> Tensor:
    """Return one map for each filter: the sum over all channels, plus the filter's bias."""
    maps = []
    for filter_ in weight:
        pairs = zip(x, filter_, strict=True)
        parts = [conv2d_single(channel, kernel, padding, stride) for channel, kernel in pairs]
        maps.append(torch.stack(parts).sum(dim=0))
    out = torch.stack(maps)
    return out if bias is None else out + bias[:, None, None]


def _not_summed(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, padding: int = 0, stride: int = 1
) -> Tensor:
    kernels = weight.flatten(0, 1)[:, None]
    channels = x.repeat(len(weight), 1, 1)[None]
    every = layer(channels, kernels, stride=stride, padding=padding, groups=len(kernels))[0]
    out = every.unflatten(0, weight.shape[:2])
    return out if bias is None else out + bias[:, None, None, None]


def _own_weights(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, padding: int = 0, stride: int = 1
) -> Tensor:
    filters, channels, f, _ = weight.shape
    return nn.Conv2d(channels, filters, f, stride, padding, bias=bias is not None)(x)


def _as_large_as_the_image(
    x: Tensor, weight: Tensor, bias: Tensor | None = None, padding: int = 0, stride: int = 1
) -> Tensor:
    out = torch.zeros(len(weight), *x.shape[1:])
    out += convolve(x, weight, None, padding, stride)
    return out if bias is None else out + bias[:, None, None]


def probes(seed: int) -> Sequence[Probe]:
    """Start with a product, then one filter and pixel; then grow each axis. Exercise 1.8 asks the same."""
    draw = Draw(seed)
    return (
        Probe((draw.integers(1, 1, 1, low=2), draw.distinct(1, 1, 1, 1, low=3)), note="a single product"),
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
            (draw.distinct(2, 1, 2), draw.distinct(2, 2, 1, 1)),
            note="as many channels as filters and pixels: filters and patches are square matrices",
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
        Probe(
            (draw.distinct(1, 3, 4), draw.distinct(1, 1, 5, 5)),
            {"padding": 4, "stride": 4},
            "a large kernel, padding and stride 4",
        ),
    )


def window(
    index: tuple[int, ...], x: Tensor, weight: Tensor, bias: Tensor | None, padding: int, stride: int
) -> Window:
    """Return the part of every channel, and the filter, behind one output cell."""
    region = patch(index[1:], weight.shape[2:], x.shape[1:], padding=padding, stride=stride)
    everywhere = tuple(slice(0, size) for size in weight.shape[1:])
    return {"x": [(slice(0, len(x)), *region)], "weight": [(index[0], *everywhere)]}


EXERCISE = Exercise(
    number="1.6",
    points=3,
    reference=conv2d,
    builds_on=("cross_correlate", "zero_pad", "output_size", "conv2d_single"),
    probes=probes,
    section="Lab 01, Channels",
    misconceptions=(
        Misconception(
            "flipped-kernel",
            altered(convolve, weight=lambda weight: weight.flip(2, 3)),
            "This is the convolution of mathematics: each kernel is turned by 180 degrees before it slides. "
            "A convolutional layer does not turn it.",
            "Lab 01, Convolution",
        ),
        Misconception(
            "channel-mean",
            altered(convolve, x=lambda x: x / len(x)),
            "The channels are averaged instead of added.",
        ),
        Misconception(
            "first-channel-only",
            altered(convolve, x=lambda x: x[:1], weight=lambda weight: weight[:, :1]),
            "Only the first channel of the input is used.",
        ),
        Misconception(
            "last-channel-only",
            altered(convolve, x=lambda x: x[-1:], weight=lambda weight: weight[:, -1:]),
            "Only the last channel of the input counts: each channel overwrites the one before.",
        ),
        Misconception(
            "first-slice-for-all",
            altered(convolve, weight=lambda weight: weight[:, :1].expand_as(weight)),
            "All channels meet the filter's first kernel; a filter has a separate kernel for each channel.",
        ),
        Misconception(
            "channels-not-summed",
            _not_summed,
            "There is a map for each channel of each filter: the channels are not added up.",
        ),
        Misconception(
            "channels-as-maps",
            lambda x, weight, bias=None, padding=0, stride=1: _not_summed(
                x, weight, bias, padding, stride
            ).flatten(0, 1),
            "There is a map for each channel of each filter: the channels are not added up.",
        ),
        Misconception(
            "filters-summed",
            altered(convolve, result=lambda maps: maps.sum(0)),
            "The maps of all filters are added up; each filter gives a map of its own.",
        ),
        Misconception(
            "filter-axes-swapped",
            altered(convolve, weight=lambda weight: weight.transpose(0, 1)),
            "The first two axes of the weights are exchanged: the first is for filters, the second for "
            "channels.",
        ),
        Misconception("bias-forgotten", altered(convolve, bias=lambda bias: None), "The bias has no effect."),
        Misconception(
            "bias-twice", altered(convolve, bias=lambda bias: 2 * bias), "The bias is added twice."
        ),
        Misconception(
            "bias-for-every-channel",
            lambda x, weight, bias=None, padding=0, stride=1: convolve(
                x, weight, None if bias is None else bias * len(x), padding, stride
            ),
            "The bias is added once for each input channel; a filter adds it only once.",
        ),
        Misconception(
            "bias-along-rows",
            lambda x, weight, bias=None, padding=0, stride=1: (
                convolve(x, weight, None, padding, stride) + (0 if bias is None else bias)
            ),
            "The bias is spread over the columns of each map; it belongs to the filters, the first axis.",
        ),
        Misconception(
            "first-bias-for-all",
            altered(convolve, bias=lambda bias: bias[:1].expand_as(bias)),
            "All filters get the first filter's bias.",
        ),
        Misconception(
            "padding-ignored",
            altered(convolve, padding=lambda padding: 0),
            "The padding has no effect.",
            "Lab 01, Padding",
        ),
        Misconception(
            "padding-after",
            lambda x, weight, bias=None, padding=0, stride=1: pad(
                convolve(x, weight, bias, 0, stride), (padding,) * 4
            ),
            "The zeros are put around the result instead of around the input.",
            "Lab 01, Padding",
        ),
        Misconception(
            "padding-one-side",
            lambda x, weight, bias=None, padding=0, stride=1: convolve(
                pad(x, (0, padding, 0, padding)), weight, bias, 0, stride
            ),
            "Zeros are added on one side only, below and to the right.",
            "Lab 01, Padding",
        ),
        sized_before_padding(convolve),
        *moved_wrongly(convolve),
        sized_as_the_image(_as_large_as_the_image),
        *passed_on_wrongly(convolve),
        Misconception(
            "own-weights",
            _own_weights,
            "A new layer draws random weights; the weight and the bias that are given are never used.",
            "Lab 01, nn.Conv2d",
        ),
        Misconception(
            "crop-instead-of-stride",
            cropped(convolve),
            "The size is right, but this is the top-left corner of the result with stride 1 (the lecture's "
            "slide makes the same mistake).",
            "Lab 01, Stride",
        ),
    ),
    hints=(
        "weight[k] is one filter: a stack of kernels, one for each channel of the input.",
        "One filter gives one map: convolve each channel with its own kernel, then combine the results.",
        "The bias of filter k is one number, added to the whole of map k. To add all of them at once, give "
        "the bias the shape K×1×1.",
    ),
    window=window,
)
