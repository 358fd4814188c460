"""Exercise 3.1: the mean and the standard deviation of all pixels."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from course_utils.exercises.model import Exercise, Misconception, Probe
from course_utils.exercises.probes import Draw


def pixel_statistics(images: Tensor) -> tuple[float, float]:
    """Return the mean and the standard deviation of all pixels, scaled to [0, 1].

    Parameters
    ----------
    images : Tensor
        uint8, N×C×H×W.
    """
    pixels = images.float() / 255
    return pixels.mean().item(), pixels.std(correction=0).item()


def _mean_and_sample_std(pixels: Tensor) -> tuple[float, float]:
    """Return the standard deviation that divides by n − 1, PyTorch's default."""
    return pixels.mean().item(), pixels.std().item()


def _with_spread(spread: Callable[[Tensor], Tensor]) -> Callable[[Tensor], tuple[float, float]]:
    """Return the right mean, and `spread` of the scaled pixels in place of their standard deviation."""
    return lambda images: ((images / 255).mean().item(), spread(images / 255).item())


def probes(seed: int) -> Sequence[Probe]:
    """Draw tiny sets of images; images and channels differ in brightness."""
    draw = Draw(seed)

    def images(*shape: int) -> Tensor:
        # Brightness grows from image to image and channel to channel: averages of averages differ.
        count, channels = shape[:2]
        steps = torch.arange(count * channels).reshape(count, channels, 1, 1) * (180 // (count * channels))
        return (steps + draw.distinct(*shape, low=1)).to(torch.uint8)

    return (
        Probe((images(1, 1, 2, 3),), note="one image of 2×3 pixels"),
        Probe((images(2, 1, 2, 2),), note="two images"),
        Probe((images(3, 2, 2, 3),), note="three images with two channels"),
    )


EXERCISE = Exercise(
    number="3.1",
    points=1,
    reference=pixel_statistics,
    also_right=(lambda images: _mean_and_sample_std(images / 255),),
    probes=probes,
    section="Lab 03, The data",
    misconceptions=(
        Misconception(
            "not-scaled",
            lambda images: _mean_and_sample_std(images.float()),
            "The pixels are on a scale from 0 to 255, not from 0 to 1.",
        ),
        Misconception(
            "only-mean-scaled",
            lambda images: ((images / 255).mean().item(), images.float().std().item()),
            "The mean is on a scale from 0 to 1, but the standard deviation is still on one from 0 to 255.",
        ),
        Misconception(
            "std-scaled-twice",
            lambda images: ((images / 255).mean().item(), (images / 255).std().item() / 255),
            "The standard deviation is divided by 255 twice: the pixels are scaled before.",
        ),
        Misconception(
            "scaled-twice",
            lambda images: _mean_and_sample_std(images / 255 / 255),
            "Both are divided by 255 twice.",
        ),
        Misconception(
            "divided-by-256",
            lambda images: _mean_and_sample_std(images / 256),
            "The pixels are divided by 256, the number of grey levels; the largest level is 255.",
        ),
        Misconception(
            "scaled-by-largest-pixel",
            lambda images: _mean_and_sample_std(images / images.max()),
            "The pixels are divided by the largest one that occurs, so the scale depends on the images.",
        ),
        Misconception(
            "variance",
            _with_spread(Tensor.var),
            "The second number is the variance, not the standard deviation.",
        ),
        Misconception(
            "variance-of-all",
            _with_spread(lambda pixels: pixels.var(correction=0)),
            "The second number is the variance, not the standard deviation.",
        ),
        Misconception(
            "divided-without-fractions",
            lambda images: _mean_and_sample_std((images // 255).float()),
            "// divides without fractions, so every pixel below 255 becomes 0.",
        ),
        Misconception(
            "mean-of-image-stds",
            _with_spread(lambda pixels: pixels.std(dim=(1, 2, 3)).mean()),
            "The standard deviation is taken within each image and then averaged, which ignores how the "
            "images differ from one another.",
        ),
        Misconception(
            "std-of-image-means",
            _with_spread(lambda pixels: pixels.mean(dim=(1, 2, 3)).std()),
            "Each image is averaged first, so the spread of the pixels within an image is lost.",
        ),
        Misconception(
            "mean-of-channel-stds",
            _with_spread(lambda pixels: pixels.std(dim=(0, 2, 3)).mean()),
            "The standard deviation is taken within each channel and then averaged.",
        ),
        Misconception(
            "per-channel",
            lambda images: ((images / 255).mean(dim=(0, 2, 3)), (images / 255).std(dim=(0, 2, 3))),
            "There is one pair of numbers for each channel; the lab uses one pair for all pixels together.",
        ),
        Misconception(
            "first-image-only",
            lambda images: _mean_and_sample_std(images[:1] / 255),
            "Only the first image is used.",
        ),
        Misconception(
            "swapped",
            lambda images: _mean_and_sample_std(images / 255)[::-1],
            "The two numbers are exchanged: the standard deviation is returned first and the mean second.",
        ),
    ),
    hints=(
        "All pixels of all images and channels count the same, as if they were in one long row.",
        "PyTorch cannot average uint8 numbers: turn them into floats first, then scale 0…255 to 0…1.",
        "With pixels = images.float() / 255, two tensor methods give the two numbers.",
    ),
)
