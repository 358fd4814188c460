"""Cells in a normal form: stable ids, quiet metadata, digests, and a comparison that names cells."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import Any

from nbformat import NotebookNode

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
LANGUAGE = {
    "codemirror_mode": {"name": "ipython", "version": 3},
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
}

CARRIED = ("nbgrader", "nbval_reason", "tags")
"""The cell metadata that mean something here; solutions/jupytext.toml carries the same into the text."""

_POINTS = re.compile(r" \(\d+ points?\)$")
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*\s*$")
_MAX_ID = 64


def normalise(notebook: NotebookNode) -> NotebookNode:
    """Bring cells, ids and metadata of `notebook` into the normal form, in place, and return it.

    Two notebooks with the same cells are equal afterwards, whoever saved them. Outputs are left alone.
    """
    course = notebook.metadata.get("course")
    notebook.metadata = NotebookNode(kernelspec=NotebookNode(KERNEL), language_info=NotebookNode(LANGUAGE))
    if course is not None:
        notebook.metadata.course = course
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for cell in notebook.cells:
        cell.source = _trimmed(cell.source)
        cell.metadata = _carried(cell.metadata)
    for cell, cell_id in zip(notebook.cells, derive_ids(notebook.cells), strict=True):
        cell.id = cell_id
    return notebook


def derive_ids(cells: Sequence[NotebookNode]) -> list[str]:
    """Return an id for each cell: its ``grade_id``, or its section's heading and a counter.

    The ids are unique, at most 64 characters long and valid in nbformat 4.5. They depend on the cells alone.
    """
    taken = {_slug(grade_id) for cell in cells if (grade_id := grade_id_of(cell))}
    counts: Counter[str] = Counter()
    section, ids = "top", []
    used: set[str] = set()
    for cell in cells:
        if cell.cell_type == "markdown" and (heading := _first_heading(cell.source)):
            # Points may change; a section is then still the same.
            section = _slug(_POINTS.sub("", heading)).lower()[: _MAX_ID - 5].strip("-") or "section"
        grade_id = grade_id_of(cell)
        cell_id = _slug(grade_id)[:_MAX_ID] if grade_id else ""
        while not cell_id or cell_id in used:
            counts[section] += 1
            candidate = f"{section}-{counts[section]}"
            cell_id = candidate if candidate not in taken else ""
        used.add(cell_id)
        ids.append(cell_id)
    return ids


def grade_id_of(cell: NotebookNode) -> str:
    """Return the cell's nbgrader ``grade_id``, or an empty string."""
    return str(cell.metadata.get("nbgrader", {}).get("grade_id", ""))


def cell_digest(cell: NotebookNode) -> str:
    """Return a digest of what an author writes in a cell: type, source and metadata, not ids and outputs."""
    written = [cell.cell_type, _trimmed(cell.source), _carried(cell.metadata)]
    return hashlib.sha256(json.dumps(written, sort_keys=True).encode()).hexdigest()[:16]


def digests(notebook: NotebookNode) -> list[str]:
    """Return the digest of each cell, in order."""
    return [cell_digest(cell) for cell in notebook.cells]


def code_digest(notebook: NotebookNode) -> str:
    """Return one digest of all code, in order: outputs stay true as long as it does not change."""
    code = [_trimmed(cell.source) for cell in notebook.cells if cell.cell_type == "code"]
    return hashlib.sha256(json.dumps(code).encode()).hexdigest()[:16]


def differing_cells(before: Sequence[str], notebook: NotebookNode) -> list[str]:
    """Name the cells of `notebook` whose digests are not in `before`, and count those that are gone."""
    ids, now = derive_ids(notebook.cells), digests(notebook)
    named, gone = [], 0
    for kind, first, last, start, stop in SequenceMatcher(None, before, now, autojunk=False).get_opcodes():
        if kind != "equal":
            named += ids[start:stop]
            gone += max(0, (last - first) - (stop - start))
    return named + ([f"{gone} removed"] if gone else [])


def compare(expected: NotebookNode, found: NotebookNode) -> list[tuple[str, str]]:
    """Return ``(cell, what differs)`` for every cell in which `found` differs from `expected`.

    Order, type, source, metadata, ids, outputs and execution counts count, and the notebook's metadata.
    """
    wanted, present = digests(expected), digests(found)
    if wanted != present and sorted(wanted) == sorted(present):
        first = next(i for i, (a, b) in enumerate(zip(wanted, present, strict=True)) if a != b)
        return [(expected.cells[first].id, "the cells are in another order from here on")]
    differences: list[tuple[str, str]] = []
    for kind, a, b, c, d in SequenceMatcher(None, wanted, present, autojunk=False).get_opcodes():
        pairs = list(zip(expected.cells[a:b], found.cells[c:d], strict=False))
        for cell, other in pairs:
            # A missing cell shifts the ids of all later ones: comparing these would say nothing new.
            differences += [
                (cell.id, what) for what in _what_differs(cell, other, ids=len(wanted) == len(present))
            ]
        if kind != "equal":
            differences += [(cell.id, "is missing") for cell in expected.cells[a + len(pairs) : b]]
            differences += [(_label(cell), "should not be there") for cell in found.cells[c + len(pairs) : d]]
    if expected.metadata != found.metadata:
        keys = sorted(
            k
            for k in {*expected.metadata, *found.metadata}
            if expected.metadata.get(k) != found.metadata.get(k)
        )
        differences.append(("(notebook)", f"metadata differs: {', '.join(keys)}"))
    return differences


def _what_differs(cell: NotebookNode, other: NotebookNode, *, ids: bool) -> list[str]:
    parts: list[tuple[str, Any, Any]] = [
        ("type", cell.cell_type, other.cell_type),
        ("source", cell.source, other.source),
        ("metadata", cell.metadata, other.metadata),
        ("outputs", cell.get("outputs"), other.get("outputs")),
        ("execution count", cell.get("execution_count"), other.get("execution_count")),
    ]
    if ids:
        parts.append(("id", cell.get("id"), other.get("id")))
    names = [name for name, a, b in parts if a != b]
    return [f"{' and '.join(names)} differ{'s' if len(names) == 1 else ''}"] if names else []


def _label(cell: NotebookNode) -> str:
    return grade_id_of(cell) or cell.get("id") or repr(cell.source[:30])


def _carried(metadata: NotebookNode) -> NotebookNode:
    return NotebookNode({key: metadata[key] for key in CARRIED if metadata.get(key)})


def _trimmed(source: str) -> str:
    # The text form does not keep blank lines around a cell.
    return source.strip("\n").rstrip()


def _first_heading(source: str) -> str:
    matches = (_HEADING.match(line) for line in source.splitlines())
    return next((match.group(1) for match in matches if match), "")


def _slug(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9_]+", "-", text).strip("-")
