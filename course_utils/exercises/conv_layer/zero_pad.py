"""Exercise 1.2: zeros around an image."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

from course_utils.exercises.model import Exercise, Misconception, Probe, Window
from course_utils.exercises.probes import Draw


def zero_pad(image: Tensor, padding: int) -> Tensor:
    """Put `padding` rows and columns of zeros around `image`."""
    height, width = image.shape
    out = torch.zeros(height + 2 * padding, width + 2 * padding)
    out[padding : padding + height, padding : padding + width] = image
    return out


def _border_erased(image: Tensor, padding: int) -> Tensor:
    out = torch.zeros_like(image)
    height, width = image.shape
    inside = (slice(padding, height - padding), slice(padding, width - padding))
    out[inside] = image[inside]
    return out


def _negative_end(image: Tensor, padding: int) -> Tensor:
    out = torch.zeros(image.shape[0] + 2 * padding, image.shape[1] + 2 * padding)
    out[padding:-padding, padding:-padding] = image
    return out


def _height_for_width(image: Tensor, padding: int) -> Tensor:
    height, width = image.shape
    out = torch.zeros(width + 2 * padding, height + 2 * padding)
    out[padding : padding + height, padding : padding + width] = image
    return out


def _ending_at_the_old_size(image: Tensor, padding: int) -> Tensor:
    (height, width), padded = image.shape, torch.zeros_like(pad(image, (padding,) * 4))
    padded[padding:height, padding:width] = image
    return padded


def _strips_of_the_old_size(image: Tensor, padding: int) -> Tensor:
    side = torch.zeros(image.shape[0], padding)
    taller = pad(image, (0, 0, padding, padding))
    return torch.cat([side, taller, side], dim=1)


def probes(seed: int) -> Sequence[Probe]:
    """Start with one pixel; then ask for no, one and more rings of zeros."""
    draw = Draw(seed)
    rows, columns = draw.shuffled(3, 4)
    return (
        Probe((draw.distinct(1, 1, low=2), 1), note="a single pixel"),
        Probe((draw.distinct(2, 3), 1), note="the image is wider than tall"),
        Probe((draw.distinct(2, 2), 0), note="no padding: the image as it is"),
        Probe((draw.distinct(3, 2), 2), note="two rings of zeros"),
        Probe((draw.integers(rows, columns, low=-6, high=-1), 1), note="all pixels negative"),
        Probe((draw.distinct(4, draw.one_of(5, 6)), 3), note="three rings of zeros"),
        Probe((draw.floats(6, 5), draw.between(4, 5)), note="fractions"),
    )


def _window(index: tuple[int, ...], image: Tensor, padding: int) -> Window:
    row, column = (i - padding for i in index)
    inside = 0 <= row < image.shape[0] and 0 <= column < image.shape[1]
    return {"image": [(row, column)]} if inside else {}


EXERCISE = Exercise(
    number="1.2",
    points=1,
    reference=zero_pad,
    probes=probes,
    section="Lab 01, Padding",
    misconceptions=(
        Misconception(
            "one-side",
            lambda image, padding: pad(image, (0, padding, 0, padding)),
            "Zeros are added on one side only, below and to the right.",
        ),
        Misconception(
            "one-side-before",
            lambda image, padding: pad(image, (padding, 0, padding, 0)),
            "Zeros are added on one side only, above and to the left.",
        ),
        Misconception(
            "columns-only",
            lambda image, padding: pad(image, (padding, padding)),
            "Only columns are added, on the left and on the right; the rows are missing.",
        ),
        Misconception(
            "rows-only",
            lambda image, padding: pad(image, (0, 0, padding, padding)),
            "Only rows are added, above and below; the columns are missing.",
        ),
        Misconception(
            "image-in-the-corner",
            lambda image, padding: pad(image, (0, 2 * padding, 0, 2 * padding)),
            "The size is right, but the image sits in the top-left corner instead of the middle.",
        ),
        Misconception(
            "ends-at-the-old-size",
            _ending_at_the_old_size,
            "The place for the image starts at row `padding`, but ends at row H instead of padding + H (and "
            "the columns likewise): it is too small.",
        ),
        Misconception(
            "strips-of-the-old-size",
            _strips_of_the_old_size,
            "The second pair of strips is made for the image as it was: with the first pair joined to it, "
            "the image is larger by 2·padding in the other direction.",
        ),
        Misconception(
            "edge-repeated",
            lambda image, padding: pad(image[None, None], (padding,) * 4, mode="replicate")[0, 0],
            "The border repeats the nearest pixels of the image instead of holding zeros.",
        ),
        Misconception(
            "padded-with-ones",
            lambda image, padding: pad(image, (padding,) * 4, value=1.0),
            "The border is filled with ones.",
        ),
        Misconception(
            "border-erased",
            _border_erased,
            "The image keeps its size, and its own outer pixels are set to zero.",
        ),
        Misconception(
            "padded-twice",
            lambda image, padding: pad(image, (2 * padding,) * 4),
            "Twice the padding is added on every side.",
        ),
        Misconception(
            "always-one",
            lambda image, padding: pad(image, (1,) * 4),
            "One ring of zeros is added, whatever the padding.",
        ),
        Misconception(
            "negative-end",
            _negative_end,
            "A slice such as out[padding:-padding] is empty when the padding is 0, because -0 is 0, the "
            "beginning.",
        ),
        Misconception(
            "height-for-width",
            _height_for_width,
            "Height and width are exchanged in the size of the result: image.shape is (rows, columns).",
        ),
    ),
    hints=(
        "How many rows are added, above and below together? And how many columns?",
        "Start from a tensor of zeros that has the final size.",
        "Row 0 of the image becomes row `padding` of the result; column 0 becomes column `padding`.",
    ),
    window=_window,
)
