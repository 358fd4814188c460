"""What ``course data`` does: list, fetch, verify, clear and export the datasets on this machine."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from course_utils import settings
from course_utils.data import entry
from course_utils.data.acquire import ARCHIVES, acquire
from course_utils.data.catalog import PUBLISHED, File, Published
from course_utils.data.embedded import EMBEDDED
from course_utils.data.load import check_open, load_published, unknown_dataset
from course_utils.errors import DataError
from course_utils.files import named, published

SHARED, CACHE = "shared folder", "user cache"


@dataclass(frozen=True)
class Item:
    """One file that belongs to a dataset.

    Attributes
    ----------
    dataset : str
        The dataset's name; for a folder's decoded copy, the folder's.
    kind : str
        ``archive`` (as published) or ``decoded`` (ready to load).
    place : str
        ``shared folder`` or ``user cache``.
    path : Path
        The file.
    size : int
        Its length in bytes.
    source : str
        Where its content came from, as far as the file knows.
    verified : datetime or None
        When every byte of it was last compared with its checksum; None if unknown.
    """

    dataset: str
    kind: str
    place: str
    path: Path
    size: int
    source: str
    verified: datetime | None


@dataclass(frozen=True)
class Verification:
    """The result of verifying one file.

    Attributes
    ----------
    item : Item
        The file.
    problem : str
        What is wrong with it; empty if nothing is.
    mended : bool
        Whether it was damaged and has been removed, so that the next load makes a new one.
    """

    item: Item
    problem: str
    mended: bool


def status() -> list[Item]:
    """List every file of every dataset on this machine: the shared folder's first, then the user cache's."""
    options = settings.read()
    items: list[Item] = []
    for place, root in ((SHARED, options.data_shared), (CACHE, options.data_dir)):
        if root is None:
            continue
        archives = root if place == SHARED else root / ARCHIVES
        items += (item for dataset in PUBLISHED.values() for item in _archives(dataset, place, archives))
        items += _decoded(place, root)
    return items


def fetch(names: Iterable[str] = ()) -> list[tuple[str, str]]:
    """Make datasets ready to load, by default all published ones; an interrupted download continues.

    Returns each dataset's name and where it is now.

    Raises
    ------
    UnknownDatasetError
        If nobody publishes a dataset of such a name.
    DataError
        If one is out of reach; those before it are ready.
    """
    options = settings.read()
    return [
        (dataset.name, load_published(dataset, options.data_dir, options)[1]) for dataset in _chosen(names)
    ]


def verify(names: Iterable[str] = ()) -> list[Verification]:
    """Compare every byte of the datasets on this machine with its checksum.

    By default everything is checked, decoded copies of folders included. A damaged file in the user cache is
    removed, so that the next load makes a new one. The shared folder is only read.

    Raises
    ------
    UnknownDatasetError
        If a name belongs to no dataset.
    """
    return [_checked(item) for item in _wanted(names, status())]


def clear(names: Iterable[str] = ()) -> list[Item]:
    """Remove datasets, by default all, from the user cache; returns what was removed.

    What is left of interrupted downloads goes too. Checkpoints and progress are never touched.

    Raises
    ------
    UnknownDatasetError
        If a name belongs to no dataset; nothing is removed.
    DataError
        If the system does not remove some; all others are gone.
    """
    names = set(names)
    cache = settings.read().data_dir
    items = [item for item in _wanted(names, status()) if item.place == CACHE]
    refusals = {item.path.name: why for item in items if (why := _remove(item.path))}
    for leftover in _leftovers(cache, names):
        _remove(leftover)
    if refusals:
        raise DataError(
            f"Not removed: {', '.join(refusals)}.",
            why=f"The system does not allow it: {', '.join(dict.fromkeys(refusals.values()))}.",
            left=f"Everything else has been removed from {cache}.",
            next_step="Shut down the kernels that are reading it, then run the command again.",
        )
    return items


def export(directory: str | os.PathLike[str], names: Iterable[str] = ()) -> list[Path]:
    """Copy datasets to a folder that serves as ``COURSE_DATA_SHARED``, or, served over HTTP, as a mirror.

    Parameters
    ----------
    directory : path
        The folder; created if necessary. Correct files that are already there are kept.
    names : iterable of str
        Default: all published datasets that are on this machine.

    Returns
    -------
    list of Path
        The files that make up the export.

    Raises
    ------
    UnknownDatasetError
        If nobody publishes a dataset of such a name.
    DataError
        If a dataset in `names` is out of reach, or if the folder cannot be written.
    """
    options = settings.read()
    names = list(names)
    target = settings.absolute(directory, "FOLDER")
    done: list[Path] = []
    here = {item.dataset for item in status()}
    for dataset in _chosen(names):
        if not names and dataset.name not in here:
            continue
        check_open(dataset, options.data_dir, options)
        paths, origin = acquire(dataset, options.data_dir, options)
        arrays, _ = load_published(dataset, options.data_dir, options)
        decoded = entry.path_of_published(target, dataset)
        try:
            done += [_copy(path, target / path.name, dataset.file(path.name)) for path in paths]
            if entry.load(decoded, dataset.content) is None:
                with published(decoded) as file:
                    entry.write(file, arrays, origin, dataset.content)
        except OSError as error:
            what = f"{dataset.title} cannot be exported"
            raise DataError.from_disk(error, target, what, setting="FOLDER") from error
        done.append(decoded)
    return done


def _chosen(names: Iterable[str]) -> list[Published]:
    names = list(names)
    for name in names:
        if name not in PUBLISHED:
            why = f"The published datasets are {' and '.join(PUBLISHED)}; the others need no download."
            raise unknown_dataset(name, PUBLISHED, why, kind="published dataset")
    return [PUBLISHED[name] for name in names or PUBLISHED]


def _wanted(names: Iterable[str], items: list[Item]) -> list[Item]:
    """Return the items of the datasets in `names`, by default all."""
    names = set(names)
    known = dict.fromkeys((*PUBLISHED, *EMBEDDED, *(item.dataset for item in items)))
    for name in sorted(names - known.keys()):
        raise unknown_dataset(name, known, f"The datasets here are {', '.join(known)}.")
    return [item for item in items if not names or item.dataset in names]


def _archives(dataset: Published, place: str, root: Path) -> Iterator[Item]:
    for folder in dataset.folders:
        for file in dataset.variants:
            path = root / folder / file.name
            with contextlib.suppress(OSError):
                about = path.stat()
                # Whatever this package puts into its cache was verified when it was written.
                verified = datetime.fromtimestamp(about.st_mtime, UTC) if place == CACHE else None
                yield Item(dataset.name, "archive", place, path, about.st_size, "as published", verified)


def _decoded(place: str, root: Path) -> Iterator[Item]:
    for path in entry.entries(root):
        with contextlib.suppress(OSError):
            about = path.stat()
            try:
                source = entry.read(path)[1]
            except entry.DamagedError as error:
                source = f"damaged: {error}"
            except OSError as error:
                source = f"cannot be read: {error.strerror}"
            verified = datetime.fromtimestamp(about.st_mtime, UTC)
            name = path.stem.rpartition(f"-v{entry.FORMAT}-")[0]
            yield Item(name, "decoded", place, path, about.st_size, source, verified)


def _checked(item: Item) -> Verification:
    problem = ""
    try:
        if item.kind == "decoded":
            entry.verify(item.path)
        elif not item.path.is_file():
            problem = f"{item.path.name} is not a file"
        elif not PUBLISHED[item.dataset].file(item.path.name).matches(item.path):
            problem = f"{item.path.name} differs from the published file"
    except (entry.DamagedError, OSError) as error:
        problem = str(error)
    if item.place == CACHE and not problem:
        with contextlib.suppress(OSError):
            # The modification time says when the file was last verified.
            os.utime(item.path)
    mended = item.place == CACHE and bool(problem) and not _remove(item.path)
    return Verification(item, problem, mended)


def _copy(path: Path, target: Path, file: File) -> Path:
    if not (target.exists() and file.matches(target)):
        with path.open("rb") as original, published(target) as copy:
            shutil.copyfileobj(original, copy, 1 << 20)
    return target


def _leftovers(cache: Path, wanted: set[str]) -> Iterator[Path]:
    for dataset in PUBLISHED.values():
        if not wanted or dataset.name in wanted:
            for file in dataset.variants:
                yield from named(cache / ARCHIVES, file.name, ".*.part*")
                yield from named(cache / ARCHIVES, file.name, ".*.new")
            yield from named(cache / entry.FOLDER, dataset.name, "-*.new")
            yield cache / f"{dataset.name}.lock"


def _remove(path: Path) -> str:
    """Remove the file at `path`; returns why the system refused, or nothing."""
    try:
        path.unlink()
    except OSError as error:
        return error.strerror or str(error)
    return ""
