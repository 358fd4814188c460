"""A folder of images as a dataset: ``train/<class>/*.png``, ``test/<class>/*.jpg``, all of one size."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from course_utils.data.dataset import Arrays
from course_utils.errors import DataError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
_LAYOUT = "Expected train/<class>/*.png|jpg and test/<class>/*.png|jpg with the same classes in both."
Listing = dict[str, dict[str, list[os.DirEntry[str]]]]


def listing(folder: Path) -> Listing:
    """Find the images: half → class → files, all in order of their names.

    Hidden files, and files whose names are not those of images, are left out.

    Raises
    ------
    DataError
        If a half is missing, the halves have different classes, or a class is empty.
    """
    found: Listing = {}
    for half in ("train", "test"):
        if not (folder / half).is_dir():
            raise wrong(folder, f"It has no folder {half!r}. {_LAYOUT}")
        classes = sorted(entry.name for entry in os.scandir(folder / half) if _is_class(entry))
        found[half] = {name: _images(folder / half / name) for name in classes}
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
    digest = hashlib.sha256()
    for half, classes in found.items():
        for name, files in classes.items():
            for entry in files:
                about = entry.stat()
                digest.update(f"{half}/{name}/{entry.name}\0{about.st_size}\0{about.st_mtime_ns}\0".encode())
    return digest.hexdigest()[:16]


def decode(folder: Path, found: Listing) -> Arrays:
    """Decode all images, to one channel if every one is grey, otherwise to RGB.

    Raises
    ------
    DataError
        If an image cannot be read, or differs in size from the first; the message names the file.
    """
    from tqdm.auto import tqdm

    count = sum(len(files) for classes in found.values() for files in classes.values())
    with tqdm(total=count, desc=f"Decoding {folder.name}", unit=" images", delay=1) as bar:
        try:
            tensors = _decode(folder, found, 1, bar)
        except _ColourError:
            bar.reset()
            tensors = _decode(folder, found, 3, bar)
    return Arrays.of(tensors, tuple(found["train"]))


class _ColourError(Exception):
    """A colour image among grey ones: all of them become RGB."""


def _decode(folder: Path, found: Listing, channels: int, bar: object) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    first: str | None = None
    for half, classes in found.items():
        index = 0
        for label, files in enumerate(classes.values()):
            for entry in files:
                pixels = _pixels(folder, entry.path, channels)
                if first is None:
                    first, size = entry.path, pixels.shape[:2]
                if f"{half}.images" not in tensors:
                    total = sum(map(len, classes.values()))
                    tensors[f"{half}.images"] = torch.empty(total, channels, *size, dtype=torch.uint8)
                    tensors[f"{half}.labels"] = torch.empty(total, dtype=torch.uint8)
                if pixels.shape[:2] != size:
                    raise wrong(
                        folder,
                        f"{entry.path} is {pixels.shape[1]}×{pixels.shape[0]}, but {first} is "
                        f"{size[1]}×{size[0]}. All images must have the same size.",
                    )
                # Through NumPy: for small images the call into torch takes as long as decoding.
                tensors[f"{half}.images"].numpy()[index] = pixels.transpose(2, 0, 1)
                tensors[f"{half}.labels"].numpy()[index] = label
                index += 1
            bar.update(len(files))  # type: ignore[attr-defined]
    return tensors


def _pixels(folder: Path, path: str, channels: int) -> np.ndarray:
    # Not torchvision's decoder: it is faster, but some damaged PNG files make it crash the whole process.
    from PIL import Image

    try:
        with Image.open(path) as image:
            if channels == 1 and image.mode not in ("L", "1"):
                raise _ColourError
            mode = "L" if channels == 1 else "RGB"
            pixels = np.asarray(image if image.mode == mode else image.convert(mode))
    except _ColourError:
        raise
    except Exception as error:  # Pillow's decoders raise far more kinds than is documented.
        raise wrong(folder, f"{path} cannot be read as an image ({error}).") from error
    return pixels.reshape(*pixels.shape[:2], channels)


def _is_class(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir() and not entry.name.startswith(".")


def _images(folder: Path) -> list[os.DirEntry[str]]:
    kept = [
        entry
        for entry in os.scandir(folder)
        if entry.name.lower().endswith(SUFFIXES) and not entry.name.startswith(".") and entry.is_file()
    ]
    return sorted(kept, key=lambda entry: entry.name)


def wrong(folder: Path, why: str) -> DataError:
    """Say what is wrong with `folder`."""
    return DataError(
        f"The folder {folder} cannot be loaded as a dataset.",
        why=why,
        left="The folder was only read.",
        next_step="Fix or remove what is named above, then load the folder again.",
    )
