"""Exercise 3.1: the mean and the standard deviation of all pixels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from course_utils.exercises.model import Exercise, Misconception, Probe
from course_utils.exercises.probes import Draw

SECTION = "Lab 03, The data"


def pixel_statistics(images: Tensor) -> tuple[float, float]:
    """Return the mean and the standard deviation of all pixels, scaled to [0, 1].

    Parameters
    ----------
    images : Tensor
        uint8, N×C×H×W.
    """
    pixels = images.float() / 255
    return pixels.mean().item(), pixels.std(correction=0).item()


def with_sample_std(images: Tensor) -> tuple[float, float]:
    """The same with the sample's standard deviation (division by n − 1), PyTorch's default."""
    pixels = images.float() / 255
    return pixels.mean().item(), pixels.std().item()


def _from_0_to_255(images: Tensor) -> tuple[float, float]:
    pixels = images.float()
    return pixels.mean().item(), pixels.std().item()


def _divided_by_256(images: Tensor) -> tuple[float, float]:
    pixels = images.float() / 256
    return pixels.mean().item(), pixels.std().item()


def _scaled_by_largest(images: Tensor) -> tuple[float, float]:
    pixels = images.float() / images.max()
    return pixels.mean().item(), pixels.std().item()


def _variance(images: Tensor) -> tuple[float, float]:
    pixels = images.float() / 255
    return pixels.mean().item(), pixels.var().item()


def _mean_of_image_stds(images: Tensor) -> tuple[float, float]:
    pixels = images.float() / 255
    return pixels.mean().item(), torch.stack([image.std() for image in pixels]).mean().item()


def _std_of_image_means(images: Tensor) -> tuple[float, float]:
    means = (images.float() / 255).mean(dim=(1, 2, 3))
    return means.mean().item(), means.std().item()


def _mean_of_channel_stds(images: Tensor) -> tuple[float, float]:
    pixels = images.float() / 255
    return pixels.mean().item(), pixels.std(dim=(0, 2, 3)).mean().item()


def _per_channel(images: Tensor) -> tuple[Tensor, Tensor]:
    pixels = images.float() / 255
    return pixels.mean(dim=(0, 2, 3)), pixels.std(dim=(0, 2, 3))


def _first_image(images: Tensor) -> tuple[float, float]:
    return with_sample_std(images[:1])


def _std_then_mean(images: Tensor) -> tuple[float, float]:
    mean, std = with_sample_std(images)
    return std, mean


def _std_without_scaling(images: Tensor) -> tuple[float, float]:
    return (images.float() / 255).mean().item(), images.float().std().item()


def probes(seed: int) -> Sequence[Probe]:
    """Draw a few tiny sets of images whose images and channels differ in brightness."""
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
    also_right=(with_sample_std,),
    probes=probes,
    misconceptions=(
        Misconception(
            "not-scaled",
            _from_0_to_255,
            "The numbers are those of pixels from 0 to 255, not from 0 to 1.",
            SECTION,
        ),
        Misconception(
            "only-mean-scaled",
            _std_without_scaling,
            "The mean is in units of [0, 1], the standard deviation still in those of 0 to 255.",
            SECTION,
        ),
        Misconception(
            "divided-by-256",
            _divided_by_256,
            "The pixels are divided by 256, the number of grey levels; the largest of them is 255.",
            SECTION,
        ),
        Misconception(
            "scaled-by-largest-pixel",
            _scaled_by_largest,
            "The pixels are divided by the largest one that occurs, so that the scale changes with the "
            "images.",
            SECTION,
        ),
        Misconception("variance", _variance, "The second number is the variance.", SECTION),
        Misconception(
            "mean-of-image-stds",
            _mean_of_image_stds,
            "The standard deviation is taken within each image and then averaged: how much the images "
            "differ from "
            "one another is lost.",
            SECTION,
        ),
        Misconception(
            "std-of-image-means",
            _std_of_image_means,
            "Each image is averaged first, so that the spread of the pixels within an image is lost.",
            SECTION,
        ),
        Misconception(
            "mean-of-channel-stds",
            _mean_of_channel_stds,
            "The standard deviation is taken within each channel and then averaged.",
            SECTION,
        ),
        Misconception(
            "per-channel",
            _per_channel,
            "There is one pair of numbers for each channel; the lab uses one for all pixels together.",
            SECTION,
        ),
        Misconception("first-image-only", _first_image, "Only the first image is looked at.", SECTION),
        Misconception(
            "swapped", _std_then_mean, "The standard deviation comes first, the mean second.", SECTION
        ),
    ),
    hints=(
        "All pixels of all images and channels count the same, as if they lay in one long row.",
        "uint8 numbers have no mean in PyTorch: turn them into floats first, then scale 0…255 to 0…1.",
        "With pixels = images.float() / 255, two methods of a tensor give both numbers.",
    ),
)
