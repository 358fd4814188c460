"""Datasets made by hand: right ones are taken as they are, wrong ones named with what mends them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from course_utils.data import Dataset, Split
from course_utils.errors import DataError

IMAGES = torch.arange(10 * 3 * 8 * 8).remainder(256).to(torch.uint8).reshape(10, 3, 8, 8)
LABELS = torch.arange(10)


def made(images=IMAGES, labels=LABELS, mean=0.5, std=0.25) -> Split:
    return Split(images, labels, mean, std)


def whole(train: Split | None = None, test: Split | None = None, classes=tuple("abcdefghij")) -> Dataset:
    return Dataset("mine", train or made(), test or made(), classes, 0.5, 0.25, "my own", None, "digest")


def test_a_right_one_is_taken_as_it_is():
    dataset = whole()
    assert dataset.train.images is IMAGES and dataset.train.labels is LABELS
    batch, _ = next(iter(dataset.train.batches(4)))
    assert batch.isfinite().all()


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_every_device_and_layout_is_right(device):
    made(IMAGES.to(device), LABELS.to(device))
    made(IMAGES[:, :1].to(device), LABELS.to(device))
    made(IMAGES.to(device).flip(0), LABELS.to(device))
    made(torch.zeros(2, 7, 3, 5, dtype=torch.uint8, device=device), LABELS[:2].to(device))


@pytest.mark.parametrize(
    ("changed", "why", "step"),
    [
        ({"images": IMAGES / 255}, "images are torch.float32", "(255 * images).round().to(torch.uint8)"),
        ({"images": IMAGES.double()}, "images are torch.float64", "torch.uint8"),
        ({"images": IMAGES.long()}, "images are torch.int64", "images.to(torch.uint8)"),
        ({"images": IMAGES > 9}, "images are torch.bool", "images.to(torch.uint8)"),
        ({"images": IMAGES.numpy()}, "images are of type ndarray", "torch.as_tensor(images)"),
        ({"images": list(IMAGES)}, "images are of type list", ""),
        ({"images": None}, "images are of type NoneType", ""),
        ({"images": IMAGES[:, 0]}, "the shape 10×8×8", "images[:, None]"),
        ({"images": IMAGES.flatten(1)}, "the shape 10×192", "four axes"),
        ({"images": IMAGES.permute(0, 2, 3, 1)}, "10×8×8×3, with the channels last", "permute(0, 3, 1, 2)"),
        ({"images": IMAGES[:0]}, "no pixel", "at least one image"),
        ({"images": IMAGES[:, :, :, :0]}, "no pixel", "at least one image"),
        ({"images": IMAGES[:9]}, "9 images, but 10 labels", ""),
        ({"labels": LABELS[:0]}, "10 images, but 0 labels", ""),
        ({"labels": LABELS - 1}, "a label -1", "from 0"),
        ({"labels": LABELS.float()}, "labels are torch.float32", "labels.long()"),
        ({"labels": LABELS.to(torch.uint8)}, "labels are torch.uint8", "labels.long()"),
        ({"labels": LABELS[:, None]}, "the shape 10×1", "labels.flatten()"),
        ({"labels": torch.eye(10)}, "the shape 10×10", "labels.argmax(1)"),
        ({"labels": LABELS.tolist()}, "labels are of type list", "torch.as_tensor(labels)"),
        ({"labels": torch.tensor(3)}, "the shape ()", ""),
        ({"std": 0.0}, "standard deviation 0.0", "not all of one colour"),
        ({"std": -1}, "standard deviation -1", ""),
        ({"std": float("nan")}, "standard deviation nan", ""),
        ({"std": float("inf")}, "standard deviation inf", ""),
        ({"mean": float("nan")}, "mean nan", ""),
        ({"mean": None}, "mean None", ""),
        ({"std": "0.3"}, "standard deviation 0.3", ""),
        ({"std": np.zeros(3)}, "standard deviation [0. 0. 0.]", ""),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_half_is_named(changed, why, step):
    with pytest.raises(DataError) as caught:
        made(**changed)
    assert why in caught.value.why and step in caught.value.next_step and caught.value.next_step


@pytest.mark.parametrize(
    ("changed", "why", "step"),
    [
        ({"train": made(labels=LABELS + 1)}, "from 1 to 10; those of 10 classes go from 0", "labels - 1"),
        ({"test": made(labels=LABELS + 5)}, "labels go from 5 to 14", "name of each class"),
        ({"classes": ("a", "b")}, "from 0 to 9; those of 2 classes go from 0 to 1", "name of each class"),
        ({"classes": ()}, "those of 0 classes", ""),
        ({"classes": "abcdefghij"}, "they are names", ""),
        ({"classes": tuple(range(10))}, "they are names", ""),
        ({"test": made(IMAGES[:, :1])}, "training images are 3×8×8, the test images 1×8×8", "one shape"),
        ({"test": (IMAGES, LABELS)}, "test is of type tuple", "Split("),
    ],
)  # fmt: skip
def test_what_is_wrong_with_the_whole_is_named(changed, why, step):
    with pytest.raises(DataError) as caught:
        whole(**changed)
    assert why in caught.value.why and step in caught.value.next_step and caught.value.next_step
