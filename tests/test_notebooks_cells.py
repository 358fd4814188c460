"""Cells have one normal form: the same ids, metadata and digests, whoever saved the notebook."""

from __future__ import annotations

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from notebook_samples import SOLUTION, small_lab

from course_utils.notebooks.cells import CARRIED, code_digest, compare, derive_ids, digests, normalise
from course_utils.notebooks.pairing import read_text, write_text


def code(source: str, **metadata: object) -> nbformat.NotebookNode:
    return new_code_cell(source, metadata=metadata)


def test_ids_come_from_exercises_and_headings():
    cells = [
        new_markdown_cell("# Lab 01 · Convolution\n\nText."),
        code("1"),
        new_markdown_cell("## Output size"),
        code("def f(): pass", nbgrader={**SOLUTION, "grade_id": "output_size"}),
        code("2"),
    ]
    assert derive_ids(cells) == [
        "lab-01-convolution-1",
        "lab-01-convolution-2",
        "output-size-1",
        "output_size",
        "output-size-2",
    ]


@pytest.mark.parametrize("heading", ["Ünïcode ✓", "·", "x" * 200, "nn.Conv2d", ""])
def test_ids_are_valid_unique_and_short_for_any_heading(heading):
    cells = [new_markdown_cell(f"## {heading}"), code("1"), new_markdown_cell(f"## {heading}"), code("2")]
    cells += [code("3", nbgrader={**SOLUTION, "grade_id": "y" * 90}) for _ in range(2)]
    ids = derive_ids(cells)
    assert len(set(ids)) == len(cells)
    assert all(0 < len(each) <= 64 for each in ids)
    nbformat.validate(normalise(new_notebook(cells=cells)))


def test_a_heading_that_reads_like_an_exercise_does_not_take_its_id():
    cells = [new_markdown_cell("## size"), code("1"), code("2", nbgrader={**SOLUTION, "grade_id": "size-2"})]
    assert derive_ids(cells) == ["size-1", "size-3", "size-2"]


def test_what_editors_leave_behind_changes_nothing():
    quiet = normalise(new_notebook(cells=[code("x = 1", tags=["keep"])]))
    noisy = new_notebook(
        cells=[code("x = 1\n\n", tags=["keep"], scrolled=True, trusted=True, jupyter={"a": 1})]
    )
    noisy.cells[0].metadata.execution = {"iopub.execute_input": "2024-01-01T00:00:00Z"}
    noisy.metadata.update(widgets={}, kernelspec={"name": "venv", "display_name": "mine"}, vscode={})
    assert digests(noisy) == digests(quiet)
    assert normalise(noisy) == quiet


def test_code_digest_ignores_text_and_sees_code():
    before = new_notebook(cells=[new_markdown_cell("a"), code("x = 1")])
    text = new_notebook(cells=[new_markdown_cell("b"), code("x = 1")])
    other = new_notebook(cells=[new_markdown_cell("a"), code("x = 2")])
    assert code_digest(before) == code_digest(text) != code_digest(other)


def test_the_text_form_carries_the_same_metadata_as_the_normal_form(repository):
    import tomllib

    settings = tomllib.loads((repository / "solutions" / "jupytext.toml").read_text())
    assert settings["cell_metadata_filter"].split(",") == [*CARRIED, "-all"]
    assert settings["formats"] == "ipynb,py:percent"


def test_text_and_notebook_are_the_same_cells_there_and_back(tmp_path):
    lab = small_lab(tmp_path)
    notebook = normalise(read_text(lab.text))
    notebook.cells.append(code("%matplotlib inline\n!echo a\n# a comment"))
    lab.text.write_text(write_text(notebook))
    assert digests(read_text(lab.text)) == digests(notebook)
    assert not lab.text.read_text().startswith("# ---"), "the text has no header"


def notebook() -> nbformat.NotebookNode:
    return normalise(
        new_notebook(cells=[new_markdown_cell("# A"), code("x = 1"), code("y = 2"), code("z = 3")])
    )


def test_equal_notebooks_have_no_differences():
    assert compare(notebook(), notebook()) == []


def swap(nb):
    nb.cells[1], nb.cells[2] = nb.cells[2], nb.cells[1]


@pytest.mark.parametrize(
    ("change", "cell", "what"),
    [
        (lambda nb: nb.cells[1].update(source="x = 7"), "a-2", "source"),
        (lambda nb: nb.cells[2].metadata.update(tags=["t"]), "a-3", "metadata"),
        (lambda nb: nb.cells[2].update(id="other"), "a-3", "id"),
        (lambda nb: nb.cells[1].update(execution_count=5), "a-2", "execution count"),
        (lambda nb: nb.cells[1].outputs.append(nbformat.v4.new_output("stream", text="1")), "a-2", "outputs"),
        (lambda nb: nb.cells.pop(2), "a-3", "missing"),
        (lambda nb: nb.cells.insert(1, code("new = 1")), "", "should not be there"),
        (swap, "a-2", "order"),
        (lambda nb: nb.metadata.update(title="t"), "(notebook)", "title"),
    ],
)
def test_each_kind_of_difference_is_named(change, cell, what):
    found = notebook()
    change(found)
    differences = compare(notebook(), found)
    assert any(cell in where and what in text for where, text in differences), differences


def test_a_widget_without_its_kernel_leaves_nothing_behind():
    from course_utils.notebooks.outputs import tidy

    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "x"}, "text/plain": "VBox()"}
    still = {"text/html": "<p>still</p>", "text/plain": "still"}
    outputs = [nbformat.v4.new_output("display_data", data=data) for data in (still, view)]
    notebook = tidy(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("pad", outputs=outputs)]))
    assert [output.data for output in notebook.cells[0].outputs] == [still]
