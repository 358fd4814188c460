"""Find a dataset: shared folder, user cache, mirrors, then what the caller accepts offline."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path

import torch

from course_utils import settings
from course_utils.data import entry, folder
from course_utils.data.acquire import ARCHIVES, acquire, alone, locate
from course_utils.data.catalog import PUBLISHED, Published
from course_utils.data.dataset import Arrays, Dataset
from course_utils.data.decode import DecodeError, decode
from course_utils.data.embedded import EMBEDDED
from course_utils.device import pick_device
from course_utils.errors import DataError, SettingsError, UnknownDatasetError
from course_utils.settings import Settings
from course_utils.text import name_text


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
        ``test/<class>/*`` that holds PNG or JPEG images of one size. They become grey or RGB of 8 bits,
        turned as EXIF says, on white where they are transparent; `Dataset.source` says what was changed.
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
    DeviceError
        If there is no such device; the message lists those that exist.

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
    try:
        name = os.fsdecode(name)
    except TypeError:
        why = f"A dataset is named by text or a path, and this is of type {type(name).__name__}."
        raise unknown_dataset(str(name), (*PUBLISHED, *EMBEDDED), why) from None
    # These two are always there; asking for the others can take a moment.
    device = device if str(device) in ("cpu", "meta") else pick_device(device)
    if offline is not None and offline not in EMBEDDED:
        raise DataError(
            f"There is no embedded dataset {offline!r}.",
            why=f"The embedded datasets are {' and '.join(EMBEDDED)}.",
            next_step=f"Pass offline={' or offline='.join(map(repr, EMBEDDED))}, or omit it.",
        )
    if name in EMBEDDED:
        return _embedded(name, device)
    if offline is not None and options.profile == "quick" and name in PUBLISHED:
        return _embedded(offline, device, instead_of=name, because="the profile is quick")
    cache = options.data_dir if root is None else settings.absolute(root, "root")
    if name in PUBLISHED:
        try:
            arrays, source = load_published(PUBLISHED[name], cache, options)
        except DataError as error:
            if offline is None:
                raise
            reason = "offline" if options.offline else error.what.rstrip(".")
            return _embedded(offline, device, instead_of=name, because=reason)
        return arrays.dataset(name, source, device=device)
    place = _place(name)
    arrays, source = _folder(place, cache)
    return arrays.dataset(name_text(place.name), source, device=device)


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
    check_open(dataset, cache, options)
    # Offline nothing is fetched, so there is nothing to wait for and nothing to leave behind.
    waiting = contextlib.nullcontext() if options.offline else alone(cache / f"{dataset.name}.lock", cache)
    with waiting:
        return (
            _stored(dataset, cache, options)
            or _copied(dataset, cache, options)
            or _made(dataset, cache, options)
        )


def check_open(dataset: Published, cache: Path, options: Settings) -> None:
    """Stop where a folder may not be looked into: nobody can tell what is there.

    Raises
    ------
    DataError
        With the folder's name.
    """
    for label, root in (("shared folder", options.data_shared), ("user cache", cache / ARCHIVES)):
        try:
            if root is not None:
                root.stat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            name = "COURSE_DATA_SHARED" if root == options.data_shared else "COURSE_DATA_DIR"
            raise DataError(
                f"{dataset.title} is out of reach.",
                why=f"The {label} {root} cannot be read: {error.strerror}.",
                left="Nothing was changed.",
                next_step=f"Set {name} to a folder that you can read, or ask the folder's owner to open it.",
            ) from error


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
    if place is None or not os.path.isdir(place):
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
    entry.save(entry.path_of_published(cache, dataset), arrays, origin, dataset.content)
    return arrays, f"{dataset.title}, {origin}"


def _folder(place: Path, cache: Path) -> tuple[Arrays, str]:
    try:
        found = folder.listing(place)
        content = folder.fingerprint(found)
    except OSError as error:
        raise folder.wrong(place, str(error)) from error
    path = entry.path_of(cache, place.name, str(place))
    stored = entry.load(path, content)
    if stored:
        return stored
    arrays, changed = folder.decode(place, found)
    source = f"folder {name_text(place.name)}{f' ({changed})' * bool(changed)}"
    entry.save(path, arrays, source, content)
    return arrays, source


def _place(name: str) -> Path:
    """Return the folder of images that `name` means."""
    known = (*PUBLISHED, *EMBEDDED)
    if os.sep not in name and not name.startswith(("~", ".")) and not os.path.lexists(name):
        names = f"The datasets are {', '.join(known)}"
        why = f"{names}; any other name is taken for a folder of images, and none exists."
        raise unknown_dataset(name, known, why)
    try:
        place = settings.absolute(name, "name")
        if stat.S_ISDIR(place.stat().st_mode):
            return place
        why = "It is a file; unpack it if it is an archive."
    except SettingsError as error:
        why = error.why
    except OSError as error:
        why = f"{error.strerror}."
    raise DataError(
        f"There is no folder {name}.",
        why=why,
        left="Nothing was changed.",
        next_step="Use the path of a folder with train/<class>/* and test/<class>/*, "
        f"or one of {', '.join(known)}.",
    )


def unknown_dataset(name: str, known: Iterable[str], why: str, kind: str = "dataset") -> UnknownDatasetError:
    """Say that no dataset has this name, and which one of those that are `known` may be meant."""
    near = get_close_matches(name.lower(), known, n=1)
    return UnknownDatasetError(
        f"There is no {kind} {name!r}.",
        why=why,
        left="Nothing was changed.",
        next_step=f"Did you mean {near[0]}?" if near else "Use one of these names.",
    )
