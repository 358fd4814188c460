"""The two forms of a source, text and notebook, kept in step without losing an edit."""

from __future__ import annotations

import contextlib
import copy
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbformat import NotebookNode
from traitlets.log import get_logger

from course_utils.errors import NotebookError
from course_utils.notebooks.cells import cell_digest, derive_ids, differing_cells, digests, normalise
from course_utils.notebooks.layout import Source

_TEXT_FORMAT = "py:percent"
_KINDS: dict[type, str] = {str: "text", dict: "an object", list: "a list"}
# Pairing and kernel are the business of jupytext.toml and of the notebook: the text has no header.
_WITHOUT_HEADER = {"notebook_metadata_filter": "-all"}


@dataclass(frozen=True)
class Paired:
    """A source with its two forms in step, in memory.

    Attributes
    ----------
    notebook : NotebookNode
        The cells that both forms now have, with the outputs of the notebook.
    edited : str
        Which form was edited since the last build: ``"text"``, ``"notebook"``, ``"both"`` (alike) or ``""``.
    cells : list of str
        The cells that these edits touch.
    """

    notebook: NotebookNode
    edited: str
    cells: list[str]


def synchronise(source: Source) -> Paired:
    """Read both forms and apply the edits of one to the other. Write nothing.

    Raises
    ------
    NotebookError
        If both forms were edited differently since the last build, or if one cannot be read.
    """
    text = read_text(source.text) if source.text.exists() else None
    notebook = read_notebook(source.solution) if source.solution.exists() else None
    if notebook is None:
        if text is None:
            raise NotebookError(f"{source.name} has no source.", why=f"{source.text} does not exist.")
        return Paired(normalise(text), "text", derive_ids(text.cells))
    if text is None:
        return Paired(normalise(notebook), "notebook", derive_ids(notebook.cells))

    built = list(notebook.metadata.get("course", {}).get("cells", []))
    of_text, of_notebook = digests(text), digests(notebook)
    if of_text == of_notebook:
        return Paired(
            normalise(notebook), "both" if of_text != built else "", differing_cells(built, notebook)
        )
    if of_notebook == built:
        merged = _with_outputs_of(text, notebook)
        return Paired(normalise(merged), "text", differing_cells(built, text))
    if of_text == built:
        return Paired(normalise(notebook), "notebook", differing_cells(built, notebook))
    raise _both_edited(source, built, text, notebook)


def read_notebook(path: Path) -> NotebookNode:
    """Read a notebook file as nbformat 4.

    Raises
    ------
    NotebookError
        If the file is not a notebook.
    """
    try:
        with warnings.catch_warnings(), _quiet(get_logger()):
            warnings.simplefilter("ignore")  # a notebook without cell ids gets them from us
            notebook = nbformat.read(path, as_version=4)
            for place, value, kind in _expected(notebook):
                if not isinstance(value, kind):
                    raise ValueError(f"{place} is {value!r:.40}, not {_KINDS[kind]}")
            nbformat.validate(notebook, relax_add_props=True)
        return notebook
    except Exception as error:  # nbformat raises many kinds of errors on a damaged file
        raise NotebookError(
            f"{path} cannot be read as a notebook.",
            why=f"{type(error).__name__}: {(str(error).splitlines() or ['it is empty'])[0][:200]}",
            left="Nothing was written.",
            next_step="Restore the file (git checkout, or a checkpoint in .ipynb_checkpoints) and try again.",
        ) from error


@contextlib.contextmanager
def _quiet(log: logging.Logger | logging.LoggerAdapter[Any]) -> Iterator[None]:
    """Leave it to us to say what is wrong with a notebook; nbformat would print a page of its schema."""
    logger = log if isinstance(log, logging.Logger) else log.logger
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _expected(notebook: NotebookNode) -> Iterator[tuple[str, Any, type]]:
    """Yield what is read of a notebook: where it stands, what it is and of which kind it should be."""
    yield "its metadata", notebook.get("metadata"), dict
    course = notebook.metadata.get("course", {})
    yield "its metadata course", course, dict
    for name, default in (("cells", []), ("executed", ""), ("profile", ""), ("lab", "")):
        yield f"the {name} in its metadata course", course.get(name, default), type(default)
    for digest in course.get("cells", []):
        yield "a digest in its metadata course", digest, str
    yield "its list of cells", notebook.get("cells"), list
    for number, cell in enumerate(notebook.cells, start=1):
        yield f"cell {number}", cell, dict
        for name, kind in (("cell_type", str), ("source", str), ("metadata", dict)):
            yield f"the {name} of cell {number}", cell.get(name), kind
        yield f"the metadata nbgrader of cell {number}", cell.metadata.get("nbgrader", {}), dict
        yield f"the outputs of cell {number}", cell.get("outputs", []), list
        for output in cell.get("outputs", []):
            yield f"an output of cell {number}", output, dict


def read_text(path: Path) -> NotebookNode:
    """Read a ``py:percent`` file as a notebook without outputs.

    Raises
    ------
    NotebookError
        If the file cannot be read.
    """
    try:
        return jupytext.reads(path.read_text(encoding="utf-8"), fmt=_TEXT_FORMAT)
    except Exception as error:  # jupytext raises many kinds on a header that it cannot parse
        raise NotebookError(
            f"{path} cannot be read as py:percent.", why=f"{type(error).__name__}: {error}"
        ) from error


def write_text(notebook: NotebookNode) -> str:
    """Return the text form of a notebook.

    Raises
    ------
    NotebookError
        If a cell would not come back from the text as it is.
    """
    written = copy.deepcopy(notebook)
    written.metadata.jupytext = dict(_WITHOUT_HEADER)
    text = jupytext.writes(written, fmt=_TEXT_FORMAT)
    again = jupytext.reads(text, fmt=_TEXT_FORMAT)
    for cell_id, before, after in zip(derive_ids(notebook.cells), notebook.cells, again.cells, strict=False):
        if cell_digest(before) != cell_digest(after):
            raise NotebookError(
                f"Cell {cell_id!r} cannot be written as text.",
                why="Reading the text back gives another cell; usually a line begins with '# %%'.",
                left="Nothing was written.",
                next_step="Rewrite the cell and run: course build",
            )
    return text


def _with_outputs_of(text: NotebookNode, notebook: NotebookNode) -> NotebookNode:
    merged = jupytext.combine.combine_inputs_with_outputs(text, notebook, fmt=_TEXT_FORMAT)
    merged.metadata = notebook.metadata
    return merged


def _both_edited(
    source: Source, built: list[str], text: NotebookNode, notebook: NotebookNode
) -> NotebookError:
    py, ipynb = source.shown(source.text), source.shown(source.solution)
    if built:
        in_text, in_notebook = differing_cells(built, text), differing_cells(built, notebook)
        why = f"In {py}: {', '.join(in_text)}. In {ipynb}: {', '.join(in_notebook)}."
    else:
        cells = differing_cells(digests(notebook), text)
        why = (
            f"They differ in: {', '.join(cells)}, and the notebook does not say which text it was built from."
        )
    return NotebookError(
        f"{py} and {ipynb} were both edited since the last build, in different ways.",
        why=why,
        left="Every file.",
        next_step="Copy the edits you want to keep into one of the two, delete the other and run: "
        f"{source.build_command}",
    )
