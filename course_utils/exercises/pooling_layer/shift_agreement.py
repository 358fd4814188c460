"""Exercise 2.6: how much of a layer's output survives a shift of its input."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from course_utils.exercises.model import Exercise, Misconception, Probe
from course_utils.exercises.probes import Draw

Layer = Callable[[Tensor], Tensor]


def shift_agreement(layer: Layer, x: Tensor, shift: int) -> float:
    """Return the share of a layer's outputs that stay as they are when the image moves right by `shift`."""
    moved = torch.roll(x, shift, dims=-1)
    return (layer(x) == layer(moved)).float().mean().item()


def no_layer(x: Tensor) -> Tensor:
    """Return the image unchanged."""
    return x


def max_pool_2(x: Tensor) -> Tensor:
    """Pool 2×2 windows."""
    return functional.max_pool2d(x, 2)


def max_pool_rows(x: Tensor) -> Tensor:
    """Pool 1×3 windows along the rows."""
    return functional.max_pool2d(x, (1, 3))


def column_sums(x: Tensor) -> Tensor:
    """Add up each column."""
    return x.sum(dim=-2)


def ahead(x: Tensor) -> Tensor:
    """Return whether a pixel is larger than its right neighbour, which tells left from right."""
    return (x[..., :-1] > x[..., 1:]).float()


def moved_right(x: Tensor, shift: int) -> Tensor:
    """Move an image to the right; what leaves there comes back on the left."""
    return torch.roll(x, shift, dims=-1)


def share_of_equals(a: Tensor, b: Tensor) -> float:
    """Return the share of cells in which two tensors agree."""
    return (a == b).float().mean().item()


def _filled(layer: Layer, x: Tensor, shift: int) -> float:
    moved = torch.zeros_like(x)
    moved[..., shift:] = x[..., : x.shape[-1] - shift]
    return share_of_equals(layer(x), layer(moved))


def _whole_images(layer: Layer, x: Tensor, shift: int) -> float:
    same = layer(x) == layer(moved_right(x, shift))
    return same.flatten(1).all(dim=1).float().mean().item()


def _moved_along(layer: Layer, x: Tensor, shift: int) -> float:
    still = layer(x)
    steps = shift // (x.shape[-1] // still.shape[-1])
    return share_of_equals(moved_right(still, steps), layer(moved_right(x, shift)))


def explain_share(probe: Probe, expected: float, actual: Any) -> str | None:
    """Say what is no share."""
    if isinstance(actual, np.ndarray) and actual.dtype == bool and actual.ndim == 0:
        return "This asks whether all outputs agree, not how many."
    if isinstance(actual, np.ndarray) and actual.size > 1:
        return "This has one value for each output; a share is one number for all of them."
    if isinstance(actual, (int, float)) and not 0 <= actual <= 1:
        return "A share lies between 0 and 1."
    return None


def probes(seed: int) -> Sequence[Probe]:
    """Start with a layer that changes nothing; then pool, drop an axis, and tell left from right."""
    draw = Draw(seed)

    def bits(*shape: int) -> Tensor:
        """Few values, so that many outputs agree by chance; never all and never none of them."""
        return draw.integers(*shape, low=0, high=2)

    row = torch.tensor([[[[0.0, 0.0, 1.0, 0.0, 2.0]]]]) * draw.between(1, 4)
    still = torch.cat([torch.ones(1, 1, 2, 4), torch.tensor([1.0, 0.0, 0.0, 2.0]).expand(2, 1, 2, 4)])
    return (
        Probe((no_layer, row, 1), note="the layer changes nothing"),
        Probe((no_layer, row, 2), note="a shift of two pixels"),
        Probe((max_pool_2, bits(1, 1, 4, 6), 1), note="2×2 max pooling"),
        Probe((max_pool_rows, bits(1, 1, 5, 9), 1), note="1×3 max pooling, along rows only"),
        Probe((no_layer, still, 1), note="three images, one of them constant"),
        Probe((no_layer, bits(2, 3, 4, 5), 0), note="no shift: everything agrees"),
        Probe((ahead, bits(3, 1, 4, 7), 2), note="a layer that tells left from right"),
        Probe((column_sums, bits(3, 2, 3, 7), 3), note="a layer that drops an axis"),
        Probe((max_pool_2, bits(4, 3, 8, 12), draw.one_of(1, 3, 5)), note="several images and channels"),
        Probe((ahead, bits(5, 2, 6, 11), draw.between(1, 4)), note="larger"),
        Probe((max_pool_rows, bits(4, 2, 6, 13), draw.one_of(1, 2, 4)), note="larger"),
        Probe((max_pool_2, (bits(2, 1, 5, 6) - 2) / 4, 1), note="negative fractions and 0; an odd height"),
    )


