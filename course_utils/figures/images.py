"""Images side by side: a sample of a dataset, and a network's most confident mistakes."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from course_utils.errors import FigureError
from course_utils.figures.arrays import array_text, as_array, digest, softmax
from course_utils.figures.html_figure import HtmlFigure, line
from course_utils.figures.picture import Picture, picture
from course_utils.text import shape_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 100
"""The most images in one figure."""

WIDEST, LETTER = 7.5, 0.068
"""Inches of a row of images, and of a letter of a title."""

_WIDEST_TITLE = 18
"""Characters above one of six images in a row."""


def image_grid(
    images: Any,
    titles: Sequence[Any] | None = None,
    columns: int | None = None,
    *,
    inches: float = 1.1,
    alt: str = "",
) -> Picture:
    """Show images in a grid.

    Parameters
    ----------
    images : tensor or sequence of tensors
        N×C×H×W or N×H×W with one or three channels. 8-bit numbers, and others between 0 and 1, are shown as
        they are; all others are stretched to this range, all images alike.
    titles : sequence, optional
        One per image.
    columns : int, optional
        By default, as many as fill the width of the page.
    inches : float
        The most that an image is wide.
    alt : str, optional
        What the images show, for the picture's alt text.

    Raises
    ------
    FigureError
        If the shapes do not fit, or there are more than `MOST` images.

    Examples
    --------
    >>> image_grid(np.zeros((4, 8, 8)), titles=["a", "b", "c", "d"])
    4 images of 1×8×8 in 1 row of 4, titles a, b, c, d; digest ...
    """
    pixels = as_pixels(images)
    count = len(pixels)
    if titles is not None and len(titles) != count:
        raise FigureError(f"There are {len(titles)} titles for {count} images.")
    columns = min(count, columns or (10 if count > 12 else 6))
    rows = math.ceil(count / columns)
    shape = shape_text(_channels_first(pixels))
    named = ", titles " + ", ".join(str(title).split("\n")[0] for title in titles) if titles else ""
    # A digest of 8-bit numbers: the last digit of a division differs between machines.
    identity = digest((pixels * 255).round().astype(np.uint8))
    shown = f"{count} images of {shape} in {rows} row{'s' * (rows > 1)} of {columns}{named}"
    text = f"{shown}; digest {identity}"
    described = f"{alt}: {shown}" if alt else shown
    titles = None if titles is None else [str(title) for title in titles]
    return tiled(list(pixels), titles, columns, inches=inches, alt=described, text=text)


def tiled(
    tiles: Sequence[np.ndarray],
    titles: Sequence[str] | None,
    columns: int,
    *,
    inches: float,
    alt: str,
    text: str,
    note: str = "",
) -> Picture:
    """Lay out images H×W×C of 1 or 3 channels, from 0 to 1, in rows, each below its title.

    All get as much room as the first, `inches` at most. `note` is a sentence below them.
    """
    height, width = tiles[0].shape[:2]
    rows = math.ceil(len(tiles) / columns)
    size = min(inches, WIDEST / columns)
    lines = max((title.count("\n") + 1 for title in titles or ()), default=0)
    below = textwrap.wrap(note, int(size * columns / LETTER))

    # One axis, in units of a column's width: an axis for each image would take seconds to lay out.
    gap, line_high = 0.06, 0.16 / size
    band = line_high * lines
    tall = height / width + band + gap
    whole = rows * tall + line_high * len(below)

    def paint(figure: Figure) -> None:
        figure.set_layout_engine("none")
        axis = figure.add_axes((0, 0, 1, 1))
        axis.set_axis_off()
        for index, tile in enumerate(tiles):
            left, top = index % columns + gap / 2, index // columns * tall + band + gap / 2
            shown = tile[..., 0] if tile.shape[-1] == 1 else tile
            extent = (left, left + 1 - gap, top + (1 - gap) * height / width, top)
            axis.imshow(shown, cmap="gray", vmin=0, vmax=1, interpolation="nearest", extent=extent)
            if titles is not None:
                middle = left + (1 - gap) / 2
                axis.text(middle, top - 0.02, titles[index], fontsize=8, ha="center", va="bottom")
        axis.text(gap / 2, rows * tall, "\n".join(below), fontsize=8, va="top")
        axis.set_xlim(0, columns)
        axis.set_ylim(whole, 0)

    return picture(paint, width=size * columns, height=size * whole, alt=alt, text=text)


def worst_mistakes(
    images: Any, scores: Any, labels: Any, classes: Sequence[str], count: int = 12
) -> HtmlFigure:
    """Show the mistakes that a network was most confident of.

    Parameters
    ----------
    images : tensor
        N×C×H×W.
    scores : tensor
        N×K, before softmax; the confidence is the softmax of the predicted class.
    labels : tensor
        N class numbers.
    classes : sequence of str
        The K names.
    count : int
        How many at most.

    Raises
    ------
    FigureError
        If the shapes do not match.

    Examples
    --------
    >>> scores, labels = np.array([[5.0, 0.0], [0.0, 3.0], [0.0, 9.0]]), np.array([0, 0, 0])
    >>> worst_mistakes(np.zeros((3, 1, 8, 8)), scores, labels, ["cat", "dog"])
    The 2 most confident of 2 mistakes among 3 images:
      image 2: predicted dog (100.0%), is cat
      image 1: predicted dog (95.3%), is cat
    """
    values, truth = as_array(scores), as_array(labels)
    if values is None or truth is None or values.ndim != 2 or truth.shape != values.shape[:1]:
        raise FigureError(
            "worst_mistakes takes scores N×K and labels N.", why=_got(scores=values, labels=truth)
        )
    if len(images) != len(truth) or values.shape[1] != len(classes):
        raise FigureError(
            f"There are {len(images)} images, {len(truth)} labels, scores of {values.shape[1]} classes and "
            f"{len(classes)} class names."
        )
    shares = softmax(values)
    taken = values.argmax(1)
    wrong = np.flatnonzero(taken != truth)
    if not len(wrong):
        return line(f"No mistakes: {len(truth):,} of {len(truth):,} images are right.")
    worst = wrong[np.argsort(-shares[wrong, taken[wrong]], kind="stable")][:count]
    said = [(f"says {classes[taken[i]]}", f"{shares[i, taken[i]]:.1%}") for i in worst]
    # Titles wider than their pictures would overlap.
    between = ", " if max(len(", ".join(parts)) for parts in said) <= _WIDEST_TITLE else "\n"
    titles = [f"{between.join(parts)}\nis {classes[truth[i]]}" for i, parts in zip(worst, said, strict=True)]
    summary = f"The {len(worst)} most confident of {len(wrong):,} mistakes among {len(truth):,} images"
    each = "\n".join(
        f"  image {i}: predicted {classes[taken[i]]} ({shares[i, taken[i]]:.1%}), is {classes[truth[i]]}"
        for i in worst
    )
    alt = f"{summary}: " + "; ".join(title.replace("\n", ", ") for title in titles)
    pixels = list(as_pixels([images[int(i)] for i in worst]))
    return tiled(pixels, titles, min(len(worst), 6), inches=1.1, alt=alt, text=f"{summary}:\n{each}")


def _got(**arrays: np.ndarray | None) -> str:
    return ", ".join(f"{name}: {array_text(array)}" for name, array in arrays.items())


def _channels_first(pixels: np.ndarray) -> tuple[int, ...]:
    return (pixels.shape[3], *pixels.shape[1:3])


def as_pixels(images: Any) -> np.ndarray:
    """Return N×H×W×C numbers in 0…1."""
    if isinstance(images, (list, tuple)):
        parts = [part for image in images if (part := as_array(image)) is not None]
        if not parts or len(parts) < len(images) or len({part.shape for part in parts}) > 1:
            raise FigureError("image_grid takes images of one shape.")
        images = np.stack(parts)
    array = as_array(images)
    if array is None or array.ndim not in (3, 4) or (array.ndim == 4 and array.shape[1] not in (1, 3)):
        raise FigureError(
            "image_grid takes images N×H×W, N×1×H×W (grey) or N×3×H×W (colour).",
            why=f"It got {_got(images=array)}.",
        )
    if not 0 < len(array) <= MOST or not array.size:
        raise FigureError(
            f"image_grid shows 1 to {MOST} images, not {len(array)}.", next_step="Take a slice."
        )
    if array.ndim == 3:
        array = array[:, None]
    channels_last = array.transpose(0, 2, 3, 1)
    if array.dtype == np.uint8:
        return channels_last / np.float32(255)
    low, high = float(array.min()), float(array.max())
    if low >= 0 and high <= 1:
        return channels_last.astype(np.float32)
    return ((channels_last - low) / max(high - low, 1e-12)).astype(np.float32)
