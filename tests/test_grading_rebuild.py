"""The notebook that runs is the instructor's, with the student's answers; doubts are reported."""

from __future__ import annotations

import copy
import json

import nbformat
import pytest
from nbformat.v4 import new_code_cell
from submissions import REPOSITORY, cell_of, lab_notebook, solutions, submission

from course_utils.grading.collect.submitted_notebook import read_cells
from course_utils.grading.rebuild import rebuild
from course_utils.grading.suspicious import reasons_to_look
from course_utils.grading.template import read_template, template_of
from course_utils.notebooks.layout import Lab, find_labs
from course_utils.notebooks.strip import strip

ANSWER = "def zero_pad(image, padding):\n    return F.pad(image, [padding] * 4)"
OTHER = "def zero_pad(image, padding):\n    return image"


@pytest.fixture(scope="module")
def template():
    return read_template(find_labs(REPOSITORY, 1)[0])


@pytest.fixture
def notebook() -> nbformat.NotebookNode:
    return submission({"zero_pad": ANSWER})


@pytest.fixture
def rebuilt(template):
    def make(notebook):
        return rebuild(read_cells(json.dumps(notebook).encode()), template)

    return make


def source_of(runnable, exercise: str) -> str | None:
    return next((cell.source for cell in runnable.cells if cell.exercise == exercise), None)


def setup_of(template) -> list[str]:
    return [cell.source for cell in template.cells if not cell.exercise]


def extra(source: str, grade_id: str = "") -> nbformat.NotebookNode:
    metadata = {"nbgrader": {"grade_id": grade_id, "solution": True}} if grade_id else {}
    return new_code_cell(source, metadata=metadata)


def test_an_untouched_lab_gives_every_exercise_in_order(rebuilt, template):
    result = rebuilt(lab_notebook())
    assert [p.exercise for p in result.notebook.cells if p.exercise] == list(template.stubs)
    assert (result.unclear, result.remarks, result.notes) == ({}, (), ())


def test_only_the_instructors_imports_and_the_exercise_cells_run(rebuilt, notebook):
    notebook.cells.insert(0, extra("import torch\ntorch.equal = lambda *_: True"))
    runnable = rebuilt(notebook).notebook
    given = [cell.source for cell in runnable.cells if not cell.exercise]
    assert given == ["import torch\nimport torch.nn as nn\nimport torch.nn.functional as F"]
    assert source_of(runnable, "zero_pad") == ANSWER
    assert "lambda" not in runnable.to_json()


def test_setup_holds_what_references_use_and_nothing_else():
    def cell(source, grade_id=""):
        kind = {"grade": False, "solution": True, "locked": False, "grade_id": grade_id, "schema_version": 3}
        return new_code_cell(source, metadata={"nbgrader": kind} if grade_id else {})

    source = nbformat.v4.new_notebook(
        cells=[
            cell("import math\nfrom course_utils import check, figures\ncheck.begin(lab=1)"),
            cell("SIDE = 3\nAREA = SIDE * SIDE\nunused = figures.table([])\nprint(AREA)"),
            cell("def helper(x):\n    return x * AREA\nhelper(2)"),
            cell("def zero_pad(image, padding):\n    return helper(image)", "zero_pad"),
            cell("import torchvision\nlate = 1"),
        ]
    )
    assert setup_of(template_of(source, strip(source), 1)) == [
        "import math",
        "SIDE = 3\nAREA = SIDE * SIDE",
        "def helper(x):\n    return x * AREA",
    ]


def test_without_solutions_the_students_notebook_is_the_template(tmp_path, template):
    (tmp_path / "labs").mkdir()
    nbformat.write(lab_notebook(), tmp_path / "labs" / "01_conv_layer.ipynb")
    from_lab = read_template(Lab("01_conv_layer", tmp_path, 1))
    assert (from_lab.stubs, setup_of(from_lab), from_lab.checks) == (
        template.stubs,
        setup_of(template),
        template.checks,
    )


@pytest.mark.parametrize("lab", [1, 2, 3, 4])
def test_every_labs_solutions_rebuild_without_a_word(lab):
    template = read_template(find_labs(REPOSITORY, lab)[0])
    cells = read_cells(json.dumps(submission(solutions(lab), lab)).encode())
    result = rebuild(cells, template)
    assert (result.unclear, result.notes, result.remarks) == ({}, (), ())
    assert len(result.notebook.cells) > len(template.stubs)


