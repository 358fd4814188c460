"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from course_utils.errors import DataError


@contextlib.contextmanager
def published(path: Path) -> Iterator[IO[bytes]]:
    """Write a file under a private name in the same folder and rename it to `path` at the end.

    Readers see the old file or the new one, never a half. When the block fails, the private file is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    private = private_name(path, "new")
    try:
        with create(private) as file:
            yield file
            settle(file)
        os.replace(private, path)
        settle_folder(path.parent)
    finally:
        private.unlink(missing_ok=True)


def private_name(path: Path, suffix: str) -> Path:
    """Return a name beside `path` that no other process uses."""
    return path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}.{suffix}")


def create(path: Path) -> IO[bytes]:
    """Open a new file to write and read; its mode follows the umask, so that other users may read it."""
    return os.fdopen(
        os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666), "w+b"
    )


def settle(file: IO[bytes]) -> None:
    """Make sure that the file's bytes are on the disk before its name is."""
    file.flush()
    os.fsync(file.fileno())


def settle_folder(folder: Path) -> None:
    """Make sure that a rename in `folder` survives a power cut, where the system can promise that."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def sha256_of(path: Path) -> str:
    """SHA-256 of the file at `path`, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def disk_error(error: OSError, path: Path, doing: str, needed: int = 0) -> DataError:
    """Say in plain words what the operating system refused.

    Parameters
    ----------
    error : OSError
        The refusal.
    path : Path
        What it was about.
    doing : str
        What the course was doing, as a sentence without its full stop.
    needed : int
        Bytes that have to fit on the disk, if known.
    """
    import errno

    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        room = f" ({needed / 1e6:,.0f} MB are needed)" if needed else ""
        why, step = (
            f"The disk is full{room}.",
            "Free some space, or set COURSE_DATA_DIR to a folder on another disk.",
        )
    elif error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        why, step = (
            f"No permission: {path} ({error.strerror}).",
            "Set COURSE_DATA_DIR to a folder that you may write to.",
        )
    else:
        why, step = (
            f"{error.strerror or error} ({path}).",
            "Set COURSE_DATA_DIR to another folder, or try again.",
        )
    return DataError(f"{doing}.", why=why, left="Nothing half-written was left.", next_step=step)
