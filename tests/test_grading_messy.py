"""A messy but honest class gets the grades that a fair human gives."""

from __future__ import annotations

import ast
import builtins
from functools import cache
from typing import Any

import pytest
from messy_class import CLASS
from submissions import REPOSITORY, solutions

from course_utils import exercises
from course_utils.exercises.guard import deadline
from course_utils.grading.collect.submitted_notebook import read_cells
from course_utils.grading.grade_one import grade_notebook
from course_utils.grading.rebuild import Rebuilt, rebuild
from course_utils.grading.sandbox import probe_isolation
from course_utils.grading.source import parse_unchecked
from course_utils.grading.template import Template, read_template
from course_utils.notebooks.layout import find_labs

pytestmark = pytest.mark.slow

REALLY_GRADED = (
    "sleeps_and_trains",
    "overwritten_by_results",
    "deleted",
    "star_imports",
    "magics",
    "jupytext",
)


@cache
def template(lab: int) -> Template:
    return read_template(find_labs(REPOSITORY, lab)[0])


def rebuilt(name: str) -> Rebuilt:
    return rebuild(read_cells(CLASS[name].content), template(CLASS[name].lab))


def answers(result: Rebuilt) -> dict[str, Any]:
    """What the rebuilt cells define, run from the top in this process."""
    space: dict[str, Any] = {"__name__": "__main__", "__builtins__": builtins}
    taken = {}
    for cell in result.notebook.cells:
        try:
            with deadline(5):
                # A student's kernel does not inherit this module's `annotations`.
                exec(compile(parse_unchecked(cell.source), "<cell>", "exec", dont_inherit=True), space)
        except BaseException as error:  # whatever a student's cell does, also `exit()`
            print(cell.exercise, repr(error))
        if cell.exercise and (title := exercises.get(cell.exercise).title) in space:
            taken[cell.exercise] = space[title]
    for exercise, source in solutions(result.notebook.lab).items():
        if exercise not in taken:  # grading lends what is not there
            exec(source, space)
    return taken


@pytest.mark.parametrize("name", CLASS)
def test_what_a_fair_human_gives_is_given(name):
    result = rebuilt(name)
    assert tuple(result.unclear) == CLASS[name].unclear
    known = solutions(CLASS[name].lab)
    right = {cell.exercise for cell in result.notebook.cells if cell.source == known.get(cell.exercise)}
    taken = answers(result)
    right |= {e for e in taken.keys() - right if exercises.evaluate(e, taken[e]).status == "correct"}
    assert set(template(CLASS[name].lab).stubs) - right == set(CLASS[name].lost), result.notes


@pytest.mark.parametrize("name", CLASS)
def test_nothing_but_definitions_runs(name):
    allowed = (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Assign, ast.For)
    for cell in rebuilt(name).notebook.cells:
        if cell.exercise and cell.exercise not in CLASS[name].lost:
            body = parse_unchecked(cell.source).body
            assert all(isinstance(node, allowed) for node in body), cell.source


@pytest.fixture(scope="module")
def isolation():
    return probe_isolation()


@pytest.mark.parametrize("name", REALLY_GRADED)
def test_the_kernel_agrees(name, isolation):
    done = grade_notebook(rebuilt(name).notebook, isolation=isolation)
    wrong = {v.exercise for v in done.verdicts if v.status != "correct"}
    assert wrong == set(CLASS[name].lost), done.notes
