"""Rebuild the notebook to run: the instructor's setup, and only the exercise cells of the student."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass

from course_utils import exercises
from course_utils.grading.records import Cell, CodeCell, RunnableNotebook
from course_utils.grading.source import (
    LARGEST_CELL,
    imported_by,
    names_defined,
    names_used,
    parse,
)
from course_utils.grading.template import Template


@dataclass(frozen=True)
class Rebuilt:
    """A submission made ready to run.

    Attributes
    ----------
    notebook : RunnableNotebook
    unclear : dict
        Exercises that cannot be graded without guessing, with the reason.
    remarks : tuple of str
        What was found but does not affect the grade.
    notes : tuple of str
        What a human should look at.
    """

    notebook: RunnableNotebook
    unclear: dict[str, str]
    remarks: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass
class _StudentAnswer:
    """The student's code for one exercise."""

    source: str | None = None
    unclear: str = ""
    remark: str = ""
    note: str = ""


def rebuild(submitted: Sequence[Cell], template: Template) -> Rebuilt:
    """Take the exercise cells out of a student's notebook and put them between the instructor's.

    A cell is matched by its id; where the id is missing, by the one cell that defines the exercise's
    function or class. What is ambiguous is reported in `unclear` and does not run.
    """
    cells, unclear, remarks, notes = [], {}, [], []
    for cell in template.cells:
        if not cell.exercise:
            cells.append(cell)
            continue
        found = _find(submitted, cell.exercise, cell.source)
        if found.unclear:
            unclear[cell.exercise] = found.unclear
        elif found.source is not None:
            cells.append(CodeCell(found.source, cell.exercise))
        remarks += [found.remark] if found.remark else []
        notes += [found.note] if found.note else []
    cells, taken = _with_imports(submitted, cells)
    remarks += [*taken, *_about_checks(submitted, template)]
    notes += _names_from_elsewhere(submitted, cells)
    notes += [f"{_called(exercise)}: {why}" for exercise, why in unclear.items()]
    runnable = RunnableNotebook(template.lab, tuple(cells), template.references)
    return Rebuilt(runnable, unclear, tuple(remarks), tuple(notes))


def is_stub(source: str, stub: str) -> bool:
    """Whether a cell is as the lab gave it, comments and blank space aside."""
    tree, other = parse(source), parse(stub)
    if tree is None or other is None:
        return source.split() == stub.split()
    return ast.dump(tree) == ast.dump(other)


def count_answers(submitted: Sequence[Cell], template: Template) -> int:
    """Return how many exercises a student has begun to answer."""
    return sum(
        bool(found.unclear) or (found.source is not None and not is_stub(found.source, stub))
        for exercise, stub in template.stubs.items()
        for found in [_find(submitted, exercise, stub)]
    )


def _find(cells: Sequence[Cell], exercise_id: str, stub: str) -> _StudentAnswer:
    name = exercises.get(exercise_id).title
    by_id = [cell for cell in cells if cell.grade_id == exercise_id and cell.is_code]
    started = [cell for cell in by_id if not is_stub(cell.source, stub)]
    by_id = _distinct(started or by_id)
    by_name = _distinct(
        [c for c in cells if c.is_code and not _is_check(c) and name in names_defined(c.source)]
    )
    found = _by_id(by_id, by_name, name) if by_id else _by_name(by_name, name, cells, exercise_id)
    if found.source is not None and len(found.source) > LARGEST_CELL:
        return _StudentAnswer(unclear=f"Its cell has {len(found.source):,} characters, more than any answer.")
    called = _called(exercise_id)
    found.remark = found.remark and f"{called}: {found.remark}"
    found.note = found.note and f"{called}: {found.note}"
    return found


