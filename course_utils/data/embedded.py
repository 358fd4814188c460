"""Datasets that are always there: scikit-learn's real digits and procedurally drawn shapes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from course_utils.data import shapes
from course_utils.data.arrays import Arrays
from course_utils.errors import DataError

DIGITS_TEST = 297


def digits() -> Arrays:
    """scikit-learn's 1,797 real digits, made to resemble MNIST.

    The 8×8 images with 17 grey levels are enlarged to 20×20 and centred in 28×28, as MNIST's digits are.
    The split is fixed and stratified: about 1,500 for training and 297 for testing.

    Source: Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", UCI, 1998
    (scikit-learn bundles its test part).

    Raises
    ------
    DataError
        If scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DataError(
            "The digits cannot be loaded.",
            why=f"They come with scikit-learn, which cannot be imported ({error}).",
            left="Nothing was changed.",
            next_step="pip install scikit-learn",
        ) from error
    bunch = load_digits()
    grey = torch.from_numpy(np.ascontiguousarray(bunch.images, dtype=np.float64))[:, None]
    large = torch.nn.functional.interpolate(grey, size=(20, 20), mode="bilinear", align_corners=False)
    framed = torch.nn.functional.pad(large, (4, 4, 4, 4))
    images = (framed * (255 / 16)).round().clamp(0, 255).to(torch.uint8)
    labels = torch.from_numpy(bunch.target.astype(np.uint8))

    # RandomState, not default_rng: NumPy promises that its stream never changes.
    order = torch.from_numpy(np.random.RandomState(5242).permutation(len(labels)))
    share = DIGITS_TEST / len(labels)
    in_test = torch.zeros(len(labels), dtype=torch.bool)
    for digit in range(10):
        members = order[labels[order] == digit]
        in_test[members[: round(share * len(members))]] = True
    train, test = order[~in_test[order]], order[in_test[order]]
    return Arrays.of(
        {
            "train.images": images[train],
            "train.labels": labels[train],
            "test.images": images[test],
            "test.labels": labels[test],
        },
        tuple("0123456789"),
    )


EMBEDDED: dict[str, tuple[Callable[[], Arrays], str]] = {
    "digits": (digits, "digits (scikit-learn, 1,797 real digits)"),
    "shapes": (shapes.draw, "shapes (drawn by the course, 32×32 RGB)"),
}
"""Name → how to make it, and how to call it in one line."""
