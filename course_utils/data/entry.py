"""The cache of decoded datasets: one file for each, which loads without decoding.

The cache may vanish, be read-only, or be shared by many processes and versions of the package.

The layout is safetensors' (github.com/huggingface/safetensors, "Format"): eight bytes with the header's
length, a JSON header, the tensors one after the other. Any tool that reads safetensors reads these files.

Two checks keep a damaged file out of a class. Every load compares the header's own checksum and a sum over
all bytes of the tensors, which reveals any single changed bit, a missing page or a cut file, and costs about
as much as looking at the images once. ``course data verify`` compares the SHA-256 in the header.

What is loaded is a copy in memory, not a map of the file: a map shows what others write into the file later,
and kills the process where they cut it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import warnings
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from course_utils.data.catalog import Published
from course_utils.data.dataset import NAMES, Arrays, checksum
from course_utils.errors import DataError
from course_utils.files import named, open_regular, published, tidy
from course_utils.text import without_secrets

FOLDER = "decoded"
FORMAT = 1
"""Part of each entry's file name: versions of the package leave each other's formats alone."""
LONGEST = 64
"""The most bytes of a dataset's name in a file name."""
HEADER_CAP = 16 << 20
"""The most bytes of a header; 256 classes with the longest names take half a megabyte."""
_ALIGNMENT = 64
_UNSIGNED = "0" * 64


class DamagedError(ValueError):
    """The file is not a whole entry; the message says why."""


def path_of(root: Path, name: str, key: str) -> Path:
    """Return where the decoded copy of `name` belongs; `key` tells it from others of that name.

    A file name has at most 255 bytes, a whole path on Windows at most 260 characters, so a long name is cut.
    """
    short = hashlib.sha256(os.fsencode(key)).hexdigest()[:12]
    cut = os.fsencode(name)[:LONGEST].decode(errors="ignore")
    return root / FOLDER / f"{cut}-v{FORMAT}-{short}.safetensors"


def path_of_published(root: Path, dataset: Published) -> Path:
    """Return where the decoded copy of a published dataset belongs."""
    return path_of(root, dataset.name, dataset.content)


def entries(root: Path) -> list[Path]:
    """Return the entries below `root` that this version of the package reads."""
    return named(root / FOLDER, "", f"*-v{FORMAT}-*.safetensors")