def _by_id(by_id: list[Cell], by_name: list[Cell], name: str) -> _StudentAnswer:
    defining = [cell for cell in by_id if name in names_defined(cell.source)]
    elsewhere = [cell for cell in by_name if cell not in by_id]
    if len(defining) > 1:
        return _StudentAnswer(unclear=f"{len(defining)} cells define `{name}`, each differently.")
    if not defining and len(elsewhere) == 1:
        source = "\n\n".join(cell.source for cell in [*by_id, elsewhere[0]])
        return _StudentAnswer(source, remark=f"`{name}` was found in a cell other than its own.")
    if not defining and elsewhere:
        return _StudentAnswer(
            unclear=f"Its cell does not define `{name}`, and {len(elsewhere)} other cells do."
        )
    source = "\n\n".join(cell.source for cell in by_id)
    if not defining and any(names_defined(cell.source) for cell in by_id):
        return _StudentAnswer(source, note=f"its cell does not define `{name}`; was the function renamed?")
    if elsewhere:
        return _StudentAnswer(
            source, note=f"`{name}` is also defined in another cell; only its own cell counts."
        )
    if len(by_id) > 1:
        return _StudentAnswer(source, remark=f"its cell was split; the {len(by_id)} parts were joined.")
    return _StudentAnswer(source)


def _by_name(by_name: list[Cell], name: str, cells: Sequence[Cell], exercise_id: str) -> _StudentAnswer:
    if len(by_name) == 1:
        return _StudentAnswer(
            by_name[0].source, remark=f"its cell has lost its id and was found by `{name}`."
        )
    if by_name:
        return _StudentAnswer(
            unclear=f"Its cell has lost its id, and {len(by_name)} cells define `{name}`, each differently."
        )
    if any(cell.grade_id == exercise_id for cell in cells):
        return _StudentAnswer(note="its cell is text, not code.")
    return _StudentAnswer(note="the notebook has no cell for it.")


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


def _with_imports(submitted: Sequence[Cell], cells: Sequence[CodeCell]) -> tuple[list[CodeCell], list[str]]:
    """Put before each answer the imports that it needs from other cells of the student."""
    given = {name for cell in cells for name in names_defined(cell.source)}
    imports: dict[str, set[str]] = {}
    for one in submitted:
        tree = parse(one.source) if one.is_code else None
        for name, statement in imported_by(tree) if tree else ():
            imports.setdefault(name, set()).add(statement)
    completed, remarks = [], []
    for cell in cells:
        missing = sorted(names_used(cell.source) - given) if cell.exercise else []
        # Where two imports bind a name differently, choosing one would be a guess.
        needed = [next(iter(imports[name])) for name in missing if len(imports.get(name, ())) == 1]
        if cell.exercise and needed:
            added = ", ".join(f"`{statement}`" for statement in needed)
            remarks.append(f"{_called(cell.exercise)}: {added} was copied from another cell.")
            cell = CodeCell("\n".join([*needed, cell.source]), cell.exercise)
        completed.append(cell)
    return completed, remarks


def _names_from_elsewhere(submitted: Sequence[Cell], cells: Sequence[CodeCell]) -> list[str]:
    """Report answers that depend on what only another cell of the student's notebook defines."""
    given = {name for cell in cells for name in names_defined(cell.source)}
    taken = {cell.source for cell in cells}
    others = {
        name
        for cell in submitted
        if cell.is_code and not _is_check(cell) and cell.source not in taken
        for name in names_defined(cell.source)
    }
    notes = []
    for cell in cells:
        if cell.exercise and (missing := sorted((names_used(cell.source) - given) & others)):
            names = ", ".join(f"`{name}`" for name in missing[:5])
            notes.append(
                f"{_called(cell.exercise)}: its cell uses {names}, which only another cell of the notebook "
                "defines; it was graded without that cell."
            )
    return notes


def _distinct(cells: Sequence[Cell]) -> list[Cell]:
    return list({cell.source.strip(): cell for cell in cells}.values())


def _is_check(cell: Cell) -> bool:
    return cell.grade_id.startswith("check_")


def _called(exercise_id: str) -> str:
    return f"Exercise {exercises.get(exercise_id).number} ({exercise_id})"
