"""From published archives to tensors: IDX and CIFAR's binary format. Nothing is unpickled or unpacked."""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from course_utils.data.catalog import Published
from course_utils.data.dataset import NAMES, Arrays

CIFAR_RECORD = 1 + 3 * 32 * 32
"""Bytes of one CIFAR image: its label, then its three channels."""
CIFAR_BATCH = 10_000
"""Images in one member of the archive."""
CIFAR_CAP = IDX_CAP = 256 << 20
"""The most bytes to unpack: CIFAR-10's archive holds 184 MB, MNIST's largest file 47 MB."""
CIFAR_MEMBERS = tuple(
    f"cifar-10-batches-bin/{name}.bin" for name in (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")
)


class DecodeError(ValueError):
    """The bytes are not what the format promises."""


def decode(dataset: Published, paths: list[Path]) -> Arrays:
    """Read the published files of `dataset` into arrays.

    Parameters
    ----------
    dataset : Published
        The dataset that the files belong to.
    paths : list of Path
        One file per part, in the catalogue's order.

    Raises
    ------
    DecodeError
        If a file is not in its format.
    OSError
        If a file cannot be read.
    """
    try:
        tensors = _cifar10(paths[0]) if dataset.name == "cifar10" else _mnist(paths)
    except (EOFError, zlib.error, gzip.BadGzipFile, tarfile.TarError) as error:
        raise DecodeError(f"{', '.join(path.name for path in paths)}: {error}") from error
    return Arrays.of(tensors, dataset.classes)


def _mnist(paths: list[Path]) -> dict[str, Tensor]:
    tensors = {}
    for name, path in zip(NAMES, paths, strict=True):
        values = read_idx(path)
        tensors[name] = values[:, None] if name.endswith("images") else values
    for half in ("train", "test"):
        images, labels = tensors[f"{half}.images"], tensors[f"{half}.labels"]
        if len(images) != len(labels):
            raise DecodeError(f"MNIST has {len(images)} {half} images but {len(labels)} labels.")
    return tensors


def read_idx(path: Path) -> Tensor:
    """Read a file in MNIST's IDX format, gzipped or not, as a uint8 tensor.

    Raises
    ------
    DecodeError
        If the file is not IDX of unsigned bytes, is not as long as its header says, or is too large.
    """
    opener: Callable[..., Any] = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rb") as file:
        start = file.read(4)
        if len(start) < 4 or start[:3] != b"\0\0\x08" or not 1 <= start[3] <= 4:
            raise DecodeError(f"{path.name} is not an IDX file of bytes: it starts with {start!r}.")
        shape = [int.from_bytes(file.read(4), "big") for _ in range(start[3])]
        size = int(np.prod(shape, dtype=object))
        if size > IDX_CAP:
            raise DecodeError(f"{path.name} claims {size:,} bytes; at most {IDX_CAP:,} are allowed.")
        values = torch.empty(size, dtype=torch.uint8)
        if _fill(file, values) < size or file.read(1):
            raise DecodeError(f"{path.name} does not hold the {size:,} bytes that its header promises.")
    return values.reshape(shape)


def _cifar10(path: Path) -> dict[str, Tensor]:
    batch, size = CIFAR_BATCH, CIFAR_BATCH * CIFAR_RECORD
    images = torch.empty(6 * batch, 3, 32, 32, dtype=torch.uint8)
    labels = torch.empty(6 * batch, dtype=torch.uint8)
    records = torch.empty(batch, CIFAR_RECORD, dtype=torch.uint8)
    missing = list(CIFAR_MEMBERS)
    with tarfile.open(path, "r:gz") as archive:
        # Members are visited in the archive's own order: looking each up by name would unpack it six times.
        for member in archive:
            if member.offset_data + member.size > CIFAR_CAP:
                raise DecodeError(f"{path.name} unpacks to more than {CIFAR_CAP:,} bytes.")
            if member.name not in missing:
                continue
            if not member.isreg() or member.size != size:
                raise DecodeError(f"{member.name} is not a regular file of {size:,} bytes.")
            content = archive.extractfile(member)
            assert content is not None  # for a regular file it never is
            if _fill(content, records.view(-1)) < size:
                raise DecodeError(f"{member.name} ends too early.")
            first = CIFAR_MEMBERS.index(member.name) * batch
            labels[first : first + batch] = records[:, 0]
            images[first : first + batch] = records[:, 1:].unflatten(1, (3, 32, 32))
            missing.remove(member.name)
    if missing:
        raise DecodeError(f"{path.name} has no {', '.join(missing)}.")
    if int(labels.max()) > 9:
        raise DecodeError(f"CIFAR-10's labels range from 0 to 9, but there is a {int(labels.max())}.")
    train = 5 * batch
    return dict(zip(NAMES, (images[:train], labels[:train], images[train:], labels[train:]), strict=True))


def _fill(file: IO[bytes], values: Tensor) -> int:
    """Read from `file` straight into `values`; returns the number of bytes read."""
    space = values.numpy()
    filled = 0
    while filled < len(space):
        # In pieces: an unpacking file would otherwise hold the whole piece a second time.
        piece = file.read(min(1 << 20, len(space) - filled))
        if not piece:
            break
        space[filled : filled + len(piece)] = np.frombuffer(piece, dtype=np.uint8)
        filled += len(piece)
    return filled
