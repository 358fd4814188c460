"""Find a dataset: shared folder, user cache, mirrors, then what the caller accepts offline."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import torch

from course_utils import settings
from course_utils.data import entry, folder
from course_utils.data.acquire import acquire, alone, locate
from course_utils.data.catalog import PUBLISHED, Published
from course_utils.data.dataset import Arrays, Dataset
from course_utils.data.decode import DecodeError, decode
from course_utils.data.embedded import EMBEDDED
from course_utils.errors import DataError
from course_utils.settings import Settings


def load_dataset(
    name: str | os.PathLike[str],
    *,
    device: torch.device | str = "cpu",
    root: str | os.PathLike[str] | None = None,
    offline: str | None = None,
) -> Dataset:
    """Load a dataset; the same call works in a classroom, at home and without a network.

    Parameters
    ----------
    name : str or path
        ``mnist``, ``cifar10``, ``digits``, ``shapes``, or a folder with ``train/<class>/*`` and
        ``test/<class>/*`` that holds PNG or JPEG images of one size.
    device : torch.device or str
        Where the images go, as one uint8 tensor.
    root : path, optional
        The cache to use instead of ``COURSE_DATA_DIR``.
    offline : {"digits", "shapes"}, optional
        The embedded dataset to use when the real one is out of reach; with ``COURSE_PROFILE=quick`` it is
        used at once. `Dataset.source` and `Dataset.substitute_for` say so.

    Returns
    -------
    Dataset

    Raises
    ------
    DataError
        If the name is unknown, or if the dataset is out of reach and `offline` names no substitute.

    Examples
    --------
    >>> digits = load_dataset("digits")
    >>> digits.train, digits.test
    (1,500 images of 1×28×28 on cpu, 297 images of 1×28×28 on cpu)
    >>> images, labels = next(iter(digits.train.batches(50)))
    >>> images.shape, images.dtype, labels.dtype
    (torch.Size([50, 1, 28, 28]), torch.float32, torch.int64)
    """
    options = settings.read()
    name = os.fspath(name)
    if offline is not None and offline not in EMBEDDED:
        raise DataError(
            f"There is no embedded dataset {offline!r}.",
            why=f"The embedded datasets are {' and '.join(EMBEDDED)}.",
            next_step=f"Pass offline={' or offline='.join(map(repr, EMBEDDED))}, or omit it.",
        )
    if name in EMBEDDED:
        return _embedded(name, device)
    if offline is not None and options.profile == "quick":
        return _embedded(offline, device, instead_of=name, because="the profile is quick")
    cache = Path(root).expanduser().resolve() if root is not None else options.data_dir
    if name in PUBLISHED:
        try:
            arrays, source = load_published(PUBLISHED[name], cache, options)
        except DataError as error:
            if offline is None:
                raise
            reason = "offline" if options.offline else error.what.rstrip(".")
            return _embedded(offline, device, instead_of=name, because=reason)
        return arrays.dataset(name, source, device=device)
    place = Path(name).expanduser()
    if place.is_dir():
        arrays, source = _folder(place.resolve(), cache)
        return arrays.dataset(place.resolve().name, source, device=device)
    raise _unknown(name)


def _embedded(
    name: str, device: torch.device | str, instead_of: str | None = None, because: str = ""
) -> Dataset:
    make, source = EMBEDDED[name]
    if instead_of is not None:
        source += f" instead of {instead_of}: {because}"
    return make().dataset(name, source, device=device, substitute_for=instead_of)


def load_published(dataset: Published, cache: Path, options: Settings) -> tuple[Arrays, str]:
    """Load `dataset` from wherever it is, downloading it into `cache` if needed; also returns where it was.

    Raises
    ------
    DataError
        If it is out of reach, or cannot be stored or decoded.
    """
    stored = _stored(dataset, cache, options)
    if stored:
        return stored
    # Offline nothing is fetched, so there is nothing to wait for and nothing to leave behind.
    waiting = contextlib.nullcontext() if options.offline else alone(cache / f"{dataset.name}.lock", cache)
    with waiting:
        return (
            _stored(dataset, cache, options)
            or _copied(dataset, cache, options)
            or _made(dataset, cache, options)
        )


def _stored(dataset: Published, cache: Path, options: Settings) -> tuple[Arrays, str] | None:
    for label, root in (("shared folder", options.data_shared), ("user cache", cache)):
        if root is None:
            continue
        stored = entry.load(entry.path_of_published(root, dataset), dataset.content)
        if stored:
            arrays, origin = stored
            source = f"{dataset.title}, {label}"
            return arrays, source if root == options.data_shared else f"{source} (read from {origin})"
    return None


def _copied(dataset: Published, cache: Path, options: Settings) -> tuple[Arrays, str] | None:
    """Load the shared folder's JPEG copy of `dataset`, if this machine has nothing better."""
    place = options.data_shared / dataset.copy if options.data_shared and dataset.copy else None
    if place is None or not place.is_dir():
        return None
    if all(locate(variants, dataset, cache, options)[0] for variants in dataset.parts):
        return None
    arrays, _ = _folder(place, cache)
    return arrays, f"{dataset.title} (JPEG copy), shared folder"


def _made(dataset: Published, cache: Path, options: Settings) -> tuple[Arrays, str]:
    paths, origin = acquire(dataset, cache, options)
    try:
        arrays = decode(dataset, paths)
    except (DecodeError, OSError) as error:
        raise DataError(
            f"{dataset.title} cannot be decoded.",
            why=str(error),
            left="The files were only read.",
            next_step=f"course data verify {dataset.name}",
        ) from error
    path = entry.path_of_published(cache, dataset)
    return entry.save(path, arrays, origin, dataset.content), f"{dataset.title}, {origin}"


def _folder(place: Path, cache: Path) -> tuple[Arrays, str]:
    try:
        found = folder.listing(place)
        content = folder.fingerprint(found)
    except OSError as error:
        raise folder.wrong(place, str(error)) from error
    source = f"folder {place.name}"
    path = entry.path_of(cache, place.name, str(place))
    stored = entry.load(path, content)
    if stored:
        return stored[0], source
    return entry.save(path, folder.decode(place, found), source, content), source


def _unknown(name: str) -> DataError:
    known = ", ".join((*PUBLISHED, *EMBEDDED))
    is_path = os.sep in name or name.startswith(("~", "."))
    return DataError(
        f"There is no folder {name}." if is_path else f"There is no dataset {name!r}.",
        why=f"The datasets are {known}; any other name is taken for a folder of images, and none exists.",
        left="Nothing was changed.",
        next_step="Use one of these names, or the path of a folder with train/<class>/* and test/<class>/*.",
    )
