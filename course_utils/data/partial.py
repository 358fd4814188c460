"""The bytes of a download so far: in a private file, checksummed as they arrive, found by the next run."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from course_utils.data.catalog import File
from course_utils.data.transfer import sendable
from course_utils.files import create, private_name, published, rename, settle
from course_utils.text import shown_address

_PIECE = 1 << 20


class Partial:
    """A download on its way to `path`. Use it as a context manager.

    No process ever writes to another's file: what an earlier run left is copied, so no lock is needed.

    Attributes
    ----------
    size : int
        Bytes so far.
    best : int
        The most bytes there have ever been.
    received : int
        All bytes that ever arrived, those thrown away included.
    origins : set of str
        Which mirrors the bytes came from; ``""`` stands for an earlier run.
    pure : bool
        Whether all bytes must come from one of them.
    """

    def __init__(self, path: Path, file: File) -> None:
        self.path, self.file = path, file
        self.size = self.best = self.received = 0
        self.origins: set[str] = set()
        self.pure = False
        self.validators: dict[str, str] = {}
        path.parent.mkdir(parents=True, exist_ok=True)
        self._own = private_name(path, "part")
        self._handle = create(self._own)
        self._digest = hashlib.sha256()

    def __enter__(self) -> Self:
        try:
            self._adopt()
        except BaseException:
            self.discard()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handle.closed:
            return
        full = isinstance(error, OSError)
        if full or not self.size:
            self.discard()
            return
        try:
            # What has arrived is kept: the next run continues from there.
            self._handle.close()
        except OSError:
            self._own.unlink(missing_ok=True)

    def append(self, piece: bytes, origin: str) -> None:
        """Add bytes from `origin`."""
        self._handle.write(piece)
        self._digest.update(piece)
        self.size += len(piece)
        self.received += len(piece)
        self.best = max(self.best, self.size)
        self.origins.add(origin)

    def restart(self) -> None:
        """Discard all bytes."""
        self._handle.seek(0)
        self._handle.truncate()
        self._digest = hashlib.sha256()
        self.size = 0
        self.origins.clear()

    def purify(self) -> None:
        """Discard all bytes, and never again mix those of several servers."""
        self.restart()
        self.pure, self.best = True, 0

    @property
    def complete(self) -> bool:
        """Whether all bytes have arrived."""
        return self.size == self.file.size

    @property
    def right(self) -> bool:
        """Whether they are the published ones."""
        return self._digest.hexdigest() == self.file.sha256

    def publish(self) -> None:
        """Give the verified file its name, and remove what earlier runs left."""
        settle(self._handle)
        if os.name == "nt":
            self._handle.close()
        try:
            rename(self._own, self.path)
        except FileNotFoundError:
            # Another process that did not see our lock has tidied up: the open file still has the bytes.
            # On Windows, where it is closed by now, the other process has just put its own file in place.
            if not self._handle.closed:
                self._handle.seek(0)
                with published(self.path) as copy:
                    shutil.copyfileobj(self._handle, copy)
        except PermissionError:
            # Windows does not replace a file that is being read; if it is the published one, it will do.
            if not (self.path.exists() and self.file.matches(self.path)):
                raise
        self._handle.close()
        for leftover in {self._own, *self._leftovers()}:
            _remove(leftover)

    def discard(self) -> None:
        """Remove the private file."""
        with contextlib.suppress(OSError):
            self._handle.close()
        _remove(self._own)

    def remember(self, url: str, validator: str | None) -> None:
        """Note the validator that the server sent with the bytes so far, for a later ``If-Range``.

        `url` is kept in a file: it has no password in it.
        """
        if validator and self.validators.get(url) != validator:
            self.validators = {url: validator}
            with contextlib.suppress(OSError):
                _note(self._own).write_text(f"{url}\n{validator}\n", encoding="utf-8")

    def _adopt(self) -> None:
        """Copy the longest leftover of an earlier run into this one's file."""
        leftovers = {path: _size(path) for path in self._leftovers() if path != self._own}
        usable = [path for path, size in leftovers.items() if 0 < size <= self.file.size]
        if not usable:
            return
        chosen = max(usable, key=leftovers.__getitem__)
        with contextlib.suppress(OSError, ValueError):
            url, validator = _note(chosen).read_text(encoding="utf-8").splitlines()
            if sendable(validator):
                # Earlier versions noted passwords.
                self.remember(shown_address(url), validator)
        for piece in _content(chosen):
            self.append(piece, "")
        for path in leftovers:
            _remove(path)

    def _leftovers(self) -> list[Path]:
        return sorted(self.path.parent.glob(f"{self.path.name}.*.part"))


def _size(path: Path) -> int:
    # Another process may have removed it in the meantime.
    try:
        about = path.stat()
    except OSError:
        return 0
    return about.st_size if stat.S_ISREG(about.st_mode) else 0


def _content(path: Path) -> Iterator[bytes]:
    """Yield what can be read of a leftover; one that cannot be read, or is gone, is no loss."""
    with contextlib.suppress(OSError), path.open("rb") as old:
        while piece := old.read(_PIECE):
            yield piece


def _note(part: Path) -> Path:
    return part.with_name(f"{part.name}.note")


def _remove(part: Path) -> None:
    for path in (part, _note(part)):
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
