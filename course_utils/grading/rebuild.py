"""Rebuild the notebook to run: the instructor's setup, and of the student's code only the answers."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from course_utils import exercises
from course_utils.grading.portable import missing_packages, portable
from course_utils.grading.records import Cell, CodeCell, Question, Rebuilt, RunnableNotebook
from course_utils.grading.similarity import shingles
from course_utils.grading.source import LARGEST_CELL, names_defined, without_comments
from course_utils.grading.student_code import Found, Statement, StudentCode
from course_utils.grading.template import Template, unwrapped

_LONGEST_REMARK = 400
_LONGEST_TEXT = 20_000


@dataclass
class _StudentAnswer:
    """The student's code for one exercise."""

    source: str | None = None
    unclear: str = ""
    remarks: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def rebuild(submitted: Sequence[Cell], template: Template) -> Rebuilt:
    """Take the answers out of a student's notebook and put them between the instructor's cells.

    An answer is the last definition of the function or class that is asked for, wherever it stands; the stub
    that the lab gives is none. With it come the definitions that it uses, and nothing else: no prints, no
    training. Where nothing defines it, the exercise's own cell says why. What is ambiguous is reported in
    `unclear` and does not run.
    """
    given = {name for cell in template.cells if not cell.exercise for name in names_defined(cell.source)}
    prose = [cell.source for cell in submitted if cell.is_prose]
    submitted = [cell for cell in submitted if not cell.is_prose]
    stubs = {exercises.get(exercise).title: stub for exercise, stub in template.stubs.items()}
    code = StudentCode(submitted, stubs, given)
    cells, unclear, remarks, notes = [], {}, [], []
    written: dict[str, str] = {}
    for cell in template.cells:
        if not cell.exercise:
            cells.append(cell)
            continue
        found = _find(code, cell.exercise, cell.source)
        if found.unclear:
            unclear[cell.exercise] = found.unclear
            written[cell.exercise] = _cut(found.source or "")
        elif found.source is not None:
            cells.append(CodeCell(found.source, cell.exercise))
        remarks += [f"{_called(cell.exercise)}: {remark}" for remark in found.remarks]
        notes += [f"{_called(cell.exercise)}: {note}" for note in found.notes]
    remarks += _about_checks(submitted, template)
    notes += [f"{_called(exercise)}: {why}" for exercise, why in unclear.items()]
    for question in template.questions:
        text = _text(submitted, question)
        by_words = question.stub and not question.is_code
        if not text and by_words and (elsewhere := _own_prose(prose, template)):
            written[question.name] = _cut(elsewhere)
            notes.append(f"{question.name}: its cell is empty; this stands elsewhere in the notebook.")
        elif text is not None:
            written[question.name] = _cut(text)
        elif question.stub:
            notes.append(f"{question.name}: the notebook has no cell for it.")
    runnable = RunnableNotebook(template.lab, tuple(cells), template.references)
    begun = {
        cell.exercise: cell.source
        for cell in cells
        if cell.exercise and not is_stub(cell.source, template.stubs[cell.exercise])
    }
    return Rebuilt(
        runnable,
        unclear,
        tuple(map(_short, remarks)),
        tuple(map(_short, notes)),
        code={exercise: without_comments(source) for exercise, source in begun.items()},
        shingles={exercise: shingles(source) for exercise, source in begun.items()},
        written=written | {exercise: _cut(source) for exercise, source in begun.items()},
    )


def is_stub(source: str, stub: str) -> bool:
    """Whether a cell is as the lab gave it, comments and blank space aside."""
    code, given = without_comments(source), without_comments(stub)
    return code == given if code or given else source.split() == stub.split()


def _text(cells: Sequence[Cell], question: Question) -> str | None:
    """Return what a student wrote about an open question; None where no cell has its id.

    Jupyter gives the halves of a cell, and copies, the id of the whole: all of them count, each text once.
    """
    parts = [cell.source for cell in cells if cell.grade_id == question.name]
    if not parts or not question.stub:
        return None
    texts = (part.replace("\r\n", "\n").replace(question.stub, "").strip("\n").rstrip() for part in parts)
    return "\n\n".join(dict.fromkeys(filter(None, texts)))


def _own_prose(prose: Sequence[str], template: Template) -> str:
    """Return the texts of a notebook that the lab does not have, or has otherwise."""
    return "\n\n".join(dict.fromkeys(text for text in prose if unwrapped(text) not in template.prose))


def _find(code: StudentCode, exercise_id: str, stub: str) -> _StudentAnswer:
    title = exercises.get(exercise_id).title
    if found := code.answer(title):
        answer = _defined(code, found, exercise_id)
    else:
        answer = _not_defined(code, exercise_id, stub)
    if answer.source is not None and len(answer.source) > LARGEST_CELL:
        return _StudentAnswer(
            answer.source, f"Its code has {len(answer.source):,} characters, more than any answer."
        )
    if answer.source is not None:
        answer.source, changed = portable(answer.source)
        answer.remarks += changed
        if missing := missing_packages(answer.source):
            names = " and ".join(f"`{name}`" for name in missing[:3])
            return _StudentAnswer(
                answer.source,
                unclear=f"It imports {names}, not installed here: write it with PyTorch, or paste your own "
                "module's code into the notebook.",
            )
    return answer


