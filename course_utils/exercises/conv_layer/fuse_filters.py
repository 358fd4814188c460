"""Exercise 1.10: two filters with nothing between them are one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import torch
from torch import Tensor
from torch.nn.functional import pad

from course_utils.exercises.conv_layer.cross_correlate import cross_correlate
from course_utils.exercises.conv_layer.sliding import correlate
from course_utils.exercises.model import Exercise, Misconception, Probe, Window
from course_utils.exercises.probes import Draw
from course_utils.exercises.windows import span


def fuse_filters(first: Tensor, second: Tensor) -> Tensor:
    """Return the filter that does what `first` and then `second` do.

    Each weight of `second` sees a shifted copy of what `first` gives; the copies add up where they overlap.
    """
    (a, b), (c, d) = first.shape, second.shape
    fused = torch.zeros(a + c - 1, b + d - 1)
    for i in range(c):
        for j in range(d):
            fused[i : i + a, j : j + b] += second[i, j] * first
    return fused


def _slid(first: Tensor, second: Tensor) -> Tensor:
    """Slide `second` over `first`, from its first overlap to its last."""
    c, d = second.shape
    return correlate(pad(first, (d - 1, d - 1, c - 1, c - 1)), second)


def _overwritten(first: Tensor, second: Tensor) -> Tensor:
    (a, b), (c, d) = first.shape, second.shape
    fused = torch.zeros(a + c - 1, b + d - 1)
    for i in range(c):
        for j in range(d):
            fused[i : i + a, j : j + b] = second[i, j] * first
    return fused


def _added(first: Tensor, second: Tensor) -> Tensor:
    (a, b), (c, d) = first.shape, second.shape
    return pad(first, (0, d - 1, 0, c - 1)) + pad(second, (0, b - 1, 0, a - 1))


def _crosswise(first: Tensor, second: Tensor) -> Tensor:
    (a, c), (b, d) = first.shape, second.shape
    fused = torch.zeros(a + c - 1, b + d - 1)
    for i, j, k, m in product(range(a), range(c), range(b), range(d)):
        fused[i + k, j + m] += first[i, j] * second[k, m]
    return fused


def probes(seed: int) -> Sequence[Probe]:
    """Start with one weight each; then rows, a row and a column, and filters of unlike shapes."""
    draw = Draw(seed)
    return (
        Probe((draw.distinct(1, 1, low=2), draw.distinct(1, 1, low=2)), note="two 1×1 filters"),
        Probe((draw.distinct(1, 2), draw.distinct(1, 2)), note="two rows of two weights"),
        Probe((draw.distinct(1, 2), draw.distinct(2, 1)), note="a row, then a column"),
        Probe((draw.distinct(2, 2), draw.distinct(2, 2)), note="two 2×2 filters see 3×3 pixels"),
        Probe((draw.distinct(2, 3), draw.distinct(2, 2)), note="the first is wider than tall"),
        Probe(
            (draw.distinct(3, 2, low=-6), draw.distinct(1, 3, low=-3)), note="the second is wider than tall"
        ),
        Probe((draw.distinct(3, 3), draw.distinct(3, 3)), note="two 3×3 filters see 5×5 pixels"),
        Probe((draw.floats(4, 2), draw.floats(2, draw.between(4, 5))), note="fractions"),
    )


def _window(index: tuple[int, ...], first: Tensor, second: Tensor) -> Window:
    def behind(mine: Sequence[int], other: Sequence[int]) -> tuple[slice, slice]:
        rows, columns = (span(i - o + 1, o, m) for i, o, m in zip(index, other, mine, strict=True))
        return rows, columns

    return {
        "first": [behind(first.shape, second.shape)],
        "second": [behind(second.shape, first.shape)],
    }


EXERCISE = Exercise(
    number="1.10",
    points=3,
    reference=fuse_filters,
    probes=probes,
    section="Lab 01, Depth",
    misconceptions=(
        Misconception(
            "second-not-flipped",
            _slid,
            "The second filter slides over the first without being turned. Sliding twice adds the "
            "positions of two weights; this subtracts them.",
        ),
        Misconception(
            "first-flipped",
            lambda first, second: _slid(first, second).flip(0, 1),
            "The first filter is turned by 180 degrees before the two are fused; the second is not.",
        ),
        Misconception(
            "result-flipped",
            lambda first, second: fuse_filters(first, second).flip(0, 1),
            "The fused filter is turned by 180 degrees, as for the convolution of mathematics.",
        ),
        Misconception(
            "result-transposed",
            lambda first, second: fuse_filters(first, second).T,
            "Rows and columns of the fused filter are exchanged.",
        ),
        Misconception(
            "overlaps-overwritten",
            _overwritten,
            "Where shifted copies of the first filter overlap, the later one overwrites the earlier one.",
        ),
        Misconception(
            "where-it-fits-only",
            lambda first, second: correlate(first, second.flip(0, 1)),
            "The second filter stays where it fits inside the first. Together, the two see a larger window "
            "than either alone.",
        ),
        Misconception(
            "multiplied-cell-by-cell",
            lambda first, second: first * second,
            "The weights are multiplied cell by cell, which keeps the window as small as one filter.",
        ),
        Misconception(
            "matrix-product",
            lambda first, second: first @ second,
            "This is a matrix product; filters slide, they do not act like matrices on a vector.",
        ),
        *(
            Misconception(
                name,
                wrong,
                "All products of two weights are kept side by side; those for the same pixel must be added.",
            )
            for name, wrong in {
                "every-product-kept": torch.kron,
                "every-product-kept-the-other-way-round": lambda first, second: torch.kron(second, first),
            }.items()
        ),
        Misconception(
            "filters-added-in-the-corners",
            lambda first, second: (
                pad(first, (0, second.shape[1] - 1, 0, len(second) - 1))
                + pad(second, (first.shape[1] - 1, 0, len(first) - 1, 0))
            ),
            "The filters are added; applying one after the other multiplies their weights.",
        ),
        Misconception(
            "where-it-fits-not-turned",
            cross_correlate,
            "The second filter stays where it fits inside the first. Together, the two see a larger window "
            "than either alone.",
        ),
        Misconception(
            "matrix-product-the-other-way-round",
            lambda first, second: second @ first,
            "This is a matrix product; filters slide, they do not act like matrices on a vector.",
        ),
        Misconception(
            "one-row-too-many",
            lambda first, second: pad(fuse_filters(first, second), (0, 1, 0, 1)),
            "There are a row and a column too many: one pixel is seen by both filters, so the height is "
            "a + c − 1.",
        ),
        Misconception(
            "padded-by-the-height",
            lambda first, second: correlate(pad(first, (len(second) - 1,) * 4), second.flip(0, 1)),
            "second is taken to be square: its height is used for the width, too.",
        ),
        Misconception(
            "padded-by-the-width",
            lambda first, second: correlate(pad(first, (second.shape[1] - 1,) * 4), second.flip(0, 1)),
            "second is taken to be square: its width is used for the height, too.",
        ),
        Misconception(
            "shapes-unpacked-crosswise",
            _crosswise,
            "The four sizes are mixed up: the shape of first gives a, b, that of second gives c, d.",
        ),
        Misconception(
            "filters-added",
            _added,
            "The filters are added; applying one after the other multiplies their weights.",
        ),
    ),
    hints=(
        "Take two rows, first = [a, b] and second = [c, d]. Which pixels does second see at one position?",
        "Weight (i, j) of second sees the result of first i rows further down and j columns further right.",
        "Add up copies of first, one for each weight of second: scaled by it, and shifted to its position.",
    ),
    window=_window,
)
