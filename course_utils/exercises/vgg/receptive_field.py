"""Exercise 4.6: how much of the image one output sees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod

from course_utils.exercises.model import Exercise, Misconception, Probe
from course_utils.exercises.probes import Draw

Layers = Sequence[tuple[int, int]]


def receptive_field(layers: Layers) -> int:
    """Return the width of the input that one output depends on.

    Each layer widens it by its kernel less one, times the product of the strides before it.

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


def _stepping(step: Callable[[list[int], int], int]) -> Callable[[Layers], int]:
    """Return the field where a layer's step is `step` of the strides before it and of its own stride."""

    def field(layers: Layers) -> int:
        strides = [stride for _, stride in layers]
        return 1 + sum((kernel - 1) * step(strides[:i], s) for i, (kernel, s) in enumerate(layers))

    return field


def _whole_kernels(layers: Layers, start: int = 0) -> int:
    field, step = start, 1
    for kernel, stride in layers:
        field += kernel * step
        step *= stride
    return field


def _output_size(size: int) -> Callable[[Layers], int]:
    def left(layers: Layers) -> int:
        n = size
        for kernel, stride in layers:
            n = (n - kernel) // stride + 1
        return n

    return left


def probes(seed: int) -> Sequence[Probe]:
    """Ask for one layer, stacks without strides, strides in several layers, VGG itself, and no layer."""
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
        Probe(([(11, 4), (3, 2)],), note="the first convolution and pooling of AlexNet"),
        Probe(([],), note="no layer: one pixel"),
    )


EXERCISE = Exercise(
    number="4.6",
    points=2,
    reference=receptive_field,
    probes=probes,
    section="Lab 04, Receptive field",
    misconceptions=(
        Misconception(
            "returned-in-the-loop",
            lambda layers: layers[0][0] if layers else None,
            "Only the first layer counts: the `return` is inside the loop.",
        ),
        Misconception(
            "strides-ignored",
            _stepping(lambda before, own: 1),
            "The strides are ignored; after a stride of 2, neighbouring values are two pixels apart.",
        ),
        Misconception(
            "kernels-added",
            lambda layers: sum(kernel for kernel, _ in layers),
            "The kernels are added up, but neighbouring windows overlap.",
        ),
        Misconception(
            "kernels-multiplied",
            lambda layers: prod(kernel for kernel, _ in layers),
            "The kernels are multiplied.",
        ),
        Misconception(
            "stride-one-layer-early",
            _stepping(lambda before, own: prod(before) * own),
            "A layer's stride already spreads its own kernel; it should only spread the layers after it.",
        ),
        Misconception(
            "stride-one-layer-late",
            _stepping(lambda before, own: prod(before[:-1])),
            "A stride takes effect one layer too late.",
        ),
        Misconception(
            "own-stride-only",
            _stepping(lambda before, own: own),
            "Each kernel is spread only by its own stride.",
        ),
        Misconception(
            "stride-before-only",
            _stepping(lambda before, own: before[-1] if before else 1),
            "Each kernel is spread only by the stride of the layer before it; all strides before it "
            "multiply.",
        ),
        *(
            Misconception(name, _stepping(step), "The strides are added up; they should be multiplied.")
            for name, step in {
                "strides-added": lambda before, own: 1 + sum(stride - 1 for stride in before),
                "strides-added-to-1": lambda before, own: 1 + sum(before),
                "strides-added-from-0": lambda before, own: sum(before),
                "strides-added-from-the-second": lambda before, own: sum(before) or 1,
            }.items()
        ),
        *(
            Misconception(
                name, wrong, "Each layer adds its whole kernel; one of its places is already in the field."
            )
            for name, wrong in {
                "whole-kernels": _whole_kernels,
                "whole-kernels-from-1": lambda layers: _whole_kernels(layers, 1),
                "kernels-added-from-1": lambda layers: 1 + sum(kernel for kernel, _ in layers),
            }.items()
        ),
        *(
            Misconception(
                name,
                wrong,
                "The whole field is multiplied by all strides; a stride only widens the steps of the layers "
                "after it.",
            )
            for name, wrong in {
                "multiplied-by-the-strides": lambda layers: (
                    prod(stride for _, stride in layers) * (1 + sum(kernel - 1 for kernel, _ in layers))
                ),
                "kernels-multiplied-by-the-strides": lambda layers: (
                    prod(stride for _, stride in layers) * sum(kernel for kernel, _ in layers)
                ),
            }.items()
        ),
        Misconception(
            "always-one",
            lambda layers: 1,
            "The field stays one pixel wide: no layer widens it.",
        ),
        Misconception(
            "counted-from-zero",
            lambda layers: receptive_field(layers) - 1,
            "One pixel sees itself: the count starts at 1.",
        ),
        Misconception(
            "from-the-end",
            lambda layers: receptive_field(layers[::-1]),
            "This is the result for the layers from the last to the first: the formula does not fit the "
            "order of the loop.",
        ),
        Misconception(
            "area",
            lambda layers: receptive_field(layers) ** 2,
            "That is the number of pixels in the field; its width is asked for.",
        ),
        *(
            Misconception(
                f"output-size-of-{size}",
                _output_size(size),
                f"That is the size of the map that is left of an image of {size}×{size}; the question is how "
                "many of its pixels one output sees.",
            )
            for size in (32, 28, 224)
        ),
        Misconception(
            "last-layer-only",
            lambda layers: layers[-1][0] if layers else 1,
            "Only the last layer's kernel counts.",
        ),
        Misconception(
            "pairs-swapped",
            lambda layers: receptive_field([(stride, kernel) for kernel, stride in layers]),
            "Kernel and stride are swapped.",
        ),
    ),
    hints=(
        "Start from one pixel. A 3×3 kernel adds one pixel on each side: 1 → 3 → 5 → 7.",
        "After a layer with stride 2, neighbouring values are 2 input pixels apart: the next kernel adds "
        "twice as much.",
        "Keep two numbers, the field and the step: field += (kernel − 1)·step, then step *= stride.",
    ),
)
