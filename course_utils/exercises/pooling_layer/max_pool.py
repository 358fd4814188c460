"""Exercise 2.1: the largest value of each window."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, max_pool2d

from course_utils.exercises.model import Exercise, Misconception
from course_utils.exercises.pooling_layer import windowing


def max_pool(x: Tensor, size: int = 2, stride: int | None = None) -> Tensor:
    """Keep the largest value of each window, channel by channel; windows that do not fit are left out."""
    stride = size if stride is None else stride
    channels, height, width = x.shape
    rows, columns = (height - size) // stride + 1, (width - size) // stride + 1
    out = torch.zeros(channels, rows, columns)
    for i in range(rows):
        for j in range(columns):
            window = x[:, i * stride : i * stride + size, j * stride : j * stride + size]
            out[:, i, j] = window.amax(dim=(1, 2))
    return out


def _largest_magnitude(x: Tensor, size: int = 2, stride: int | None = None) -> Tensor:
    high, low = max_pool2d(x, size, stride), -max_pool2d(-x, size, stride)
    return torch.where(high.abs() >= low.abs(), high, low)


EXERCISE = Exercise(
    number="2.1",
    points=2,
    reference=max_pool,
    probes=windowing.probes,
    section="Lab 02, Max pooling",
    misconceptions=(
        Misconception(
            "starts-from-zero",
            lambda x, size=2, stride=None: max_pool2d(x, size, stride).clamp(min=0),
            "The search for the largest value starts from 0, so a window of negative values gives 0.",
        ),
        Misconception(
            "average",
            lambda x, size=2, stride=None: avg_pool2d(x, size, stride),
            "This is the mean of each window.",
        ),
        Misconception(
            "smallest",
            lambda x, size=2, stride=None: -max_pool2d(-x, size, stride),
            "This is the smallest value of each window.",
        ),
        Misconception(
            "largest-magnitude",
            _largest_magnitude,
            "The value farthest from 0 is kept, so a large negative value wins.",
        ),
        Misconception(
            "absolute-values",
            lambda x, size=2, stride=None: max_pool2d(x.abs(), size, stride),
            "The signs are lost: the largest absolute value of each window is taken.",
        ),
        Misconception(
            "channels-pooled-into-all",
            lambda x, size=2, stride=None: (
                max_pool2d(x, size, stride).amax(0, keepdim=True).expand(len(x), -1, -1)
            ),
            "The largest value is taken over all channels at once; each channel is pooled on its own.",
        ),
        Misconception(
            "corner-of-each-window",
            lambda x, size=2, stride=None: windowing.unfolded(x, size, stride)[..., 0],
            "The first pixel of each window is kept, whatever the others are.",
        ),
        Misconception(
            "channels-pooled",
            lambda x, size=2, stride=None: max_pool2d(x, size, stride).amax(0, keepdim=True),
            "The largest value is taken over the channels too; pooling keeps their number.",
        ),
        Misconception(
            "whole-image",
            lambda x, size=2, stride=None: x.amax(dim=(1, 2)),
            "This is one number for each channel: the largest value of the whole image.",
        ),
        Misconception(
            "running-maximum",
            lambda x, size=2, stride=None: (
                max_pool2d(x, size, stride)
                .flatten()
                .cummax(0)
                .values.reshape(max_pool2d(x, size, stride).shape)
            ),
            "The largest value is set back only once, before the loops, so each window also contains all "
            "windows before it.",
        ),
        *windowing.moved_wrongly(max_pool2d),
    ),
    hints=(
        "Which pixels belong to the window in row i and column j of the result? Where does it start?",
        "When no stride is given, windows lie edge to edge. How many fit completely?",
        "Take the largest value of each window for all channels at once: amax takes several axes.",
    ),
    window=windowing.window,
)
