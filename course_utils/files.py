"""Files that appear whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import fnmatch
import os
import secrets
import stat
import time
import zipfile
from collections.abc import Collection, Iterator, Mapping
from io import BufferedReader, BytesIO
from pathlib import Path
from typing import IO

ABANDONED = 3600.0
"""Seconds after which the writer of a half-written file counts as killed."""
_WINDOWS = os.name == "nt"
_ENTRY_TIME = (2020, 1, 1, 0, 0, 0)
_FILE, _PROGRAM = 0o100644, 0o100755
_PAUSES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4)


@contextlib.contextmanager
def published(path: Path) -> Iterator[IO[bytes]]:
    """Write a file under a private name in the same folder and rename it to `path` at the end.

    Readers see the old file or the new one, never half of it. If the block fails, the private file goes.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    private = private_name(path, "new")
    try:
        with create(private) as file:
            yield file
            settle(file)
        rename(private, path)
    finally:
        private.unlink(missing_ok=True)


def zipped(files: Mapping[str, bytes], *, programs: Collection[str] = (), small: bool = False) -> bytes:
    """Return a zip archive of these files; its bytes depend on nothing else, unless it is to be small.

    Parameters
    ----------
    files : mapping of str to bytes
        By their names in the archive.
    programs : collection of str
        Those of them that can be executed.
    small : bool
        Whether to compress them: the bytes then differ between versions of zlib.

    Examples
    --------
    >>> zipped({"a.txt": b"text"}) == zipped({"a.txt": b"text"})
    True
    """
    stream = BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED if small else zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, _ENTRY_TIME)
            entry.create_system, entry.compress_type = 3, archive.compression
            entry.external_attr = (_PROGRAM if name in programs else _FILE) << 16
            archive.writestr(entry, content)
    return stream.getvalue()


def rename(private: Path, path: Path) -> None:
    """Rename `private` to `path`, replacing any file of that name.

    Windows refuses this while the other file is open. A virus scanner or a reader holds it only briefly, so
    there the rename is retried for about a second.

    Raises
    ------
    OSError
        If the system refuses; `private` is then still there.
    """
    for pause in (*_PAUSES, None):
        try:
            os.replace(private, path)
            break
        except PermissionError:
            if not _WINDOWS or pause is None:
                raise
            time.sleep(pause)
    _settle_folder(path.parent)


def private_name(path: Path, suffix: str) -> Path:
    """Return a name beside `path` that no other process uses."""
    return path.with_name(f"{path.name}.{os.getpid()}-{secrets.token_hex(4)}.{suffix}")


def create(path: Path) -> IO[bytes]:
    """Open a new file for writing and reading, with the permissions that the user's umask gives."""
    return os.fdopen(
        os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666), "w+b"
    )


def check_place(path: Path) -> None:
    """Make sure that a file can be written beside `path`, by making one and removing it.

    Raises
    ------
    OSError
        If the system refuses.
    """
    private = private_name(path, "new")
    create(private).close()
    private.unlink(missing_ok=True)


def open_regular(path: Path, *, follow: bool = True) -> BufferedReader:
    """Open a file for reading, and nothing else: a pipe would wait for a writer, and a device may never end.

    Parameters
    ----------
    path : Path
    follow : bool
        Whether `path` may be a link to the file, where the system can tell.

    Raises
    ------
    OSError
        If the system refuses, or if `path` is not a regular file.
    """
    flags = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)
    handle = os.open(path, flags if follow else flags | getattr(os, "O_NOFOLLOW", 0))
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.EINVAL, "Not a regular file", str(path))
    return os.fdopen(handle, "rb")


def named(folder: Path, start: str, pattern: str) -> list[Path]:
    """Return what lies in `folder` under names of `start` and a pattern for the rest, in order.

    Unlike ``Path.glob`` it takes every character of `start` as it is; what cannot be read holds nothing.
    """
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return sorted(
        folder / name
        for name in names
        if name.startswith(start) and fnmatch.fnmatchcase(name[len(start) :], pattern)
    )


def tidy(folder: Path, start: str, pattern: str) -> None:
    """Remove the private files that killed processes left in `folder`, found as `named` finds them.

    Their age tells, not whether the process lives: it may be another machine's, which shares the folder.
    """
    for leftover in named(folder, start, pattern):
        with contextlib.suppress(OSError):
            if time.time() - leftover.stat().st_mtime > ABANDONED:
                leftover.unlink()


def settle(file: IO[bytes]) -> None:
    """Make sure that the file's bytes are on the disk before its name is."""
    file.flush()
    os.fsync(file.fileno())


def _settle_folder(folder: Path) -> None:
    """Make sure that a rename in `folder` survives a power cut, where the system can promise that."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
