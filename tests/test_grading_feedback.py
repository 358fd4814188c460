"""Feedback goes back to whom it is about, as each platform reads it, and to nobody else."""

from __future__ import annotations

import csv
import html
import io
import json
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import feedback_readers
import nbformat
import pytest
from exports import EXPORTS, GRADESCOPE_METADATA
from grading_workers import FULL
from made_up_class import TITLES, mark
from submissions import lab_notebook

from course_utils import exercises
from course_utils.grading.collect import Naming, collect
from course_utils.grading.grades import GradedClass, GradeRow, Result
from course_utils.grading.report import write_report
from course_utils.grading.report.uploads import uploads

LAB = json.dumps(lab_notebook(1)).encode()
NOTE = "only the instructor is told this"
PAGE = "feedback-lab-01.html"
LAB_ONE = [one.id for one in map(exercises.get, exercises.names()) if one.lab == 1]
FLIPPED = {"misconception": "flipped-kernel", "reason": "It flips the kernel."}
TRACEBACK = '<div class="cl-card"><pre>line 1\n\n\nline 2: $x$ and $y$</pre></div>'


def rows(export: Mapping[str, bytes | str], folder: Path, naming: Naming | None = None) -> list[GradeRow]:
    """What a class with these files gets, read from a zip; everybody has the same mistakes."""
    with zipfile.ZipFile(folder / "export.zip", "w") as archive:
        for name, content in export.items():
            archive.writestr(name, content)
    marks = [
        mark(LAB_ONE[0], "wrong", **FLIPPED),
        mark(LAB_ONE[1], "error", reason="`x` is not defined.", card=TRACEBACK),
        *map(mark, LAB_ONE[2:]),
    ]
    found = collect(folder / "export.zip", naming=naming).submissions
    return [GradeRow(one, Result(() if one.problem else tuple(marks)), look=(NOTE,)) for one in found]


def written(graded: Sequence[GradeRow], folder: Path) -> Path:
    """The folder of feedback in a report on a class."""
    write_report(GradedClass(list(graded), FULL, "nobody", 0), folder / "out", TITLES)
    return folder / "out" / "feedback"


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


LONG = "Maximiliana Theodora " + "von und zu " * 12 + "Hohenstein"
MOODLE = {
    11: ("Jürgen Größe_11_assignsubmission_file_", "Jürgen Größe"),
    12: ("Seán O'Brien_12_assignsubmission_file", "Seán O'Brien"),
    13: ("Anna_Maria Müller_13_assignsubmission_file_", "Anna_Maria Müller"),
    14: ("Kim Min_14_assignsubmission_file_", "Kim Min (14)"),
    15: ("Kim Min_15_assignsubmission_file_", "Kim Min (15)"),
    16: (f"{LONG}_16_assignsubmission_file_", LONG),
    17: ("محمد علي_17_assignsubmission_file_", "محمد علي"),
    18: ("Red Group-王 小明_18_assignsubmission_file_", "Red Group-王 小明"),
    19: ("Tan 99_19_assignsubmission_file_", "Tan 99"),
    20: ("<b>Bo=b_20_assignsubmission_file_", "<b>Bo=b"),
}  # fmt: skip


def test_moodle_gives_each_page_to_the_student_whom_it_is_about(tmp_path):
    graded = rows({f"{folder}/01_conv_layer.ipynb": LAB for folder, _ in MOODLE.values()}, tmp_path)
    participants = {number: student for number, (_, student) in MOODLE.items()} | {99: "somebody else"}
    found = feedback_readers.moodle(written(graded, tmp_path) / "moodle-lab-01.zip", participants)
    assert sorted(found) == sorted(student for _, student in MOODLE.values())
    for student, files in found.items():
        assert list(files) == [PAGE]
        check_page(files[PAGE].decode(), student, set(found))


