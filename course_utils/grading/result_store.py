"""Results on disk: one JSON file for each submission, so that a stopped run can be resumed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from course_utils.errors import GradingError
from course_utils.files import published
from course_utils.grading.corrections import KEPT, Corrections
from course_utils.grading.grades import Result
from course_utils.grading.records import Limits, RunnableNotebook
from course_utils.grading.spreadsheets import as_csv

_JUDGES = ("exercises", "grading", "figures", "text.py")
_LIBRARIES = ("torch", "numpy", "ipykernel", "nbclient")
_SAVING = 2.0


@dataclass(frozen=True)
class Task:
    """One submission to grade, as it is sent to a worker."""

    notebook: RunnableNotebook
    seed: int
    limits: Limits
    level: str

    def to_json(self) -> str:
        """Return the task as one line of JSON."""
        fields = {"notebook": self.notebook.to_json(), "limits": self.limits.to_json()}
        return json.dumps({**fields, "seed": self.seed, "level": self.level}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Task:
        """Return the task that `to_json` wrote."""
        fields = json.loads(text)
        limits = Limits(**json.loads(fields["limits"]))
        return cls(RunnableNotebook.from_json(fields["notebook"]), fields["seed"], limits, fields["level"])

    @property
    def key(self) -> str:
        """A digest of everything that the result depends on."""
        return hashlib.sha256(f"{course_digest()}\n{self.to_json()}".encode()).hexdigest()[:32]


def seed_of(seed: int, student: str, lab: int) -> int:
    """Return the seed of one student's lab: the same in every run, and different for each student."""
    return int(hashlib.sha256(f"{seed}\n{student}\n{lab}".encode()).hexdigest()[:8], 16)


@cache
def course_digest() -> str:
    """Return a digest of exercises, grading and libraries: when it changes, everything is graded again."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for part in _JUDGES:
        for path in sorted((package / part).rglob("*.py")) or [package / part]:
            digest.update(path.relative_to(package).as_posix().encode() + b"\0" + path.read_bytes())
    digest.update(" ".join(_version(name) for name in _LIBRARIES).encode())
    return digest.hexdigest()


class Store:
    """The results on disk, one JSON file each, written whole or not at all.

    Parameters
    ----------
    folder : Path
        Created if it does not exist.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        for unfinished in folder.glob("*.new"):
            unfinished.unlink(missing_ok=True)

    def get(self, key: str) -> Result | None:
        """Return a result, or None if there is none that can be read."""
        return read_result(self._folder, key)

    def put(self, key: str, result: Result) -> None:
        """Store a result.

        Raises
        ------
        GradingError
            If it cannot be written.
        """
        publish(self._path(key), result.to_json())

    def drop(self, key: str) -> None:
        """Forget a result, so that it is made again."""
        self._path(key).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.json"


def read_result(folder: Path, key: str) -> Result | None:
    """Return a result of a store, or None if there is none that can be read; nothing in it is changed."""
    try:
        return Result.from_json((folder / f"{key}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


@contextmanager
def alone(output: Path) -> Iterator[None]:
    """Lock the folder of grades, so that no two processes write to it at once.

    Raises
    ------
    GradingError
        If another one is writing.
    """
    from filelock import FileLock, Timeout

    output.mkdir(parents=True, exist_ok=True)
    try:
        # Points given by hand are saved within a moment; a run of course grade takes longer.
        with FileLock(output / ".lock", timeout=_SAVING):
            yield
    except Timeout:
        raise GradingError(
            f"Another run of course grade is writing to {output}.",
            left="Everything.",
            next_step="Wait for it, or give --output another folder.",
        ) from None


def publish_corrections(output: Path, corrections: Corrections) -> None:
    """Write what was given by hand, as the next run reads it; the caller holds the lock.

    Raises
    ------
    GradingError
        If it cannot be written.
    """
    file = output / KEPT
    before = file.stat().st_mode if file.exists() else 0o777
    publish(file, "\ufeff" + as_csv(corrections.columns, corrections.rows))
    if os.name != "nt":
        # The instructor edits this file, and may have closed it to others.
        file.chmod(file.stat().st_mode & before & 0o777)


def publish(path: Path, content: str | bytes) -> None:
    """Write a file of the grades, whole or not at all.

    Raises
    ------
    GradingError
        If it cannot be written.
    """
    try:
        with published(path) as file:
            file.write(content.encode("utf-8") if isinstance(content, str) else content)
    except OSError as error:
        raise GradingError(
            f"{path} cannot be written.",
            why=str(error.strerror),
            left="What was graded before.",
            next_step="Free some space, then run the same command again: it continues where it stopped.",
        ) from error


def _version(name: str) -> str:
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return name
