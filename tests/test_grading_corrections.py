"""Points and comments given by hand: read as spreadsheets save them, checked as a whole, kept, shown."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from grading_workers import by_words, threads
from submissions import REPOSITORY, submission, write

from course_utils.errors import GradingError
from course_utils.grading.collect import Naming
from course_utils.grading.collect.roster import Roster
from course_utils.grading.corrections import Corrections, read_corrections
from course_utils.grading.grade_class import grade_class
from course_utils.grading.grades import GradedClass
from course_utils.grading.report import write_report
from course_utils.grading.spreadsheets import as_csv

LABS = {1: {"essay": 4.0}, 2: {}}
CLASS = Roster(()).of_students(
    [("Ann Lee", "17"), ("Müller, Zoë", "18"), ("bob", ""), ("Bob", "20"), ("Sam (1)", "1"), ("Sam (2)", "2")]
)


@pytest.fixture
def read(tmp_path, monkeypatch) -> Callable[..., Corrections]:
    monkeypatch.chdir(tmp_path)

    def reads(*given: str | bytes, kept: str = "", **options) -> Corrections:
        sources = []
        for number, one in enumerate(given):
            if isinstance(one, bytes):
                (tmp_path / f"file{number}.csv").write_bytes(one)
                one = f"file{number}.csv"
            sources.append(one)
        if kept:
            (tmp_path / "kept.csv").write_text(kept)
        options = {"labs": LABS, "questions": LABS, "people": CLASS} | options
        return read_corrections(sources, tmp_path / "kept.csv", **options)

    return reads


def said(corrections: Corrections, student: str = "Ann Lee", lab: int = 1) -> dict[str, tuple]:
    return {name: (one.points, one.comment) for name, one in corrections.of.get((student, lab), {}).items()}


def mistakes(read: Callable[..., Corrections], *given: str | bytes, **options) -> list[str]:
    with pytest.raises(GradingError, match="given by hand") as refused:
        read(*given, **options)
    return [line.strip() for line in refused.value.why.splitlines()]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('Ann Lee,zero_pad,1,"Right idea."', {"zero_pad": (1, "Right idea.")}),
        ("Ann Lee,zero_pad,0.5", {"zero_pad": (0.5, "")}),
        ('17;zero_pad;0,5;"gut, aber spät"', {"zero_pad": (0.5, "gut, aber spät")}),
        ("Lee, Ann;zero_pad;1;a, b, c, d", {"zero_pad": (1, "a, b, c, d")}),
        ('"Lee, Ann", zero_pad, 1, "Good, really"', {"zero_pad": (1, "Good, really")}),
        ("ann lee,essay,3.5,Good, but late", {"essay": (3.5, "Good, but late")}),  # the shell took the quotes
        ("17,zero_pad,,See me.", {"zero_pad": (None, "See me.")}),
        ("17,zero_pad,0,-1 for the style", {"zero_pad": (0, "-1 for the style")}),
    ],
)
def test_a_line_is_read_as_people_write_it(line, expected, read):
    assert said(read(line)) == expected


HEADED = 'Exercise,Student,Points,Comment,Lab\nzero_pad,Zoë Müller,1,"two\nlines",\n,,,,\nessay,18,2,,1\n'


@pytest.mark.parametrize(
    "content",
    [
        HEADED.encode(),
        HEADED.encode("utf-8-sig"),
        HEADED.replace(",", ";").replace("\n", "\r\n").encode("cp1252"),
        HEADED.replace(",", "\t").encode("utf-16"),
    ],
    ids=["UTF-8", "with a mark", "Excel's CSV", "Excel's Unicode text"],
)
def test_a_file_is_read_as_spreadsheets_save_it(content, read):
    found = said(read(content), "Müller, Zoë")
    assert {name: (points, text.split()) for name, (points, text) in found.items()} == {
        "zero_pad": (1, ["two", "lines"]),
        "essay": (2, []),
    }


def test_a_file_needs_no_heading_and_a_later_source_replaces_it(read):
    found = read(b"17,zero_pad,1,first\n17,essay,4\n", "17,zero_pad,0,copied", "bob,zero_pad,1")
    assert said(found) == {"essay": (4, ""), "zero_pad": (0, "copied")}
    assert said(found, "bob") == {"zero_pad": (1, "")} and not said(found, "Bob")


def test_a_line_without_an_exercise_is_a_comment_for_the_student(read):
    found = read("17,,,Come to my office.", b"student,exercise,points,comment,lab\n17,,,Well done,2\n")
    assert (found.comment("Ann Lee", 1), found.comment("Ann Lee", 2)) == (
        "Come to my office.",
        "Well done",
    )
    assert found.comment("bob", 1) == ""


WRONG = """student,exercise,points,comment,lab,max
zoe,zero_pad,1,,,
Sam,zero_pad,1,,,
,zero_pad,1,,,
17,zeropad,1,,,
17,zero_pad,2,,,
17,same_padding,-1,,,
17,conv2d,full,,,
17,conv2d_single,nan,,,
17,im2col,1,,2,
17,vgg_block,1,,,
17,,1,,,
17,pooled_shape,1,,first,
17,essay,1,,1,5
17,output_size,1,,,
17,poem,1,,1,many
Ann Lee,output_size,0,,,
17,cross_correlate,1,"never closed,,
"""


def test_every_mistake_is_listed_with_its_line_and_what_to_do(read):
    found = mistakes(read, WRONG.encode(), "18,essai,1", regrade=["Ann Lea"])
    about = {line.split(": ")[0]: line.split(": ", 1)[1] for line in found}
    expected = {
        2: r"nobody in this class is called 'zoe'",
        3: r"'Sam' may be Sam \(1\), Sam \(2\): write the id",
        4: "it names no student",
        5: r"no exercise or open question 'zeropad'; is it 'zero_pad'\?",
        6: "points are 2, but zero_pad has 1",
        7: "points are -1, which is negative",
        8: "points are 'full', not a number",
        9: "points are 'nan', not a number",
        10: "im2col is in Lab 1, not 2",
        11: "vgg_block is in Lab 4, not graded now",
        12: "points need an exercise",
        13: "lab is 'first', not a number",
        14: "'essay' has 4 points, not 5",
        16: "max is 'many'",
        17: "line 15 is about the same",
        18: "quotes do not match",
    }
    for line, text in expected.items():
        assert re.search(text, about[f"file0.csv, line {line}"]), line
    assert "is it 'essay'?" in about["--set '18,essai,1'"]
    assert "is it 'Ann Lee'?" in about["--regrade"]
    assert {int(key.rpartition(" ")[2]) for key in about if key.startswith("file0")} - set(expected) <= {15}


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ("marks.cvs", "marks.cvs cannot be read: No such file"),
        (b"PK\x03\x04,,,", "is a workbook: save it as CSV"),
        (b"", "has no lines"),
        (b"student,exercise,points,comment\n", "has no lines"),
        ("17,essay,0,5", "for 0.5 points, write 0.5"),
        ("17,zero_pad", "ends before the points, which may be empty: 17,zero_pad,$"),
        (b"student,lab\nann,1\n", "there is no column comment"),
        (b"student,exercise,comment\n17,zero_pad,x\n", "there is no column points"),
        (b"student,points\n17,1\n", "there is no column exercise"),
        (b"\xff\xfea", "cannot be read"),
    ],
)
def test_what_is_no_table_is_said_to_be_none(given, complaint, read):
    assert re.search(complaint, mistakes(read, given)[0])


def test_an_open_question_outside_the_notebooks_is_known_by_its_points(read):
    found = read(b"student,exercise,points,comment,lab,max\n17,talk,3,,1,5\n18,talk,5,,1,\n")
    assert [(one.name, one.points, one.maximum) for one in found.questions("bob", 1)] == [
        ("essay", None, 4),
        ("talk", None, 5),
    ]
    kept = as_csv(("student", "exercise", "points", "comment", "lab", "max"), found.rows)
    assert said(read("bob,talk,1", kept=kept), "bob") == {"talk": (1, "")}
    assert "max" in mistakes(read, "bob,poem,1")[0]


def test_what_is_kept_may_be_about_others_but_not_wrong(read):
    kept = "student,exercise,points,comment\nzoe,zero_pad,1,\n17,vgg_block,1,\n17,zero_pad,1,\n"
    found = read("18,zero_pad,0", kept=kept)
    assert found.problems == ["kept.csv, line 2: nobody in this class is called 'zoe'."]
    assert [row[:3] for row in found.rows] == [
        ("zoe", "zero_pad", "1"),
        ("17", "vgg_block", "1"),
        ("Ann Lee", "zero_pad", "1"),
        ("Müller, Zoë", "zero_pad", "0"),
    ]
    assert mistakes(read, kept=kept + "17,essay,9,\n") == ["kept.csv, line 5: points are 9, but essay has 4."]


def test_what_is_kept_is_no_formula_and_reads_the_same_again(read):
    name = "=HYPERLINK(1)"
    people = Roster(()).of_students([(name, "")])
    first = read(f"{name},zero_pad,0,-1 for the style; =2", f"{name},,,@all", people=people)
    text = as_csv(("student", "exercise", "points", "comment", "lab", "max"), first.rows)
    assert not re.search(r"(?:^|[,;] ?)[=@-]", text, re.M)
    again = read(kept=text, people=people)
    assert again.rows == first.rows and said(again, name) == {"zero_pad": (0, "-1 for the style; =2")}


@pytest.fixture
def grade(tmp_path):
    """A class, graded as often as one likes: the rows of grades.csv by student."""
    for student, answers in {"ann": {"zero_pad": "# RIGHT"}, "bea": {"zero_pad": "# <off-by-one>"}}.items():
        write(submission(answers), tmp_path / "in" / student / "x.ipynb")
    (tmp_path / "in" / "dan").mkdir()
    (tmp_path / "in" / "dan" / "x.ipynb").write_text("{")

    def grades(*given: str, **options) -> tuple[dict[str, dict[str, str]], GradedClass]:
        graded = grade_class(
            tmp_path / "in", tmp_path / "out", root=REPOSITORY, workers=threads(), grade=by_words,
            corrections=given, **options,
        )  # fmt: skip
        write_report(graded, tmp_path / "out", {})
        with (tmp_path / "out" / "grades.csv").open(encoding="utf-8") as file:
            return {row["Student"]: row for row in csv.DictReader(file)}, graded

    return grades


def page(folder: Path, student: str) -> str:
    return " ".join(
        re.sub(r"<(?!del)[^>]*>", " ", (folder / "out/students" / f"{student}.html").read_text()).split()
    )


def test_the_instructors_word_counts_and_the_checks_verdict_stays_visible(grade, tmp_path):
    rows, _ = grade('bea,zero_pad,1,"<b>Right</b> idea; =1"', "bea,,,Come and see me.")
    assert (rows["bea"]["1.2 zero_pad"], rows["bea"]["Points"]) == ("1", "1")
    assert rows["bea"]["By hand"] == "Come and see me.; zero_pad 1 (was 0): <b>Right</b> idea;' =1"
    shown = page(tmp_path, "bea")
    assert re.search(
        r"✗ wrong <del [^>]*by the check: 0\">0 1 of 1 Your instructor: &lt;b&gt;Right&lt;/b&gt; idea; =1",
        shown,
    )
    assert "Your instructor: Come and see me." in shown
    assert "zero_pad: wrong" in shown  # the card
    (entry,) = [
        e
        for e in json.loads((tmp_path / "out/grades.json").read_text())["grades"]
        if e["points"] == 1 and e["by hand"]
    ]
    assert entry["exercises"][1]["earned"] == 0 and entry["comment"] == "Come and see me."


@pytest.mark.slow
def test_it_is_kept_replaced_and_taken_back(grade, tmp_path):
    first, _ = grade("bea,zero_pad,1,Fine.", "bea,im2col,1")
    again, graded = grade()
    assert again == first and graded.graded == 0
    changed, _ = grade("bea,zero_pad,0.5")
    assert (changed["bea"]["1.2 zero_pad"], changed["bea"]["By hand"]) == (
        "0.5",
        "im2col 1 (was 0); zero_pad 0.5 (was 0)",
    )
    back, _ = grade("bea,zero_pad,,", "bea,im2col,")
    assert (back["bea"]["Points"], back["bea"]["By hand"]) == ("0", "")
    file = tmp_path / "out" / "corrections.csv"
    assert file.read_bytes().startswith(b"\xef\xbb\xbfstudent,exercise,points,comment,lab,max\n")
    file.write_text("bea,zero_pad,1,by an editor")
    assert grade()[0]["bea"]["Points"] == "1"


@pytest.mark.slow
def test_columns_of_the_instructors_own_are_kept(grade, tmp_path):
    grade("bea,zero_pad,1,Fine.", "bea,im2col,1")
    file = tmp_path / "out" / "corrections.csv"
    lines = file.read_text(encoding="utf-8-sig").splitlines()
    noted = ["checked by", "Zoë, twice", ""]
    file.write_text(as_csv([*lines[0].split(","), noted[0]], [
        [*line.split(","), note] for line, note in zip(lines[1:], noted[1:], strict=True)
    ]))  # fmt: skip
    grade("bea,zero_pad,0.5", "bea,,,See me.")
    with file.open(encoding="utf-8-sig") as kept:
        rows = list(csv.DictReader(kept))
    assert {(row["exercise"], row["points"], row["checked by"]) for row in rows} == {
        ("im2col", "1", ""),
        ("zero_pad", "0.5", "Zoë, twice"),
        ("", "", ""),
    }


def test_a_mistake_changes_and_runs_nothing(grade, tmp_path):
    with pytest.raises(GradingError, match="2 mistakes"):
        grade("bea,zero_pad,1", "bea,zero_pad,7", "zed,zero_pad,1")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_what_the_checks_could_not_read_is_graded_by_hand(grade, tmp_path):
    (tmp_path / "class.csv").write_text("id,name\n1,ann\n2,bea\n3,dan\n4,eve\n")
    naming = Naming(roster=tmp_path / "class.csv")
    rows, _ = grade("3,zero_pad,1,Read as text.", "eve,zero_pad,1", naming=naming)
    for student in ("dan", "eve"):
        assert (rows[student]["Lab"], rows[student]["Points"], rows[student]["Status"]) == (
            "1",
            "1",
            "by hand",
        )
        assert rows[student]["Look at"] == ""
    assert "could not be graded by the checks" in page(tmp_path, "dan")
    assert "zero_pad graded by hand 1 of 1 Your instructor: Read as text." in page(tmp_path, "dan")
    rows, _ = grade("ann,pooled_shape,1", naming=naming)
    assert "This lab was not handed in." in page(tmp_path, "ann")


def test_an_exercise_that_waits_for_the_instructor_waits_no_longer(grade, tmp_path):
    missing = "import a_package_that_nobody_has as p\n\ndef zero_pad(i, n):\n    return p.pad(i, n)"
    write(submission({"zero_pad": missing}), tmp_path / "in" / "ann" / "x.ipynb")
    rows, _ = grade()
    assert rows["ann"]["Status"] == "in part" and rows["ann"]["Look at"]
    rows, _ = grade("ann,zero_pad,1")
    assert (rows["ann"]["Status"], rows["ann"]["Look at"], rows["ann"]["Points"]) == ("graded", "", "1")
    assert "Your instructor gave the points." in page(tmp_path, "ann")


@pytest.mark.slow
def test_one_student_is_graded_again_on_demand(grade):
    grade()
    assert grade(regrade=["bea"])[1].graded == 1