def check_page(page: str, student: str, everybody: set[str]) -> None:
    """A whole page about a student, which names nobody else and says nothing that is not theirs."""
    text = page.replace("&lt;", "<").replace("&gt;", ">").replace("&#39;", "'")
    assert f"<h1>{student}</h1>" in text
    own = text.replace(student, "")
    assert not [name for name in everybody - {student} if name in own]
    assert NOTE not in page
    assert text.count("cross_correlate: wrong") == 1


CANVAS = {
    (21, 9001): ("mulleranna_21_9001_01_conv_layer.ipynb", "01_conv_layer.ipynb", "mulleranna"),
    (22, 9002): ("obrien-smithsean_LATE_22_9002_lab_2026_11.ipynb", "lab_2026_11.ipynb", "obrien-smithsean"),
    (23, 9003): ("kimmin_23_9003_01_conv_layer.ipynb", "01_conv_layer.ipynb", "kimmin (23)"),
    (24, 9004): ("kimmin_24_9004_01_conv_layer.ipynb", "01_conv_layer.ipynb", "kimmin (24)"),
    (25, 9006): ("tanwei_25_9006_lab-1.ipynb", "lab-1.ipynb", "tanwei"),
    (26, 9007): ("redgroup_26_9007_lab.ipynb.txt", "lab.ipynb.txt", "redgroup"),
    (27, 9008): ("عليمحمد_27_9008_مختبر.ipynb", "مختبر.ipynb", "عليمحمد"),
    (28, 9009): (f"hohenstein{'x' * 150}_28_9009_lab.ipynb", "lab.ipynb", f"hohenstein{'x' * 150}"),
}  # fmt: skip


def test_canvas_gives_each_notebook_to_the_student_whom_it_is_about(tmp_path):
    older = {"tanwei_25_9005_lab.ipynb": LAB}
    graded = rows({name: LAB for name, _, _ in CANVAS.values()} | older, tmp_path)
    attachments = {key: (student, shown) for key, (_, shown, student) in CANVAS.items()}
    attachments[25, 9005] = ("tanwei", "lab.ipynb")
    found = feedback_readers.canvas(written(graded, tmp_path) / "canvas-lab-01.zip", attachments)
    assert {student: [*files] for student, files in found.items()} == {
        student: [shown] for _, shown, student in CANVAS.values()
    }
    for student, files in found.items():
        ((_, content),) = files.items()
        notebook = nbformat.reads(content.decode(), as_version=4)
        nbformat.validate(notebook)
        assert {cell.cell_type for cell in notebook.cells} == {"markdown"}
        check_page("\n".join(cell.source for cell in notebook.cells), student, set(found))


def test_a_canvas_notebook_shows_points_and_cards_whole(tmp_path):
    graded = rows({"tanwei_25_9006_lab.ipynb": LAB}, tmp_path)
    archive = zipfile.ZipFile(written(graded, tmp_path) / "canvas-lab-01.zip")
    sources = [cell["source"] for cell in json.loads(archive.read("tanwei_25_9006_lab.ipynb"))["cells"]]
    assert "Keep the two apart." in sources[0]
    assert [re.findall("<h3>(.*)</h3>", source) for source in sources[1:]] == [
        [], ["What to do next"], ["Your points"], ["What else the checks found"],
    ]  # fmt: skip
    # In Markdown a blank line would end the HTML, and dollars would begin a formula.
    assert not [source for source in sources[1:] if re.search(r"\n\s*\n", source) or "$" in source]
    assert TRACEBACK in html.unescape(sources[-1])
    assert '<table class="plain" style="margin: 0">' in sources[3]  # Jupyter keeps no style sheet


def test_canvas_returns_a_zip_for_a_zip_and_a_page_for_a_page(tmp_path):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as files:
        files.writestr("my lab/01_conv_layer.ipynb", LAB)
    export = {
        "tanwei_25_9006_lab.zip": inner.getvalue(),
        "chenbo_26_9007_lab.html": "<html></html>",
        "kimmin_27_9008_lab.ipynb": LAB,
    }
    feedback = written(rows(export, tmp_path), tmp_path)
    archive = zipfile.ZipFile(feedback / "canvas-lab-01.zip")
    assert archive.namelist() == sorted(export)
    with zipfile.ZipFile(io.BytesIO(archive.read("tanwei_25_9006_lab.zip"))) as returned:
        assert returned.namelist() == [PAGE]
        assert b"<h1>tanwei</h1>" in returned.read(PAGE)
    assert b"No notebook was handed in." in archive.read("chenbo_26_9007_lab.html")


