"""A lock that saves bandwidth. Nothing is wrong without it: every file is written privately and renamed."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

PATIENCE = 20.0
"""Seconds in which the lock's holder must have written something; after that it counts as stuck."""


@contextlib.contextmanager
def alone(path: Path, watched: Path) -> Iterator[None]:
    """Wait until no other process works on the same dataset, if that can be known.

    Parameters
    ----------
    path : Path
        The lock file.
    watched : Path
        The folder that the holder fills. When nothing grows there for `PATIENCE` seconds, the wait ends: a
        lock that a dead machine left on a network drive must not stop a lesson.
    """
    try:
        from filelock import FileLock, Timeout
    except ImportError:
        yield
        return
    lock = FileLock(path)
    said = False
    grown = -1
    with contextlib.suppress(OSError, NotImplementedError):
        path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            try:
                lock.acquire(timeout=PATIENCE if said else min(1.0, PATIENCE))
                break
            except Timeout:
                if not said:
                    print("Another process is fetching the same dataset; waiting for it.", file=sys.stderr)
                    said = True
                    continue
                now = _bytes_in(watched)
                if now == grown:
                    break
                grown = now
    try:
        yield
    finally:
        lock.release()


def _bytes_in(folder: Path) -> int:
    total = 0
    with contextlib.suppress(OSError):
        for path in folder.rglob("*"):
            with contextlib.suppress(OSError):
                total += path.stat().st_size
    return total
