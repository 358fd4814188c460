"""Get hold of a published dataset's files: from the shared folder, from the cache, or from a mirror."""

from __future__ import annotations

from pathlib import Path

from course_utils.data import download
from course_utils.data.catalog import File, Published
from course_utils.data.files import sha256_of
from course_utils.errors import DataError
from course_utils.settings import Settings

ARCHIVES = "archives"
"""The cache's folder of published files as they were downloaded."""


def acquire(dataset: Published, cache: Path, options: Settings) -> tuple[list[Path], str]:
    """Return one verified file per part of `dataset`, downloaded if need be, and where they came from.

    Raises
    ------
    DataError
        If no place has a part; the message names each place and its reason.
    """
    folders = [("shared folder", options.data_shared), ("user cache", cache / ARCHIVES)]
    paths, origins, reasons = [], [], []
    for variants in dataset.parts:
        for label, root in folders:
            path, reason = find(variants, dataset, root) if root else (None, "COURSE_DATA_SHARED is not set")
            if path:
                paths.append(path)
                origins.append(f"{label} {root}")
                break
            reasons.append(f"{label}{f' {root}' if root else ''}: {reason}")
        else:
            try:
                path, address = download.fetch(dataset, variants, cache / ARCHIVES, options)
            except download.OutOfReachError as error:
                raise _out_of_reach(dataset, [*reasons, *error.reasons], options) from error
            paths.append(path)
            origins.append(address)
    return paths, " and ".join(dict.fromkeys(origins))


def find(variants: tuple[File, ...], dataset: Published, root: Path) -> tuple[Path | None, str]:
    """Look for one part in `root`: its path, or None and the reason."""
    reason = f"{variants[0].name} is not there"
    for folder in dataset.folders:
        for file in variants:
            path = root / folder / file.name
            try:
                if path.stat().st_size == file.size and sha256_of(path) == file.sha256:
                    return path, ""
                reason = f"{path} differs from the published file"
            except FileNotFoundError:
                continue
            except OSError as error:
                reason = f"{path} cannot be read ({error.strerror})"
    return None, reason


def _out_of_reach(dataset: Published, reasons: list[str], options: Settings) -> DataError:
    fetch = f"course data fetch {dataset.name}"
    if options.offline:
        step = f"Unset COURSE_OFFLINE and run: {fetch}"
    else:
        step = f"With a network that works, run: {fetch}"
    return DataError(
        f"{dataset.title} is out of reach.",
        why="\n        ".join(dict.fromkeys(reasons)),
        left="Nothing was changed.",
        next_step=f"{step}\n        Or set COURSE_DATA_SHARED to a folder that has the files.",
    )