def test_blackboard_gets_points_and_words_for_each_user_name(tmp_path):
    export = {
        "Lab 1_jdoe_attempt_2026-11-01-10-22-33_lab.ipynb": LAB,
        "Lab 1_jdoe_attempt_2026-11-02-10-22-33_lab.ipynb": LAB,
        "Lab 1_an_li_attempt_2026-11-01-09-30-00_attempt_2.ipynb": LAB,
        "Lab 1_s1234567_attempt_2026-11-01-09-00-00_lab.ipynb": "{",
    }
    roster = tmp_path / "roster.csv"
    roster.write_text("id,name,username\n3,Jane Doe,jdoe\n4,Kim s/o Tan,an_li\n5,Who Else,welse\n")
    graded = rows(export, tmp_path, Naming(roster=roster))
    people = {"jdoe": "Jane Doe", "an_li": "Kim s/o Tan", "s1234567": "s1234567"}
    found = feedback_readers.blackboard(written(graded, tmp_path) / "blackboard-lab-01.csv", people)
    assert sorted(found) == sorted(people.values())
    column = "Lab 01 [Total Pts: 19 Score]"
    assert found["Jane Doe"][column] == "16" and found["s1234567"][column] == ""
    assert "Exercise 1.1 (<code>cross_correlate</code>)" in found["Jane Doe"]["Feedback to Learner"]
    assert "not JSON" in found["s1234567"]["Feedback to Learner"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind", [k for k, e in EXPORTS.items() if e.layout in ("moodle", "canvas", "blackboard")]
)
def test_everybody_in_an_export_gets_feedback_back(kind, tmp_path):
    export = EXPORTS[kind]
    graded = rows({name: LAB for name in export.students} | export.others, tmp_path)
    (upload,) = uploads(graded)
    students = {row.student for row in upload.rows.values()}
    assert (upload.left_out, upload.lacks) == ((), "")
    assert set(export.students.values()) <= students == {row.student for row in graded}


def test_whom_the_platform_cannot_tell_is_left_out_and_told(tmp_path):
    mapping = tmp_path / "mapping.csv"
    mapping.write_text("file,student\nfound on a stick.ipynb,Jane Doe\n")
    graded = rows(
        {
            "found on a stick.ipynb": LAB,
            "tanwei_25_9006_lab.ipynb": LAB,
            "pdfonly_26_9007_lab.pdf": "%PDF",
            "link_27_9008_link.ipynb": LAB,
            "2026_28_9009_lab.ipynb": LAB,
        },
        tmp_path,
        Naming("canvas", mapping),
    )
    (upload,) = uploads(graded)
    assert list(upload.rows) == ["tanwei_25_9006_lab.ipynb"]
    assert set(upload.left_out) == {"Jane Doe", "pdfonly", "link", "2026"}
    assert (
        upload.lacks.startswith("Not in canvas-lab-01.zip: ")
        and "no notebook, zip or web page" in upload.lacks
    )
    attachments = {(27, 9008): ("link", "link.ipynb"), (28, 9009): ("2026", "lab.ipynb")}
    assert feedback_readers.canvas(written(graded, tmp_path) / "canvas-lab-01.zip", attachments) == {}


def test_two_students_of_one_number_get_nothing_of_each_other(tmp_path):
    graded = rows(
        {f"{who}_7_assignsubmission_file_/lab.ipynb": LAB for who in ("Ann", "Bea")}
        | {"Cy_8_assignsubmission_file_/lab.ipynb": LAB},
        tmp_path,
    )
    (upload,) = uploads(graded)
    assert ([row.student for row in upload.rows.values()], upload.left_out) == (["Cy"], ("Ann", "Bea"))


