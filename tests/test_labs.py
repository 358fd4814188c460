"""The labs that students get: made from the solutions, silent about them, calm before a key is pressed."""

from __future__ import annotations

import ast
from pathlib import Path

import nbformat
import pytest

from course_utils.notebooks.build import check
from course_utils.notebooks.cells import grade_id_of
from course_utils.notebooks.kernel import execute
from course_utils.notebooks.layout import Lab, find_labs
from course_utils.notebooks.outputs import output_texts, problems
from course_utils.notebooks.pairing import read_notebook
from course_utils.notebooks.strip import find_leaks, solution_lines

LABS = find_labs(Path(__file__).parents[1])
VERDICT = "application/vnd.convnet-labs.verdict+json"

each_lab = pytest.mark.parametrize("lab", LABS, ids=[lab.name for lab in LABS])


def test_there_are_four_labs():
    assert [lab.name for lab in LABS] == ["01_conv_layer", "02_pooling_layer", "03_lenet5", "04_vgg"]


@pytest.mark.slow
@each_lab
def test_build_check_is_clean(lab: Lab):
    assert [str(difference) for difference in check(lab)] == []


@each_lab
def test_no_line_of_a_solution_shows(lab: Lab):
    solution, student = read_notebook(lab.solution), read_notebook(lab.notebook)
    assert sum(len(solution_lines(cell)) for cell in solution.cells) > 10, (
        "the proof has something to look for"
    )
    assert find_leaks(solution, student) == []


@each_lab
def test_every_cell_parses_and_has_no_output(lab: Lab):
    from IPython.core.inputtransformer2 import TransformerManager

    for cell in read_notebook(lab.notebook).cells:
        if cell.cell_type == "code":
            ast.parse(TransformerManager().transform_cell(cell.source))
            assert (cell.outputs, cell.execution_count) == ([], None)


@each_lab
def test_headings_and_points_are_those_of_the_exercises(lab: Lab):
    from course_utils import exercises

    notebook = read_notebook(lab.solution)
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    marks = {grade_id_of(cell): cell.metadata.nbgrader for cell in notebook.cells if grade_id_of(cell)}
    for exercise in map(exercises.get, exercises.names()):
        if exercise.lab == lab.number:
            worth = f"{exercise.points} point{'s' * (exercise.points != 1)}"
            worth = "optional" if exercise.optional else worth
            assert f"### Exercise {exercise.number} · `{exercise.title}` ({worth})\n" in text + "\n"
            assert marks[f"check_{exercise.id}"]["points"] == exercise.points


@each_lab
def test_nothing_large_or_accidental_is_committed(lab: Lab):
    assert problems(read_notebook(lab.solution)) == []


@pytest.fixture(scope="module", params=LABS, ids=[lab.name for lab in LABS])
def untouched(request, tmp_path_factory) -> tuple[Lab, nbformat.NotebookNode]:
    """A lab, run from top to bottom before anything is typed. A cell that raises fails the test."""
    notebook = read_notebook(request.param.notebook)
    execute(notebook, tmp_path_factory.mktemp("work"), profile="quick", timeout=300)
    return request.param, notebook


@pytest.mark.slow
def test_an_untouched_lab_runs_without_any_exception(untouched):
    _, notebook = untouched
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code)
    assert not any(output.output_type == "error" for cell in code for output in cell.outputs)


@pytest.mark.slow
def test_an_untouched_lab_reports_every_exercise_as_not_started(untouched):
    from course_utils import exercises

    lab, notebook = untouched
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    verdicts = [output.data[VERDICT] for output in outputs if VERDICT in output.get("data", {})]
    mine = [name for name in exercises.names() if exercises.get(name).lab == lab.number]
    assert [verdict["id"] for verdict in verdicts] == mine
    assert {verdict["status"] for verdict in verdicts} == {"not started"}


@pytest.mark.slow
def test_a_cell_that_needs_an_unfinished_exercise_says_which(untouched):
    _, notebook = untouched
    texts = [text for cell in notebook.cells for text in output_texts(cell)]
    assert any("waits for Exercise" in text or "is not started" in text for text in texts)
