"""Reports say what was found, to each reader what is theirs; nothing that students wrote is obeyed."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import os
import re
import stat
from html.parser import HTMLParser
from pathlib import Path

import pytest
from grading_workers import FULL, PARTIAL, by_words, threads
from submissions import REPOSITORY, cell_of, submission, write

from course_utils import exercises
from course_utils.errors import GradingError
from course_utils.grading.collect import Naming
from course_utils.grading.grade_class import grade_class
from course_utils.grading.grades import GradedClass
from course_utils.grading.report import write_report
from course_utils.grading.report.pages import page_names
from course_utils.grading.spreadsheets import safe

LAB_ONE = [e for e in map(exercises.get, exercises.names()) if e.lab == 1]
CHECKED = sum(exercise.points for exercise in LAB_ONE)
MOST = CHECKED + 2
"""The points of the checks, and those with the question that a human grades."""
TITLES = {1: "Lab 01 · The convolutional layer", 2: "Lab 02 · The pooling layer"}
RIGHT = {"zero_pad": "# RIGHT", "same_padding": "# RIGHT"}
FLIPPED = {"cross_correlate": "# <flipped-kernel>", "zero_pad": "# RIGHT"}
NASTY = "<img src=x onerror=alert(1)>=1+1"


@pytest.fixture
def handed_in(tmp_path) -> Path:
    root = tmp_path / "in"
    write(submission(RIGHT), root / "ann" / "x.ipynb")
    write(submission(FLIPPED), root / "bea" / "x.ipynb")
    write(submission(FLIPPED), root / "cat" / "x.ipynb")
    write(submission({"zero_pad": f"# {NASTY}"}), root / NASTY / "=cmd|x.ipynb")
    (root / "dan").mkdir()
    (root / "dan" / "x.ipynb").write_text("{")
    return root


@pytest.fixture
def report(handed_in, tmp_path):
    def make(*, workers=None, folder=handed_in, **options) -> tuple[GradedClass, Path]:
        output = tmp_path / "out"
        graded = grade_class(
            folder, output, root=REPOSITORY, workers=workers or threads(), grade=by_words, **options
        )
        write_report(graded, output, TITLES)
        return graded, output

    return make


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


class Page(HTMLParser):
    """What a page is made of."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def student_page(output: Path, student: str) -> Path:
    rows = json.loads((output / "grades.json").read_text())["grades"]
    return output / next(row["page"] for row in rows if row["student"] == student)


def test_what_may_explain_lost_points_stands_before_the_points_and_the_rest_behind_them(report, handed_in):
    notebook = submission({"zero_pad": "def zeropad(image, padding): 'WRONG'"} | {"conv2d": "# RIGHT"})
    cell_of(notebook, "check_zero_pad").source = "edited"
    write(notebook, handed_in / "eve" / "x.ipynb")
    _, output = report()
    text = Page(student_page(output, "eve")).text
    places = [
        text.index(words)
        for words in (
            "Why points may be missing",
            "zeropad",
            "All exercises",
            "Also noticed",
            "Edited check",
        )
    ]
    assert places == sorted(places)
    assert text.count("zeropad") == 1
    assert "Why points" not in Page(student_page(output, "ann")).text


def test_the_table_has_a_row_for_everybody_and_a_column_for_every_exercise(report):
    _, output = report()
    rows = table(output / "grades.csv")
    assert list(rows[0]) == [
        "Student",
        "ID",
        "Lab",
        "Points",
        "Max",
        "Percent",
        "Late by",
        "Penalty",
        "Total",
        *(f"{exercise.number} {exercise.id}" for exercise in LAB_ONE if not exercise.optional),
        "explain_border",
        "By hand",
        "Status",
        "Submitted",
        "Time from",
        "Late",
        "File",
        "Other files",
        "Look at",
        "Notes",
    ]
    ann = next(row for row in rows if row["Student"] == "ann")
    assert (ann["Lab"], ann["Points"], ann["Max"], ann["Percent"]) == (
        "1",
        "2",
        str(MOST),
        f"{200 / CHECKED:.1f}",
    )
    assert (ann["1.1 cross_correlate"], ann["1.2 zero_pad"], ann["Status"]) == ("0", "1", "graded")
    dan = next(row for row in rows if row["Student"] == "dan")
    assert (dan["Points"], dan["Status"]) == ("", "not graded")
    assert "not JSON" in dan["Look at"]


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", " =1", "＝1", "＋1", "－1", "＠x"])
def test_no_cell_is_a_formula(text):
    assert safe(text) == f"'{text}"
    assert safe("a=1") == "a=1"


