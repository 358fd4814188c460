"""Get a published dataset's files from the shared folder, the cache or a mirror."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from course_utils.data.catalog import File, Published
from course_utils.data.download import Downloader, OutOfReachError
from course_utils.errors import DataError
from course_utils.settings import Settings

ARCHIVES = "archives"
"""The cache's folder of published files, as downloaded."""
STUCK = 20.0
"""Seconds within which the lock's holder must write something; after that it counts as stuck."""


def acquire(dataset: Published, cache: Path, options: Settings) -> tuple[list[Path], str]:
    """Return one verified file per part of `dataset`, downloaded if necessary, and where they came from.

    Raises
    ------
    DataError
        If a part is nowhere to be found; the message names each place and the reason.
    """
    downloader = Downloader(dataset, cache / ARCHIVES, options)
    found = []
    for variants in dataset.parts:
        path, origin, reasons = locate(variants, dataset, cache, options)
        if path is None:
            try:
                path, origin = downloader.fetch(variants)
            except OutOfReachError as error:
                raise _out_of_reach(dataset, [*reasons, *error.reasons], error.kept, options) from error
        found.append((path, origin))
    return [path for path, _ in found], " and ".join(dict.fromkeys(origin for _, origin in found))


def locate(
    variants: tuple[File, ...], dataset: Published, cache: Path, options: Settings
) -> tuple[Path | None, str, list[str]]:
    """Look for one part on this machine; returns its path, the place, and why the places before lack it."""
    reasons = []
    for label, root in (("shared folder", options.data_shared), ("user cache", cache / ARCHIVES)):
        if root is None:
            reasons.append(f"{label}: COURSE_DATA_SHARED is not set")
            continue
        path, reason = find(variants, dataset, root)
        if path:
            return path, label, reasons
        reasons.append(f"{label} {root}: {reason}")
    return None, "", reasons


def find(variants: tuple[File, ...], dataset: Published, root: Path) -> tuple[Path | None, str]:
    """Look for one part in `root`; returns its path, or None and the reason."""
    reason = f"{variants[0].name} is not there" if root.is_dir() else "there is no such folder"
    for folder in dataset.folders:
        for file in variants:
            path = root / folder / file.name
            try:
                if path.stat().st_size == file.size and file.matches(path):
                    return path, ""
                reason = f"{path} differs from the published file"
            except FileNotFoundError:
                continue
            except OSError as error:
                reason = f"{path} cannot be read ({error.strerror})"
    return None, reason


def _out_of_reach(dataset: Published, reasons: list[str], kept: int, options: Settings) -> DataError:
    fetch = f"course data fetch {dataset.name}"
    substitute = "digits" if dataset.name == "mnist" else "shapes"
    if options.offline:
        step = f"Unset COURSE_OFFLINE and run: {fetch}"
    else:
        step = f"With a working network, run: {fetch}"
    return DataError(
        f"{dataset.title} is out of reach.",
        why="\n        ".join(dict.fromkeys(reasons)),
        left=f"{kept / 1e6:,.1f} MB downloaded so far; the next run continues from there."
        if kept
        else "Nothing was changed.",
        next_step=f"{step}\n        Or set COURSE_DATA_SHARED to a folder that has the files."
        f"\n        Or continue with embedded images: load_dataset({dataset.name!r}, offline={substitute!r})",
    )


@contextlib.contextmanager
def alone(path: Path, watched: Path) -> Iterator[None]:
    """Wait until no other process is fetching the same dataset, where that can be known.

    This only saves bandwidth: every file is written under a private name and renamed.

    Parameters
    ----------
    path : Path
        The lock file.
    watched : Path
        The folder that the holder fills. When nothing grows there for `STUCK` seconds, the wait ends: a
        lock that a dead machine left on a network drive must not stop a class.
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
                lock.acquire(timeout=STUCK if said else min(1.0, STUCK))
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
