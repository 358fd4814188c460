"""The still pictures of live figures: numbers in cells, painted in a few milliseconds."""

from __future__ import annotations

import io
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from course_utils.text import number_text

SCALE = 2
"""Pixels of the picture per pixel on the screen."""

_WHITE, _INK, _RULE, _TINT, _ORANGE = "#ffffff", "#1f2328", "#9a9a9a", "#cfe3f1", "#b34700"
_PALETTE = (_WHITE, _INK, _RULE, _TINT, _ORANGE, "#0072b2")
"""All colours of a picture: reducing a picture to few colours would take most of the time."""

_COLOURS = 48
"""The colours of one image."""


class Still:
    """White paper to draw on; all places and sizes are in pixels on the screen.

    Parameters
    ----------
    width, height : int
    """

    def __init__(self, width: int, height: int) -> None:
        from PIL import Image, ImageColor, ImageDraw

        self._image = Image.new("P", (width * SCALE, height * SCALE), _index(_WHITE))
        self._palette = [level for colour in _PALETTE for level in ImageColor.getrgb(colour)]
        self._pen = ImageDraw.Draw(self._image)

    def text(self, x: float, y: float, text: str, *, size: int = 11, centred: bool = False) -> None:
        """Write one line; `x`, `y` is its top left corner, or its middle."""
        mask = _written(text, size)
        across, down = (mask.width / 2, mask.height / 2) if centred else (0, 0)
        self._pen.bitmap((round(x * SCALE - across), round(y * SCALE - down)), mask, _index(_INK))

    def box(self, x: float, y: float, width: float, height: float, line: str = _RULE, fill: str = "") -> None:
        """Draw a rectangle in colours of the palette; any other `line` than the default is thick."""
        corners = [each * SCALE for each in (x, y, x + width, y + height)]
        inside = _index(fill) if fill else None
        self._pen.rectangle(corners, inside, _index(line), width=1 if line == _RULE else 3 * SCALE)

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
        """Draw a matrix with its numbers below its name; return the `x` at which the next can start.

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
                self.text(left + size / 2, top + size / 2, number_text(value, 2), size=10, centred=True)
        if at is not None:
            self.box(x + at[1] * size, y + 18 + at[0] * size, size, size, line=_ORANGE)
        return x + max(values.shape[1] * size, len(name) * 6.5) + 24

    def image(self, x: float, y: float, pixels: np.ndarray, size: float) -> None:
        """Draw an image of 8-bit numbers, H×W or H×W×3, with pixels `size` wide."""
        from PIL import Image

        picture = Image.fromarray(np.ascontiguousarray(pixels)).convert("RGB").quantize(_COLOURS)
        first = len(self._palette) // 3
        self._palette += (picture.getpalette() or [])[: _COLOURS * 3]
        shape = (round(pixels.shape[1] * size * SCALE), round(pixels.shape[0] * size * SCALE))
        large = picture.resize(shape, Image.Resampling.NEAREST).point(lambda index: index + first)
        self._image.paste(large, (round(x * SCALE), round(y * SCALE)))

    def png(self) -> bytes:
        """Return the picture as a small PNG."""
        buffer = io.BytesIO()
        self._image.putpalette(self._palette)
        self._image.save(buffer, "PNG", compress_level=9)
        return buffer.getvalue()


def _index(colour: str) -> int:
    return _PALETTE.index(colour.lower())


@lru_cache(maxsize=1000)
def _written(text: str, size: int) -> Any:
    """Return a line of text without grey edges: at twice the screen's resolution it looks smooth."""
    from PIL import Image, ImageDraw

    _, top, right, bottom = _font(size).getbbox(text or " ", anchor="ls")
    mask = Image.new("1", (max(1, round(right)), max(1, round(bottom - top))))
    ImageDraw.Draw(mask).text((0, -top), text, 1, font=_font(size), anchor="ls")
    return mask


@lru_cache
def _font(size: int) -> Any:
    import matplotlib
    from PIL import ImageFont

    # Pillow's own font has no "×".
    file = Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    return ImageFont.truetype(file, size * SCALE)