@pytest.mark.parametrize("text", ["=1", " =1", "＝1", "-1"])
def test_no_part_of_a_cell_that_is_split_at_semicolons_is_a_formula(text):
    assert safe(f"x;{text}") == f"x;'{text}"
    assert safe("x; y; a=1") == "x; y; a=1"


def test_names_that_begin_as_formulas_are_neutralised_in_the_file(tmp_path, report):
    folder = tmp_path / "formulas"
    for name in ("=HYPERLINK(1)", "@SUM", "+x", "-x"):
        write(submission(RIGHT), folder / name / "x.ipynb")
    _, output = report(folder=folder)
    assert [row["Student"] for row in table(output / "grades.csv")] == [
        "'+x",
        "'-x",
        "'=HYPERLINK(1)",
        "'@SUM",
    ]
    assert {row["student"] for row in json.loads((output / "grades.json").read_text())["grades"]} == {
        "=HYPERLINK(1)", "@SUM", "+x", "-x",
    }  # fmt: skip


def test_a_canvas_download_gives_a_table_that_canvas_takes(tmp_path, report):
    folder = tmp_path / "canvas"
    write(submission(RIGHT), folder / "lovelaceada_77_900_x.ipynb")
    write(submission(), folder / "chenbo_LATE_78_901_x.ipynb")
    _, output = report(folder=folder)
    lines = (output / "canvas-lab-01.csv").read_text().splitlines()
    assert lines[0] == "Student,ID,SIS User ID,SIS Login ID,Section,Lab 01"
    assert lines[1:] == [f"    Points Possible,,,,,{MOST}", "chenbo,78,,,,0", "lovelaceada,77,,,,2"]
    assert [row["Late"] for row in table(output / "grades.csv")] == ["late", ""]


def test_a_moodle_download_gives_a_worksheet_that_moodle_takes(tmp_path, report):
    folder = tmp_path / "moodle"
    write(submission(RIGHT), folder / "Ada Lovelace_123_assignsubmission_file_" / "x.ipynb")
    _, output = report(folder=folder)
    rows = table(output / "moodle-lab-01.csv")
    # The importer reads the number after "Participant " and refuses a file without these columns.
    assert {"Identifier", "Grade", "Last modified (grade)"} <= set(rows[0])
    assert (rows[0]["Identifier"], rows[0]["Grade"], rows[0]["Maximum Grade"]) == (
        "Participant 123",
        "2",
        str(MOST),
    )


def test_json_holds_every_exercise_and_the_isolation(report):
    _, output = report(workers=threads(PARTIAL))
    data = json.loads((output / "grades.json").read_text())
    assert data["isolation"] == {
        "level": "partial", "holds": ["no network"], "lacks": ["other files are visible"],
    }  # fmt: skip
    bea = next(row for row in data["grades"] if row["student"] == "bea")
    assert bea["exercises"][0]["misconception"] == "flipped-kernel"
    assert len(bea["exercises"]) == len(LAB_ONE)


def test_every_page_is_whole_in_itself_and_runs_only_our_script(report):
    _, output = report()
    pages = [output / "index.html", *(output / "students").glob("*.html")]
    assert len(pages) == 6
    for path in pages:
        page = Page(path)
        tags = [tag for tag, _ in page.tags]
        assert tags.count("h1") == 1
        assert not {"link", "iframe", "img", "object"} & set(tags)
        scripts = re.findall(r"<script[^>]*>(.*?)</script>", path.read_text(), re.S)
        allowed = re.findall(r"script-src 'sha256-(.+?)'", path.read_text())
        assert [base64.b64encode(hashlib.sha256(s.encode()).digest()).decode() for s in scripts] == allowed
        assert len(scripts) == (path.name == "index.html")
        assert not [a for _, a in page.tags if any(name.startswith("on") for name in a)]
        assert "default-src 'none'" in path.read_text()
        assert not re.search(r"https?://", path.read_text())
        assert page.tags[1] == ("html", {"lang": "en"}) or ("html", {"lang": "en"}) in page.tags
        ids = [a["id"] for _, a in page.tags if "id" in a]
        assert len(ids) == len(set(ids))
        assert all(a["aria-labelledby"] in ids for _, a in page.tags if "aria-labelledby" in a)


