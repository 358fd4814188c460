"""The submitted files, in folders and zip archives: sizes are limited, and nothing is unpacked to disk."""

from __future__ import annotations

import os
import re
import stat
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO

from course_utils.errors import GradingError
from course_utils.grading.collect.layouts import METADATA

MOST_BYTES = 64 * 2**20
"""The largest notebook. Larger ones are full of pictures or output; they are reported and not read."""
MOST_ENTRIES = 50_000
MOST_UNPACKED = 4 * 2**30
LARGEST_RATIO = 100
LONGEST_PART = 255
DEEPEST = 100
_ROOM = 64 * 2**20
_LISTED = 64
_IN_MEMORY = 8 * 2**20
_ZIPS_IN_ZIPS = 2
_NOISE = ("__MACOSX", "Thumbs.db", "desktop.ini")
_OF_A_PERSON = re.compile(r" |_\d+_")
NOTEBOOKS = (".ipynb", ".ipynb.txt", ".json")
"""How the names of notebooks end; browsers and editors add to them."""
SCRIPT = ".py"
_READ = (*NOTEBOOKS, SCRIPT, "timestamp.txt", METADATA)
_OTHER_ARCHIVES = (".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz")


@dataclass
class _Room:
    """What the archives in one file may contain together, beyond `LARGEST_RATIO` times their own sizes."""

    left: int = _ROOM

    def takes(self, unpacked: int, size: int) -> bool:
        """Whether an archive of `size` bytes may contain as much; if so, there is less for the others."""
        beyond = max(unpacked - LARGEST_RATIO * size, 0)
        if unpacked > MOST_UNPACKED or beyond > self.left:
            return False
        self.left -= beyond
        return True


@dataclass(frozen=True)
class SubmittedFile:
    """A file that was handed in.

    Attributes
    ----------
    parts : tuple of str
        Its path below the submissions, folders and archives alike; an archive's name has lost its ``.zip``.
    folders : tuple of bool
        Which of the parts are folders (the others are archives, and the file itself).
    time : datetime or None
        When it was last changed, as far as the file system or the archive tells.
    content : bytes or None
        Only for notebooks, scripts, nbgrader's ``timestamp.txt`` and Gradescope's list.
    problem : str
        Why it was not read, as a sentence.
    """

    parts: tuple[str, ...]
    folders: tuple[bool, ...]
    time: datetime | None = None
    content: bytes | None = None
    problem: str = ""

    @property
    def name(self) -> str:
        """The file's own name."""
        return self.parts[-1]


def find_files(submissions: Path) -> Iterator[SubmittedFile]:
    """Yield every file below a folder, or in a zip archive, in the order of their paths.

    Links are never followed, and archives are never unpacked to disk. A file that is too large, damaged or
    not an ordinary file comes with the reason in `problem`.
    """
    if submissions.is_dir():
        yield from _folder(submissions, (), ())
    elif submissions.suffix.lower() == ".zip":
        with submissions.open("rb") as file:
            yield from _archive(
                file, submissions.stat().st_size, (), (), _Room(), depth=1, taken=_modified(submissions)
            )
    else:
        yield from _file(submissions, (shown_name(submissions.name),), (False,))


