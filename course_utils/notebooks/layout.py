"""Where the labs of a checkout are, and the answers to what they ask."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from course_utils.errors import NotebookError, SettingsError

ANSWERS = "answers"
"""Answers to what the labs ask their readers: for instructors, so no lab is made of them."""

_NAME = re.compile(r"(?P<number>\d\d)_\w+")


@dataclass(frozen=True)
class Source:
    """What ``course build`` builds: a text in ``solutions/`` and its notebook.

    Attributes
    ----------
    name : str
        The files' common name, for example ``answers``.
    root : Path
        The checkout.
    """

    name: str
    root: Path

    @property
    def text(self) -> Path:
        """The source as text (jupytext ``py:percent``): what people review."""
        return self.root / "solutions" / f"{self.name}.py"

    @property
    def solution(self) -> Path:
        """The source as a notebook, with outputs."""
        return self.root / "solutions" / f"{self.name}.ipynb"

    @property
    def files(self) -> list[Path]:
        """Every file that a build may write."""
        return [self.text, self.solution]

    @property
    def build_command(self) -> str:
        """The command that builds it."""
        return "course build"

    def shown(self, path: Path) -> str:
        """Return `path` as messages show it: relative to the checkout."""
        return path.relative_to(self.root).as_posix()


@dataclass(frozen=True)
class Lab(Source):
    """One lab: its source, for example ``03_lenet5``, and the notebook that students get.

    Attributes
    ----------
    number : int
        The lab's number, from 1.
    """

    number: int

    @property
    def notebook(self) -> Path:
        """What students open: generated, never edited by hand."""
        return self.root / "labs" / f"{self.name}.ipynb"

    @property
    def files(self) -> list[Path]:
        """Every file that a build may write."""
        return [*super().files, self.notebook]

    @property
    def build_command(self) -> str:
        """The command that builds this lab alone."""
        return f"course build --lab {self.number}"


def find_checkout(start: Path | None = None) -> Path:
    """Return the folder that holds ``labs/`` and ``solutions/``.

    Parameters
    ----------
    start : Path, optional
        Where to start searching upwards; by default the current folder, then that of the installed package.

    Raises
    ------
    NotebookError
        If no such folder is found.
    """
    starts = [start.resolve()] if start else [Path.cwd(), Path(__file__).resolve().parents[2]]
    for first in starts:
        for folder in (first, *first.parents):
            if any(_lab_names(folder)):
                return folder
    raise NotebookError(
        "The labs were not found.",
        why=f"Neither {' nor '.join(map(str, starts))}, nor any folder above, has labs/ or solutions/.",
        next_step="Change to the folder of the course and run the command again.",
    )


def find_labs(root: Path, number: int | None = None) -> list[Lab]:
    """Return the labs of a checkout in order, or the one with that number.

    Raises
    ------
    SettingsError
        If no lab has that number; the message lists those that exist.
    """
    labs = [Lab(name, root, int(name[:2])) for name in sorted(set(_lab_names(root)))]
    if number is None:
        return labs
    chosen = [lab for lab in labs if lab.number == number]
    if not chosen:
        raise SettingsError(
            f"There is no lab {number}.",
            why=f"The labs of {root} are {', '.join(f'{lab.number} ({lab.name})' for lab in labs)}.",
            next_step="Choose one of these numbers, or leave it out for all.",
        )
    return chosen


def find_sources(root: Path, number: int | None = None) -> list[Source]:
    """Return what ``course build`` builds: labs and answers, or the lab with that number.

    Raises
    ------
    SettingsError
        If no lab has that number; the message lists those that exist.
    """
    labs = find_labs(root, number)
    answers = Source(ANSWERS, root)
    wanted = number is None and any(path.exists() for path in answers.files)
    return [*labs, *([answers] if wanted else [])]


def _lab_names(root: Path) -> Iterator[str]:
    for folder, suffixes in (("labs", {".ipynb"}), ("solutions", {".py", ".ipynb"})):
        for path in (root / folder).glob("*"):
            if path.suffix in suffixes and _NAME.fullmatch(path.stem):
                yield path.stem