def test_what_students_wrote_is_shown_and_not_obeyed(report):
    _, output = report()
    page = Page(student_page(output, NASTY))
    assert NASTY in page.text
    assert NASTY in Page(output / "index.html").text


def test_a_students_page_shows_the_cards_and_nobody_else(report):
    _, output = report()
    text = student_page(output, "bea").read_text()
    assert "cross_correlate: wrong" in text
    assert f"1 of {CHECKED} points" in text
    for other in ("ann", "cat", "dan", "index.html", "../"):
        assert not re.search(rf"\b{re.escape(other)}\b", Page(student_page(output, "bea")).text)


def test_a_student_whose_file_cannot_be_read_is_told_why(report):
    _, output = report()
    page = Page(student_page(output, "dan"))
    assert "could not be graded" in page.text
    assert "not JSON" in page.text


def test_the_instructors_page_begins_with_isolation_and_tells_what_is_common(report):
    _, output = report(workers=threads(PARTIAL))
    text = Page(output / "index.html").text
    assert text.index("Isolation: partial.") < text.index("Lab 01")
    assert "other files are visible" in text
    assert "2 of 4" in text
    assert "flipped-kernel" in text
    assert "5 handed in, 1 of which could not be graded" in text


def test_the_exercise_that_cost_most_points_comes_first(report):
    _, output = report()
    text = Page(output / "index.html").text
    heading = "by the points that they cost"
    assert text.index("The next lecture") < text.index(heading) < text.index("percent of the points")
    table_of_exercises = text[text.index(heading) :]
    # All of 1.6 were lost, at 3 points each; of 1.3, all but one; the last is optional.
    order = [table_of_exercises.index(number) for number in ("1.6 ", "1.1 ", "1.3 ", "1.9 ")]
    assert order == sorted(order)
    assert re.search(r"1\.6 conv2d\s+12\s", table_of_exercises)


def test_the_page_says_who_needs_a_look_and_who_handed_in_nothing(report, tmp_path):
    (tmp_path / "class.csv").write_text(
        "id,name\n1,ann\n2,bea\n3,cat\n4,dan\n5,Zoë Roe\n6,Yan Su\n", encoding="utf-8"
    )
    _, output = report(naming=Naming(roster=tmp_path / "class.csv"))
    text = " ".join(Page(output / "index.html").text.split())
    assert "5 handed in, 1 of which could not be graded 2 need a look 2 handed in nothing" in text
    look = text[text.index("Please look at these") : text.index("The table shows all of them")]
    assert "not JSON" in look and "dan" in look and "Not in the roster." in look and "Zoë" not in look
    assert "Handed in nothing Zoë Roe, Yan Su Students" in text
    links = [a["href"] for tag, a in Page(output / "index.html").tags if tag == "a" and a["href"][0] == "#"]
    ids = [a["id"] for _, a in Page(output / "index.html").tags if "id" in a]
    assert {"#look", "#missing"} <= set(links) and {link[1:] for link in links} <= set(ids)


def test_an_optional_exercise_has_no_points_and_takes_none(tmp_path, report):
    needed = {e.id: "# RIGHT" for e in LAB_ONE if not e.optional}
    write(submission(needed), tmp_path / "optional" / "ann" / "x.ipynb")
    _, output = report(folder=tmp_path / "optional")
    (ann,) = table(output / "grades.csv")
    assert ann["Percent"] == "100.0" and not [head for head in ann if "conv2d_gradient" in head]
    text = Page(student_page(output, "ann")).text
    assert "All exercises are right." in text and "0 of 0" not in text
    assert re.search(r"1\.9 conv2d_gradient\s*○ not started[^○✓]*optional", text)
    assert "1.9 conv2d_gradient (optional)" in " ".join(Page(output / "index.html").text.split())


