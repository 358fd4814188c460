"""Exercise 4.6: how much of the image one output sees."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from course_utils.exercises.model import Exercise, Misconception, Probe
from course_utils.exercises.probes import Draw

SECTION = "Lab 04, Receptive field"
Layers = Sequence[tuple[int, int]]


def receptive_field(layers: Layers) -> int:
    """Return the width of the input that one output depends on.

    Each layer widens it by its kernel less one, in steps as wide as the product of the strides before it.

    Parameters
    ----------
    layers : sequence of (kernel, stride)
        Convolutions and poolings from the input on.
    """
    field, step = 1, 1
    for kernel, stride in layers:
        field += (kernel - 1) * step
        step *= stride
    return field


def _strides_ignored(layers: Layers) -> int:
    return 1 + sum(kernel - 1 for kernel, _ in layers)


def _kernels_added(layers: Layers) -> int:
    return sum(kernel for kernel, _ in layers)


def _kernels_multiplied(layers: Layers) -> int:
    return prod(kernel for kernel, _ in layers)


def _stride_early(layers: Layers) -> int:
    field, step = 1, 1
    for kernel, stride in layers:
        step *= stride
        field += (kernel - 1) * step
    return field


def _stride_late(layers: Layers) -> int:
    strides = [1, 1, *(stride for _, stride in layers)]
    return 1 + sum((kernel - 1) * prod(strides[: i + 1]) for i, (kernel, _) in enumerate(layers))


def _only_own_stride(layers: Layers) -> int:
    return 1 + sum((kernel - 1) * stride for kernel, stride in layers)


def _only_stride_before(layers: Layers) -> int:
    strides = [1, *(stride for _, stride in layers)]
    return 1 + sum((kernel - 1) * strides[i] for i, (kernel, _) in enumerate(layers))


def _strides_added(layers: Layers) -> int:
    field, step = 1, 1
    for kernel, stride in layers:
        field += (kernel - 1) * step
        step += stride - 1
    return field


def _whole_kernels(layers: Layers) -> int:
    field, step = 0, 1
    for kernel, stride in layers:
        field += kernel * step
        step *= stride
    return field


def _from_zero(layers: Layers) -> int:
    return receptive_field(layers) - 1


def _reversed(layers: Layers) -> int:
    return receptive_field(layers[::-1])


def _area(layers: Layers) -> int:
    return receptive_field(layers) ** 2


def _last_layer_only(layers: Layers) -> int:
    return layers[-1][0] if layers else 1


def _pairs_swapped(layers: Layers) -> int:
    return receptive_field([(stride, kernel) for kernel, stride in layers])


def probes(seed: int) -> Sequence[Probe]:
    """Ask no layer, one, stacks without stride, then strides of which no two are equal, and VGG's own."""
    draw = Draw(seed)
    a, b = draw.shuffled(3, 5)[:2]
    first, second = draw.shuffled(2, 3)
    vgg = [layer for convs in (2, 2, 2, 1) for layer in [*[(3, 1)] * convs, (2, 2)]]
    return (
        Probe(([(3, 1)],), note="one 3×3 convolution"),
        Probe(([(3, 1), (3, 1)],), note="two stacked 3×3 convolutions"),
        Probe(([(a, 1), (b, 1), (3, 1)],), note="three convolutions"),
        Probe(([(3, 2)],), note="one convolution with stride 2"),
        Probe(([(2, 2), (3, 1)],), note="pooling, then a convolution"),
        Probe(([(3, 1), (2, 2), (a, 1), (2, 2), (3, 1)],), note="two poolings"),
        Probe(([(a, first), (b, second), (4, 2), (3, 1)],), note="strides in several layers"),
        Probe((vgg,), note="the convolutions and poolings of VGG"),
        Probe(([],), note="no layer: one pixel"),
    )


EXERCISE = Exercise(
    number="4.6",
    points=2,
    reference=receptive_field,
    probes=probes,
    misconceptions=(
        Misconception(
            "strides-ignored",
            _strides_ignored,
            "Strides play no part: behind a stride of 2, neighbours lie two pixels apart.",
            SECTION,
        ),
        Misconception(
            "kernels-added",
            _kernels_added,
            "The kernels are added up, but neighbouring windows overlap.",
            SECTION,
        ),
        Misconception("kernels-multiplied", _kernels_multiplied, "The kernels are multiplied.", SECTION),
        Misconception(
            "stride-one-layer-early",
            _stride_early,
            "A layer's own stride already widens its own kernel; it spreads the layers after it.",
            SECTION,
        ),
        Misconception(
            "stride-one-layer-late",
            _stride_late,
            "A stride takes effect one layer too late.",
            SECTION,
        ),
        Misconception(
            "own-stride-only",
            _only_own_stride,
            "Each kernel is stretched by its own stride alone.",
            SECTION,
        ),
        Misconception(
            "stride-before-only",
            _only_stride_before,
            "Each kernel is stretched by the stride of the layer before alone; the strides before multiply.",
            SECTION,
        ),
        Misconception(
            "strides-added", _strides_added, "The strides are added up; steps of steps multiply.", SECTION
        ),
        Misconception(
            "whole-kernels",
            _whole_kernels,
            "Each layer adds its whole kernel; one of its places is already in the field.",
            SECTION,
        ),
        Misconception(
            "counted-from-zero", _from_zero, "One pixel sees itself: the count starts at 1.", SECTION
        ),
        Misconception("from-the-end", _reversed, "The layers are taken from the last to the first.", SECTION),
        Misconception(
            "area", _area, "That is the number of pixels in the field; its width is asked.", SECTION
        ),
        Misconception("last-layer-only", _last_layer_only, "Only the last layer's kernel counts.", SECTION),
        Misconception("pairs-swapped", _pairs_swapped, "Kernel and stride are exchanged.", SECTION),
    ),
    hints=(
        "Start from one pixel. A 3×3 kernel adds one pixel on each side: 1 → 3 → 5 → 7.",
        "Behind a layer with stride 2, neighbouring values lie 2 input pixels apart: the next kernel "
        "adds twice as much.",
        "Keep two numbers, the field and the step: field += (kernel − 1)·step, then step *= stride.",
    ),
)
