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
from course_utils.data.load import load_published
from course_utils.errors import DataError
from course_utils.files import published

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
    """
    wanted = set(names)
    return [_checked(item) for item in status() if not wanted or item.dataset in wanted]


def clear(names: Iterable[str] = ()) -> list[Item]:
    """Remove datasets, by default all, from the user cache; returns what was removed.

    What is left of interrupted downloads goes too. Checkpoints and progress are never touched.

    Raises
    ------
    DataError
        If the system does not remove some; all others are gone.
    """
    wanted = set(names)
    cache = settings.read().data_dir
    items = [item for item in status() if item.place == CACHE and (not wanted or item.dataset in wanted)]
    kept = [item.path.name for item in items if not _remove(item.path)]
    for leftover in _leftovers(cache, wanted):
        _remove(leftover)
    if kept:
        raise DataError(
            f"Not removed: {', '.join(kept)}.",
            why="The system does not allow it; Windows keeps a file while a notebook is using it.",
            left=f"Everything else has been removed from {cache}.",
            next_step="Shut down the kernels that loaded the data, then run the command again.",
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
    DataError
        If a dataset in `names` is out of reach, or if the folder cannot be written.
    """
    options = settings.read()
    names = list(names)
    target = Path(directory).expanduser().resolve()
    done: list[Path] = []
    here = {item.dataset for item in status()}
    for dataset in _chosen(names):
        if not names and dataset.name not in here:
            continue
        paths, origin = acquire(dataset, options.data_dir, options)
        arrays, _ = load_published(dataset, options.data_dir, options)
        decoded = entry.path_of_published(target, dataset)
        try:
            done += [_copy(path, target / path.name, dataset.file(path.name)) for path in paths]
            if entry.load(decoded, dataset.content) is None:
                with published(decoded) as file:
                    entry.write(file, arrays, origin, dataset.content)
        except OSError as error:
            raise DataError.from_disk(error, target, f"{dataset.title} cannot be exported") from error
        done.append(decoded)
    return done


def _chosen(names: Iterable[str]) -> list[Published]:
    names = list(names)
    for name in names:
        if name not in PUBLISHED:
            raise DataError(
                f"There is no published dataset {name!r}.",
                why=f"The published datasets are {' and '.join(PUBLISHED)}.",
                left="Nothing was changed.",
                next_step="Use one of these names.",
            )
    return [PUBLISHED[name] for name in names or PUBLISHED]


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
            verified = datetime.fromtimestamp(about.st_mtime, UTC)
            name = path.stem.rpartition(f"-v{entry.FORMAT}-")[0]
            yield Item(name, "decoded", place, path, about.st_size, source, verified)


def _checked(item: Item) -> Verification:
    problem = ""
    try:
        if item.kind == "decoded":
            entry.verify(item.path)
        elif not PUBLISHED[item.dataset].file(item.path.name).matches(item.path):
            problem = f"{item.path.name} differs from the published file"
    except (entry.DamagedError, OSError) as error:
        problem = str(error)
    if item.place == CACHE and not problem:
        with contextlib.suppress(OSError):
            # The modification time says when the file was last verified.
            os.utime(item.path)
    return Verification(item, problem, mended=item.place == CACHE and bool(problem) and _remove(item.path))


def _copy(path: Path, target: Path, file: File) -> Path:
    if not (target.exists() and file.matches(target)):
        with path.open("rb") as original, published(target) as copy:
            shutil.copyfileobj(original, copy, 1 << 20)
    return target


def _leftovers(cache: Path, wanted: set[str]) -> Iterator[Path]:
    for dataset in PUBLISHED.values():
        if not wanted or dataset.name in wanted:
            for file in dataset.variants:
                yield from (cache / ARCHIVES).glob(f"{file.name}.*.part*")
                yield from (cache / ARCHIVES).glob(f"{file.name}.*.new")
            yield from (cache / entry.FOLDER).glob(f"{dataset.name}-*.new")
            yield cache / f"{dataset.name}.lock"


def _remove(path: Path) -> bool:
    with contextlib.suppress(OSError):
        path.unlink()
        return True
    return False
