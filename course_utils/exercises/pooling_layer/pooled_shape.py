"""Exercise 2.3: the shape after pooling."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from course_utils.exercises.altered import altered
from course_utils.exercises.model import Exercise, Misconception, Probe
from course_utils.exercises.probes import Draw

Shape = tuple[int, int, int]


def pooled_shape(shape: Shape, size: int = 2, stride: int | None = None) -> Shape:
    """Return the shape after pooling: as many channels, and the windows that fit."""
    stride = size if stride is None else stride
    channels, height, width = shape
    return channels, (height - size) // stride + 1, (width - size) // stride + 1


def _counting(windows: Callable[[int, int, int], float]) -> Callable[..., tuple[float, ...]]:
    """Return `pooled_shape` with another count of windows along an axis, from its length, size and stride."""

    def wrong(shape: Shape, size: int = 2, stride: int | None = None) -> tuple[float, ...]:
        step = size if stride is None else stride
        return shape[0], windows(shape[1], size, step), windows(shape[2], size, step)

    return wrong


def probes(seed: int) -> Sequence[Probe]:
    """Start with one window; no two lengths of a shape are alike until the last cases."""
    draw = Draw(seed)
    channels, height, width = draw.between(5, 64), draw.between(31, 47), draw.between(12, 30)
    return (
        Probe(((3, 2, 2),), note="one window"),
        Probe(((4, 4, 6),), note="wider than tall"),
        Probe(((6, 7, 5),), note="size 2 does not divide"),
        Probe(((4, 5, 8), 3), note="size 3; the stride is 3 too"),
        Probe(((5, 6, 5), 3, 1), note="stride 1: windows overlap"),
        Probe(((4, 7, 10), 2), {"stride": 3}, "the stride is larger than the window"),
        Probe(((7, 8, 6),), {"size": 3, "stride": 2}, "size 3, stride 2"),
        Probe(((50, 28, 28),), note="after the first convolution of LeNet5"),
        Probe(((96, 55, 55), 3, 2), note="overlapping pooling, as in AlexNet"),
        Probe(
            ((channels, height, width), draw.one_of(4, 5)), {"stride": draw.one_of(3, 4)}, "larger numbers"
        ),
        Probe(((1, 2, 5), 1), note="one channel; windows of one pixel"),
    )


EXERCISE = Exercise(
    number="2.3",
    points=1,
    reference=pooled_shape,
    probes=probes,
    section="Lab 02, Shapes",
    misconceptions=(
        Misconception(
            "channels-pooled",
            lambda shape, size=2, stride=None: (shape[0] // size, *pooled_shape(shape, size, stride)[1:]),
            "The number of channels shrinks too; pooling works on each channel and keeps their number.",
        ),
        Misconception(
            "channels-like-rows",
            lambda shape, size=2, stride=None: tuple(
                (n - size) // (size if stride is None else stride) + 1 for n in shape
            ),
            "The number of channels shrinks too; pooling works on each channel and keeps their number.",
        ),
        Misconception(
            "channels-halved",
            lambda shape, size=2, stride=None: (shape[0] // 2, *pooled_shape(shape, size, stride)[1:]),
            "The number of channels is halved; pooling works on each channel and keeps their number.",
        ),
        Misconception(
            "channels-doubled",
            lambda shape, size=2, stride=None: (shape[0] * 2, *pooled_shape(shape, size, stride)[1:]),
            "The number of channels is doubled; pooling keeps it, and the next convolution may change it.",
        ),
        Misconception(
            "ceil-for-floor",
            _counting(lambda n, size, step: math.ceil((n - size) / step) + 1),
            "The division is rounded up: a window that reaches over the border is counted.",
        ),
        Misconception(
            "not-floored",
            _counting(lambda n, size, step: (n - size) / step + 1),
            "The division is not rounded down; the number of windows is an integer.",
        ),
        Misconception(
            "first-window-forgotten",
            _counting(lambda n, size, step: (n - size) // step),
            "This counts the steps between windows; the first window is missing.",
        ),
        Misconception(
            "stride-one",
            lambda shape, size=2, stride=None: pooled_shape(shape, size, stride or 1),
            "When no stride is given, the window moves by one pixel; in pooling it moves by its own size.",
        ),
        Misconception(
            "stride-ignored",
            _counting(lambda n, size, step: n // size),
            "The length is divided by the window's size; the stride has no effect.",
        ),
        Misconception(
            "size-ignored",
            _counting(lambda n, size, step: n // step),
            "The length is divided by the stride alone; the window's own size is ignored.",
        ),
        Misconception(
            "always-halved",
            _counting(lambda n, size, step: n // 2),
            "Height and width are halved whatever the size and the stride.",
        ),
        Misconception(
            "height-width-swapped",
            altered(pooled_shape, result=lambda shape: (shape[0], shape[2], shape[1])),
            "Height and width are exchanged.",
        ),
        Misconception(
            "channels-last",
            altered(pooled_shape, result=lambda shape: (*shape[1:], shape[0])),
            "The channels come last here; PyTorch puts them first.",
        ),
        Misconception(
            "channels-read-last",
            lambda shape, size=2, stride=None: (*pooled_shape((0, *shape[:2]), size, stride)[1:], shape[2]),
            "The shape is read as (H, W, C), with the channels last; PyTorch puts them first.",
        ),
        Misconception(
            "channels-read-last-and-written-first",
            lambda shape, size=2, stride=None: (shape[2], *pooled_shape((0, *shape[:2]), size, stride)[1:]),
            "The shape is read as (H, W, C), with the channels last; PyTorch puts them first.",
        ),
        Misconception(
            "channels-dropped",
            altered(pooled_shape, result=lambda shape: shape[1:]),
            "The channels are missing from the shape.",
        ),
    ),
    hints=(
        "It is the formula of Lab 01 without padding: windows are placed like kernels.",
        "Which of the three numbers does pooling leave alone? And what is the stride when none is given?",
    ),
)
