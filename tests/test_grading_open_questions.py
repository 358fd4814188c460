"""Open questions: what students write travels to their page and to whoever grades it, and gives no points."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from messy_class import percent
from nbformat.v4 import new_markdown_cell
from open_questions import NASTY, class_with_questions, graded, handed_out, lab_with_questions
from submissions import cell_of

from course_utils.grading.collect import Naming
from course_utils.grading.collect.submitted_notebook import read_cells
from course_utils.grading.grades import GradeRow
from course_utils.grading.rebuild import rebuild
from course_utils.grading.records import Question, Rebuilt
from course_utils.grading.review.items import Review
from course_utils.grading.template import read_template


@pytest.fixture
def lab(tmp_path):
    return lab_with_questions(tmp_path)


@pytest.fixture
def rebuilt(lab):
    template = read_template(lab)

    def make(notebook) -> Rebuilt:
        return rebuild(read_cells(json.dumps(notebook).encode()), template)

    return make


def test_a_question_has_its_text_and_the_instructors_answer(lab):
    padding, edges, essay = read_template(lab).questions
    assert padding == Question(
        "explain_padding",
        2,
        "Why does an image of 5 × 5 stay as large with a padding of 1? Is `f < 3` allowed?",
        "Each side gains one pixel, and a filter of 3 × 3 takes two away.",
        "YOUR ANSWER HERE",
    )
    assert (edges.text, edges.answer) == ("Draw a kernel that finds edges.", "kernel = [[-1, 1]]")
    assert essay.text == "Write a page about pooling, in cells of your own."
    assert "One point for each idea." in essay.answer and "MARK SCHEME" not in essay.answer


def test_without_solutions_there_is_no_model_answer(lab):
    notebook = handed_out(lab)
    lab.notebook.parent.mkdir()
    lab.notebook.write_text(json.dumps(notebook), encoding="utf-8")
    lab.text.unlink()
    assert [one.answer for one in read_template(lab).questions[:2]] == ["", ""]


def test_an_untouched_question_is_not_started_in_whatever_way_it_is_left(rebuilt, lab):
    notebook = handed_out(lab)
    cell_of(notebook, "edges").source = "# YOUR CODE HERE\r\nraise NotImplementedError()\n\n"
    assert rebuilt(notebook).written == {"explain_padding": "", "edges": ""}
    cell_of(notebook, "explain_padding").source = "  \n"
    found = rebuilt(notebook)
    assert found.written["explain_padding"] == "" and found.answered == 0


@pytest.mark.parametrize("place", ["a cell of its own", "under the question", "no cell for it"])
def test_an_answer_in_another_cell_is_shown_and_told_to_the_instructor(place, rebuilt, lab):
    notebook = handed_out(lab)
    cell = cell_of(notebook, "explain_padding")
    if place == "under the question":
        notebook.cells[notebook.cells.index(cell) - 1].source += "\n\nIt grows by two."
    else:
        notebook.cells.append(new_markdown_cell("It grows by two."))
    if place == "no cell for it":
        notebook.cells.remove(cell)
    found = rebuilt(notebook)
    assert found.written["explain_padding"].endswith("It grows by two.") and found.written["edges"] == ""
    assert found.notes == ("explain_padding: its cell is empty; this stands elsewhere in the notebook.",)


def test_in_a_script_only_what_the_lab_does_not_say_is_the_students_own(lab):
    template, notebook = read_template(lab), handed_out(lab)
    untouched = rebuild(read_cells(percent(notebook).encode()), template)
    assert "explain_padding" not in untouched.written
    cell_of(notebook, "explain_padding").source = "It grows by two."
    answered = rebuild(read_cells(percent(notebook).encode()), template)
    assert answered.written["explain_padding"] == "# It grows by two."


def test_an_answer_is_the_students_text_without_what_the_cell_said_before(rebuilt, lab):
    notebook = handed_out(lab)
    cell_of(notebook, "explain_padding").source = "YOUR ANSWER HERE\n\nIt grows.\n"
    cell_of(notebook, "edges").source = "kernel = 1  # why"
    found = rebuilt(notebook)
    assert found.written == {"explain_padding": "It grows.", "edges": "kernel = 1  # why"}
    assert found.answered == 2 and not found.notes


def test_halves_count_in_order_copies_once_and_the_place_does_not_matter(rebuilt, lab):
    notebook = handed_out(lab)
    cell = cell_of(notebook, "explain_padding")
    notebook.cells.remove(cell)
    texts = ("First half,", "and the second.", "First half,", "YOUR ANSWER HERE")
    notebook.cells[:0] = [new_markdown_cell(text, metadata=cell.metadata) for text in texts]
    assert rebuilt(notebook).written["explain_padding"] == "First half,\n\nand the second."


def test_a_missing_cell_is_said_to_be_missing_and_is_not_called_not_started(rebuilt, lab):
    notebook = handed_out(lab)
    for name in ("explain_padding", "essay"):
        notebook.cells.remove(cell_of(notebook, name))
    found = rebuilt(notebook)
    assert "explain_padding" not in found.written
    # Answers to a task stand in cells of their own, which nothing names.
    assert found.notes == ("explain_padding: the notebook has no cell for it.",)


def test_an_endless_answer_is_cut_and_says_so(rebuilt, lab):
    notebook = handed_out(lab)
    cell_of(notebook, "explain_padding").source = "x" * 25_000
    text = rebuilt(notebook).written["explain_padding"]
    assert len(text) < 20_100 and text.endswith("[… 5,000 more characters in the notebook]")


def test_what_people_read_has_its_comments_even_where_nothing_can_run(rebuilt, lab):
    notebook = handed_out(lab)
    source = "import nobody_has_this as x\n\ndef output_size(n, f, p=0, s=1):\n    return x.size(n)  # mine"
    cell_of(notebook, "output_size").source = source
    found = rebuilt(notebook)
    assert "output_size" in found.unclear and found.written["output_size"] == source


@pytest.fixture(scope="module")
def class_(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("class")
    class_with_questions(folder)
    graded(folder)
    return folder


def row_of(folder: Path, student: str, *corrections: str) -> GradeRow:
    return next(row for row in graded(folder, *corrections).rows if row.student == student)


def page(folder: Path, student: str) -> str:
    grades = json.loads((folder / "out" / "grades.json").read_text(encoding="utf-8"))["grades"]
    (name,) = (row["page"] for row in grades if row["student"] == student)
    return (folder / "out" / name).read_text(encoding="utf-8")


def test_a_students_page_shows_the_text_under_its_question_and_obeys_nothing(class_):
    shown = page(class_, "Bo")
    assert "<img" not in shown and "<script" not in shown
    assert "&lt;img src=x onerror=alert(1)&gt;&lt;script&gt;" in shown
    assert NASTY.splitlines()[2] in shown
    assert shown.index("explain_padding</td>") < shown.index("&lt;img") < shown.index("edges</td>")


def test_a_students_page_tells_what_waits_from_what_is_not_started(class_):
    def statuses(student: str) -> dict[str, str]:
        return dict(re.findall(r"<td>(\w+)</td>\s*<td>([^<]*)</td>", page(class_, student)))

    assert statuses("Cy") == {
        "explain_padding": "○ not started", "edges": "○ not started", "essay": "not graded yet",
    }  # fmt: skip
    assert statuses("Bo")["explain_padding"] == "not graded yet"


def test_no_answer_and_no_blank_gets_points_by_itself(class_):
    row = row_of(class_, "Cy")
    assert [(one.name, one.points, one.maximum) for one in row.questions] == [
        ("explain_padding", None, 2), ("edges", None, 2), ("essay", None, 5),
    ]  # fmt: skip
    assert row.open == 9 and not any("points yet" in why for why in row.look)


def test_the_text_of_an_open_question_does_not_make_answers_run_again(class_):
    place = class_ / "in" / "Dora" / "lab.ipynb"
    notebook = json.loads(place.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == "explain_padding":
            cell["source"] = "Later thoughts."
    place.write_text(json.dumps(notebook), encoding="utf-8")
    assert graded(class_).graded == 0 and "Later thoughts." in page(class_, "Dora")


def test_a_missing_answer_needs_a_look_until_it_has_points(class_):
    place = class_ / "in" / "Dora" / "lab.ipynb"
    notebook = json.loads(place.read_text(encoding="utf-8"))
    cells = notebook["cells"]
    cells[:] = [cell for cell in cells if "explain_padding" not in str(cell["metadata"])]
    place.write_text(json.dumps(notebook), encoding="utf-8")
    about = "explain_padding: the notebook has no cell for it."
    assert about in row_of(class_, "Dora").look and about in page(class_, "Dora")
    row = row_of(class_, "Dora", "Dora,explain_padding,1,By mail.")
    assert not [why for why in row.look if "explain_padding" in why]


def test_nobody_is_asked_for_points_where_nothing_can_be_read(class_, tmp_path):
    (tmp_path / "class.csv").write_text("name\nAnn Lee\nBo\nCy\nDora\nEve\nFlo\n", encoding="utf-8")
    rows = graded(class_, lab=1, naming=Naming(roster=tmp_path / "class.csv")).rows
    problems = {row.student: row.look for row in rows if row.problem and row.lab == 1}
    assert problems["Flo"] == ("Nothing was handed in.",)
    items = Review(class_ / "out").now().items
    assert [item.kind for item in items if item.row.student == "Flo"] == ["submission"]
