"""The outputs of the solutions are compared: which ones, and that one changed number is noticed."""

from __future__ import annotations

import copy
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from outputs_compared import OTHER_MARKS, agreement

from course_utils.notebooks.kernel import execute
from course_utils.notebooks.layout import Lab, Source, find_labs, find_sources
from course_utils.notebooks.outputs import IGNORE_TAG, output_texts
from course_utils.notebooks.pairing import read_notebook

REPOSITORY = Path(__file__).parents[1]
LABS = find_labs(REPOSITORY)
SOURCES = find_sources(REPOSITORY)


def code_cells(source: Source) -> list[nbformat.NotebookNode]:
    return [cell for cell in read_notebook(source.solution).cells if cell.cell_type == "code"]


def ignored(cell: nbformat.NotebookNode) -> bool:
    return IGNORE_TAG in cell.metadata.get("tags", [])


def test_two_thirds_of_the_cells_with_text_are_compared():
    cells = [cell for source in SOURCES for cell in code_cells(source)]
    with_text = [cell for cell in cells if any(map(str.strip, output_texts(cell)))]
    compared = [cell for cell in with_text if not ignored(cell)]
    assert len(compared) >= 2 / 3 * len(with_text), f"{len(compared)} of {len(with_text)}"


@pytest.mark.parametrize("source", SOURCES, ids=[source.name for source in SOURCES])
def test_every_cell_that_is_not_compared_says_why(source: Source):
    for cell in code_cells(source):
        reason = cell.metadata.get("nbval_reason", "")
        assert ignored(cell) == bool(reason), f"{cell.id}: {reason!r}"
        assert not ignored(cell) or len(reason.split()) >= 4, f"{cell.id}: {reason!r} is no reason"
        assert not any(mark in cell.source or mark in cell.metadata.get("tags", []) for mark in OTHER_MARKS)


@pytest.mark.parametrize("lab", LABS, ids=[lab.name for lab in LABS])
def test_every_check_is_compared(lab: Lab):
    checks = [cell for cell in code_cells(lab) if cell.metadata.get("nbgrader", {}).get("grade")]
    assert checks
    assert not any(ignored(cell) for cell in checks)
    assert all("correct" in " ".join(output_texts(cell)) for cell in checks)


HTML = """from IPython.display import HTML, display
style = "<style>p{color:red}</style>"
program = "<script>let a = 1</script><script type='application/json'>[5]</script>"
display(HTML(style + program + "<p>7 cells</p><img src='data:image/png;base64,iVBORw0KGgo='>"))"""


CHANGES = {
    "nothing": ("", ""),
    "printed": ("twice 42", "twice 43"),
    "result": ("36.5", "36.6"),
    "html": ("<p>7 cells</p>", "<p>8 cells</p>"),
    "style": ("color:red", "color:blue"),
    "program": ("a = 1", "a = 2"),
    "data": ("[5]", "[6]"),
    "picture": ("iVBORw0KGgo=", "AAAA"),
}


@pytest.fixture(scope="module")
def failed(tmp_path_factory) -> set[str]:
    """Which of the changes to the outputs of a small notebook are noticed."""
    folder = tmp_path_factory.mktemp("changed")
    sources = ["print('twice', 2 * 21)", "73 / 2", HTML, "pass", "import os; os.urandom(4)"]
    notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
    notebook.cells[-1].metadata.update(tags=[IGNORE_TAG])
    execute(notebook, folder, profile="quick")
    cells = [cell for change in CHANGES.values() for cell in with_changed_output(notebook, *change).cells]
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"
    nbformat.write(new_notebook(cells=cells), folder / "changed.ipynb")
    found = agreement(folder)["changed"]
    assert len(found) == len(cells)
    same = [found[f"Cell {number}"] for number in range(len(cells))]
    each = len(sources)
    return {name for at, name in enumerate(CHANGES) if not all(same[each * at :][:each])}


def with_changed_output(notebook: nbformat.NotebookNode, old: str, new: str) -> nbformat.NotebookNode:
    """Return a copy with `old` replaced by `new` in its outputs, and only there."""
    changed = copy.deepcopy(notebook)
    count = 0
    for output in (output for cell in changed.cells for output in cell.outputs):
        for texts in (output, output.get("data", {})):
            for key, text in texts.items():
                if old and isinstance(text, str) and old in text:
                    texts[key] = text.replace(old, new)
                    count += 1
    assert count == bool(old)
    return changed


@pytest.mark.slow
@pytest.mark.parametrize("change", ["printed", "result", "html", "data"])
def test_one_changed_number_fails(failed, change):
    assert change in failed


@pytest.mark.slow
@pytest.mark.parametrize("change", ["nothing", "style", "program", "picture"])
def test_true_outputs_pass_whatever_their_looks(failed, change):
    assert change not in failed