def load(path: Path, content: str) -> tuple[Arrays, str] | None:
    """Load the entry at `path`; returns its arrays and where they were read from.

    Returns None if the entry is missing, damaged or of other content, so that the caller makes a new one.
    """
    try:
        arrays, origin, found = read(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except DamagedError as error:
        warnings.warn(f"A cached dataset cannot be used and will be rebuilt: {error}", stacklevel=2)
        return None
    except OSError as error:
        warnings.warn(f"The cache cannot be read: {error.strerror} ({path}).", stacklevel=2)
        return None
    return (arrays, origin) if found == content else None


def save(path: Path, arrays: Arrays, origin: str, content: str) -> None:
    """Store `arrays` at `path`. If they cannot be stored, a warning says so: only time is lost."""
    try:
        with published(path) as file:
            write(file, arrays, origin, content)
        tidy(path.parent, path.name, ".*.new")
    except OSError as error:
        with contextlib.suppress(OSError, DamagedError):
            # Windows does not replace a file that is open; if it has the same content, it will do.
            if read(path)[2] == content:
                return
        size = sum(tensor.numel() for tensor in arrays.tensors.values())
        refusal = DataError.from_disk(error, path, "The decoded images cannot be cached", size)
        warnings.warn(f"{refusal.what} {refusal.why} The next load will take longer.", stacklevel=2)


def write(file: IO[bytes], arrays: Arrays, origin: str, content: str) -> None:
    """Write `arrays` to `file`, with a line about their origin and what identifies their content."""
    header: dict[str, Any] = {}
    offset = 0
    for name in NAMES:
        tensor = arrays.tensors[name]
        end = offset + tensor.numel()
        header[name] = {"dtype": "U8", "shape": list(tensor.shape), "data_offsets": [offset, end]}
        offset = end
    header["__metadata__"] = {
        "format": f"convnet-labs {FORMAT}",
        "classes": json.dumps(arrays.classes),
        "mean": repr(arrays.mean),
        "std": repr(arrays.std),
        "origin": origin,
        "content": content,
        "sha256": arrays.sha256,
        "sum": str(_total(arrays.tensors)),
        "header_sha256": _UNSIGNED,
    }
    text = json.dumps(header)
    text += " " * (-(8 + len(text)) % _ALIGNMENT)
    signed = text.replace(_UNSIGNED, hashlib.sha256(text.encode()).hexdigest())
    file.write(len(signed).to_bytes(8, "little") + signed.encode())
    for name in NAMES:
        file.write(arrays.tensors[name].contiguous().numpy().data)


def read(path: Path) -> tuple[Arrays, str, str]:
    """Read the entry at `path` into memory.

    Returns
    -------
    arrays : Arrays
        Its tensors share one block of memory; nobody else writes to it.
    origin, content : str
        What `write` was given.

    Raises
    ------
    DamagedError
        If the file is not a whole, unchanged entry.
    OSError
        If it cannot be read.
    """
    if path.exists() and not path.is_file():
        raise DamagedError(f"{path.name} is not a file.")
    with open_regular(path) as file:
        # Only this open file counts from here on: another process may replace the entry at any moment.
        size = os.fstat(file.fileno()).st_size
        if not size:
            raise DamagedError(f"{path.name} is empty.")
        length = int.from_bytes(file.read(8), "little")
        header = _header(path, file.read(length) if length <= min(size, HEADER_CAP) else b"")
        try:
            total = header[NAMES[-1]]["data_offsets"][1]
            if size != 8 + length + total:
                raise DamagedError(f"{path.name} has {size:,} bytes, but its header says otherwise.")
            whole = torch.empty(total, dtype=torch.uint8)
            # What is checked below is this copy, whatever happens to the file meanwhile.
            if file.readinto(whole.numpy().data) != total:
                raise DamagedError(f"{path.name} was cut while it was read.")
            return _arrays(path, header, whole)
        except DamagedError:
            raise
        except (KeyError, TypeError, ValueError, RuntimeError, IndexError) as error:
            raise DamagedError(f"{path.name} has a header that describes no dataset ({error}).") from None


def _arrays(path: Path, header: dict[str, Any], whole: Tensor) -> tuple[Arrays, str, str]:
    tensors = {}
    for name in NAMES:
        first, last = header[name]["data_offsets"]
        tensors[name] = whole[first:last].view(header[name]["shape"])
    about = header["__metadata__"]
    if _total(tensors) != int(about["sum"]):
        raise DamagedError(f"{path.name} has changed since it was written.")
    classes = tuple(json.loads(about["classes"]))
    arrays = Arrays(tensors, classes, float(about["mean"]), float(about["std"]), about["sha256"])
    # Versions before this one stored passwords.
    return arrays, without_secrets(about["origin"]), about["content"]


def verify(path: Path) -> None:
    """Compare every byte of the entry at `path` with its SHA-256.

    Raises
    ------
    DamagedError
        If they differ.
    OSError
        If it cannot be read.
    """
    arrays, _, _ = read(path)
    found = checksum(arrays.tensors)
    if found != arrays.sha256:
        raise DamagedError(f"{path.name} has SHA-256 {found[:12]}…, its header says {arrays.sha256[:12]}….")


def _header(path: Path, text: bytes) -> dict[str, Any]:
    try:
        header: dict[str, Any] = json.loads(text.decode())
        signature = header["__metadata__"]["header_sha256"]
        unsigned = text.replace(signature.encode(), _UNSIGNED.encode())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise DamagedError(f"{path.name} has no readable header.") from None
    if hashlib.sha256(unsigned).hexdigest() != signature:
        raise DamagedError(f"{path.name} has an altered header.")
    return header


def _total(tensors: dict[str, Tensor]) -> int:
    return sum(_sum(tensors[name]) for name in NAMES) % (1 << 64)


def _sum(tensor: Tensor) -> int:
    """Sum of the bytes, eight at a time as one integer, modulo 2**64: a few gigabytes a second."""
    flat = tensor.contiguous().view(-1)
    whole = flat[: len(flat) // 8 * 8]
    if whole.storage_offset() % 8:
        whole = whole.clone()
    return (int(whole.view(torch.int64).sum()) + int(flat[len(whole) :].sum())) % (1 << 64)
