"""A few hundred images in MNIST's and CIFAR-10's published formats, for tests that must not take long."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterable

import numpy as np

from course_utils.data.catalog import CIFAR10, MNIST, File, Published
from course_utils.data.decode import CIFAR_MEMBERS

TRAIN, TEST = 300, 60
CIFAR_BATCH = 20


def idx(values: np.ndarray) -> bytes:
    shape = b"".join(size.to_bytes(4, "big") for size in values.shape)
    return bytes([0, 0, 8, values.ndim]) + shape + values.tobytes()


def described(name: str, content: bytes) -> File:
    return File(name, len(content), hashlib.sha256(content).hexdigest())


def mnist(*mirrors: str) -> tuple[Published, dict[str, bytes]]:
    """A small MNIST: its catalogue entry, and the content of all files by name."""
    random = np.random.RandomState(5242)
    arrays = [
        random.randint(0, 256, (TRAIN, 28, 28), dtype=np.uint8),
        random.randint(0, 10, TRAIN).astype(np.uint8),
        random.randint(0, 256, (TEST, 28, 28), dtype=np.uint8),
        random.randint(0, 10, TEST).astype(np.uint8),
    ]
    files: dict[str, bytes] = {}
    parts = []
    for (packed, raw), values in zip(MNIST.parts, arrays, strict=True):
        files[raw.name] = idx(values)
        files[packed.name] = gzip.compress(files[raw.name], mtime=0)
        parts.append(tuple(described(name, files[name]) for name in (packed.name, raw.name)))
    return Published("mnist", "MNIST", tuple(parts), mirrors, MNIST.folders, MNIST.classes), files


def cifar_records(batch: int = CIFAR_BATCH) -> list[bytes]:
    """The content of the six members of a small CIFAR-10."""
    random = np.random.RandomState(5242)
    records = random.randint(0, 256, (6, batch, 3073), dtype=np.uint8)
    records[:, :, 0] = random.randint(0, 10, (6, batch))
    return [record.tobytes() for record in records]


def tar(members: Iterable[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def cifar_members() -> list[tuple[tarfile.TarInfo, bytes]]:
    # In the published archive's order, which is not that of the batches, and with its other files.
    named = dict(zip(CIFAR_MEMBERS, cifar_records(), strict=True))
    order = [1, 4, 5, 2, 0, 3]
    first = (tarfile.TarInfo("cifar-10-batches-bin/readme.html"), b"<html></html>")
    return [first, *((tarfile.TarInfo(CIFAR_MEMBERS[i]), named[CIFAR_MEMBERS[i]]) for i in order)]


def cifar10(content: bytes, *mirrors: str) -> Published:
    """CIFAR-10's catalogue entry, for the archive `content`."""
    parts = ((described("cifar-10-binary.tar.gz", content),),)
    return Published("cifar10", "CIFAR-10", parts, mirrors, CIFAR10.folders, CIFAR10.classes)
