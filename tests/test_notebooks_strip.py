"""Labs are what nbgrader would release, and show nothing of a solution."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from notebook_samples import CHECK, SOLUTION, TEXT, nbgrader, small_lab

from course_utils.errors import NotebookError
from course_utils.notebooks.cells import normalise
from course_utils.notebooks.layout import find_labs
from course_utils.notebooks.pairing import read_text
from course_utils.notebooks.strip import checksum, find_leaks, solution_lines, strip

REPOSITORY = Path(__file__).parents[1]


@pytest.fixture
def solution(tmp_path: Path) -> nbformat.NotebookNode:
    notebook = normalise(read_text(small_lab(tmp_path).text))
    notebook.metadata.course = {"cells": ["secret"]}
    notebook.cells[-1].outputs = [nbformat.v4.new_output("stream", text="0.25\n")]
    notebook.cells[-1].execution_count = 4
    return notebook


def cell_named(notebook: nbformat.NotebookNode, grade_id: str) -> nbformat.NotebookNode:
    return next(c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == grade_id)


def test_a_solution_becomes_a_stub_with_its_indentation(solution):
    cell = cell_named(strip(solution), "output_size")
    assert cell.source.splitlines()[2:] == ["    # YOUR CODE HERE", "    raise NotImplementedError()"]


def test_hidden_tests_outputs_and_the_builds_own_notes_are_gone(solution):
    lab = strip(solution)
    text = nbformat.writes(lab)
    for trace in ("HIDDEN", "assert output_size(28", "padded", "secret", '"course"', "0.25"):
        assert trace not in text
    assert all(c.execution_count is None and c.outputs == [] for c in lab.cells if c.cell_type == "code")


def test_the_solution_itself_is_left_alone(solution):
    before = copy.deepcopy(solution)
    strip(solution)
    assert solution == before


def test_checks_are_locked_and_exercises_cannot_be_deleted(solution):
    lab = strip(solution)
    exercise, check = cell_named(lab, "output_size"), cell_named(lab, "check_output_size")
    assert (exercise.metadata.get("editable"), exercise.metadata.deletable) == (None, False)
    assert (check.metadata.editable, check.metadata.deletable) == (False, False)


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ("### BEGIN SOLUTION\nx = 1", "without END"),
        ("### BEGIN SOLUTION\n### BEGIN SOLUTION\n### END SOLUTION", "twice"),
    ],
)
def test_a_broken_region_is_refused_with_the_cells_name(source, complaint):
    cell = new_code_cell(source, metadata={"nbgrader": {**SOLUTION, "grade_id": "broken"}})
    with pytest.raises(NotebookError, match="'broken'") as caught:
        strip(new_notebook(cells=[cell]))
    assert complaint in str(caught.value)


def test_a_solution_region_outside_a_solution_cell_is_refused():
    cell = new_code_cell("### BEGIN SOLUTION\nx = 1\n### END SOLUTION")
    with pytest.raises(NotebookError, match="not marked"):
        strip(new_notebook(cells=[cell]))


def test_checksums_are_nbgraders(solution):
    from nbgrader.utils import compute_checksum

    points = new_code_cell("1", metadata={"nbgrader": {**CHECK, "grade_id": "half", "points": 0.5}})
    locked = {**CHECK, "grade": False, "grade_id": "read_only"}
    cells = [*solution.cells, points, new_markdown_cell("fixed", metadata={"nbgrader": locked})]
    for cell in cells:
        if "nbgrader" in cell.metadata:
            assert checksum(cell) == compute_checksum(cell)


ANSWER = {**SOLUTION, "grade": True}
READ_ONLY = {**SOLUTION, "locked": True, "solution": False}

EXTRA = f"""
{nbgrader("why", {**ANSWER, "points": 2}, "[markdown] ")}
# Because of the padding.

{nbgrader("read_only", READ_ONLY, "[markdown] ")}
# Read this.

{nbgrader("whole", SOLUTION)}
everything = "is the solution"

{nbgrader("by_hand", {**ANSWER, "points": 3})}
answer = 1
### BEGIN SOLUTION
answer = 42
### END SOLUTION

{nbgrader("essay", {**READ_ONLY, "points": 5, "task": True}, "[markdown] ")}
# Write about pooling.
#
# ### BEGIN MARK SCHEME
# one point a reason
# ### END MARK SCHEME
"""


@pytest.mark.slow
def test_labs_equal_what_nbgrader_generates(tmp_path):
    """Our release and ``nbgrader generate_assignment``, cell for cell, on a real course directory."""
    source = tmp_path / "course" / "source" / "labs"
    source.mkdir(parents=True)
    texts = {lab.name: lab.text for lab in find_labs(REPOSITORY) if lab.text.exists()}
    texts["99_small"] = small_lab(tmp_path / "small", TEXT + EXTRA).text
    solutions = {name: normalise(read_text(path)) for name, path in texts.items()}
    for name, notebook in solutions.items():
        nbformat.write(notebook, source / f"{name}.ipynb")
    # nbgrader is a program of its own: it logs to files and keeps a database in the course directory.
    command = [sys.executable, "-m", "nbgrader", "generate_assignment", "labs", "--create"]
    # It calls alembic by name, which lies beside the interpreter.
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        command, cwd=tmp_path / "course", env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    for name, notebook in solutions.items():
        theirs = nbformat.read(tmp_path / "course" / "release" / "labs" / f"{name}.ipynb", as_version=4)
        ours = strip(notebook)
        assert len(ours.cells) == len(theirs.cells)
        for our_cell, their_cell in zip(ours.cells, theirs.cells, strict=True):
            assert our_cell == their_cell
        assert ours.metadata == theirs.metadata


def test_only_lines_that_the_stub_hides_are_solution_lines(solution):
    assert solution_lines(cell_named(solution, "output_size")) == [
        "padded = n + 2 * p",
        "return (padded - f) // s + 1",
    ]


def test_no_leak_is_reported_for_a_clean_lab(solution):
    assert find_leaks(solution, strip(solution)) == []


@pytest.mark.parametrize("place", ["code", "text", "output", "metadata", "notebook metadata"])
def test_a_solution_line_is_found_wherever_the_lab_shows_it(solution, place):
    lab = strip(solution)
    line = "return (padded-f) // s + 1"  # spaced differently on purpose
    if place == "code":
        lab.cells[1].source += f"\n{line}"
    elif place == "text":
        lab.cells[0].source += f"\nThe answer is `{line}`."
    elif place == "output":
        lab.cells[1].outputs = [nbformat.v4.new_output("display_data", data={"text/plain": line})]
    elif place == "metadata":
        lab.cells[1].metadata["hint"] = [line]
    else:
        lab.metadata["notes"] = {"of the author": line}
    (leak,) = find_leaks(solution, lab)
    assert leak.exercise == "output_size"


@pytest.mark.parametrize(
    ("line", "counts"),
    [
        ("return f // 2", True),  # short, but the whole answer
        ("return x", False),
        ("channels, height, width = x.shape", False),
        ("loss = criterion(model(images), labels)", True),
    ],
)
def test_lines_that_stand_in_any_code_give_nothing_away(line, counts):
    source = f"def f(x):\n    ### BEGIN SOLUTION\n    {line}\n    ### END SOLUTION"
    solution = new_notebook(
        cells=[new_code_cell(source, metadata={"nbgrader": {**SOLUTION, "grade_id": "f"}})]
    )
    lab = strip(solution)
    lab.cells.append(new_code_cell(f"def g(x):\n    {line}"))
    assert bool(find_leaks(solution, lab)) == counts
