"""A submitted notebook: its code cells as plain text, or a sentence that says why it is unreadable."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from course_utils.grading.records import Cell

MOST_CELLS = 5_000
MOST_SOURCE = 2**20
_MOST_PROSE = 20_000
_CODE_IN_TEXT = re.compile(r"^[ \t]*(?:(?:async +def|def|class|@)\b|\w+ *= *lambda\b)", re.M)
_OPENING = re.compile(r"# (%%|In\[[\d ]*\]:|\+|-$)(.*)")
"""Where a cell of a script begins: Jupytext's percent and light formats, and nbconvert's."""

_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class UnreadableNotebookError(ValueError):
    """The submitted file is not a notebook that can be graded; the message is a sentence for the student."""


def read_cells(content: bytes) -> list[Cell]:
    """Return the cells of a notebook, or of a script made of it; the file is not trusted.

    Raises
    ------
    UnreadableNotebookError
        If the file is empty, neither a notebook nor a script, in a very old format, or larger than the
        notebook of any lab.
    """
    if not content.strip():
        raise UnreadableNotebookError("The file is empty.")
    text = _decoded(content)
    if text.lstrip().startswith("<"):
        raise UnreadableNotebookError("The file is a web page. Hand in the notebook itself, the .ipynb file.")
    if text.lstrip().startswith(("{", "[")):
        cells = _cells(_parsed(text))
    elif _CODE_IN_TEXT.search(text):
        cells = list(_of_script(text))
    else:
        raise UnreadableNotebookError("The file is not a notebook: it is neither JSON nor Python code.")
    if not cells:
        raise UnreadableNotebookError("The notebook has no cells.")
    if len(cells) > MOST_CELLS:
        raise UnreadableNotebookError(f"The notebook has {len(cells):,} cells, more than any lab.")
    kept = [cell for raw in cells if (cell := _cell(raw)) is not None]
    if sum(len(cell.source) for cell in kept if not cell.is_prose) > MOST_SOURCE:
        raise UnreadableNotebookError("The notebook contains more than 1 MB of code.")
    return kept


def _decoded(content: bytes) -> str:
    """Return a file's text; notebooks are UTF-8, but editors and shells save them otherwise."""
    is_wide = content.startswith(_UTF_16) or b"\0" in content[:4]
    for encoding in ("utf-16",) if is_wide else ("utf-8-sig", "latin-1"):
        try:
            return content.decode(encoding).rstrip("\0")
        except UnicodeDecodeError:
            continue
    raise UnreadableNotebookError("The file is not a notebook: it is not text in UTF-8.")


def _parsed(text: str) -> Any:
    try:
        # What stands behind the notebook is left from an interrupted save.
        return json.JSONDecoder().raw_decode(text.lstrip())[0]
    except json.JSONDecodeError as error:
        raise UnreadableNotebookError(
            f"The file is not a notebook: it is not JSON from line {error.lineno}, column {error.colno} on "
            "(cut off, or merged by hand?)."
        ) from None
    except RecursionError:
        raise UnreadableNotebookError("The file is not a notebook: its JSON is nested too deeply.") from None
    except ValueError as error:
        raise UnreadableNotebookError(f"The file is not a notebook: {str(error)[:80]}.") from None


def _cells(notebook: Any) -> list[Any]:
    if not isinstance(notebook, dict):
        raise UnreadableNotebookError("The file is not a notebook: it contains JSON of another kind.")
    sheets = notebook.get("worksheets")
    if notebook.get("nbformat") == 3 and isinstance(sheets, list):
        inside = [sheet.get("cells") for sheet in sheets if isinstance(sheet, Mapping)]
        return [cell for cells in inside if isinstance(cells, list) for cell in cells]
    if "worksheets" in notebook or notebook.get("nbformat") in (1, 2, 3):
        raise UnreadableNotebookError(
            "The notebook is in an old format. Open it in JupyterLab, save it and hand it in again."
        )
    cells = notebook.get("cells")
    if notebook.get("nbformat") != 4 or not isinstance(cells, list):
        raise UnreadableNotebookError("The file is not a notebook: it has no cells of format 4.")
    return cells


def _of_script(text: str) -> Iterator[dict[str, Any]]:
    """Yield the cells of a script that Jupytext or nbconvert made, or that was written by hand."""
    kind, lines = "code", list[str]()
    for line in [*text.splitlines(), "# %%"]:
        opening = _OPENING.fullmatch(line)
        if opening is None:
            lines.append(line)
            continue
        if source := "\n".join(lines).strip("\n"):
            yield {"cell_type": kind, "source": source}
        kind, lines = "markdown" if "[markdown]" in opening[2] or "[raw]" in opening[2] else "code", []


def _cell(raw: Any) -> Cell | None:
    if not isinstance(raw, Mapping):
        raise UnreadableNotebookError("The file is not a notebook: one of its cells is not a cell.")
    source = raw.get("source", raw.get("input", ""))
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        source = "".join(source)
    if not isinstance(source, str):
        raise UnreadableNotebookError("The file is not a notebook: a cell's source is not text.")
    grade_id = _grade_id(raw.get("metadata"))
    is_code = raw.get("cell_type") == "code"
    # Half a surrogate pair is valid JSON, but cannot be encoded as text.
    source = source.encode("utf-8", "replace").decode("utf-8")
    if is_code or grade_id or _CODE_IN_TEXT.search(source):
        return Cell(source, grade_id, is_code)
    return Cell(source[:_MOST_PROSE], is_code=False, is_prose=True) if source.strip() else None


def _grade_id(metadata: Any) -> str:
    marks = metadata.get("nbgrader") if isinstance(metadata, Mapping) else None
    grade_id = marks.get("grade_id") if isinstance(marks, Mapping) else None
    return grade_id[:200] if isinstance(grade_id, str) else ""
