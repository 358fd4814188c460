"""The still pictures of live figures: numbers in cells, painted in a few milliseconds."""

from __future__ import annotations

import io
from collections.abc import Collection
from functools import lru_cache
from typing import Any

import numpy as np

from course_utils.figures.numbers import compact

SCALE = 2
"""Pixels of the picture per pixel on the screen."""

_INK, _RULE, _TINT, _BLUE, _ORANGE = "#1f2328", "#9a9a9a", "#cfe3f1", "#0072B2", "#b34700"
_COLOURS = 32


class Still:
    """White paper to write on; all places and sizes are pixels on the screen.

    Parameters
    ----------
    width, height : int
    """

    def __init__(self, width: int, height: int) -> None:
        from PIL import Image, ImageDraw

        self._image = Image.new("RGB", (width * SCALE, height * SCALE), "white")
        self._pen = ImageDraw.Draw(self._image)

    def text(self, x: float, y: float, text: str, *, size: int = 12, centred: bool = False) -> None:
        """Write a line; `x`, `y` is its top left corner, or its middle."""
        anchor = "mm" if centred else "la"
        self._pen.text((x * SCALE, y * SCALE), text, _INK, font=_font(size), anchor=anchor)

    def box(
        self, x: float, y: float, width: float, height: float, *, line: str = _RULE, fill: str = ""
    ) -> None:
        """Draw a rectangle; a strong `line` is drawn three times as thick."""
        corners = [each * SCALE for each in (x, y, x + width, y + height)]
        self._pen.rectangle(corners, fill or None, line, width=1 if line == _RULE else 3 * SCALE)

    def cells(
        self,
        x: float,
        y: float,
        values: np.ndarray,
        *,
        name: str = "",
        window: Collection[tuple[int, int]] = (),
        at: tuple[int, int] | None = None,
        size: int = 26,
    ) -> float:
        """Draw a matrix with its numbers, a line of text above; return where the next thing can start.

        Parameters
        ----------
        values : numpy.ndarray
            2-D.
        window : collection of (row, column)
            Tinted.
        at : (row, column), optional
            Outlined.
        """
        self.text(x, y, name)
        for (i, j), value in np.ndenumerate(values):
            left, top = x + j * size, y + 18 + i * size
            self.box(left, top, size, size, fill=_TINT if (i, j) in window else "")
            if size >= 20:
                self.text(left + size / 2, top + size / 2, compact(value, 3), size=11, centred=True)
        if at is not None:
            self.box(x + at[1] * size, y + 18 + at[0] * size, size, size, line=_ORANGE)
        return x + max(values.shape[1] * size, len(name) * 6.5) + 24

    def image(self, x: float, y: float, pixels: np.ndarray, size: float) -> None:
        """Put an image of 8-bit numbers, H×W or H×W×3, each of its pixels `size` wide."""
        from PIL import Image

        picture: Any = Image.fromarray(np.ascontiguousarray(pixels)).convert("RGB")
        shape = (round(pixels.shape[1] * size * SCALE), round(pixels.shape[0] * size * SCALE))
        self._image.paste(
            picture.resize(shape, Image.Resampling.NEAREST), (round(x * SCALE), round(y * SCALE))
        )

    def png(self, colours: int = _COLOURS) -> bytes:
        """Return the picture as a small PNG."""
        from PIL import Image

        buffer = io.BytesIO()
        self._image.quantize(colours, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(
            buffer, "PNG", optimize=True
        )
        return buffer.getvalue()


@lru_cache
def _font(size: int) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size * SCALE)
