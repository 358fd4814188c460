"""The cache of decoded datasets. It may vanish, be read-only, or be shared by many processes and versions."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path

from course_utils.data import entry
from course_utils.data.arrays import Arrays
from course_utils.data.catalog import Published
from course_utils.data.files import disk_error, published

FOLDER = "decoded"


def path_of(root: Path, name: str, content: str) -> Path:
    """Where the decoded copy of `name` lies; `content` identifies what it was decoded from."""
    key = hashlib.sha256(f"{entry.FORMAT}\0{content}".encode()).hexdigest()[:12]
    return root / FOLDER / f"{name}-{key}.safetensors"


def path_of_published(root: Path, dataset: Published) -> Path:
    """Where the decoded copy of a published dataset lies."""
    return path_of(root, dataset.name, " ".join(file.sha256 for file in dataset.files))


def load(path: Path) -> tuple[Arrays, str] | None:
    """Map the entry at `path`; None if it is missing or damaged, so that the caller makes it anew."""
    try:
        return entry.read(path)
    except FileNotFoundError:
        return None
    except (entry.DamagedError, OSError) as error:
        warnings.warn(f"A cached dataset is damaged and will be made again: {error}", stacklevel=2)
        return None


def save(path: Path, arrays: Arrays, origin: str) -> Arrays:
    """Store `arrays` at `path` and map them from there.

    When they cannot be stored, a warning says so and the arrays stay in memory: it costs time, no more.
    """
    try:
        with published(path) as file:
            entry.write(file, arrays, origin)
        return entry.read(path)[0]
    except entry.DamagedError as error:
        warnings.warn(f"The disk did not keep what was written, so nothing was cached: {error}", stacklevel=2)
    except OSError as error:
        size = sum(tensor.numel() for tensor in arrays.tensors.values())
        refusal = disk_error(error, path, "The decoded images cannot be cached", size)
        warnings.warn(f"{refusal.what} {refusal.why} The next load will take longer.", stacklevel=2)
    return arrays
