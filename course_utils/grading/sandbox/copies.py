"""Other copies of the course among the libraries that a submission can read: they hold its answers, too."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import PurePosixPath

from course_utils import exercises
from course_utils.grading.redact import PACKAGE
from course_utils.notebooks.release import NAME

_ARCHIVES = (".whl", ".egg", ".zip", ".pyz")
_PACKED = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst", ".conda")
_NAMES = (NAME, NAME.replace("-", "_"), PACKAGE.name)


def find_copies(roots: Iterable[str], known: Iterable[str]) -> Iterator[str]:
    """Yield the folders and files below `roots` that hold exercises or solutions of this course.

    They are known by their names: the package's, those of the labs' folders in `exercises` and of their
    notebooks, also in archives.

    Parameters
    ----------
    roots : iterable of str
        What a submission can read.
    known : iterable of str
        What is not looked into.
    """
    # Of a link only the target is looked into; it is shown as a link, too.
    ahead = [os.path.realpath(root) if os.path.islink(root) else root for root in roots]
    skipped = set(known)
    while ahead:
        folder = ahead.pop()
        if folder in skipped:
            continue
        skipped.add(folder)
        try:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        if entry.path in skipped or not _is_copy(entry):
                            ahead.append(entry.path)
                        else:
                            yield entry.path
                    elif _holds_answers(entry):
                        yield entry.path
        except OSError:
            continue


@cache
def _labs() -> dict[str, int]:
    """The folders of `exercises`, one for each lab, and the labs' numbers."""
    known = [exercises.get(name) for name in exercises.names()]
    return {exercise.reference.__module__.split(".")[2]: exercise.lab for exercise in known}


@cache
def _notebooks() -> frozenset[str]:
    """The names of the labs' notebooks and of their texts, such as ``01_conv_layer.py``."""
    return frozenset(
        f"{number:02}_{lab}{suffix}" for lab, number in _labs().items() for suffix in (".py", ".ipynb")
    )


def _is_copy(folder: os.DirEntry[str]) -> bool:
    if folder.name == PACKAGE.name:
        return True
    if folder.name not in ("exercises", "solutions"):
        return False
    try:
        inside = set(os.listdir(folder.path))
    except OSError:
        return False
    return not inside.isdisjoint({*_labs(), *_notebooks()})


def _holds_answers(file: os.DirEntry[str]) -> bool:
    if file.name in _notebooks():
        return True
    if file.name.endswith(_PACKED):  # too slow to look into
        return file.name.startswith(_NAMES)
    if not file.name.endswith(_ARCHIVES):
        return False
    try:
        with zipfile.ZipFile(file.path) as archive:
            names = [PurePosixPath(name) for name in archive.namelist()]
    except (OSError, zipfile.BadZipFile):
        return False
    return any(name.name in _notebooks() or PACKAGE.name in name.parts for name in names)