def test_an_order_of_its_own_becomes_the_instructors(rebuilt, template, notebook):
    notebook.cells.reverse()
    runnable = rebuilt(notebook).notebook
    assert [p.exercise for p in runnable.cells if p.exercise] == list(template.stubs)


def test_a_cell_that_lost_its_id_is_found_by_its_function(rebuilt, notebook):
    del cell_of(notebook, "zero_pad").metadata["nbgrader"]
    result = rebuilt(notebook)
    assert source_of(result.notebook, "zero_pad") == ANSWER
    assert "lost its id" in result.remarks[0]


def test_a_class_is_found_by_its_name():
    template = read_template(find_labs(REPOSITORY, 3)[0])
    notebook = lab_notebook(3)
    del cell_of(notebook, "lenet5").metadata["nbgrader"]
    runnable = rebuild(read_cells(json.dumps(notebook).encode()), template).notebook
    assert source_of(runnable, "lenet5").startswith("class LeNet5(nn.Module)")


@pytest.mark.parametrize("grade_id", ["", "zero_pad", "check_zero_pad"])
def test_the_last_definition_counts_and_a_human_is_told(grade_id, rebuilt, notebook):
    notebook.cells.append(extra(OTHER, grade_id))
    result = rebuilt(notebook)
    assert source_of(result.notebook, "zero_pad") == OTHER
    assert "2 cells define `zero_pad`, each differently; the last counts" in result.notes[0]


@pytest.mark.parametrize("place", [0, -1])
def test_a_duplicate_that_is_the_same_or_untouched_does_not_matter(place, rebuilt, notebook):
    stub = copy.deepcopy(cell_of(lab_notebook(), "zero_pad"))
    notebook.cells.insert(place, stub)
    notebook.cells.append(copy.deepcopy(cell_of(notebook, "cross_correlate")))
    notebook.cells.append(extra(ANSWER + "\n", "zero_pad"))
    result = rebuilt(notebook)
    assert result.unclear == {}
    assert source_of(result.notebook, "zero_pad").strip() == ANSWER


def test_a_split_cell_is_put_together(rebuilt, notebook):
    place = notebook.cells.index(cell_of(notebook, "zero_pad"))
    cell_of(notebook, "zero_pad").source = "def sides(padding):\n    return [padding] * 4"
    rest = "def zero_pad(image, padding):\n    return F.pad(image, sides(padding))"
    notebook.cells.insert(place + 1, extra(rest, "zero_pad"))
    result = rebuilt(notebook)
    source = source_of(result.notebook, "zero_pad")
    assert source == f"def sides(padding):\n    return [padding] * 4\n\n{rest}"
    assert "copied from other cells: `sides`" in result.remarks[0]


def test_an_answer_that_moved_to_another_cell_is_found(rebuilt, notebook):
    cell_of(notebook, "zero_pad").source = "# see below"
    notebook.cells.append(extra(ANSWER))
    result = rebuilt(notebook)
    assert ANSWER in source_of(result.notebook, "zero_pad")
    assert "a cell other than its own" in result.remarks[0]


def test_merged_cells_answer_both_exercises(rebuilt, notebook):
    both = ANSWER + "\n\n\ndef same_padding(f):\n    return f // 2"
    cell_of(notebook, "zero_pad").source = both
    notebook.cells.remove(cell_of(notebook, "same_padding"))
    runnable = rebuilt(notebook).notebook
    assert source_of(runnable, "zero_pad") == ANSWER
    assert source_of(runnable, "same_padding") == both.removeprefix(ANSWER).strip()


def test_a_renamed_function_is_told(rebuilt, notebook):
    cell_of(notebook, "zero_pad").source = ANSWER.replace("zero_pad", "my_pad")
    result = rebuilt(notebook)
    assert source_of(result.notebook, "zero_pad") is not None
    assert "renamed" in result.notes[0]


def test_a_missing_cell_is_told_and_one_turned_to_text_is_read(rebuilt, notebook):
    notebook.cells.remove(cell_of(notebook, "zero_pad"))
    cell = cell_of(notebook, "same_padding")
    cell.cell_type, cell.source = "markdown", "def same_padding(f):\n    return f // 2"
    result = rebuilt(notebook)
    assert source_of(result.notebook, "zero_pad") is None
    assert source_of(result.notebook, "same_padding") == cell.source
    assert "no cell for it" in result.notes[0]
    assert "was found in a text cell" in result.notes[1]


