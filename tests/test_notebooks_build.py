"""``course build`` keeps text, notebook and lab in step and loses no edit."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from notebook_samples import TEXT, edit, small_lab

from course_utils.errors import NotebookError
from course_utils.notebooks.build import build, check
from course_utils.notebooks.layout import ANSWERS, Lab, Source, find_sources

REPOSITORY = Path(__file__).parents[1]


class FakeKernel:
    """Stands in for a kernel: numbers the outputs and counts how often it ran."""

    def __init__(self) -> None:
        self.profiles: list[str] = []

    def __call__(self, notebook: NotebookNode, profile: str) -> None:
        self.profiles.append(profile)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.execution_count = 99
                cell.metadata.execution = {"iopub.status.busy": "now"}
                cell.outputs = [nbformat.v4.new_output("stream", text=f"run {len(self.profiles)}\n")]


def never(notebook: NotebookNode, profile: str) -> None:
    raise AssertionError("nothing should be executed")


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    built = small_lab(tmp_path)
    build(built, FakeKernel())
    return built


def contents(lab: Lab) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(lab.root.rglob("*")) if path.is_file()}


def outputs(lab: Lab) -> list[str]:
    cells = nbformat.read(lab.solution, as_version=4).cells
    return [cell.outputs[0].text for cell in cells if cell.cell_type == "code"]


def test_the_first_build_makes_notebook_and_lab(tmp_path):
    lab = small_lab(tmp_path)
    kernel = FakeKernel()
    built = build(lab, kernel, profile="quick")
    assert built.written == ["labs/01_small.ipynb", "solutions/01_small.ipynb"]
    assert kernel.profiles == ["quick"]
    assert lab.text.read_text() == TEXT, "the author's text is not rewritten"
    assert stat.S_IMODE(lab.notebook.stat().st_mode) & 0o444 == 0o444


def test_the_answers_are_built_without_a_lab(tmp_path):
    lab = small_lab(tmp_path)
    answers = Source(ANSWERS, tmp_path)
    answers.text.write_text(TEXT)
    assert find_sources(tmp_path) == [lab, answers]
    assert build(answers, FakeKernel()).written == ["solutions/answers.ipynb"]
    assert check(answers) == []
    edit(answers.text, "floor(2.5)", "floor(3.5)")
    assert {(d.file, d.mend) for d in check(answers)} == {("solutions/answers.ipynb", "course build")}
    assert not lab.notebook.parent.exists()


def test_a_second_build_changes_no_byte_and_runs_nothing(lab):
    before = contents(lab)
    assert build(lab, never).written == []
    assert contents(lab) == before
    assert check(lab) == []


def test_force_executes_although_nothing_changed(lab):
    kernel = FakeKernel()
    kernel.profiles.append("earlier")
    build(lab, kernel, force=True)
    assert kernel.profiles[1:] == ["fast"]
    assert set(outputs(lab)) == {"run 2\n"}


def test_the_profile_of_the_outputs_is_remembered(tmp_path):
    lab = small_lab(tmp_path)
    build(lab, FakeKernel(), profile="lecture")
    edit(lab.text, "floor(2.5)", "floor(3.5)")
    kernel = FakeKernel()
    build(lab, kernel)
    assert kernel.profiles == ["lecture"]


def test_an_edit_of_the_text_reaches_notebook_and_lab(lab):
    edit(lab.text, "floor(2.5)", "floor(3.5)")
    assert {d.file for d in check(lab)} == {"solutions/01_small.ipynb", "labs/01_small.ipynb"}
    build(lab, FakeKernel())
    for path in (lab.solution, lab.notebook):
        assert "floor(3.5)" in path.read_text()
    assert check(lab) == []


def test_an_edit_of_the_notebook_reaches_text_and_lab(lab):
    edit(lab.solution, "floor(2.5)", "floor(3.5)")
    assert {d.file for d in check(lab)} == {"solutions/01_small.py", "labs/01_small.ipynb"}
    build(lab, FakeKernel())
    for path in (lab.text, lab.notebook):
        assert "floor(3.5)" in path.read_text()
    assert check(lab) == []


def test_an_edit_of_words_keeps_the_outputs(lab):
    edit(lab.text, "Text with", "Words with")
    edit(lab.text, "## Output size", "## The size")
    build(lab, never)
    assert outputs(lab) == ["run 1\n"] * 4
    assert "Words with" in lab.notebook.read_text()


def test_the_same_edit_in_both_is_no_conflict(lab):
    for path in (lab.text, lab.solution):
        edit(path, "Text with", "Words with")
    assert [d.file for d in check(lab)] == ["solutions/01_small.ipynb", "labs/01_small.ipynb"]
    build(lab, never)
    assert check(lab) == []


def test_different_edits_of_both_are_refused_and_nothing_is_written(lab):
    edit(lab.text, "floor(2.5)", "floor(3.5)")
    edit(lab.solution, "output_size(5, 3)", "output_size(7, 3)")
    before = contents(lab)
    with pytest.raises(NotebookError) as caught:
        build(lab, never, force=True)
    message = str(caught.value)
    assert "lab-01-small-2" in message and "check_output_size" in message
    assert contents(lab) == before
    assert len(check(lab)) == 1


@pytest.mark.parametrize("kept", ["text", "solution"])
def test_deleting_one_twin_resolves_a_conflict(lab, kept):
    edit(lab.text, "floor(2.5)", "floor(3.5)")
    edit(lab.solution, "output_size(5, 3)", "output_size(7, 3)")
    (lab.solution if kept == "text" else lab.text).unlink()
    build(lab, FakeKernel())
    assert ("floor(3.5)" in lab.text.read_text()) == (kept == "text")
    assert ("output_size(7, 3)" in lab.solution.read_text()) == (kept == "solution")
    assert check(lab) == []


def test_a_notebook_that_was_never_built_is_not_overwritten(tmp_path):
    lab = small_lab(tmp_path)
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("mine = 1")]), lab.solution)
    before = contents(lab)
    with pytest.raises(NotebookError, match="both edited"):
        build(lab, never)
    assert contents(lab) == before


def test_a_lab_in_which_somebody_worked_is_put_aside(lab):
    edit(lab.notebook, "raise NotImplementedError()", "return 42")
    built = build(lab, never)
    aside = lab.notebook.with_name("01_small.edited.ipynb")
    assert "return 42" in aside.read_text() and "return 42" not in lab.notebook.read_text()
    assert any(aside.name in note for note in built.notes)
    assert check(lab) == []


def test_a_lab_that_is_merely_old_is_not_put_aside(lab):
    edit(lab.text, "Text with", "Words with")
    build(lab, never)
    assert [path.name for path in lab.notebook.parent.iterdir()] == [lab.notebook.name]


def test_a_failing_cell_writes_nothing(lab):
    edit(lab.text, "floor(2.5)", "floor(3.5)")
    before = contents(lab)

    def fail(notebook: NotebookNode, profile: str) -> None:
        notebook.cells[1].outputs = []
        raise NotebookError("a cell failed")

    with pytest.raises(NotebookError, match="a cell failed"):
        build(lab, fail)
    assert contents(lab) == before


def test_an_edit_made_while_the_notebook_runs_is_not_overwritten(lab):
    edit(lab.text, "floor(2.5)", "floor(3.5)")

    def slow(notebook: NotebookNode, profile: str) -> None:
        FakeKernel()(notebook, profile)
        edit(lab.text, "Text with", "Words with")

    with pytest.raises(NotebookError, match="while the notebook ran"):
        build(lab, slow)
    assert "Words with" in lab.text.read_text() and "floor(3.5)" not in lab.solution.read_text()
    build(lab, FakeKernel())
    assert check(lab) == []


def test_a_leak_is_refused_before_anything_is_written(lab):
    edit(lab.text, "# Text with `code`.", "# The answer: return (padded - f) // s + 1")
    before = contents(lab)
    with pytest.raises(NotebookError, match="line of its solutions") as caught:
        build(lab, never)
    assert "output_size" in str(caught.value) and "lab-01-small-1" in str(caught.value)
    assert contents(lab) == before
    assert "line of its solutions" in str(check(lab)[0])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("damage", "file", "word"),
    [
        (lambda lab: edit(lab.notebook, '"output_size"', '"other"'), "labs/01_small.ipynb", "id"),
        (
            lambda lab: edit(lab.notebook, '"locked": true', '"locked": false'),
            "labs/01_small.ipynb",
            "metadata",
        ),
        (
            lambda lab: edit(lab.solution, '"id": "lab-01-small-2"', '"id": "abc"'),
            "solutions/01_small.ipynb",
            "id",
        ),
        (lambda lab: lab.notebook.unlink(), "labs/01_small.ipynb", "does not exist"),
        (lambda lab: edit(lab.notebook, " ", "  "), "labs/01_small.ipynb", ""),
        (
            lambda lab: edit(lab.solution, '"profile": "fast"', '"profile": "fast", "x": 1'),
            "solutions",
            "normal form",
        ),
        (
            lambda lab: edit(lab.solution, '"execution_count": 2', '"execution_count": 7'),
            "solutions",
            "execution",
        ),
    ],
)
def test_check_names_file_cell_and_command_and_the_command_mends_it(
    lab: Lab, damage: Callable[[Lab], None], file: str, word: str
):
    damage(lab)
    differences = check(lab)
    assert differences
    assert any(file in d.file and word in d.what for d in differences), differences
    assert all(d.cell and d.mend == "course build --lab 1" for d in differences)
    build(lab, never)
    assert check(lab) == []


def test_check_writes_nothing(lab):
    edit(lab.text, "floor(2.5)", "floor(3.5)")
    before = contents(lab)
    check(lab)
    assert contents(lab) == before


def test_outputs_older_than_the_code_are_noticed_when_both_twins_agree(lab):
    for path in (lab.text, lab.solution):
        edit(path, "floor(2.5)", "floor(3.5)")
    kernel = FakeKernel()
    build(lab, kernel)
    assert kernel.profiles == ["fast"]


def test_large_pictures_addresses_and_stderr_are_told_by_cell(tmp_path):
    import base64

    def noisy(notebook: NotebookNode, profile: str) -> None:
        picture = base64.b64encode(bytes(70_000)).decode()
        new = nbformat.v4.new_output
        notebook.cells[1].outputs = [
            new("display_data", data={"image/png": picture, "text/plain": "<Figure at 0x7f00aa11bb22>"}),
            new("stream", name="stderr", text="a warning\n"),
        ]

    lab = small_lab(tmp_path)
    notes = "\n".join(build(lab, noisy).notes)
    for word in ("lab-01-small-2", "70 kB", "memory address", "a warning"):
        assert word in notes
    assert "a warning" not in lab.solution.read_text()


def test_a_cell_that_cannot_be_text_is_refused(lab):
    edit(lab.solution, "print(math.floor(2.5))", "a = 1\\n# %% not a cell\\nb = 2")
    before = contents(lab)
    with pytest.raises(NotebookError, match="cannot be written as text"):
        build(lab, never)
    assert contents(lab) == before


@pytest.mark.parametrize("content", ["", "{", "[]", '{"cells": 3}'])
def test_a_damaged_notebook_is_one_clear_error(lab, content):
    lab.solution.write_text(content)
    with pytest.raises(NotebookError, match="cannot be read as a notebook"):
        build(lab, never)


def test_jupyterlab_opens_the_pair_whichever_file_is_newer(lab):
    import os

    import jupytext

    edit(lab.text, "print(math.floor(2.5))\n\n\n", "print(math.floor(2.5))\n\n")
    build(lab, never)
    (lab.text.parent / "jupytext.toml").write_text((REPOSITORY / "solutions/jupytext.toml").read_text())
    manager = jupytext.TextFileContentsManager()
    manager.root_dir = str(lab.text.parent.parent)
    for older, newer in ((lab.text, lab.solution), (lab.solution, lab.text)):
        os.utime(older, (1e9, 1e9))
        os.utime(newer, (2e9, 2e9))
        model = manager.get(f"solutions/{lab.solution.name}")
        assert model["content"]["cells"][1]["outputs"][0]["text"] == "run 1\n"


def test_a_text_that_jupytext_would_write_differently_is_told_by_check(lab):
    edit(lab.text, "print(math.floor(2.5))\n\n\n", "print(math.floor(2.5))\n\n")
    (difference,) = check(lab)
    assert "normal form" in difference.what and "01_small.py" in difference.file
    build(lab, never)
    assert check(lab) == []


def test_jupyterlab_saves_text_and_notebook_and_a_build_finds_nothing_to_do(lab, repository):
    """Opened and saved in JupyterLab (through jupytext's contents manager), the pair stays in step."""
    import jupytext

    (lab.root / "solutions" / "jupytext.toml").write_text(
        (repository / "solutions" / "jupytext.toml").read_text()
    )
    manager = jupytext.TextFileContentsManager()
    manager.root_dir = str(lab.root)
    model = manager.get("solutions/01_small.ipynb")
    manager.save(model, "solutions/01_small.ipynb")
    build(lab, never)
    assert lab.text.read_text().startswith("# %% [markdown]"), "no header appears"
    before = lab.text.read_text()

    cell = next(cell for cell in model["content"]["cells"] if "Text with" in cell["source"])
    cell["source"] = cell["source"].replace("Text with", "Words with")
    cell["metadata"]["editable"] = True
    manager.save(model, "solutions/01_small.ipynb")
    assert lab.text.read_text() == before.replace("Text with", "Words with")
    build(lab, never)
    assert "Words with" in lab.notebook.read_text()
    assert check(lab) == []

    edit(lab.text, "Words with", "Other words with")
    reopened = manager.get("solutions/01_small.ipynb")
    assert any("Other words" in cell["source"] for cell in reopened["content"]["cells"])
