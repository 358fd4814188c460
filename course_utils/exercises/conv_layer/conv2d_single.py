"""Exercise 1.5: one channel with padding and stride."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from course_utils.exercises.altered import altered
from course_utils.exercises.conv_layer.cross_correlate import cross_correlate
from course_utils.exercises.conv_layer.output_size import output_size
from course_utils.exercises.conv_layer.sliding import (
    correlate,
    cropped,
    moved_wrongly,
    passed_on_wrongly,
    sized_as_the_image,
    sized_before_padding,
    sized_wrongly,
)
from course_utils.exercises.conv_layer.zero_pad import zero_pad
from course_utils.exercises.model import Exercise, Misconception, Probe, Window
from course_utils.exercises.probes import Draw
from course_utils.exercises.windows import patch, stored_at_the_pixel


def conv2d_single(image: Tensor, kernel: Tensor, padding: int = 0, stride: int = 1) -> Tensor:
    """Pad the image, slide the kernel, keep every `stride`-th position."""
    return cross_correlate(zero_pad(image, padding), kernel)[::stride, ::stride]


def _partial_windows(image: Tensor, kernel: Tensor, padding: int = 0, stride: int = 1) -> Tensor:
    image = zero_pad(image, padding)
    (height, width), (kh, kw) = image.shape, kernel.shape
    beyond = (0, -(width - kw) % stride, 0, -(height - kh) % stride)
    return correlate(pad(image, beyond), kernel, stride=stride)


def _beyond_the_image(image: Tensor, kernel: Tensor, padding: int = 0, stride: int = 1) -> Tensor:
    (height, width), (kh, kw) = image.shape, kernel.shape
    out = torch.zeros(output_size(height, kh, padding, stride), output_size(width, kw, padding, stride))
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            out[i, j] = (image[i * stride :, j * stride :][:kh, :kw] * kernel).sum()
    return out


def _stored_at_the_pixel(image: Tensor, kernel: Tensor, padding: int = 0, stride: int = 1) -> Tensor:
    every, strided = correlate(image, kernel, padding), correlate(image, kernel, padding, stride)
    return stored_at_the_pixel(every, strided, stride)


def _as_large_as_the_image(image: Tensor, kernel: Tensor, padding: int = 0, stride: int = 1) -> Tensor:
    out = torch.zeros_like(image)
    right = correlate(image, kernel, padding, stride)
    for i in range(right.shape[0]):
        for j in range(right.shape[1]):
            out[i, j] = right[i, j]
    return out


def probes(seed: int) -> Sequence[Probe]:
    """Start with one position; then add padding, a stride that divides, one that does not, and both."""
    draw = Draw(seed)
    return (
        Probe((draw.integers(2, 2, low=1), draw.distinct(2, 2)), note="the kernel fits once: one pixel"),
        Probe((draw.integers(3, 4), draw.distinct(2, 2)), note="no padding, stride 1"),
        Probe((draw.integers(2, 3, low=1), draw.distinct(2, 2), 1), note="padding 1"),
        Probe((draw.integers(4, 6), draw.distinct(2, 2), 0, 2), note="stride 2, which divides"),
        Probe(
            (draw.integers(5, 4), draw.distinct(2, 2)),
            {"stride": 2},
            "stride 2 does not divide the 3 steps from the first to the last row",
        ),
        Probe(
            (draw.integers(6, 5), draw.distinct(2, 3)),
            {"stride": 3},
            "stride 3 does not divide; a kernel wider than tall",
        ),
        Probe((draw.integers(4, 5), draw.distinct(3, 3), 1, 2), note="padding 1 and stride 2"),
        Probe(
            (draw.integers(5, 3, low=-6, high=-1), draw.distinct(3, 2)),
            {"padding": 2, "stride": 3},
            "padding 2 and stride 3, all pixels negative",
        ),
        Probe((draw.floats(11, 8), draw.floats(4, 3), draw.between(1, 3), 2), note="fractions"),
    )


def _window(index: tuple[int, ...], image: Tensor, kernel: Tensor, padding: int, stride: int) -> Window:
    return {"image": [patch(index, kernel.shape, image.shape, padding=padding, stride=stride)]}


EXERCISE = Exercise(
    number="1.5",
    points=2,
    reference=conv2d_single,
    builds_on=("cross_correlate", "zero_pad", "output_size"),
    probes=probes,
    section="Lab 01, Padding",
    misconceptions=(
        Misconception(
            "padded-result",
            lambda image, kernel, padding=0, stride=1: pad(correlate(image, kernel), (padding,) * 4)[
                ::stride, ::stride
            ],
            "The zeros are put around the result instead of around the input.",
            "Lab 01, Padding",
        ),
        Misconception(
            "windows-beyond-the-image",
            _beyond_the_image,
            "The windows run out of the image. Either the loop reads the image without its zeros, because "
            "what zero_pad returns is not kept, or output_size pads the padded size once more.",
            "Lab 01, Padding",
        ),
        Misconception(
            "flipped-kernel",
            altered(correlate, kernel=lambda kernel: kernel.flip(0, 1)),
            "This is the convolution of mathematics: the kernel is turned by 180 degrees before it slides. "
            "A convolutional layer does not turn it.",
            "Lab 01, Convolution",
        ),
        Misconception(
            "kernel-transposed",
            altered(correlate, kernel=lambda kernel: kernel.T),
            "The kernel is transposed: its rows and columns are exchanged.",
            "Lab 01, Convolution",
        ),
        Misconception(
            "padding-ignored",
            altered(correlate, padding=lambda padding: 0),
            "The padding has no effect.",
        ),
        Misconception(
            "padding-one-side",
            lambda image, kernel, padding=0, stride=1: correlate(
                pad(image, (0, padding, 0, padding)), kernel, 0, stride
            ),
            "Zeros are added on one side only, below and to the right.",
        ),
        Misconception(
            "padding-after",
            lambda image, kernel, padding=0, stride=1: zero_pad(correlate(image, kernel, 0, stride), padding),
            "The zeros are put around the result instead of around the image.",
        ),
        Misconception(
            "edge-repeated",
            lambda image, kernel, padding=0, stride=1: correlate(
                pad(image[None, None], (padding,) * 4, mode="replicate")[0, 0], kernel, 0, stride
            ),
            "The border repeats the nearest pixels of the image instead of holding zeros.",
        ),
        sized_before_padding(correlate),
        *moved_wrongly(correlate),
        *passed_on_wrongly(correlate),
        *sized_wrongly(),
        Misconception(
            "stored-at-the-pixel",
            _stored_at_the_pixel,
            "The window that starts at pixel row i belongs in row i // stride of the result, not in row i; "
            "the columns likewise.",
            "Lab 01, Stride",
        ),
        Misconception(
            "crop-instead-of-stride",
            cropped(correlate),
            "The size is right, but this is the top-left corner of the result with stride 1 (the lecture's "
            "slide makes the same mistake).",
            "Lab 01, Stride",
        ),
        *(
            Misconception(
                name,
                wrong,
                "Pixels are dropped before the kernel slides, so it sees pixels that are not neighbours.",
                "Lab 01, Stride",
            )
            for name, wrong in {
                "image-thinned-first": lambda image, kernel, padding=0, stride=1: cross_correlate(
                    zero_pad(image, padding)[::stride, ::stride], kernel
                ),
                "image-thinned-before-padding": lambda image, kernel, padding=0, stride=1: cross_correlate(
                    zero_pad(image[::stride, ::stride], padding), kernel
                ),
            }.items()
        ),
        sized_as_the_image(_as_large_as_the_image),
        Misconception(
            "partial-windows",
            _partial_windows,
            "Windows that reach over the far border are counted too: the number of positions is rounded up.",
            "Lab 01, Output size",
        ),
    ),
    hints=(
        "You have the two parts already: one enlarges the image, the other slides the kernel.",
        "Order matters: the padding belongs to the image, before anything slides.",
        "With stride s, output row i starts at row i·s of the padded image. "
        "In other words: of the result with stride 1, keep every s-th row and column.",
    ),
    window=_window,
)