def _defined(code: StudentCode, found: Found, exercise_id: str) -> _StudentAnswer:
    title = exercises.get(exercise_id).title
    answer = _StudentAnswer(_joined(code, found))
    cell = code.cells[found.chosen.cell]
    if not cell.is_code:
        answer.notes.append(f"`{title}` was found in a text cell, which does not run; its code was taken.")
    elif cell.grade_id != exercise_id:
        has_own = any(other.is_code and other.grade_id == exercise_id for other in code.cells)
        answer.remarks.append(
            f"`{title}` was found in a cell other than its own."
            if has_own
            else f"its cell has lost its id and was found by `{title}`."
        )
    if found.differing > 1:
        answer.notes.append(f"{found.differing} cells define `{title}`, each differently; the last counts.")
    taken = [s for s in found.needed if s.cell != found.chosen.cell]
    if taken:
        added = ", ".join(_named(statement) for statement in taken[:5])
        answer.remarks.append(f"copied from other cells: {added}.")
    return answer


def _not_defined(code: StudentCode, exercise_id: str, stub: str) -> _StudentAnswer:
    title = exercises.get(exercise_id).title
    own = [cell for cell in code.cells if cell.grade_id == exercise_id]
    started = _distinct([cell for cell in own if cell.is_code and not is_stub(cell.source, stub)])
    broken = _distinct([code.cells[place] for place in code.unread])
    if broken := [cell for cell in broken if cell in started or _seems_to_define(cell.source, title)]:
        return _StudentAnswer(broken[-1].source)
    if found := code.similar(title):
        name = min(found.chosen.binds)
        source = f"{_joined(code, found)}\n\n{title} = {name}"
        return _StudentAnswer(source, notes=[f"its function is called `{name}`, not `{title}`."])
    if code.untouched(title):
        return _StudentAnswer(stub)
    if any(cell.is_code for cell in own):
        renamed = any(names_defined(cell.source) for cell in started)
        note = [f"its cell does not define `{title}`; was the function renamed?"] if renamed else []
        return _StudentAnswer("\n\n".join(cell.source for cell in started), notes=note)
    if missing := [name for s in code.star_imports for name in missing_packages(s.text)]:
        return _StudentAnswer(
            unclear=f"It may be in `{missing[0]}`, which was not graded: paste its code into the notebook."
        )
    return _StudentAnswer(
        notes=["its cell is text, not code." if own else "the notebook has no cell for it."]
    )


def _joined(code: StudentCode, found: Found) -> str:
    """Return the code of an answer: of its own cell the text as it is, if all of it is needed."""
    own = code.of_cell(found.chosen.cell)
    cell = code.cells[found.chosen.cell]
    needless = any(s not in found.needed and not _does_nothing(s.node) for s in own)
    as_it_is = cell.is_code and (found.whole or not needless) and not cell.source.lstrip().startswith("%%")
    parts, last = [], None
    for statement in found.needed:
        if not as_it_is or statement.cell != found.chosen.cell:
            parts.append(statement.text)
        elif last != statement.cell:
            parts.append(cell.source)
        last = statement.cell
    source = "\n\n".join(parts)
    hints = "from __future__ import annotations"
    return f"{hints}\n\n{source}" if found.whole and hints not in source else source


def _does_nothing(node: ast.stmt) -> bool:
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _named(statement: Statement) -> str:
    if statement.is_import:
        return f"`{statement.text}`"
    return ", ".join(f"`{name}`" for name in sorted(statement.binds)[:3]) or f"`{statement.text[:40]}`"


def _seems_to_define(source: str, title: str) -> bool:
    return bool(re.search(rf"^[ \t]*(?:async +)?(?:def|class) +{title}\b", source, re.M))


def _about_checks(cells: Sequence[Cell], template: Template) -> list[str]:
    by_id = {cell.grade_id: cell.source for cell in cells if cell.grade_id}
    gone = [check for check, _ in template.checks if check not in by_id]
    edited = [
        check
        for check, source in template.checks
        if check in by_id and by_id[check].split() != source.split()
    ]
    remarks = []
    if gone and len(gone) < len(template.checks):
        remarks.append(f"Deleted check cells, which do not affect the grade: {', '.join(gone)}.")
    if edited:
        remarks.append(f"Edited check cells, which do not affect the grade: {', '.join(edited)}.")
    return remarks


def _distinct(cells: Sequence[Cell]) -> list[Cell]:
    return list({cell.source.strip(): cell for cell in cells}.values())


def _cut(text: str) -> str:
    """Return an answer at a length that can be shown."""
    more = len(text) - _LONGEST_TEXT
    return text if more <= 0 else f"{text[:_LONGEST_TEXT]}\n[… {more:,} more characters in the notebook]"


def _short(text: str) -> str:
    """Return a remark at a length that can be read; it may contain names of a student's own."""
    return text if len(text) <= _LONGEST_REMARK else f"{text[: _LONGEST_REMARK - 1]}…"


def _called(exercise_id: str) -> str:
    return f"Exercise {exercises.get(exercise_id).number} ({exercise_id})"