PADDED = "def zero_pad(image, padding):\n    return torch.from_numpy(np.pad(image.numpy(), padding) * half)"


def test_definitions_in_other_cells_are_taken_along_and_nothing_else(rebuilt, notebook):
    notebook.cells.insert(1, extra("import math, numpy as np\nhalf = 0.5\nprint(half)"))
    notebook.cells.append(extra("half = [1, 2]"))
    cell_of(notebook, "zero_pad").source = PADDED
    result = rebuilt(notebook)
    source = source_of(result.notebook, "zero_pad")
    assert source == f"import numpy as np\n\nhalf = 0.5\n\n{PADDED}"
    assert not result.notes
    assert "copied from other cells: `import numpy as np`, `half`" in result.remarks[0]


def test_of_two_imports_of_one_name_the_last_above_the_answer_is_taken(rebuilt, notebook):
    notebook.cells.insert(1, extra("import torch as np"))
    notebook.cells.insert(2, extra("import numpy as np"))
    notebook.cells.append(extra("import math as np"))
    cell_of(notebook, "zero_pad").source = PADDED.replace(" * half", "")
    assert source_of(rebuilt(notebook).notebook, "zero_pad").startswith("import numpy as np\n\ndef")


def test_helpers_in_another_exercises_cell_are_no_reason_to_look(rebuilt, notebook):
    cell_of(notebook, "cross_correlate").source = (
        "def window(x):\n    return x\n\n" + solutions()["cross_correlate"]
    )
    cell_of(notebook, "zero_pad").source = ANSWER.replace("image, [", "window(image), [")
    assert rebuilt(notebook).notes == ()


def test_deleted_and_edited_checks_are_told_and_change_nothing(rebuilt, notebook):
    notebook.cells.remove(cell_of(notebook, "check_zero_pad"))
    cell_of(notebook, "check_conv2d").source = "print('all passed')"
    result = rebuilt(notebook)
    assert result.notes == ()
    assert [r.split(":")[0] for r in result.remarks] == [
        "Deleted check cells, which do not affect the grade",
        "Edited check cells, which do not affect the grade",
    ]


def test_a_cell_that_is_no_python_keeps_its_id_and_runs(rebuilt, notebook):
    cell_of(notebook, "zero_pad").source = "def zero_pad(image, padding)\n    return image"
    result = rebuilt(notebook)
    assert source_of(result.notebook, "zero_pad").startswith("def zero_pad(image, padding)\n")
    assert result.unclear == {}


def test_magics_hide_no_definition(rebuilt, notebook):
    cell_of(notebook, "zero_pad").metadata.pop("nbgrader")
    cell = next(c for c in notebook.cells if c.source == ANSWER)
    cell.source = f"%matplotlib inline\n!pip list\n{ANSWER}"
    assert source_of(rebuilt(notebook).notebook, "zero_pad") == ANSWER


def test_a_cell_larger_than_any_answer_does_not_run(rebuilt, notebook):
    cell_of(notebook, "zero_pad").source = ANSWER + "\n#" + "x" * 300_000
    assert "more than any answer" in rebuilt(notebook).unclear["zero_pad"]


@pytest.mark.parametrize(
    "source",
    [
        "-" * 100_000 + "1",
        "+".join("1" * 50_000),
        "+".join("1" * 1_000),
        "(" * 5_000,
        "x" + ".a" * 50_000,
        "f" + "(1)" * 50_000,
        "\x00",
    ],
)
def test_code_made_to_break_parsers_breaks_nothing(source, rebuilt, notebook):
    notebook.cells.append(extra(source))
    cell_of(notebook, "conv2d").source = source
    assert source_of(rebuilt(notebook).notebook, "zero_pad") == ANSWER


@pytest.mark.parametrize(
    "cell", ["!ls\n" * 501, "%x\n" * 600, "x = 1" + "+1" * 1_000, "x = 0x" + "f" * 200_000]
)
def test_a_cell_that_breaks_a_parser_costs_no_other_answer(cell, rebuilt, notebook):
    notebook.cells.append(extra(cell))
    assert source_of(rebuilt(notebook).notebook, "zero_pad") == ANSWER
    cell_of(notebook, "same_padding").source = cell
    assert source_of(rebuilt(notebook).notebook, "zero_pad") == ANSWER
    assert reasons_to_look(cell) is not None