def shown_name(name: str) -> str:
    """Return a file name as text that can be written and shown: valid and without control characters."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(c if c.isprintable() else "\ufffd" for c in text)


def _folder(folder: Path, parts: tuple[str, ...], folders: tuple[bool, ...]) -> Iterator[SubmittedFile]:
    if len(parts) > DEEPEST:
        yield SubmittedFile(parts, folders, problem=f"It lies more than {DEEPEST} folders deep.")
        return
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        yield SubmittedFile(parts, folders, problem=f"It cannot be opened: {error.strerror}.")
        return
    for entry in entries:
        name = shown_name(entry.name)
        if _is_noise(name):
            continue
        here, path = (*parts, name), Path(entry.path)
        if entry.is_symlink():
            yield SubmittedFile(
                here, (*folders, False), problem="It is a symbolic link; links are not followed."
            )
        elif entry.is_dir(follow_symlinks=False):
            yield from _folder(path, here, (*folders, True))
        elif not entry.is_file(follow_symlinks=False):
            yield SubmittedFile(here, (*folders, False), problem="It is not an ordinary file.")
        else:
            yield from _file(path, here, (*folders, False))


def _file(path: Path, parts: tuple[str, ...], folders: tuple[bool, ...]) -> Iterator[SubmittedFile]:
    time = _modified(path)
    try:
        # A link put there after the folder was listed is not followed either.
        with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)), "rb") as file:
            yield from _one(file, path.stat().st_size, parts, folders, time, 0, _Room())
    except OSError as error:
        yield SubmittedFile(parts, folders, time, problem=f"It cannot be read: {error.strerror or error}.")


def _one(
    file: IO[bytes],
    size: int,
    parts: tuple[str, ...],
    folders: tuple[bool, ...],
    time: datetime | None,
    depth: int,
    room: _Room,
) -> Iterator[SubmittedFile]:
    name = parts[-1].lower()
    if name.endswith(".zip") and depth < _ZIPS_IN_ZIPS:
        inside = (*parts[:-1], parts[-1][: -len(".zip")])
        yield from _archive(file, size, inside, folders, room, depth=depth + 1, taken=time)
    elif name.endswith(".zip"):
        yield SubmittedFile(parts, folders, time, problem="It is an archive in an archive in an archive.")
    elif name.endswith(_READ):
        if size > MOST_BYTES:
            sentence = (
                f"It has {size / 2**20:,.0f} MB; notebooks above {MOST_BYTES / 2**20:.0f} MB are not read. "
                "Clear its outputs and save it."
            )
            yield SubmittedFile(parts, folders, time, problem=sentence)
        else:
            # Read no more than was announced, whatever the file or the archive contains by now.
            yield SubmittedFile(parts, folders, time, file.read(size))
    elif name.endswith(_OTHER_ARCHIVES):
        yield SubmittedFile(
            parts, folders, time, problem="This kind of archive is not opened; only zip files are."
        )
    else:
        yield SubmittedFile(parts, folders, time)


def _archive(
    file: IO[bytes],
    size: int,
    parts: tuple[str, ...],
    folders: tuple[bool, ...],
    room: _Room,
    *,
    depth: int,
    taken: datetime | None,
) -> Iterator[SubmittedFile]:
    def refused(sentence: str) -> SubmittedFile:
        if not parts:
            raise GradingError("The submissions cannot be read.", why=sentence)
        return SubmittedFile(parts, folders, taken, problem=sentence)

    try:
        archive = zipfile.ZipFile(file)
    except Exception as error:  # decompressors raise errors of their own
        yield refused(f"The archive cannot be opened: {_reason(error)}.")
        return
    entries = sorted(archive.infolist(), key=lambda entry: entry.filename)
    if sum(entry.compress_size for entry in entries) > file.seek(0, os.SEEK_END):
        yield refused("The archive cannot be opened: files in it overlap.")
        return
    unpacked = sum(entry.file_size for entry in entries)
    if len(entries) > MOST_ENTRIES or not room.takes(unpacked, size):
        amount = f"{len(entries):,} files, {unpacked / 2**20:,.0f} MB"
        yield refused(f"The archive was not read: it claims to contain {amount}.")
        return
    for entry in entries:
        whole = entry.filename.replace("\\", "/").split("/")
        names = [_cut(shown_name(name)) for name in (*whole[:-1][: DEEPEST - 1], whole[-1])]
        if entry.is_dir() or any(map(_is_noise, names)):
            continue
        inside = (*parts, *names)
        kinds = (*folders[: len(parts)], *(True for _ in names[:-1]), False)
        if len(whole) > DEEPEST or max(map(len, whole)) > LONGEST_PART:
            yield SubmittedFile(inside, kinds, problem="Its path is longer than any system allows.")
        elif ".." in names or not names[0] or names[0].endswith(":"):
            here, problem = (*parts, names[-1]), "Its path leads out of its archive."
            yield SubmittedFile(here, (*folders[: len(parts)], False), problem=problem)
        elif stat.S_ISLNK(entry.external_attr >> 16):
            yield SubmittedFile(inside, kinds, problem="It is a symbolic link; links are not followed.")
        elif names[-1].lower().endswith((*_READ, ".zip")):
            yield from _entry(archive, entry, inside, kinds, depth, room)
        else:
            yield SubmittedFile(inside, kinds, _zip_time(entry))


def _entry(
    archive: zipfile.ZipFile,
    entry: zipfile.ZipInfo,
    parts: tuple[str, ...],
    folders: tuple[bool, ...],
    depth: int,
    room: _Room,
) -> Iterator[SubmittedFile]:
    time = _zip_time(entry)
    try:
        with archive.open(entry) as file:
            if not parts[-1].lower().endswith(".zip"):
                yield from _one(file, entry.file_size, parts, folders, time, depth, room)
                return
            # It may be nothing but a list of files, and these take longer to read than as many bytes of text.
            if not room.takes(_LISTED * entry.file_size, entry.compress_size):
                sentence = "The archive was not read: it may contain too many files."
                yield SubmittedFile(parts, folders, time, problem=sentence)
                return
            with tempfile.SpooledTemporaryFile(_IN_MEMORY) as copy:
                # The size that the entry claims bounds what is read; it was checked against the limits.
                for block in iter(lambda: file.read(2**20), b""):
                    copy.write(block)
                copy.seek(0)
                # How much it may contain depends on its size in the upload, however well that was packed.
                yield from _one(copy, entry.compress_size, parts, folders, time, depth, room)
    except Exception as error:  # decompressors raise errors of their own
        sentence = f"It cannot be read from its archive: {_reason(error)}."
        yield SubmittedFile(parts, folders, time, problem=sentence)


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:100] or type(error).__name__


def _cut(name: str) -> str:
    """Return the beginning and the end of a name that is too long."""
    return name if len(name) <= LONGEST_PART else f"{name[:200]}…{name[-50:]}"


def _is_noise(name: str) -> bool:
    """Whether a name is that of a system's or a program's own file: people's names have spaces or numbers."""
    if name.startswith("._") or name in _NOISE:
        return True
    return name.startswith(".") and name not in (".", "..") and not _OF_A_PERSON.search(name)


def _modified(path: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(path.lstat().st_mtime).astimezone().replace(microsecond=0)
    except (OSError, ValueError, OverflowError):
        return None


def _zip_time(entry: zipfile.ZipInfo) -> datetime | None:
    try:
        time = datetime(*entry.date_time)
    except ValueError:
        return None
    return time if time.year > 1980 else None
