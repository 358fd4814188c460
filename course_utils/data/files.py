"""What a file holds, and what the operating system refuses, in plain words."""

from __future__ import annotations

import hashlib
from pathlib import Path

from course_utils.errors import DataError


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
