"""Exercise 2.7: how much of a layer's output moves along with its input."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from course_utils.exercises.model import Exercise, Misconception, Probe
from course_utils.exercises.pooling_layer.shift_agreement import (
    Layer,
    ahead,
    explain_share,
    max_pool_2,
    max_pool_rows,
    moved_right,
    no_layer,
    share_of_equals,
    shift_agreement,
)
from course_utils.exercises.probes import Draw


def shift_equivariance(layer: Layer, x: Tensor, shift: int) -> float:
    """Return the share of outputs that move along when the image moves right by `shift`.

    An output pixel is `stride` input pixels wide, so the output has to move by ``shift // stride``.
    """
    still, moved = layer(x), layer(torch.roll(x, shift, dims=-1))
    stride = x.shape[-1] // still.shape[-1]
    return (moved == torch.roll(still, shift // stride, dims=-1)).float().mean().item()


def edges(x: Tensor) -> Tensor:
    """Subtract from each pixel its left neighbour, 0 outside the image."""
    return x - functional.pad(x, (1, -1))


def channel_sums(x: Tensor) -> Tensor:
    """Add up the channels of each image."""
    return x.sum(dim=1, keepdim=True)


def every_second(x: Tensor) -> Tensor:
    """Keep every second row and column, as stride 2 does."""
    return x[..., ::2, ::2]


def max_pool_columns(x: Tensor) -> Tensor:
    """Pool 2×1 windows along the columns."""
    return functional.max_pool2d(x, (2, 1))


def _stride(x: Tensor, out: Tensor) -> int:
    return x.shape[-1] // out.shape[-1]


def _compared(
    share: Callable[[Tensor, Tensor], float] = share_of_equals,
    steps: Callable[[Tensor, Tensor, int], int] = lambda x, out, shift: shift // _stride(x, out),
    move: Callable[[Tensor, int], Tensor] = moved_right,
    move_output: Callable[[Tensor, int], Tensor] = moved_right,
) -> Callable[[Layer, Tensor, int], float]:
    """Return a wrong reference: the right one, but for one of its parts."""

    def wrong(layer: Layer, x: Tensor, shift: int) -> float:
        still = layer(x)
        return share(layer(move(x, shift)), move_output(still, steps(x, still, shift)))

    return wrong


def _by_input_pixels(x: Tensor, out: Tensor, shift: int) -> int:
    return shift


def _unless_divisible(layer: Layer, x: Tensor, shift: int) -> float:
    return 0.0 if shift % _stride(x, layer(x)) else shift_equivariance(layer, x, shift)


def _both(name: str, sentence: str, **parts: Any) -> tuple[Misconception, ...]:
    """Return a misconception twice: on its own, and of somebody who forgets the stride as well."""
    return (
        Misconception(name, _compared(**parts), sentence),
        Misconception(f"{name}-by-input-pixels", _compared(**{**parts, "steps": _by_input_pixels}), sentence),
    )


_down = partial(torch.roll, dims=-2)


def _right_and_down(x: Tensor, shift: int) -> Tensor:
    return torch.roll(x, (shift, shift), dims=(-2, -1))


def _filled(x: Tensor, shift: int) -> Tensor:
    moved = torch.zeros_like(x)
    moved[..., shift:] = x[..., : x.shape[-1] - shift]
    return moved


def _whole_images(one: Tensor, other: Tensor) -> float:
    return (one == other).flatten(1).all(dim=1).float().mean().item()


def _without_wrapped(layer: Layer, x: Tensor, shift: int) -> float:
    still, moved = layer(x), layer(moved_right(x, shift))
    steps = shift // _stride(x, still)
    return share_of_equals(moved[..., steps:], still[..., : still.shape[-1] - steps])


def _explain(probe: Probe, expected: float, actual: Any) -> str | None:
    if probe.arguments[0] is edges and actual == 1:
        return "Is the border left out? Every output counts, and those at the border do not move along."
    return explain_share(probe, expected, actual)


def probes(seed: int) -> Sequence[Probe]:
    """Start where the output moves as its input does; then strides, odd shifts, and layers that narrow."""
    draw = Draw(seed)

    def bits(*shape: int) -> Tensor:
        """Few values, so that some outputs agree by chance; never all and never none of them."""
        return draw.integers(*shape, low=0, high=2)

    row = torch.tensor([[[[0.0, 1.0, 0.0, 3.0, 1.0]]]]) * draw.between(1, 4)
    pairs = torch.tensor([[[[0.0, 1.0, 3.0, 2.0, 5.0, 4.0], [1.0, 0.0, 2.0, 0.0, 3.0, 1.0]]]])
    images = torch.cat([torch.zeros(1, 1, 2, 5), draw.distinct(2, 1, 2, 5, low=1)])
    return (
        Probe((no_layer, row, 1), note="the layer changes nothing, so its output moves as the image does"),
        Probe((edges, row, 1), note="a convolution with zeros around: the border does not move along"),
        Probe((max_pool_2, pairs * draw.between(1, 4), 2), note="2×2 max pooling: two pixels are one output"),
        Probe((max_pool_2, pairs * draw.between(1, 4), 1), note="2×2 max pooling, half an output pixel"),
        Probe((edges, images, 2), note="three images, one of them constant"),
        Probe((max_pool_columns, bits(2, 1, 6, 5), 2), note="pooling down the columns: the width stays"),
        Probe((max_pool_rows, bits(2, 2, 2, 9), 3), note="1×3 max pooling, along rows only"),
        Probe((channel_sums, bits(2, 2, 2, 5), 2), note="a layer that adds up the channels"),
        Probe((edges, bits(2, 3, 4, 6), 0), note="no shift: everything agrees"),
        Probe((ahead, bits(3, 1, 4, 7), 2), note="no padding: the output is one column narrower"),
        Probe((every_second, bits(3, 2, 6, 10), 3), note="stride 2 and an odd shift"),
        Probe((max_pool_rows, bits(4, 2, 6, 13), draw.one_of(4, 7)), note="width 13, windows of 3"),
        Probe((every_second, bits(4, 3, 8, 12), draw.one_of(2, 6)), note="several images and channels"),
        Probe((ahead, bits(5, 2, 6, 11), draw.between(3, 7)), note="larger"),
        Probe((max_pool_2, bits(4, 3, 8, 12), draw.one_of(3, 7)), note="larger"),
        Probe((max_pool_2, (bits(2, 1, 4, 6) - 2) / 4, 1), note="negative fractions and 0"),
    )


EXERCISE = Exercise(
    number="2.7",
    points=2,
    reference=shift_equivariance,
    probes=probes,
    section="Lab 02, Translation and deformation",
    misconceptions=(
        Misconception(
            "stays",
            shift_agreement,
            "This asks whether the output stays as it is (Exercise 2.6); here it has to move along.",
        ),
        Misconception(
            "by-input-pixels",
            _compared(steps=_by_input_pixels),
            "The output moves by `shift` of its own pixels. After a stride, each of them is several input "
            "pixels wide.",
        ),
        Misconception(
            "by-stride-times-shift",
            _compared(steps=lambda x, out, shift: shift * _stride(x, out)),
            "The shift is multiplied by the stride; a wider pixel needs fewer steps.",
        ),
        Misconception(
            "stride-upside-down",
            _compared(steps=lambda x, out, shift: shift // (out.shape[-1] // x.shape[-1])),
            "The stride is the image's width // the output's width; the other way round, it is 0.",
        ),
        Misconception(
            "stride-from-the-heights",
            _compared(steps=lambda x, out, shift: shift // (x.shape[-2] // out.shape[-2])),
            "The stride is taken from the heights; the image moves along its width.",
        ),
        Misconception(
            "rounded-up",
            _compared(steps=lambda x, out, shift: -(-shift // _stride(x, out))),
            "Parts of an output pixel are rounded up; here the division is rounded down.",
        ),
        Misconception(
            "rounded",
            _compared(steps=lambda x, out, shift: round(shift / _stride(x, out))),
            "Parts of an output pixel are rounded to the nearest; here the division is rounded down.",
        ),
        Misconception(
            "always-halved",
            _compared(steps=lambda x, out, shift: shift // 2),
            "The output moves by half the shift, whatever the layer; how far depends on its stride.",
        ),
        Misconception(
            "zero-unless-divisible",
            _unless_divisible,
            "Where the stride does not divide the shift, 0 is returned; some outputs may agree even then.",
        ),
        Misconception(
            "share-of-the-width",
            _compared(steps=lambda x, out, shift: shift * out.shape[-1] // x.shape[-1]),
            "The shift is scaled with the widths. Without padding the output is a little narrower, but its "
            "pixels are no wider: divide the widths first.",
        ),
        Misconception(
            "image-not-moved",
            _compared(move=lambda x, shift: x),
            "Only the output moves; the layer never sees the image that has moved.",
        ),
        Misconception(
            "layer-forgotten",
            lambda layer, x, shift: share_of_equals(moved_right(x, shift), moved_right(layer(x), shift)),
            "The image that has moved does not go through the layer.",
        ),
        Misconception(
            "output-moved-left",
            _compared(move_output=lambda out, steps: moved_right(out, -steps)),
            "Image and output move in opposite directions: it is the output of the image that stayed which "
            "has to move to the right.",
        ),
        *_both(
            "moved-left",
            "The image moves to the left instead of to the right.",
            move=lambda x, shift: moved_right(x, -shift),
            move_output=lambda out, steps: moved_right(out, -steps),
        ),
        *_both(
            "moved-down",
            "Image and output move down instead of to the right.",
            steps=lambda x, out, shift: shift // (x.shape[-2] // out.shape[-2]),
            move=_down,
            move_output=_down,
        ),
        Misconception(
            "moved-down-by-the-width",
            _compared(move=_down, move_output=_down),
            "Image and output move down instead of to the right.",
        ),
        *_both(
            "moved-on-both-axes",
            "Image and output move down as well as to the right; only a move to the right is asked for.",
            move=_right_and_down,
            move_output=_right_and_down,
        ),
        Misconception(
            "stride-from-the-channels",
            _compared(steps=lambda x, out, shift: shift // (x.shape[1] // out.shape[1])),
            "shape[1] is the number of channels; the width is the last axis, shape[-1].",
        ),
        *_both("output-moved-down", "The output moves down, the image to the right.", move_output=_down),
        *_both(
            "rolled-through-all",
            "torch.roll gets no axis, so pixels that leave one row enter the next.",
            move=torch.roll,
            move_output=torch.roll,
        ),
        *_both(
            "output-rolled-through-all",
            "For the output, torch.roll gets no axis, so pixels that leave one row enter the next.",
            move_output=torch.roll,
        ),
        *_both(
            "filled-with-zeros",
            "Zeros enter on the left; the pixels that leave on the right should enter there.",
            move=_filled,
            move_output=_filled,
        ),
        Misconception(
            "wrapped-columns-left-out",
            _without_wrapped,
            "The columns that come back on the left are left out; here every output counts.",
        ),
        Misconception(
            "share-that-differs",
            _compared(lambda one, other: 1 - share_of_equals(one, other)),
            "This is the share of outputs that do not move along.",
        ),
        Misconception(
            "percent",
            _compared(lambda one, other: 100 * share_of_equals(one, other)),
            "This is a percentage; a share lies between 0 and 1.",
        ),
        Misconception(
            "counted",
            _compared(lambda one, other: int((one == other).sum())),
            "This is the number of outputs that agree, not their share.",
        ),
        Misconception(
            "divided-by-the-images",
            _compared(lambda one, other: int((one == other).sum()) / len(one)),
            "The outputs that agree are divided by the number of images, not by the number of outputs.",
        ),
        Misconception(
            "first-image-only",
            _compared(lambda one, other: share_of_equals(one[0], other[0])),
            "Only the first image counts.",
        ),
        Misconception(
            "all-or-nothing",
            _compared(lambda one, other: float(torch.equal(one, other))),
            "This asks whether all outputs agree, not how many.",
        ),
        Misconception(
            "yes-or-no",
            _compared(torch.equal),
            "This asks whether all outputs agree, not how many.",
        ),
        Misconception(
            "whole-images",
            _compared(_whole_images),
            "This is the share of images whose whole output agrees.",
        ),
        Misconception(
            "mean-difference",
            _compared(lambda one, other: (one - other).abs().mean().item()),
            "This is how far the outputs differ on average, not how many agree.",
        ),
    ),
    explain=_explain,
    hints=(
        "There are two ways to a moved output: move the image and apply the layer, or apply the layer and "
        "move its output. Compare the two.",
        "The widths of the image and of the output tell the stride: 28 // 14 = 2, and 28 // 26 = 1.",
        "torch.roll(…, dims=-1) moves both: the image by shift, the output by shift // stride.",
    ),
)
