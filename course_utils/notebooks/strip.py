"""Makes the lab that students get from a solution notebook, as ``nbgrader generate_assignment`` does."""

from __future__ import annotations

import copy
import hashlib
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass

from nbformat import NotebookNode

from course_utils.errors import NotebookError
from course_utils.notebooks.cells import grade_id_of

CODE_STUB = ("# YOUR CODE HERE", "raise NotImplementedError()")
TEXT_STUB = ("YOUR ANSWER HERE",)
_OUTPUT_METADATA = ("collapsed", "scrolled")
_DISTINCTIVE_TOKENS = 8


@dataclass(frozen=True)
class Leak:
    """A line of a solution that the lab shows."""

    exercise: str
    line: str
    cell: str


def strip(solution: NotebookNode) -> NotebookNode:
    """Return the lab notebook of a solution notebook.

    Solutions become stubs, hidden tests and marking schemes go, outputs are cleared, cells are locked and get
    their checksums, in nbgrader's order. What the build keeps for itself (``metadata.course``) goes too.

    Raises
    ------
    NotebookError
        If a region is not closed, is nested, or is in a cell of the wrong kind; the error names the cell.
    """
    lab = copy.deepcopy(solution)
    for key in ("course", "celltoolbar", "widgets"):
        lab.metadata.pop(key, None)
    for cell in lab.cells:
        _lock(cell)
        _clear_solution(cell)
        _clear_output(cell)
        _clear_region(cell, "HIDDEN TESTS", allowed="grade")
        _clear_region(cell, "MARK SCHEME", allowed="task")
        if _flag(cell, "grade") or _flag(cell, "solution") or _is_locked(cell):
            cell.metadata.nbgrader["checksum"] = checksum(cell)
            cell.metadata.nbgrader["cell_type"] = cell.cell_type
    return lab


def checksum(cell: NotebookNode) -> str:
    """Return the checksum by which nbgrader sees an edited cell (``nbgrader.utils.compute_checksum``)."""
    parts = [
        cell.source,
        cell.cell_type,
        _flag(cell, "grade"),
        _flag(cell, "solution"),
        _is_locked(cell),
        grade_id_of(cell),
    ]
    if _flag(cell, "grade"):
        parts.append(float(cell.metadata.nbgrader["points"]))
    return hashlib.md5("".join(map(str, parts)).encode(), usedforsecurity=False).hexdigest()


def solution_lines(cell: NotebookNode) -> list[str]:
    """Return the lines of a solution cell that its stub does not show, without indentation or blank lines."""
    if not _flag(cell, "solution"):
        return []
    stub = copy.deepcopy(cell)
    _clear_solution(stub)
    shown = {_squeezed(line) for line in stub.source.splitlines()}
    lines = (line.strip() for line in cell.source.splitlines())
    marks = ("BEGIN SOLUTION", "END SOLUTION")
    return [
        line for line in lines if line and _squeezed(line) not in shown and not any(m in line for m in marks)
    ]


def find_leaks(solution: NotebookNode, lab: NotebookNode) -> list[Leak]:
    """Return the lines of solutions that appear anywhere in the lab: code, text, metadata or outputs.

    White space does not count. A line counts when it has at least eight Python tokens, or when it is the
    whole answer and computes something (``return f // 2``). Shorter ones, such as ``return x`` or
    ``loss.backward()``, and unpacked shapes (``channels, height, width = x.shape``) occur in any code and
    give nothing away.

    In the text of the lab, what a line computes is found in any spelling: without brackets and signs of
    multiplication, and in capitals (``(n+2p-f)//s+1``).
    """
    haystack = [(cell.get("id", ""), _squeezed(text)) for cell in lab.cells for text in _texts(cell)]
    haystack += [("(notebook)", _squeezed(text)) for text in _texts(lab.metadata)]
    prose = [(cell.get("id", ""), _bare(cell.source)) for cell in lab.cells if cell.cell_type == "markdown"]
    leaks = []
    for cell in solution.cells:
        lines = solution_lines(cell)
        for line in lines:
            if _gives_away(line, alone=len(lines) == 1):
                wanted = _squeezed(line)
                places = [where for where, text in haystack if wanted in text]
                if computed := _computed(line):
                    places += [where for where, text in prose if computed in text and where not in places]
                leaks += [Leak(grade_id_of(cell), line, where) for where in places]
    return leaks


