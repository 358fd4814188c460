"""Exercise 1.1: a kernel slides over an image."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from course_utils.exercises.altered import altered
from course_utils.exercises.conv_layer.sliding import correlate, looped_wrongly, sized_wrongly
from course_utils.exercises.model import Exercise, Misconception, Probe, Window
from course_utils.exercises.probes import Draw
from course_utils.exercises.windows import patch


def cross_correlate(image: Tensor, kernel: Tensor) -> Tensor:
    """Slide `kernel` over `image` wherever it fits; multiply and add at each position."""
    (height, width), (kh, kw) = image.shape, kernel.shape
    out = torch.zeros(height - kh + 1, width - kw + 1)
    for i in range(height - kh + 1):
        for j in range(width - kw + 1):
            out[i, j] = (image[i : i + kh, j : j + kw] * kernel).sum()
    return out


def _sliding(
    position: Callable[[Tensor, Tensor, int, int], Tensor] = lambda image, kernel, i, j: (
        image[i : i + kernel.shape[0], j : j + kernel.shape[1]] * kernel
    ),
    size: Callable[[Tensor, Tensor], tuple[int, int]] = lambda image, kernel: (
        image.shape[0] - kernel.shape[0] + 1,
        image.shape[1] - kernel.shape[1] + 1,
    ),
) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the loop over all positions, with another product at a position, or another size."""

    def wrong(image: Tensor, kernel: Tensor) -> Tensor:
        rows, columns = size(image, kernel)
        out = torch.zeros(rows, columns)
        for i in range(rows):
            for j in range(columns):
                out[i, j] = position(image, kernel, i, j).sum()
        return out

    return wrong


def probes(seed: int) -> Sequence[Probe]:
    """Start with a single position; then make image and kernel wider, taller, negative."""
    draw = Draw(seed)
    tall, wide = draw.between(5, 6), draw.between(5, 6)
    return (
        Probe((draw.integers(2, 2, low=1), draw.distinct(2, 2)), note="the kernel fits once: one pixel"),
        Probe((draw.integers(3, 3), draw.distinct(2, 2)), note="3×3 image, 2×2 kernel"),
        Probe((draw.integers(3, 4), draw.distinct(2, 2)), note="the image is wider than tall"),
        Probe((draw.integers(4, 3), draw.distinct(1, 2)), note="a kernel of one row"),
        Probe((draw.integers(tall, 4), draw.distinct(3, 2)), note="image and kernel taller than wide"),
        Probe((draw.integers(4, wide), draw.distinct(2, 3)), note="image and kernel wider than tall"),
        Probe((draw.integers(3, 4, low=-6, high=-1), draw.distinct(2, 2)), note="all pixels negative"),
        Probe((draw.integers(3, 2), draw.distinct(1, 1, low=2)), note="a 1×1 kernel only scales"),
        Probe(
            (draw.integers(6, 6, low=0), draw.distinct(3, 3)), note="6×6 image, 3×3 kernel, as in the lecture"
        ),
        Probe((draw.floats(9, 7), draw.floats(3, 4)), note="fractions"),
    )


def _window(index: tuple[int, ...], image: Tensor, kernel: Tensor) -> Window:
    return {"image": [patch(index, kernel.shape, image.shape)]}


EXERCISE = Exercise(
    number="1.1",
    points=2,
    reference=cross_correlate,
    probes=probes,
    section="Lab 01, Convolution",
    misconceptions=(
        Misconception(
            "flipped-kernel",
            lambda image, kernel: correlate(image, kernel.flip(0, 1)),
            "This is the convolution of mathematics: the kernel is turned by 180 degrees before it slides. "
            "A convolutional layer does not turn it.",
        ),
        Misconception(
            "kernel-mirrored-left-right",
            lambda image, kernel: correlate(image, kernel.flip(1)),
            "The columns of the kernel are read from right to left.",
        ),
        Misconception(
            "kernel-upside-down",
            lambda image, kernel: correlate(image, kernel.flip(0)),
            "The rows of the kernel are read from bottom to top.",
        ),
        Misconception(
            "kernel-transposed",
            lambda image, kernel: correlate(image, kernel.T),
            "The kernel is transposed: its rows and columns are exchanged.",
        ),
        Misconception(
            "result-transposed",
            lambda image, kernel: correlate(image, kernel).T,
            "The result is transposed: a step down in the image is a step to the right in the result.",
        ),
        Misconception(
            "kept-the-size",
            lambda image, kernel: correlate(image, kernel, "same"),
            "The result is as large as the image: zeros around it let the kernel reach over the border.",
        ),
        Misconception(
            "result-as-large-as-the-image",
            lambda image, kernel: pad(correlate(image, kernel), (0, kernel.shape[1] - 1, 0, len(kernel) - 1)),
            "The result is made as large as the image, so its last rows and columns are never filled: it has "
            "a place only where the kernel fits.",
        ),
        Misconception(
            "last-position-missing",
            lambda image, kernel: correlate(image, kernel)[:-1, :-1],
            "The kernel stops one position early, so the last row and the last column are missing.",
        ),
        Misconception(
            "mean-of-products",
            lambda image, kernel: correlate(image, kernel) / kernel.numel(),
            "The products under the kernel are averaged instead of added.",
        ),
        Misconception(
            "kernel-ignored",
            lambda image, kernel: correlate(image, torch.ones_like(kernel)),
            "The pixels under the kernel are added up without its weights.",
        ),
        Misconception(
            "tiles",
            lambda image, kernel: correlate(image, kernel, stride=tuple(kernel.shape)),
            "The kernel jumps by its own size, so that windows never overlap.",
        ),
        Misconception(
            "matrix-product",
            _sliding(lambda image, kernel, i, j: image[i:, j:][: len(kernel), : kernel.shape[1]] @ kernel),
            "@ multiplies window and kernel as matrices; here each number is multiplied with the one "
            "on top of it, which is written *.",
        ),
        *looped_wrongly(correlate),
        Misconception(
            "running-sum",
            altered(correlate, result=lambda out: out.flatten().cumsum(0).reshape(out.shape)),
            "The sum is set to 0 only once, before the loops, so each position also contains all positions "
            "before it.",
        ),
        Misconception(
            "running-sum-in-a-row",
            altered(correlate, result=lambda out: out.cumsum(1)),
            "The sum is set to 0 only at the beginning of a row, so each position also contains those to its "
            "left.",
        ),
        Misconception(
            "window-always-3",
            _sliding(lambda image, kernel, i, j: image[i : i + 3, j : j + 3] * kernel),
            "The window is always 3×3, as in the example; it should be as large as the kernel.",
        ),
        Misconception(
            "always-4-by-4",
            _sliding(lambda image, kernel, i, j: image[i : i + 3, j : j + 3] * kernel, lambda *_: (4, 4)),
            "The sizes of the example are used: 4×4 results, 3×3 windows. They follow from image and kernel.",
        ),
        Misconception(
            "result-always-4-by-4",
            _sliding(size=lambda *_: (4, 4)),
            "The result is always 4×4, as in the example; its size follows from image and kernel.",
        ),
        *sized_wrongly(),
    ),
    hints=(
        "Put the kernel on the image's top-left corner. Which pixels are under it, and what happens to them?",
        "In a row of W pixels, a window of kw pixels has W − kw + 1 positions. Down a column it is the same.",
        "The window at row i, column j is image[i : i + kh, j : j + kw]. Two loops, one product, one sum.",
        "To find a mistake, print i, j and the window's shape in the loop. Then try an image of zeros with a "
        "single 1: each weight of the kernel shows up once, in the place where it met the 1.",
    ),
    window=_window,
)
