"""Images as students' folders have them: every mode, depth, rotation and damage that a file can bring."""

from __future__ import annotations

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 8


def _saved(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png_of(width: int, height: int, *, depth: int = 8, colour: int = 0, data: bytes = b"") -> bytes:
    """A PNG with any header at all; ``data`` is what its pixels are said to be."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(data))
        + _chunk(b"IEND", b"")
    )


def ramp(side: int = SIDE) -> np.ndarray:
    """Grey values from 0 to 255, one for each pixel, row by row."""
    return np.linspace(0, 255, side * side).round().astype(np.uint8).reshape(side, side)


def ramp16(side: int = SIDE) -> np.ndarray:
    """The same, from 0 to 65535."""
    return np.linspace(0, 65535, side * side).round().astype(np.uint16).reshape(side, side)


def corner(side: int = SIDE) -> np.ndarray:
    """Black; the upper left quarter is red, so that every turn shows."""
    pixels = np.zeros((side, side, 3), np.uint8)
    pixels[: side // 2, : side // 2, 0] = 255
    return pixels


def oriented(orientation: int, format: str = "PNG", side: int = SIDE) -> bytes:
    """``corner`` as a camera stores it; viewers that follow EXIF show the red quarter in the upper left."""
    upright = Image.fromarray(corner(side))
    # What the camera did to the upright picture; the tag tells the viewer to undo it.
    stored = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    return _saved(upright if stored is None else upright.transpose(stored), format, exif=exif, quality=100)


def _frames(format: str, **options: object) -> bytes:
    frames = [Image.fromarray(np.full((SIDE, SIDE, 3), shade, np.uint8)) for shade in (0, 128, 255)]
    return _saved(frames[0], format, save_all=True, append_images=frames[1:], **options)


def _transparent_palette() -> bytes:
    image = Image.fromarray(ramp() // 64, mode="P")
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9])
    return _saved(image, transparency=3)


def _half_transparent(mode: str) -> bytes:
    pixels = np.full((SIDE, SIDE, len(mode)), 200, np.uint8)
    pixels[..., -1] = 255
    pixels[:, SIDE // 2 :, -1] = 0
    return _saved(Image.fromarray(pixels, mode=mode))


GREY = Image.fromarray(ramp())
RGB = Image.fromarray(np.stack([ramp(), ramp()[::-1], ramp().T], -1))

#: Files that hold an image, by the name of what is odd about them.
ODD: dict[str, Callable[[], bytes]] = {
    "grey": lambda: _saved(GREY),
    "rgb": lambda: _saved(RGB),
    "grey of 16 bits": lambda: _saved(Image.fromarray(ramp16())),
    "grey of 16 bits, none above 255": lambda: _saved(Image.fromarray(ramp().astype(np.uint16))),
    "rgb of 16 bits": lambda: png_of(
        SIDE,
        SIDE,
        depth=16,
        colour=2,
        data=b"".join(b"\0" + np.repeat(row, 3).astype(">u2").tobytes() for row in ramp16()),
    ),
    "grey of 16 bits, tiff": lambda: _saved(Image.fromarray(ramp16()), "TIFF"),
    "grey of 16 bits, pgm": lambda: b"P5 8 8 65535\n" + ramp16().astype(">u2").tobytes(),
    "grey of 12 bits, pgm": lambda: b"P5 8 8 4095\n" + (ramp16() // 16).astype(">u2").tobytes(),
    "32 bits": lambda: _saved(Image.fromarray(ramp16().astype(np.int32) * 1000, mode="I"), "TIFF"),
    "float": lambda: _saved(Image.fromarray(ramp().astype(np.float32) / 255), "TIFF"),
    "float with nan": lambda: _saved(Image.fromarray(np.full((SIDE, SIDE), np.nan, np.float32)), "TIFF"),
    "1 bit": lambda: _saved(GREY.convert("1")),
    "2 bits": lambda: png_of(SIDE, SIDE, depth=2, data=b"".join(b"\0\x1b\x1b" for _ in range(SIDE))),
    "palette": lambda: _saved(RGB.convert("P")),
    "palette of greys": lambda: _saved(GREY.convert("P")),
    "palette with transparency": _transparent_palette,
    "transparent": lambda: _half_transparent("RGBA"),
    "transparent grey": lambda: _half_transparent("LA"),
    "alpha that hides nothing": lambda: _saved(RGB.convert("RGBA")),
    "a transparent colour": lambda: _saved(RGB, transparency=(0, 255, 0)),
    "a transparent grey": lambda: _saved(GREY, transparency=0),
    "cmyk": lambda: _saved(RGB.convert("CMYK"), "JPEG", quality=100),
    "lab": lambda: _saved(Image.fromarray(np.full((SIDE, SIDE, 3), 100, np.uint8), mode="LAB"), "TIFF"),
    "ycbcr": lambda: _saved(RGB.convert("YCbCr"), "TIFF"),
    "animated gif": lambda: _frames("GIF"),
    "animated png": lambda: _frames("PNG"),
    "animated webp": lambda: _frames("WEBP", lossless=True),
    "tiff of three pages": lambda: _frames("TIFF"),
    "mpo": lambda: _saved(RGB, "MPO", save_all=True, append_images=[GREY.convert("RGB")], quality=100),
    "jpeg": lambda: _saved(RGB, "JPEG", quality=100),
    "grey jpeg": lambda: _saved(GREY, "JPEG", quality=100),
    "bmp": lambda: _saved(RGB, "BMP"),
    "webp": lambda: _saved(RGB, "WEBP", lossless=True),
    "one pixel": lambda: _saved(Image.fromarray(np.zeros((1, 1), np.uint8))),
    "one row": lambda: _saved(Image.fromarray(np.zeros((1, 3000), np.uint8))),
    **{f"turned {n}": lambda n=n: oriented(n) for n in range(1, 9)},
    **{f"turned {n}, jpeg": lambda n=n: oriented(n, "JPEG") for n in range(2, 9)},
    "orientation 0": lambda: _with_orientation(0),
    "orientation 9": lambda: _with_orientation(9),
    "orientation 65535": lambda: _with_orientation(65535),
}


def _with_orientation(value: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = value
    return _saved(RGB, exif=exif)


def _text_bomb() -> bytes:
    whole = _saved(GREY)
    return whole[:-12] + _chunk(b"zTXt", b"a\0\0" + zlib.compress(b"a" * 100_000_000)) + whole[-12:]


def _on_white(pixels: np.ndarray, opaque: np.ndarray) -> np.ndarray:
    return np.where(opaque[..., None], pixels, 255).astype(np.uint8)


def _palette_on_white() -> np.ndarray:
    index = ramp() // 64
    return _on_white(np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]])[index], index != 3)


_GREY3 = np.stack([ramp()] * 3, -1)
_LEFT = np.broadcast_to(np.arange(SIDE) < SIDE // 2, (SIDE, SIDE))

#: What a viewer shows of some of them on a white page, height × width × 3, and how far off a value may be.
SHOWN: dict[str, tuple[np.ndarray, int]] = {
    **dict.fromkeys(("grey", "grey of 16 bits", "grey of 16 bits, tiff", "palette of greys"), (_GREY3, 0)),
    **dict.fromkeys(("rgb", "bmp", "webp", "alpha that hides nothing"), (np.asarray(RGB), 0)),
    **dict.fromkeys(("orientation 0", "orientation 9", "orientation 65535"), (np.asarray(RGB), 0)),
    **{f"turned {n}": (corner(), 0) for n in range(1, 9)},
    "rgb of 16 bits": (_GREY3, 1),
    "2 bits": (np.broadcast_to(np.array([0, 85, 170, 255] * 2)[:, None], (SIDE, SIDE, 3)), 0),
    "palette with transparency": (_palette_on_white(), 0),
    "transparent": (_on_white(np.full((SIDE, SIDE, 3), 200), _LEFT), 0),
    "transparent grey": (_on_white(np.full((SIDE, SIDE, 3), 200), _LEFT), 0),
    "a transparent grey": (_on_white(_GREY3, ramp() != 0), 0),
    "a transparent colour": (np.asarray(RGB), 0),
    "grey jpeg": (_GREY3, 8),
}

#: Files that hold no image, or none that anybody wants to read.
DAMAGED: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "one byte": lambda: b"\x89",
    "zeros": lambda: bytes(4096),
    "text": lambda: b"not an image\n",
    "html": lambda: b"<!doctype html><title>404</title>",
    "git lfs pointer": lambda: b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n",
    "truncated png": lambda: _saved(RGB)[:-40],
    "png cut after its header": lambda: _saved(RGB)[:33],
    "truncated jpeg": lambda: _saved(RGB, "JPEG", quality=100)[:-40],
    "truncated gif": lambda: _frames("GIF")[:-300],
    "flipped bytes": lambda: _saved(RGB)[:60] + b"\xff\xff\xff" + _saved(RGB)[63:],
    "bomb of 50,000 by 50,000": lambda: png_of(50_000, 50_000, depth=1),
    "bomb of 10,000 by 10,000": lambda: png_of(10_000, 10_000, depth=1),
    "bomb of text": _text_bomb,
    "no pixels": lambda: png_of(0, 0),
    "no height": lambda: png_of(8, 0),
    "sixteen times too little data": lambda: png_of(8, 8, data=b"\0\1"),
    "postscript": lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n",
    "postscript that writes a file": lambda: (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n(/tmp/written) (w) file\n"
    ),
    "svg": lambda: b'<svg xmlns="http://www.w3.org/2000/svg" width="8" height="8"/>',
    "heic": lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64),
    "apple double": lambda: b"\0\5\x16\7\0\2\0\0Mac OS X        " + bytes(40),
    "zip": lambda: b"PK\3\4" + bytes(40),
    "pickle": lambda: b"\x80\x04\x95" + bytes(20),
    "exif of nonsense": lambda: b"\xff\xd8\xff\xe1\x00\x10Exif\0\0MM\0*\xff\xff\xff\xff" + b"\xff\xd9",
}


def write(folder: Path, **files: bytes) -> Path:
    """Write ``files`` into ``folder``, made if need be; each keyword is a name without its ending."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / f"{name}.png").write_bytes(data)
    return folder


def folder_of(path: Path, *images: bytes, other: str = "grey") -> Path:
    """Two classes; the odd images are the first ones of the first, and all others are `other`."""
    plain = ODD[other]()
    for half, name in (("train", "b"), ("test", "a"), ("test", "b")):
        write(path / half / name, x=plain)
    write(path / "train" / "a", x=plain)
    for index, data in enumerate(images):
        (path / "train" / "a" / f"{index}.png").write_bytes(data)
    return path


#: Things in a folder that are no files to read: each makes one at a path.
THINGS: dict[str, Callable[[Path], None]] = {
    "a pipe": lambda path: os.mkfifo(path),
    "a folder": lambda path: path.mkdir(),
    "a link to nothing": lambda path: path.symlink_to("nothing"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a link to zeros without end": lambda path: path.symlink_to("/dev/zero"),
    "a link to a terminal": lambda path: path.symlink_to("/dev/tty"),
    "a link to its folder": lambda path: path.symlink_to("."),
}
