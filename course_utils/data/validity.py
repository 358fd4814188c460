"""Whether images and labels make a dataset; if not, why, and what makes them one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn

import torch
from torch import Tensor

from course_utils.errors import DataError

if TYPE_CHECKING:
    from course_utils.data.dataset import Split


def check_half(images: Tensor, labels: Tensor, mean: float, std: float) -> None:
    """Check what a `Split` is made of.

    Raises
    ------
    DataError
        If one of them is not what the attributes of `Split` say.
    """
    for name, value in (("images", images), ("labels", labels)):
        if not isinstance(value, Tensor):
            _refuse(f"The {name} are of type {type(value).__name__}.", f"torch.as_tensor({name})")
    _check_images(images)
    _check_labels(labels)
    if len(labels) != len(images):
        _refuse(
            f"There are {len(images):,} images, but {len(labels):,} labels.", "Give each image one label."
        )
    try:
        usable = math.isfinite(mean) and 0 < std < math.inf
    except (TypeError, ValueError):
        usable = False
    if not usable:
        why = f"Nothing can be normalised to the mean {mean} and the standard deviation {std}."
        _refuse(why, "Compute both from images that are not all of one colour.")


def check_halves(train: Split, test: Split, classes: Sequence[str]) -> None:
    """Check what a `Dataset` is made of.

    Raises
    ------
    DataError
        If the halves have images of different shapes, or labels that no class has.
    """
    for name, half in (("train", train), ("test", test)):
        if not hasattr(half, "images"):
            _refuse(f"{name} is of type {type(half).__name__}.", "Split(images, labels, mean, std)")
    one, other = train.images.shape[1:], test.images.shape[1:]
    if one != other:
        why = f"The training images are {_times(one)}, the test images {_times(other)}."
        _refuse(why, "Make them all of one shape.")
    if isinstance(classes, str) or not all(isinstance(name, str) for name in classes):
        _refuse(f"The classes are {classes!r}; they are names.", 'For example: ("cat", "dog")')
    for half in (train, test):
        first, last = _range(half.labels)
        if last >= len(classes):
            why = f"The labels go from {first} to {last}; those of {len(classes)} classes go from 0"
            step = "labels - 1" if (first, last) == (1, len(classes)) else "Give the name of each class."
            _refuse(f"{why} to {len(classes) - 1}.", step)


def _check_images(images: Tensor) -> None:
    if images.dtype != torch.uint8:
        why = f"The images are {images.dtype}; a pixel is a whole number from 0 to 255, torch.uint8."
        floats = "If they go from 0 to 1: (255 * images).round().to(torch.uint8)"
        _refuse(why, floats if images.is_floating_point() else "images.to(torch.uint8)")
    found = f"The images have the shape {_times(images.shape)}"
    if images.ndim != 4:
        step = "images[:, None] if they are grey" if images.ndim == 3 else "Reshape them to four axes."
        _refuse(f"{found}; it is N×C×H×W.", step)
    if images.shape[1] > 4 and images.shape[3] in (1, 3, 4):
        _refuse(f"{found}, with the channels last; it is N×C×H×W.", "images.permute(0, 3, 1, 2)")
    if 0 in images.shape:
        _refuse(f"{found}: there is no pixel in them.", "Use at least one image.")


def _check_labels(labels: Tensor) -> None:
    if labels.ndim != 1:
        why = f"The labels have the shape {_times(labels.shape)}; each is one number."
        one_hot = labels.ndim == 2 and labels.shape[1] > 1
        _refuse(why, "labels.argmax(1)" if one_hot else "labels.flatten()")
    if labels.dtype != torch.int64:
        _refuse(f"The labels are {labels.dtype}; they are whole numbers, torch.int64.", "labels.long()")
    first, _ = _range(labels)
    if first < 0:
        _refuse(f"There is a label {first}; the first class is 0.", "Number the classes from 0.")


def _range(labels: Tensor) -> tuple[int, int]:
    # Labels on "meta" have no values.
    return (0, -1) if labels.is_meta or not len(labels) else (int(labels.min()), int(labels.max()))


def _times(shape: Sequence[int]) -> str:
    return "×".join(map(str, shape)) or "()"


def _refuse(why: str, next_step: str) -> NoReturn:
    raise DataError("These images and labels are no dataset.", why=why, next_step=next_step)
