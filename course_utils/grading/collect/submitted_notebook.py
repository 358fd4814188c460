"""A submitted notebook: its code cells as plain text, or a sentence that says why it is unreadable."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from course_utils.grading.records import Cell

MOST_CELLS = 5_000
MOST_SOURCE = 2**20


class UnreadableNotebookError(ValueError):
    """The submitted file is not a notebook that can be graded; the message is a sentence for the student."""


def read_cells(content: bytes) -> list[Cell]:
    """Return the cells of a notebook file, which is not trusted.

    Raises
    ------
    UnreadableNotebookError
        If the file is empty, not a notebook, in an old format, or larger than the notebook of any lab.
    """
    if not content.strip():
        raise UnreadableNotebookError("The file is empty.")
    notebook = _parsed(content)
    if not isinstance(notebook, dict):
        raise UnreadableNotebookError("The file is not a notebook: it contains JSON of another kind.")
    version = notebook.get("nbformat")
    if "worksheets" in notebook or version in (1, 2, 3):
        raise UnreadableNotebookError(
            f"The notebook is in the old format {version if isinstance(version, int) else 3}. "
            "Open it in JupyterLab, save it and hand it in again."
        )
    cells = notebook.get("cells")
    if version != 4 or not isinstance(cells, list):
        raise UnreadableNotebookError("The file is not a notebook: it has no cells of format 4.")
    if not cells:
        raise UnreadableNotebookError("The notebook has no cells.")
    if len(cells) > MOST_CELLS:
        raise UnreadableNotebookError(f"The notebook has {len(cells):,} cells, more than any lab.")
    kept = [cell for raw in cells if (cell := _cell(raw)) is not None]
    if sum(len(cell.source) for cell in kept) > MOST_SOURCE:
        raise UnreadableNotebookError("The notebook contains more than 1 MB of code.")
    return kept


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise UnreadableNotebookError("The file is not a notebook: it is not text in UTF-8.") from None
    except json.JSONDecodeError as error:
        raise UnreadableNotebookError(
            f"The file is not a notebook: it is not JSON from line {error.lineno}, column {error.colno} on "
            "(cut off, or merged by hand?)."
        ) from None
    except RecursionError:
        raise UnreadableNotebookError("The file is not a notebook: its JSON is nested too deeply.") from None
    except ValueError as error:
        raise UnreadableNotebookError(f"The file is not a notebook: {str(error)[:80]}.") from None


def _cell(raw: Any) -> Cell | None:
    if not isinstance(raw, Mapping):
        raise UnreadableNotebookError("The file is not a notebook: one of its cells is not a cell.")
    source = raw.get("source", "")
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        raise UnreadableNotebookError("The file is not a notebook: a cell's source is not text.")
    grade_id = _grade_id(raw.get("metadata"))
    is_code = raw.get("cell_type") == "code"
    # Half a surrogate pair is valid JSON, but cannot be encoded as text.
    source = source.encode("utf-8", "replace").decode("utf-8")
    return Cell(source, grade_id, is_code) if is_code or grade_id else None


def _grade_id(metadata: Any) -> str:
    marks = metadata.get("nbgrader") if isinstance(metadata, Mapping) else None
    grade_id = marks.get("grade_id") if isinstance(marks, Mapping) else None
    return grade_id[:200] if isinstance(grade_id, str) else ""