def test_a_notebook_of_no_lab_goes_back_only_where_there_is_one_lab(tmp_path):
    broken = {"Bea_8_assignsubmission_file_/lab.ipynb": "{"}
    one = {"Ann_7_assignsubmission_file_/lab.ipynb": LAB} | broken
    (upload,) = uploads(rows(one, tmp_path))
    assert {row.student for row in upload.rows.values()} == {"Ann", "Bea"}
    other = {"Cy_9_assignsubmission_file_/lab.ipynb": json.dumps(lab_notebook(2))}
    found = uploads(rows(one | other, tmp_path))
    assert [(one.name, {row.student for row in one.rows.values()}, one.left_out) for one in found] == [
        ("moodle-lab-01.zip", {"Ann"}, ("Bea",)),
        ("moodle-lab-02.zip", {"Cy"}, ("Bea",)),
    ]


def test_a_lab_goes_back_without_the_students_other_labs(tmp_path):
    files = {1: "one/Ann_7_assignsubmission_file_/a.ipynb", 2: "two/Ann_7_assignsubmission_file_/b.ipynb"}
    export = {file: json.dumps(lab_notebook(lab)) for lab, file in files.items()}
    feedback = written(rows(export, tmp_path), tmp_path)
    for lab, file in files.items():
        found = feedback_readers.moodle(feedback / f"moodle-lab-{lab:02}.zip", {7: "Ann"})
        page = found["Ann"][f"feedback-lab-{lab:02}.html"].decode()
        assert (page.count("<h2"), file in page) == (1, True)


def test_the_table_for_e_mail_has_everybody_with_the_address_of_the_roster_or_the_platform(tmp_path):
    base = "assignment_4711_export"
    export = {f"{base}/submission_{n}/lab.ipynb": LAB for n in (9001, 9002)}
    export[f"{base}/submission_metadata.yml"] = GRADESCOPE_METADATA
    roster = tmp_path / "roster.csv"
    roster.write_text("id,name,e-mail\n3190002,Wei Tan,tan@home.example\n77,Zoë Late,zoe@uni.example\n")
    graded = rows(export, tmp_path, Naming(roster=roster))
    feedback = written(graded, tmp_path)
    lines = {line["Student"]: line for line in table(feedback / "email.csv")}
    assert {student: line["E-mail"] for student, line in lines.items()} == {
        "Anna Müller": "anna.mueller@uni.example",
        "Wei Tan": "tan@home.example",
        "Zoë Late": "zoe@uni.example",
    }
    wei = lines["Wei Tan"]
    assert (wei["Lab"], wei["Points"], wei["Max"], wei["Total"]) == ("1", "16", "19", "16")
    assert wei["Feedback"].startswith("Start with Exercise 1.1 (cross_correlate). ")
    assert "<h1>Wei Tan</h1>" in (feedback.parent / wei["Page"]).read_text()
    assert (lines["Zoë Late"]["Points"], lines["Zoë Late"]["Feedback"]) == ("", "Nothing was handed in.")
    assert [path.name for path in feedback.iterdir()] == ["email.csv"]


@pytest.mark.slow
def test_the_same_grades_give_the_same_bytes_and_nothing_old_stays(tmp_path):
    graded = rows({f"{folder}/lab.ipynb": LAB for folder, _ in MOODLE.values()}, tmp_path)
    feedback = written(graded, tmp_path)
    first = {path.name: path.read_bytes() for path in feedback.iterdir()}
    (feedback / "canvas-lab-02.zip").write_bytes(b"from another export")
    (feedback / "mine.txt").write_text("notes of my own")
    written([*reversed(graded)], tmp_path)
    again = {path.name: path.read_bytes() for path in feedback.iterdir()}
    assert set(first) == {"email.csv", "moodle-lab-01.zip"}
    assert again["moodle-lab-01.zip"] == first["moodle-lab-01.zip"]
    assert set(again) - set(first) == {"mine.txt"}