EXERCISE = Exercise(
    number="2.6",
    points=2,
    reference=shift_agreement,
    probes=probes,
    section="Lab 02, Translation and deformation",
    misconceptions=(
        Misconception(
            "share-that-differs",
            lambda layer, x, shift: 1 - shift_agreement(layer, x, shift),
            "This is the share of outputs that change.",
        ),
        Misconception(
            "percent",
            lambda layer, x, shift: 100 * shift_agreement(layer, x, shift),
            "This is a percentage; a share lies between 0 and 1.",
        ),
        Misconception(
            "counted",
            lambda layer, x, shift: int((layer(x) == layer(moved_right(x, shift))).sum()),
            "This is the number of outputs that agree, not their share.",
        ),
        Misconception(
            "all-or-nothing",
            lambda layer, x, shift: float(torch.equal(layer(x), layer(moved_right(x, shift)))),
            "This asks whether all outputs agree, not how many.",
        ),
        Misconception(
            "yes-or-no",
            lambda layer, x, shift: torch.equal(layer(x), layer(moved_right(x, shift))),
            "This asks whether all outputs agree, not how many.",
        ),
        Misconception(
            "whole-images",
            _whole_images,
            "This is the share of images whose whole output agrees.",
        ),
        Misconception(
            "layer-ignored",
            lambda layer, x, shift: share_of_equals(x, moved_right(x, shift)),
            "The images are compared, not the layer's outputs.",
        ),
        Misconception(
            "moved-down",
            lambda layer, x, shift: share_of_equals(layer(x), layer(torch.roll(x, shift, dims=-2))),
            "The image moves down instead of to the right.",
        ),
        Misconception(
            "moved-through-the-channels",
            lambda layer, x, shift: share_of_equals(layer(x), layer(torch.roll(x, shift, dims=1))),
            "Axis 1 is the channels; an image moves to the right along its last axis.",
        ),
        Misconception(
            "moved-through-the-batch",
            lambda layer, x, shift: share_of_equals(layer(x), layer(torch.roll(x, shift, dims=0))),
            "Axis 0 is the images; an image moves to the right along its last axis.",
        ),
        Misconception(
            "moved-left",
            lambda layer, x, shift: share_of_equals(layer(x), layer(moved_right(x, -shift))),
            "The image moves to the left instead of to the right.",
        ),
        Misconception(
            "rolled-through-all",
            lambda layer, x, shift: share_of_equals(layer(x), layer(torch.roll(x, shift))),
            "torch.roll gets no axis, so pixels that leave one row enter the next.",
        ),
        Misconception(
            "filled-with-zeros",
            _filled,
            "Zeros enter on the left; the pixels that leave on the right should enter there.",
        ),
        *(
            Misconception(
                name,
                wrong,
                "The output is shifted; the question is what happens to it when the input shifts.",
            )
            for name, wrong in {
                "output-moved": lambda layer, x, shift: share_of_equals(
                    layer(x), moved_right(layer(x), shift)
                ),
                "output-moved-along-axis-3": lambda layer, x, shift: share_of_equals(
                    layer(x), torch.roll(layer(x), shift, dims=3)
                ),
            }.items()
        ),
        Misconception(
            "moved-along",
            lambda layer, x, shift: share_of_equals(
                moved_right(layer(x), shift), layer(moved_right(x, shift))
            ),
            "The first output is shifted too: this asks whether the output moves along with its input "
            "(Exercise 2.7), not whether it stays.",
        ),
        Misconception(
            "moved-along-by-the-stride",
            _moved_along,
            "The first output is shifted too: this asks whether the output moves along with its input "
            "(Exercise 2.7), not whether it stays.",
        ),
        *(
            Misconception(
                name,
                wrong,
                "An output is compared with an image that did not go through the layer: compare layer(x) "
                "with layer of the moved image.",
            )
            for name, wrong in {
                "moved-image-without-layer": lambda layer, x, shift: share_of_equals(
                    layer(x), moved_right(x, shift)
                ),
                "image-without-layer": lambda layer, x, shift: share_of_equals(
                    x, layer(moved_right(x, shift))
                ),
            }.items()
        ),
        Misconception(
            "divided-by-the-images",
            lambda layer, x, shift: int((layer(x) == layer(moved_right(x, shift))).sum()) / len(x),
            "The outputs that agree are divided by the number of images, not by the number of outputs.",
        ),
        Misconception(
            "divided-by-the-width",
            lambda layer, x, shift: int((layer(x) == layer(moved_right(x, shift))).sum()) / x.shape[-1],
            "The outputs that agree are divided by the width of the image, not by the number of outputs.",
        ),
        Misconception(
            "divided-by-the-pixels",
            lambda layer, x, shift: int((layer(x) == layer(moved_right(x, shift))).sum()) / x.numel(),
            "The outputs that agree are divided by the number of input pixels, not by the number of outputs.",
        ),
        Misconception(
            "moved-along-axis-3",
            lambda layer, x, shift: share_of_equals(
                torch.roll(layer(x), shift, dims=3), layer(moved_right(x, shift))
            ),
            "The first output is shifted too: this asks whether the output moves along with its input "
            "(Exercise 2.7), not whether it stays.",
        ),
    ),
    explain=explain_share,
    hints=(
        "torch.roll shifts a tensor; what leaves on one side comes back on the other. Which axis is left "
        "to right?",
        "You need the layer's output twice: for the image, and for the shifted image.",
        "Comparing two tensors gives True and False; their mean, as numbers, is the share of True.",
    ),
)
