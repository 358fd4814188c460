"""What the instructor's notebook gives to every submission: setup code, and the order of the exercises."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from nbformat import NotebookNode

from course_utils import exercises
from course_utils.grading.records import CodeCell, Question
from course_utils.grading.source import bound_by, names_used, parse
from course_utils.notebooks.cells import grade_id_of, normalise
from course_utils.notebooks.layout import Lab
from course_utils.notebooks.pairing import read_notebook, read_text
from course_utils.notebooks.strip import strip

_OWN = "course_utils"
_MARKS = re.compile(r"^.*(?:BEGIN|END) (?:SOLUTION|MARK SCHEME).*\n?", re.M)


@dataclass(frozen=True)
class Template:
    """A lab as it is graded.

    Attributes
    ----------
    lab : int
    cells : tuple of CodeCell
        In the instructor's order: setup code, and for each exercise a cell with its stub.
    checks : tuple of (str, str)
        Id and source of each check's cell.
    questions : tuple of Question
        The open questions.
    references : tuple of (str, str)
        The instructor's own answer to each exercise; the stub where there is none.
    prose : frozenset of str
        The lab's texts, without line breaks.
    """

    lab: int
    cells: tuple[CodeCell, ...]
    checks: tuple[tuple[str, str], ...]
    questions: tuple[Question, ...] = ()
    references: tuple[tuple[str, str], ...] = ()
    prose: frozenset[str] = frozenset()

    @property
    def stubs(self) -> dict[str, str]:
        """The cell that a student starts from, by exercise."""
        return {cell.exercise: cell.source for cell in self.cells if cell.exercise}


def title_of(lab: Lab) -> str:
    """Return the first heading of a lab, for example ``Lab 01 · The convolutional layer``."""
    lines = (
        line for cell in _read(lab).cells if cell.cell_type == "markdown" for line in cell.source.split("\n")
    )
    return next((line[2:].strip() for line in lines if line.startswith("# ")), f"Lab {lab.number:02}")


def read_template(lab: Lab) -> Template:
    """Make the template of a lab from its solution, or from the students' notebook where there is none."""
    about = next((path for path in (lab.text, lab.solution) if path.exists()), lab.notebook).stat()
    return _template(lab, about.st_mtime_ns, about.st_size)


@lru_cache(maxsize=16)
def _template(lab: Lab, written: int, size: int) -> Template:
    """Make the template of a lab, once for each state of its source."""
    notebook = normalise(_read(lab))
    given = strip(notebook) if lab.text.exists() or lab.solution.exists() else notebook
    return template_of(notebook, given, lab.number)


def _read(lab: Lab) -> NotebookNode:
    if lab.text.exists():
        return read_text(lab.text)
    return read_notebook(lab.solution if lab.solution.exists() else lab.notebook)


def template_of(notebook: NotebookNode, given: NotebookNode, lab: int) -> Template:
    """Make the template of a lab from the cells of its source, and of what students are given.

    Of the instructor's other code, only what can matter to an exercise is kept: imports, and definitions of
    names that the reference solutions use, directly or through one another. Text, figures, training and
    checks are left out, and so is everything below the last exercise.
    """
    known = set(exercises.names())
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    marked = [grade_id_of(cell) for cell in code]
    places = [i for i, grade_id in enumerate(marked) if grade_id in known]
    last = places[-1] if places else -1
    plain = {i: code[i].source for i in range(last) if not marked[i]}
    needed = _closure(set().union(*(names_used(code[i].source) for i in places)), plain.values())
    stubs = {grade_id_of(cell): cell.source for cell in given.cells}
    cells = []
    for i in range(last + 1):
        if i in plain:
            if source := _kept(plain[i], needed):
                cells.append(CodeCell(source))
        elif marked[i] in known:
            cells.append(CodeCell(stubs[marked[i]], marked[i]))
    checks = tuple((f"check_{marked[i]}", stubs.get(f"check_{marked[i]}", "")) for i in places)
    references = tuple((marked[i], code[i].source) for i in places)
    questions = tuple(_questions(notebook.cells, stubs, known))
    prose = frozenset(unwrapped(cell.source) for cell in given.cells if cell.cell_type == "markdown")
    return Template(lab, tuple(cells), checks, questions, references, prose)


def unwrapped(text: str) -> str:
    """Return a text as it is compared: in one line, and the same in a script, which comments it out."""
    return " ".join(re.sub(r"^[# ]+", "", text, flags=re.M).split())


def _questions(
    cells: Sequence[NotebookNode], stubs: Mapping[str, str], known: set[str]
) -> Iterator[Question]:
    for above, cell in pairwise([NotebookNode(cell_type="raw"), *cells]):
        marks, name = cell.metadata.get("nbgrader", {}), grade_id_of(cell)
        task = marks.get("task")
        if name in known or not (task or (marks.get("grade") and marks.get("solution"))):
            continue
        text = stubs[name] if task else above.source if above.cell_type == "markdown" else ""
        answer = "" if cell.source == stubs[name] else _MARKS.sub("", cell.source).strip("\n")
        points = float(marks.get("points", 0))
        stub = "" if task else stubs[name]
        yield Question(name, points, text, answer, stub, cell.cell_type == "code")


def _closure(wanted: set[str], sources: Iterable[str]) -> set[str]:
    """Add to `wanted` what the statements that define wanted names use themselves."""
    statements = [s for source in sources for s in _statements(source)]
    wanted, before = set(wanted), set[str]()
    while wanted != before:
        before = set(wanted)
        for statement in statements:
            if wanted & set(bound_by(statement)):
                wanted |= names_used(ast.unparse(statement))
    return wanted


def _kept(source: str, needed: set[str]) -> str:
    kept = []
    for statement in _statements(source):
        imports = isinstance(statement, ast.Import | ast.ImportFrom)
        own = isinstance(statement, ast.ImportFrom) and (statement.module or "").split(".")[0] == _OWN
        if (imports and not own) or needed & set(bound_by(statement)):
            kept.append(ast.unparse(statement))
    return "\n".join(kept)


def _statements(source: str) -> Sequence[ast.stmt]:
    tree = parse(source)
    return tree.body if tree else ()
