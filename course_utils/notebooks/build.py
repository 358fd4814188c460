"""``course build``: bring the two forms of a source in step, execute what changed, derive the lab."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from course_utils.errors import NotebookError
from course_utils.files import published
from course_utils.notebooks import outputs
from course_utils.notebooks.cells import code_digest, compare, digests, normalise
from course_utils.notebooks.hosted import with_links
from course_utils.notebooks.layout import Lab, Source
from course_utils.notebooks.pairing import read_notebook, synchronise, write_text
from course_utils.notebooks.strip import find_leaks, strip

Execute = Callable[[NotebookNode, str], None]
"""Executes a notebook in place under a profile, and raises NotebookError where a cell fails."""


@dataclass(frozen=True)
class Built:
    """What a build did to one source.

    Attributes
    ----------
    source : Source
        The source: a lab's, or the answers.
    written : list of str
        The files that were written, relative to the checkout; empty if everything was up to date.
    executed : str or None
        The profile under which the notebook was executed, or None if its outputs were kept.
    notes : list of str
        What the author should know: large pictures, outputs that cannot be compared, a copy that was kept.
    """

    source: Source
    written: list[str]
    executed: str | None
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Discrepancy:
    """One reason why ``course build --check`` fails."""

    file: str
    cell: str
    what: str
    mend: str

    def __str__(self) -> str:
        return f"{self.file}: cell {self.cell}: {self.what} (mend it with: {self.mend})"


def build(source: Source, execute: Execute, *, profile: str | None = None, force: bool = False) -> Built:
    """Build one source: text and notebook in step, outputs true; from a lab's, the student notebook.

    Parameters
    ----------
    source : Source
        What to build.
    execute : callable
        How to execute a notebook; called only if code changed since the outputs were made.
    profile : str, optional
        The profile to execute under; by default the one of the outputs that are there, else ``fast``.
    force : bool, optional
        Execute although no code changed.

    Raises
    ------
    NotebookError
        If both forms were edited differently, a cell fails, or a solution would leak: nothing is written.
    """
    before = _contents(source)
    notebook = synchronise(source).notebook
    state = dict(notebook.metadata.get("course", {}))
    stale = state.get("executed") != code_digest(notebook)
    executed = None
    # Made before the execution: what cannot be written or released should not cost that time.
    # The text is as jupytext would write it: JupyterLab refuses to open a pair that differs in a blank line.
    text = write_text(notebook)
    derived = {path: _as_text(student) for path, student in _derived(source, notebook).items()}
    if stale or force:
        executed = profile or state.get("profile") or "fast"
        execute(notebook, executed)
        normalise(notebook)
    notes = outputs.problems(notebook) + (_substitutes(notebook) if executed else [])
    outputs.tidy(notebook)
    notebook.metadata.course = {
        "cells": digests(notebook),
        "executed": code_digest(notebook),
        "profile": executed or state.get("profile") or "fast",
    }
    if _contents(source) != before:
        raise NotebookError(
            f"The source of {source.name} was edited while the notebook ran.",
            left="Every file.",
            next_step=source.build_command,
        )
    for path, content in derived.items():
        notebook.metadata.course.lab = _digest(content)
        if copy := _put_aside(path, state, content):
            edited, kept = source.shown(path), source.shown(copy)
            notes.append(f"{edited} was edited by hand; the edited copy is now {kept}")
    new = {source.text: text, source.solution: _as_text(notebook), **derived}
    written = [source.shown(path) for path, content in new.items() if _write(path, content)]
    return Built(source, sorted(written), executed, notes)


def check(source: Source) -> list[Discrepancy]:
    """Return every difference between the files on disk and those of a build; write and run nothing."""
    command = source.build_command
    try:
        found = list(_differences(source))
    except NotebookError as error:
        why = f"{error.what} {error.why}"
        return [Discrepancy(source.shown(source.solution), "(several)", why, error.next_step or command)]
    return [Discrepancy(source.shown(path), cell, what, command) for path, cell, what in found]


def refuse_differences(labs: Iterable[Lab], what: str, left: str) -> None:
    """Refuse to go on where labs and solutions are out of step.

    Parameters
    ----------
    labs : iterable of Lab
    what, left : str
        What has therefore failed, and what was left as it was.

    Raises
    ------
    NotebookError
        If a build would change something.
    """
    differences = [difference for lab in labs for difference in check(lab)]
    if differences:
        shown = "; ".join(map(str, differences[:5]))
        raise NotebookError(
            f"{what}: labs and solutions are out of step.",
            why=shown + (f"; and {len(differences) - 5} more" if len(differences) > 5 else ""),
            left=left,
            next_step="course build",
        )


def _differences(source: Source) -> Iterator[tuple[Path, str, str]]:
    paired = synchronise(source)
    notebook = outputs.tidy(paired.notebook)
    derived = _derived(source, notebook)
    missing = [path for path in (source.text, source.solution) if not path.exists()]
    if missing:
        yield missing[0], "(all)", "does not exist"
    elif paired.cells:
        behind = source.text if paired.edited == "notebook" else source.solution
        what = "was edited since the last build"
        if paired.edited != "both":
            what = f"is behind the edited {paired.edited}"
        for cell in paired.cells:
            yield behind, cell, what
    elif notebook.metadata.get("course", {}).get("executed") != code_digest(notebook):
        yield source.solution, "(all)", "the outputs are older than the code"
    else:
        yield from _against(source.solution, notebook)
        if source.text.read_text(encoding="utf-8") != write_text(notebook):
            yield source.text, "(text)", "is not written in the normal form"
    for path, student in derived.items():
        yield from _against(path, student)


def _derived(source: Source, notebook: NotebookNode) -> dict[Path, NotebookNode]:
    """Return the student notebook of a lab by its path, and nothing for the answers."""
    if not isinstance(source, Lab):
        return {}
    student = with_links(source, strip(notebook))
    _refuse_leaks(source, notebook, student)
    return {source.notebook: student}


def _against(path: Path, expected: NotebookNode) -> Iterator[tuple[Path, str, str]]:
    if not path.exists():
        yield path, "(notebook)", "does not exist"
        return
    pairs = compare(expected, read_notebook(path))
    yield from ((path, *pair) for pair in pairs)
    if not pairs and path.read_text(encoding="utf-8") != _as_text(expected):
        yield path, "(notebook)", "is not written in the normal form"


def _refuse_leaks(lab: Lab, notebook: NotebookNode, student: NotebookNode) -> None:
    leaks = find_leaks(notebook, student)
    if leaks:
        shown = "; ".join(f"{leak.line!r} of {leak.exercise} in cell {leak.cell}" for leak in leaks[:5])
        raise NotebookError(
            f"Lab {lab.number} would show {len(leaks)} line{'s' * (len(leaks) > 1)} of its solutions.",
            why=f"{shown}.",
            left=f"{lab.shown(lab.notebook)}; nothing was written.",
            next_step=f"Reword that cell, then run: course build --lab {lab.number}",
        )


def _substitutes(notebook: NotebookNode) -> list[str]:
    return sorted(
        {f"executed on {r.get('source')}" for r in outputs.results(notebook) if r.get("substitute")}
    )


def _put_aside(notebook: Path, state: dict[str, str], new: str) -> Path | None:
    """Keep a copy of a lab notebook that somebody worked in; return its path."""
    if not notebook.exists():
        return None
    old = notebook.read_text(encoding="utf-8")
    if old == new or _digest(old) == state.get("lab"):
        return None
    numbers = (f".{n}" if n else "" for n in range(1000))
    names = (notebook.with_name(f"{notebook.stem}.edited{n}.ipynb") for n in numbers)
    path = next(name for name in names if not name.exists())
    _write(path, old)
    return path


def _contents(source: Source) -> list[bytes | None]:
    return [path.read_bytes() if path.exists() else None for path in source.files]


def _as_text(notebook: NotebookNode) -> str:
    nbformat.validate(notebook)
    return nbformat.writes(notebook, version=nbformat.NO_CONVERT) + "\n"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _write(path: Path, text: str) -> bool:
    """Write a file whole or not at all, unless it has that content; return whether it was written."""
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return False
    try:
        with published(path) as file:
            file.write(text.encode())
    except OSError as error:
        raise NotebookError(
            f"{path} cannot be written.",
            why=str(error.strerror),
            left="The file as it was.",
            next_step="Close it in other programs, free disk space if it is full, and run the command again.",
        ) from error
    return True