def _lock(cell: NotebookNode) -> None:
    if _flag(cell, "solution"):
        cell.metadata["deletable"] = False
    elif _is_locked(cell):
        cell.metadata["deletable"] = False
        cell.metadata["editable"] = False


def _clear_solution(cell: NotebookNode) -> None:
    stub = CODE_STUB if cell.cell_type == "code" else TEXT_STUB
    replaced = _clear_region(cell, "SOLUTION", allowed="solution", stub=stub)
    if _flag(cell, "solution") and not replaced:
        cell.source = "\n".join(stub)


def _clear_region(cell: NotebookNode, name: str, *, allowed: str, stub: tuple[str, ...] = ()) -> bool:
    begin, end = f"BEGIN {name}", f"END {name}"
    kept: list[str] = []
    inside = found = False
    for line in cell.source.split("\n"):
        if begin in line:
            if inside:
                raise _region_error(cell, f"has {begin} twice before {end}")
            inside = found = True
            indent = line[: len(line) - len(line.lstrip())]
            kept += [indent + stub_line for stub_line in stub]
        elif end in line:
            inside = False
        elif not inside:
            kept.append(line)
    if inside:
        raise _region_error(cell, f"has {begin} without {end}")
    if found and not _flag(cell, allowed):
        raise _region_error(cell, f"has {begin}, but is not marked as an nbgrader {allowed} cell")
    cell.source = "\n".join(kept)
    return found


def _clear_output(cell: NotebookNode) -> None:
    if cell.cell_type == "code":
        cell.outputs, cell.execution_count = [], None
        for key in _OUTPUT_METADATA:
            cell.metadata.pop(key, None)


def _region_error(cell: NotebookNode, why: str) -> NotebookError:
    name = grade_id_of(cell) or cell.get("id", "") or cell.source.split("\n")[0]
    return NotebookError(
        f"The lab cannot be made from cell {name!r}.",
        why=f"It {why}.",
        left="Nothing was written.",
        next_step="Correct the cell in solutions/ and run: course build",
    )


def _flag(cell: NotebookNode, name: str) -> bool:
    return bool(cell.metadata.get("nbgrader", {}).get(name, False))


def _is_locked(cell: NotebookNode) -> bool:
    if _flag(cell, "solution"):
        return False
    return _flag(cell, "grade") or _flag(cell, "locked")


def _gives_away(line: str, *, alone: bool) -> bool:
    if re.fullmatch(r"[\w\s,()*]+=\s*\w+\.shape(\[[^\]]*\])?", line):
        return False
    tokens = _tokens(line)
    return len(tokens) >= _DISTINCTIVE_TOKENS or (alone and len(tokens) > 3)


def _computed(line: str) -> str:
    """Return, in its barest spelling, what a line computes with at least two operators; else nothing."""
    value = re.sub(r"^(return\b|[\w\s,.]+[-+*/]?=(?!=))", "", line)
    operators = [token for token in _tokens(value) if token in ("+", "-", "/", "//", "%", "@", "*", "**")]
    return _bare(value).strip(",") if len(operators) >= 2 else ""


def _tokens(line: str) -> list[str]:
    if line.startswith("#"):
        return re.findall(r"\w+", line)
    kinds = (tokenize.NAME, tokenize.NUMBER, tokenize.STRING, tokenize.OP)
    try:
        return [t.string for t in tokenize.generate_tokens(io.StringIO(line).readline) if t.type in kinds]
    except (tokenize.TokenError, SyntaxError):
        return re.findall(r"\w+|[^\w\s]+", line)  # a line out of a longer bracket or string


def _squeezed(text: str) -> str:
    return re.sub(r"\s+", "", text)


def _bare(text: str) -> str:
    """Return a text in small letters, without spaces, brackets, signs of multiplication and of Markdown."""
    text = re.sub(r"\\(cdot|times|left|right)\b", "", text.replace("−", "-"))
    return re.sub(r"[\s()\[\]{}*·×`$]", "", text).casefold()


def _texts(node: object) -> Iterator[str]:
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for value in node.values():
            yield from _texts(value)
    elif isinstance(node, list):
        for value in node:
            yield from _texts(value)
