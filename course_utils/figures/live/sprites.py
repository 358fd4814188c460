"""Many small images in one picture, small enough for a notebook."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from course_utils.errors import FigureError
from course_utils.figures.arrays import as_array
from course_utils.text import shape_text

LARGEST = 16_500
"""The most bytes of one sheet: a figure with its script then stays below 60 kB in base64."""

_SIDE = 32
_COLUMNS = 16


@dataclass(frozen=True)
class Sheet:
    """Images of one size, row by row.

    Attributes
    ----------
    source : str
        The picture as a data URL.
    indices : tuple of int
        The images that it holds, in reading order.
    columns, width, height : int
        Images in a row, and pixels of one image.
    """

    source: str
    indices: tuple[int, ...]
    columns: int
    width: int
    height: int


def sheet(images: Any, indices: Sequence[int], figure: str) -> Sheet:
    """Draw as many of the images as fit in `LARGEST` bytes, starting with the first.

    Parameters
    ----------
    images : tensor
        N×C×H×W with one or three channels, in 8 bits or in 0…1. Images larger than 32 pixels are reduced.
    indices : sequence of int
    figure : str
        Name of the figure, for errors.

    Raises
    ------
    FigureError
        If the images have a wrong shape or wrong numbers.
    """
    shape = tuple(getattr(images, "shape", ()))
    if len(shape) != 4 or shape[1] not in (1, 3) or 0 in shape:
        raise FigureError(
            f"{figure} takes images N×C×H×W with one or three channels.",
            why=f"It got {shape_text(shape) if shape else type(images).__name__}.",
        )
    count = min(len(indices), 256)
    while True:
        chosen = list(indices[:count])
        pixels = _pixels(images, chosen, figure)
        blob, kind = _compressed(pixels)
        if len(blob) <= LARGEST or count <= 1:
            break
        count = max(1, min(count - 1, int(count * 0.97 * LARGEST / len(blob))))
    source = f"data:image/{kind};base64,{base64.b64encode(blob).decode()}"
    return Sheet(source, tuple(chosen), min(_COLUMNS, max(1, count)), pixels.shape[2], pixels.shape[1])


def _pixels(images: Any, indices: list[int], figure: str) -> np.ndarray:
    """Return n×h×w×C in 8 bits."""
    array = as_array(images[indices])
    if array is None or not np.isfinite(array).all():
        raise FigureError(f"{figure} takes images that are numbers.")
    if array.dtype != np.uint8:
        if array.size and (array.min() < 0 or array.max() > 1):
            raise FigureError(
                f"{figure} takes images in 8 bits or in 0…1.",
                why=f"These go from {array.min():.3g} to {array.max():.3g}.",
                next_step="Give it the dataset's own images, dataset.test.images.",
            )
        array = np.rint(array * 255).astype(np.uint8)
    step = -(-max(array.shape[2:]) // _SIDE)
    return np.ascontiguousarray(array[:, :, ::step, ::step].transpose(0, 2, 3, 1))


def _compressed(pixels: np.ndarray) -> tuple[bytes, str]:
    from PIL import Image

    count, height, width, channels = pixels.shape
    columns = min(_COLUMNS, max(1, count))
    rows = max(1, -(-count // columns))
    tiles = np.zeros((rows * columns, height, width, channels), np.uint8)
    tiles[:count] = pixels
    flat = tiles.reshape(rows, columns, height, width, channels).transpose(0, 2, 1, 3, 4)
    flat = flat.reshape(rows * height, columns * width, channels)
    buffer = io.BytesIO()
    if channels == 1:
        # Sixteen greys, half a byte for each pixel: enough for strokes.
        picture = Image.fromarray(flat[..., 0] >> 4, "P")
        picture.putpalette([17 * grey for grey in range(16) for _ in range(3)])
        picture.save(buffer, "PNG", bits=4)
        return buffer.getvalue(), "png"
    Image.fromarray(flat).save(buffer, "JPEG", quality=70)
    return buffer.getvalue(), "jpeg"
