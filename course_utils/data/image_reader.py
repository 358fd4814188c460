"""The images of a folder, file by file: each becomes 8 bits, grey or RGB, as a viewer shows it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from course_utils.device import main_memory
from course_utils.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "GIF", "TIFF")
"""What files of these names may hold. Pillow knows more formats; some make it start other programs."""
SHARE = 0.25
"""The share of the memory that images may take; decoding, storing and training need some, too."""
DEEP, TURNED, WHITE, FIRST = CHANGES = (
    "16 bits reduced to 8",
    "turned as EXIF says",
    "on white where transparent",
    "the first picture of files with several",
)
GREY = ("1", "L", "LA", "I", "I;16", "I;16L", "I;16B", "I;16N", "F")
"""Pillow's grey modes; a palette may be grey, too."""
ORIENTATION = 0x0112
"""EXIF's tag for how the camera was held."""


class ColourError(Exception):
    """A colour image among grey ones: all of them become RGB."""


class ImageReader:
    """Reads the images of one folder to so many channels, and keeps in mind what that took.

    Attributes
    ----------
    changes : set of str
        Those of `CHANGES` that were made.
    brightest : int
        The greatest value of all images of 16 bits.
    """

    def __init__(self, folder: Path, count: int, channels: int) -> None:
        self.folder, self.count, self.channels = folder, count, channels
        self.first, self.size = "", (0, 0)
        self.changes: set[str] = set()
        self.brightest = 0

    def pixels(self, path: str) -> np.ndarray:
        """Return the image at `path`, height × width × channels."""
        # Not torchvision's decoder: it is faster, but some damaged PNG files make it crash the whole process.
        from PIL import Image, ImageOps

        try:
            with Image.open(path, formats=FORMATS) as image:
                # The header tells size and mode before anything is decoded.
                self._check_area(path, image)
                if self.channels == 1 and not _is_grey(image):
                    raise ColourError
                # In a phone's MPO the others are previews, or what makes the first one brighter.
                if getattr(image, "is_animated", False) and image.format != "MPO":
                    self.changes.add(FIRST)
                # A JPEG's `info` tells whether there is any EXIF; most small images have none.
                has_exif = image.format != "JPEG" or image.info.keys() & {"exif", "xmp"}
                # Pillow itself keeps the upper 8 of 16 bits in colour; its rawmode is like "RGB;16B".
                if image.mode not in GREY and any(";16" in str(tile[3]) for tile in image.tile):
                    self.changes.add(DEEP)
                if has_exif and image.getexif().get(ORIENTATION) in range(2, 9):
                    self.changes.add(TURNED)
                    ImageOps.exif_transpose(image, in_place=True)
                plain = self._on_white(self._of_8_bits(image))
                mode = "L" if self.channels == 1 else "RGB"
                pixels = np.asarray(plain if plain.mode == mode else plain.convert(mode))
        except (ColourError, DataError):
            raise
        except Exception as error:  # Pillow's decoders raise far more kinds than is documented.
            raise wrong(self.folder, f"{path} cannot be read as an image ({error}).") from error
        height, width = pixels.shape[:2]
        if not self.first:
            self.first, self.size = path, (width, height)
        if (width, height) != self.size:
            raise self._differs(path, width, height)
        return pixels.reshape(height, width, self.channels)

    def _check_area(self, path: str, image: Image) -> None:
        width, height = image.size
        if self.first:
            if width * height != self.size[0] * self.size[1]:
                raise self._differs(path, width, height)
            return
        channels = 1 if image.mode in GREY else 3
        needed, memory = self.count * width * height * max(channels, self.channels), main_memory()
        if memory and needed > SHARE * memory:
            raise wrong(
                self.folder,
                f"{self.count:,} images of {width}×{height} take {needed / 1e9:,.1f} GB of memory; this "
                f"computer has {memory / 1e9:,.1f} GB, and at most a quarter of it is for images.",
                "Make the images smaller (the networks of this course take 28×28 or 32×32), or load fewer.",
            )

    def _differs(self, path: str, width: int, height: int) -> DataError:
        return wrong(
            self.folder,
            f"{path} is {width}×{height}, but {self.first} is {self.size[0]}×{self.size[1]}. "
            "All images must have the same size.",
        )

    def _of_8_bits(self, image: Image) -> Image:
        from PIL.Image import fromarray

        # Pillow before version 10 reads a PNG of 16 bits as one of 32.
        if image.mode.startswith("I;16") or (image.mode, image.format) == ("I", "PNG"):
            if "transparency" in image.info:
                raise ValueError("16 bits with a transparent colour")
            values = np.asarray(image).astype(np.uint32)
            self.brightest = max(self.brightest, int(values.max()))
            self.changes.add(DEEP)
            return fromarray(((values * 255 + 32767) // 65535).astype(np.uint8))
        if image.mode in ("I", "F"):
            raise ValueError("its pixels are numbers of 32 bits; only 8 and 16 have a known white")
        return image

    def _on_white(self, image: Image) -> Image:
        from PIL.Image import alpha_composite, new

        if not image.has_transparency_data:
            return image
        layer = image.convert("RGBA")
        if layer.getchannel("A").getextrema()[0] == 255:
            return layer
        self.changes.add(WHITE)
        return alpha_composite(new("RGBA", layer.size, "white"), layer)


def _is_grey(image: Image) -> bool:
    if image.mode == "P":
        levels = image.getpalette() or []
        return levels[0::3] == levels[1::3] == levels[2::3]
    return image.mode in GREY


def wrong(folder: Path, why: str, next_step: str = "") -> DataError:
    """Say what is wrong with `folder`."""
    return DataError(
        f"The folder {folder} cannot be loaded as a dataset.",
        why=why,
        left="The folder was only read.",
        next_step=next_step or "Fix or remove what is named above, then load the folder again.",
    )
