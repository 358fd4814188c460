"""Datasets that need no network: scikit-learn's real digits and procedurally drawn shapes."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from course_utils.data.dataset import Arrays
from course_utils.errors import DataError

Array = NDArray[np.float64]

DIGITS_TEST = 297
CLASSES = ("disc", "ring", "square", "frame", "triangle", "plus", "bars", "moon", "ell", "chevron")
SIDE = 32


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
    if path := _file_of_sklearn("data/digits.csv.gz", "The digits"):
        # Opened here: NumPy's own way would ask for the current folder, which may be gone.
        with gzip.open(path, "rt", encoding="ascii") as file:
            table = torch.from_numpy(np.loadtxt(file, delimiter=","))
    else:
        from sklearn.datasets import load_digits

        table = torch.from_numpy(np.column_stack(load_digits(return_X_y=True)))
    grey, labels = table[:, :-1].reshape(-1, 1, 8, 8), table[:, -1].to(torch.uint8)
    large = torch.nn.functional.interpolate(grey, size=(20, 20), mode="bilinear", align_corners=False)
    framed = torch.nn.functional.pad(large, (4, 4, 4, 4))
    images = (framed * (255 / 16)).round().clamp(0, 255).to(torch.uint8)

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


def photograph() -> torch.Tensor:
    """scikit-learn's photograph of a temple, at a quarter of its size: 3×106×160, from 0 to 1.

    Photograph by danielbuechele, CC BY 2.0 (scikit-learn bundles it as ``china.jpg``).

    Raises
    ------
    DataError
        If scikit-learn is not installed.
    """
    if path := _file_of_sklearn("images/china.jpg", "The photograph"):
        from PIL import Image

        with Image.open(path) as image:
            pixels = torch.tensor(np.asarray(image))
    else:
        from sklearn.datasets import load_sample_image

        pixels = torch.tensor(load_sample_image("china.jpg"))
    return torch.nn.functional.avg_pool2d(pixels.permute(2, 0, 1) / 255, 4)


def _file_of_sklearn(name: str, what: str) -> Path | None:
    """Find a file of scikit-learn's datasets, whose import takes a second; None where it lies elsewhere."""
    spec = find_spec("sklearn")
    if spec is None or spec.origin is None:
        raise DataError(
            f"{what} cannot be loaded.",
            why="scikit-learn, which has them, is not installed.",
            left="Nothing was changed.",
            next_step="pip install scikit-learn",
        )
    path = Path(spec.origin).parent / "datasets" / name
    return path if path.is_file() else None


def draw_shapes(seed: int = 5242, train_each: int = 400, test_each: int = 100) -> Arrays:
    """Draw 32×32 RGB pictures of ten shapes, the same on every machine.

    Each class has `train_each` and `test_each` of them, in shuffled order.
    Position, size, tilt, colours and background change from picture to picture, so that no single pixel tells
    the class: a fully connected network must learn every position separately, a convolutional one need not.
    """
    # RandomState, not default_rng: NumPy promises that its stream never changes.
    random = np.random.RandomState(seed)
    each = train_each + test_each
    images = torch.empty(len(CLASSES), each, 3, SIDE, SIDE, dtype=torch.uint8)
    for label in range(len(CLASSES)):
        images[label] = torch.from_numpy(_pictures(label, each, random))
    labels = torch.arange(len(CLASSES), dtype=torch.uint8)[:, None].expand(-1, each)
    tensors = {}
    for half, chosen in (("train", slice(train_each)), ("test", slice(train_each, each))):
        some, names = images[:, chosen].flatten(0, 1), labels[:, chosen].flatten()
        order = torch.from_numpy(random.permutation(len(names)))
        tensors[f"{half}.images"], tensors[f"{half}.labels"] = some[order], names[order]
    return Arrays.of(tensors, CLASSES)


def _pictures(label: int, count: int, random: np.random.RandomState) -> NDArray[np.uint8]:
    def uniform(low: float, high: float) -> Array:
        return random.uniform(low, high, (count, 1, 1))

    radius = uniform(5, 9.5)
    centre_x, centre_y = (radius + uniform(0, 1) * (SIDE - 1 - 2 * radius) for _ in range(2))
    tilt = uniform(-0.35, 0.35)
    rows, columns = np.mgrid[0:SIDE, 0:SIDE].astype(np.float64)
    x, y = columns - centre_x, rows - centre_y
    u = (x * np.cos(tilt) + y * np.sin(tilt)) / radius
    v = (y * np.cos(tilt) - x * np.sin(tilt)) / radius
    inside = np.clip(0.5 - _distance(CLASSES[label], u, v) * radius, 0, 1)[:, None]

    back, front = random.uniform(0, 255, (2, count, 3, 1, 1))
    # A shape whose brightness is close to its background's would be invisible: make the difference larger.
    gap = (front - back).mean(axis=1, keepdims=True)
    front = front + np.where(gap < 0, -1, 1) * np.maximum(0, 70 - abs(gap))
    slope_x, slope_y = random.uniform(-2, 2, (2, count, 3, 1, 1))
    ground = back + slope_x * (columns - SIDE / 2) + slope_y * (rows - SIDE / 2)
    noise = random.normal(0, 12, (count, 3, SIDE, SIDE))
    pixels: NDArray[np.uint8] = np.clip(np.rint(ground + inside * (front - ground) + noise), 0, 255).astype(
        np.uint8
    )
    return pixels


def _distance(shape: str, u: Array, v: Array) -> Array:
    """About the distance from the outline, negative inside, in units of the shape's radius."""
    round_, box = np.hypot(u, v), np.maximum(abs(u), abs(v))
    if shape == "disc":
        return round_ - 0.95
    if shape == "ring":
        return abs(round_ - 0.75) - 0.22
    if shape == "square":
        return box - 0.8
    if shape == "frame":
        return abs(box - 0.7) - 0.18
    if shape == "triangle":
        return np.maximum(v - 0.7, 0.9 * abs(u) - 0.45 * (v + 0.95))
    if shape == "plus":
        return np.maximum(np.minimum(abs(u), abs(v)) - 0.25, box - 0.95)
    if shape == "bars":
        return np.maximum(abs(abs(v) - 0.5) - 0.22, abs(u) - 0.9)
    if shape == "moon":
        return np.maximum(round_ - 0.95, 0.75 - np.hypot(u - 0.45, v))
    if shape == "ell":
        return np.minimum(_box(u + 0.5, v, 0.25, 0.9), _box(u, v - 0.65, 0.75, 0.25))
    return np.maximum(abs(v + 0.35 - 0.8 * abs(u)) - 0.28, abs(u) - 0.9)


def _box(u: Array, v: Array, half_width: float, half_height: float) -> Array:
    return np.maximum(abs(u) - half_width, abs(v) - half_height)


EMBEDDED: dict[str, tuple[Callable[[], Arrays], str]] = {
    "digits": (digits, "digits (scikit-learn, 1,797 real digits)"),
    "shapes": (draw_shapes, "shapes (drawn by the course, 32×32 RGB)"),
}
"""Name → how to make it, and what to call it in one line."""
