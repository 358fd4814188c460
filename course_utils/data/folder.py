"""A folder of images as a dataset: ``train/<class>/*.png``, ``test/<class>/*.jpg``, all of one size."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from course_utils.data.dataset import Arrays
from course_utils.data.image_reader import CHANGES, ColourError, ImageReader, wrong
from course_utils.text import name_text

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".gif", ".tif", ".tiff")
UNREADABLE = (".heic", ".heif", ".avif", ".jxl", ".jp2", ".svg", ".psd", ".dng", ".cr2", ".nef", ".arw")
"""Images that Pillow cannot read everywhere, or not at all: left out in silence, they would be missed."""
READING = b"3"
"""Part of each fingerprint: another number when the same files are read or described in another way."""
_LAYOUT = "Expected train/<class>/*.png|jpg and test/<class>/*.png|jpg with the same classes in both."
Listing = dict[str, dict[str, list[os.DirEntry[str]]]]


def listing(folder: Path) -> Listing:
    """Find the images: half → class → files, all in order of their names.

    Hidden files, and files whose names are not those of images, are left out; images of a kind that cannot be
    read are not, because nobody would notice.

    Raises
    ------
    DataError
        If a half is missing, the halves have different classes, a class is empty, an image lies elsewhere, or
        an image is of a kind that cannot be read.
    """
    found: Listing = {}
    for half in ("train", "test"):
        if not (folder / half).is_dir():
            raise wrong(folder, f"It has no folder {half!r}. {_LAYOUT}")
        classes = sorted(entry.name for entry in os.scandir(folder / half) if _is_class(folder, entry))
        found[half] = {name: _images(folder, folder / half / name) for name in classes}
        for name, files in found[half].items():
            if not files:
                raise wrong(
                    folder, f"The class {folder / half / name} has no images ({', '.join(SUFFIXES)})."
                )
    if not found["train"]:
        raise wrong(folder, f"{folder / 'train'} has no classes. {_LAYOUT}")
    different = sorted(set(found["train"]) ^ set(found["test"]))
    if different:
        raise wrong(folder, f"Only one of train and test has the class {different[0]!r}. {_LAYOUT}")
    if len(found["train"]) > 256:
        raise wrong(folder, f"It has {len(found['train'])} classes; at most 256 are supported.")
    return found


def fingerprint(found: Listing) -> str:
    """Short digest of the files' names, sizes and modification times: enough to notice an edited folder."""
    digest = hashlib.sha256(READING)
    for half, classes in found.items():
        for name, files in classes.items():
            for entry in files:
                about = entry.stat()
                line = f"{half}/{name}/{entry.name}\0{about.st_size}\0{about.st_mtime_ns}\0"
                digest.update(os.fsencode(line))
    return digest.hexdigest()[:16]


def decode(folder: Path, found: Listing) -> tuple[Arrays, str]:
    """Decode all images, to one channel if every one is grey, otherwise to RGB.

    Returns
    -------
    arrays : Arrays
        The images and their labels.
    changed : str
        What was done to some of them, for example "16 bits reduced to 8"; empty if nothing was.

    Raises
    ------
    DataError
        If an image cannot be read or differs in size from the first, if there is no memory for all of them,
        or if they are all of one colour; the message names the file.
    """
    from tqdm.auto import tqdm

    count = sum(len(files) for classes in found.values() for files in classes.values())
    with tqdm(total=count, desc=f"Decoding {name_text(folder.name)}", unit=" images", delay=1) as bar:
        try:
            reader = ImageReader(folder, count, channels=1)
            tensors = _decode(reader, found, bar)
        except ColourError:
            bar.reset()
            reader = ImageReader(folder, count, channels=3)
            tensors = _decode(reader, found, bar)
    if 0 < reader.brightest < 4096:
        raise wrong(
            folder,
            f"Its images of 16 bits hold no value above {reader.brightest:,} of 65,535: 8 bits would leave "
            f"{reader.brightest * 255 // 65535 + 1} shades.",
            "Save them as images of 8 bits, then load the folder again.",
        )
    arrays = Arrays.of(tensors, tuple(map(name_text, found["train"])))
    if arrays.std == 0:
        colour = round(255 * arrays.mean)
        raise wrong(folder, f"Every pixel of its training images is {colour}: they cannot be told apart.")
    return arrays, ", ".join(change for change in CHANGES if change in reader.changes)


def _decode(reader: ImageReader, found: Listing, bar: Any) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for half, classes in found.items():
        index = 0
        for label, files in enumerate(classes.values()):
            for entry in files:
                pixels = reader.pixels(entry.path)
                if f"{half}.images" not in tensors:
                    total = sum(map(len, classes.values()))
                    shape = (total, reader.channels, *pixels.shape[:2])
                    tensors[f"{half}.images"] = torch.empty(shape, dtype=torch.uint8)
                    tensors[f"{half}.labels"] = torch.empty(total, dtype=torch.uint8)
                # Through NumPy: for small images the call into torch takes as long as decoding.
                tensors[f"{half}.images"].numpy()[index] = pixels.transpose(2, 0, 1)
                tensors[f"{half}.labels"].numpy()[index] = label
                index += 1
            bar.update(len(files))
    return tensors


def _is_class(folder: Path, entry: os.DirEntry[str]) -> bool:
    if entry.name.startswith("."):
        return False
    if not entry.is_dir() and _is_named_image(entry):
        raise wrong(folder, f"{entry.path} lies in no class. {_LAYOUT}")
    return entry.is_dir()


def _is_named_image(entry: os.DirEntry[str]) -> bool:
    return entry.name.lower().endswith(SUFFIXES)


def _images(folder: Path, place: Path) -> list[os.DirEntry[str]]:
    kept = []
    for entry in os.scandir(place):
        if entry.name.startswith("."):
            continue
        if _is_named_image(entry) and entry.is_file():
            kept.append(entry)
        elif _is_named_image(entry) or entry.is_dir():
            raise wrong(folder, f"{entry.path} is no image file. {_LAYOUT}")
        elif entry.name.lower().endswith(UNREADABLE):
            raise wrong(
                folder,
                f"{entry.path} is an image of a kind that the course cannot read.",
                "Save it as PNG or JPEG, or move it out of the folder; then load the folder again.",
            )
    return sorted(kept, key=lambda entry: entry.name)
