"""What students hand in, made from the lab and from answers: for the grading tests and their benchmark."""

from __future__ import annotations

import ast
import copy
import inspect
import json
import textwrap
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import nbformat

from course_utils import exercises
from course_utils.grading.source import bound_by, names_used

REPOSITORY = Path(__file__).parents[2]
LABS = {1: "01_conv_layer", 2: "02_pooling_layer", 3: "03_lenet5", 4: "04_vgg"}
MODULES = {1: "conv_layer", 2: "pooling_layer", 3: "lenet5", 4: "vgg"}


def lab_notebook(lab: int = 1) -> nbformat.NotebookNode:
    """The notebook that students get."""
    return copy.deepcopy(_lab(lab))


@cache
def _lab(lab: int) -> nbformat.NotebookNode:
    return nbformat.read(REPOSITORY / "labs" / f"{LABS[lab]}.ipynb", as_version=4)


def cell_of(notebook: nbformat.NotebookNode, grade_id: str) -> Any:
    """The cell with that id."""
    return next(c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == grade_id)


def submission(answers: Mapping[str, str] | None = None, lab: int = 1) -> nbformat.NotebookNode:
    """The lab with these answers in its exercise cells."""
    notebook = lab_notebook(lab)
    for exercise, source in (answers or {}).items():
        cell_of(notebook, exercise).source = source
    return notebook


def write(notebook: nbformat.NotebookNode | Mapping[str, Any], path: Path) -> Path:
    """Write a notebook, whatever is wrong with it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path


@cache
def solutions(lab: int = 1) -> dict[str, str]:
    """The instructor's answers, by exercise."""
    notebook = nbformat.read(REPOSITORY / "solutions" / f"{LABS[lab]}.ipynb", as_version=4)
    known = set(exercises.names())
    marked = {c.metadata.get("nbgrader", {}).get("grade_id"): c.source for c in notebook.cells}
    return {name: source for name, source in marked.items() if name in known}


def as_answer(exercise: str, function: Any) -> str | None:
    """A function of a test module or a misconception as the cell that a student would hand in.

    None where it cannot stand alone: a lambda, or one that leans on what the course keeps elsewhere.
    """
    if not inspect.isfunction(function) or function.__name__ == "<lambda>" or function.__closure__:
        return None
    own = textwrap.dedent(inspect.getsource(function))
    statements = ast.parse(Path(inspect.getfile(function)).read_text(encoding="utf-8")).body
    wanted, before, kept = names_used(own), None, []
    while wanted != before:
        before = set(wanted)
        kept = [s for s in statements if wanted & set(bound_by(s))]
        wanted = wanted.union(*(names_used(ast.unparse(s)) for s in kept))
    if any(isinstance(s, ast.ImportFrom) and (s.module or "").startswith("course_utils") for s in kept):
        return None
    helpers = [ast.unparse(s) for s in kept if set(bound_by(s)) != {function.__name__}]
    name = exercises.get(exercise).title
    return "\n\n".join([*helpers, own, f"{name} = {function.__name__}"])


@cache
def right_answers(exercise: str) -> tuple[str, ...]:
    """Right answers to an exercise, each in another way; the instructor's own first."""
    from importlib import import_module

    lab = exercises.get(exercise).lab
    ways = import_module(f"right_ways.{MODULES[lab]}").RIGHT_WAYS[exercise]
    found = [source for way in ways if (source := as_answer(exercise, way))]
    return (solutions(lab)[exercise], *found)


@cache
def wrong_answers(exercise: str) -> dict[str, str]:
    """Answers that hold a misconception, by its id."""
    known = exercises.get(exercise).misconceptions
    return {m.id: source for m in known if (source := as_answer(exercise, m.wrong))}
