"""Exercise 2.2: the mean of each window."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, max_pool2d

from course_utils.exercises.model import Exercise, Misconception
from course_utils.exercises.pooling_layer import windowing


def avg_pool(x: Tensor, size: int = 2, stride: int | None = None) -> Tensor:
    """Take the mean of each window, channel by channel; windows that do not fit are left out."""
    stride = size if stride is None else stride
    channels, height, width = x.shape
    rows, columns = (height - size) // stride + 1, (width - size) // stride + 1
    out = torch.zeros(channels, rows, columns)
    for i in range(rows):
        for j in range(columns):
            window = x[:, i * stride : i * stride + size, j * stride : j * stride + size]
            out[:, i, j] = window.sum(dim=(1, 2)) / size**2
    return out


EXERCISE = Exercise(
    number="2.2",
    points=1,
    reference=avg_pool,
    probes=windowing.probes,
    section="Lab 02, Average pooling",
    misconceptions=(
        Misconception(
            "not-divided",
            lambda x, size=2, stride=None: avg_pool2d(x, size, stride) * size**2,
            "This is the sum of each window.",
        ),
        Misconception(
            "divided-by-the-side",
            lambda x, size=2, stride=None: avg_pool2d(x, size, stride) * size,
            "The sum is divided by the window's side, not by the number of its pixels.",
        ),
        Misconception(
            "always-four",
            lambda x, size=2, stride=None: avg_pool2d(x, size, stride) * size**2 / 4,
            "The sum is divided by 4 whatever the window's size.",
        ),
        Misconception(
            "largest",
            lambda x, size=2, stride=None: max_pool2d(x, size, stride),
            "This is the largest value of each window.",
        ),
        Misconception(
            "median",
            lambda x, size=2, stride=None: windowing.unfolded(x, size, stride).median(-1).values,
            "This is the median of each window.",
        ),
        Misconception(
            "middle-of-the-range",
            lambda x, size=2, stride=None: (max_pool2d(x, size, stride) - max_pool2d(-x, size, stride)) / 2,
            "This is the middle between the largest and the smallest value of each window; the mean takes "
            "all of them.",
        ),
        Misconception(
            "running-sum",
            lambda x, size=2, stride=None: (
                avg_pool2d(x, size, stride).flatten().cumsum(0).reshape(avg_pool2d(x, size, stride).shape)
            ),
            "The sum is set to 0 only once, before the loops, so each window also contains all windows "
            "before it.",
        ),
        Misconception(
            "running-sum-in-a-channel",
            lambda x, size=2, stride=None: (
                avg_pool2d(x, size, stride).flatten(1).cumsum(1).reshape(avg_pool2d(x, size, stride).shape)
            ),
            "The sum is set to 0 only once in each channel, so each window also contains all windows "
            "before it.",
        ),
        Misconception(
            "running-sum-in-a-row",
            lambda x, size=2, stride=None: avg_pool2d(x, size, stride).cumsum(2),
            "The sum is set to 0 only at the beginning of a row, so each window also contains those to its "
            "left.",
        ),
        Misconception(
            "fractions-lost",
            lambda x, size=2, stride=None: avg_pool2d(x, size, stride).floor(),
            "The mean is rounded down to a whole number.",
        ),
        Misconception(
            "channels-averaged",
            lambda x, size=2, stride=None: avg_pool2d(x, size, stride).mean(0, keepdim=True),
            "The mean is taken over the channels too; pooling keeps their number.",
        ),
        Misconception(
            "channels-averaged-into-all",
            lambda x, size=2, stride=None: (
                avg_pool2d(x, size, stride).mean(0, keepdim=True).expand(len(x), -1, -1)
            ),
            "The mean is taken over all channels at once; each channel is pooled on its own.",
        ),
        *windowing.moved_wrongly(avg_pool2d),
    ),
    hints=(
        "The windows are those of max pooling. Only what happens inside a window is new.",
        "How many pixels does a window of side `size` have?",
        "All channels at once: take the mean over two axes, as amax took the maximum over two.",
    ),
    window=windowing.window,
)
