"""The cache of decoded datasets. It may vanish, be read-only, or be shared by many processes and versions."""

from __future__ import annotations

import contextlib
import hashlib
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

from course_utils.data import entry
from course_utils.data.arrays import Arrays
from course_utils.data.catalog import Published
from course_utils.data.files import disk_error
from course_utils.files import published

FOLDER = "decoded"
LONGEST = 64
"""Characters of a name that stand in a file name."""
ABANDONED = 3600.0
"""Seconds after which a half-written entry belongs to a process that was killed."""


def path_of(root: Path, name: str, key: str) -> Path:
    """Where the decoded copy of `name` lies; `key` tells it from others of that name.

    File names have 255 characters at most, whole paths on Windows 260, so that a long name is cut.
    """
    short = hashlib.sha256(key.encode()).hexdigest()[:12]
    return root / FOLDER / f"{name[:LONGEST]}-v{entry.FORMAT}-{short}.safetensors"


def path_of_published(root: Path, dataset: Published) -> Path:
    """Where the decoded copy of a published dataset lies."""
    return path_of(root, dataset.name, content_of(dataset))


def content_of(dataset: Published) -> str:
    """What identifies a published dataset's images: its archives' checksums."""
    return " ".join(file.sha256 for file in dataset.files)


def entries(root: Path) -> Iterator[Path]:
    """The entries below `root` that this version of the package reads."""
    yield from sorted((root / FOLDER).glob(f"*-v{entry.FORMAT}-*.safetensors"))


def load(path: Path, content: str) -> tuple[Arrays, str] | None:
    """Map the entry at `path`, and say where it was read from.

    Returns None if the entry is missing, damaged or of another content, so that the caller makes it anew.
    """
    try:
        arrays, origin, found = entry.read(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (entry.DamagedError, OSError) as error:
        warnings.warn(f"A cached dataset cannot be used and is made again: {error}", stacklevel=2)
        return None
    return (arrays, origin) if found == content else None


def save(path: Path, arrays: Arrays, origin: str, content: str) -> Arrays:
    """Store `arrays` at `path` and map them from there.

    When they cannot be stored, a warning says so and the arrays stay in memory: it costs time, no more.
    """
    try:
        with published(path) as file:
            entry.write(file, arrays, origin, content)
        _tidy(path)
        return entry.read(path)[0]
    except entry.DamagedError as error:
        warnings.warn(f"The disk did not keep what was written, so nothing was cached: {error}", stacklevel=2)
    except OSError as error:
        with contextlib.suppress(OSError, entry.DamagedError):
            # Windows keeps a file that somebody has mapped; if it has the same content, it serves as well.
            there, _, found = entry.read(path)
            if found == content:
                return there
        size = sum(tensor.numel() for tensor in arrays.tensors.values())
        refusal = disk_error(error, path, "The decoded images cannot be cached", size)
        warnings.warn(f"{refusal.what} {refusal.why} The next load will take longer.", stacklevel=2)
    return arrays


def _tidy(path: Path) -> None:
    """Remove what killed processes left beside `path`."""
    for leftover in path.parent.glob(f"{path.name}.*.new"):
        with contextlib.suppress(OSError):
            if time.time() - leftover.stat().st_mtime > ABANDONED:
                leftover.unlink()