def test_an_unclear_exercise_is_graded_in_part_and_for_a_human(tmp_path, report):
    missing = "import a_package_that_nobody_has as p\n\ndef zero_pad(i, n):\n    return p.pad(i, n)  # RIGHT"
    notebook = submission(RIGHT | {"zero_pad": missing})
    write(notebook, tmp_path / "unclear" / "ann" / "x.ipynb")
    graded, output = report(folder=tmp_path / "unclear")
    assert graded.rows[0].status == "in part"
    assert table(output / "grades.csv")[0]["1.2 zero_pad"] == "0"
    assert "Your instructor will look" in Page(student_page(output, "ann")).text


@pytest.mark.slow
def test_only_what_is_new_or_changed_is_graded_again(handed_in, report):
    first, output = report()
    assert (first.graded, first.kept) == (4, 0)
    before = (output / "grades.csv").read_text()
    again, _ = report()
    assert (again.graded, again.kept) == (0, 4)
    assert (output / "grades.csv").read_text() == before
    write(submission({"zero_pad": "# RIGHT too"}), handed_in / "ann" / "x.ipynb")
    third, _ = report()
    assert (third.graded, third.kept) == (1, 3)
    assert report(seed=1)[0].graded == 4


@pytest.mark.slow
@pytest.mark.parametrize("umask", [0o022, 0o002])
def test_every_file_has_the_permissions_that_the_umask_gives(umask, report, tmp_path):
    write(submission(RIGHT), tmp_path / "moodle" / "Ada_1_assignsubmission_file_" / "x.ipynb")
    write(submission(RIGHT), tmp_path / "canvas" / "ada_77_900_x.ipynb")
    before = os.umask(umask)
    try:
        for folder in ("in", "moodle", "canvas"):
            _, output = report(folder=tmp_path / folder)
    finally:
        os.umask(before)
    files = {path.relative_to(output).as_posix(): path for path in output.rglob("*") if path.is_file()}
    assert {"grades.csv", "grades.json", "index.html", "canvas-lab-01.csv"} < files.keys()
    assert {name.partition("/")[0] for name in files} >= {"results", "students"}
    assert {name: oct(stat.S_IMODE(path.stat().st_mode)) for name, path in files.items()} == dict.fromkeys(
        files, oct(0o666 & ~umask)
    )


@pytest.mark.slow
def test_the_outcome_does_not_depend_on_how_many_grade(report, tmp_path):
    _, output = report()
    one = (output / "grades.csv").read_text()
    for path in (output / "results").glob("*"):
        path.unlink()
    report(workers=threads(FULL, size=7))
    assert (output / "grades.csv").read_text() == one


def test_full_isolation_can_be_required(report, tmp_path):
    with pytest.raises(GradingError, match="isolation is not full"):
        report(workers=threads(PARTIAL), require_full=True)
    assert not (tmp_path / "out").exists()
    assert report(require_full=True)[0].graded == 4


@pytest.mark.parametrize("inside", ["in/out", "."])
def test_results_and_submissions_do_not_mix(inside, handed_in, tmp_path):
    with pytest.raises(GradingError, match="is inside the other"):
        grade_class(handed_in, tmp_path / inside, root=REPOSITORY, workers=threads(), grade=by_words)


@pytest.mark.slow
def test_a_failure_that_is_not_the_students_is_told_and_tried_again(tmp_path, report):
    folder = tmp_path / "failing"
    write(submission({"zero_pad": "# RAISE"}), folder / "ann" / "x.ipynb")
    graded, output = report(folder=folder)
    assert graded.rows[0].status == "not graded"
    assert "OSError" in table(output / "grades.csv")[0]["Look at"]
    assert report(folder=folder)[0].kept == 0


@pytest.mark.slow
def test_pages_of_students_who_left_are_gone(report, handed_in):
    _, output = report()
    (handed_in / "cat" / "x.ipynb").unlink()
    report()
    assert "cat.html" not in [path.name for path in (output / "students").iterdir()]


def test_page_names_suit_every_file_system():
    names = page_names(["ann", "Ann", "../../etc", "Zoë", "a" * 300, "..", "con/x"])
    assert names["ann"] == "ann.html"
    assert len({name.lower() for name in names.values()}) == 7
    assert all(re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,75}\.html", name) for name in names.values())
