"""Whatever a submission contains, its student gets a sentence or a grade, and everybody else is graded."""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from pathlib import Path

import pytest
from grading_workers import by_words, threads
from hostile_files import ARCHIVES, CODE, NAMES, NOTEBOOKS, ONE, RIGHT, extra, folders_in_folders, zipped
from submissions import REPOSITORY, cell_of, submission, write

from course_utils.errors import GradingError
from course_utils.grading import bounds
from course_utils.grading.bounds import in_bounds
from course_utils.grading.collect import collect
from course_utils.grading.collect.layouts import read_owners
from course_utils.grading.collect.names import is_wrapper, without_lab
from course_utils.grading.grade_class import grade_class
from course_utils.grading.report import write_report
from course_utils.grading.sandbox.launch import remove_folder

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="grading needs a system that can fork")
only_linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits memory")


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(bounds, "SECONDS", 1.0)


def lengths(item: str) -> int:
    if item == "endless":
        re.match(r"(a*)*b", "a" * 50)
    if item == "large":
        return len(bytearray(2 * bounds.MEMORY))
    if item == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if item == "deep":
        return lengths(item)
    if item == "half":
        until = time.process_time() + 0.6
        while time.process_time() < until:
            continue
    return len(item)


def read(*items: str, whose=str) -> list[object]:
    return [getattr(answer, "why", answer) for _, answer in in_bounds(lengths, items, whose=whose)]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ("endless", "more than 1 s"),
        ("crash", "ends Python"),
        ("deep", "(RecursionError)"),
        pytest.param("large", "memory", marks=only_linux),
    ],
)
def test_what_breaks_its_reader_costs_only_itself(item, reason):
    first, broken, last = read("x", item, "yy")
    assert (first, last) == (1, 2)
    assert reason in broken


@pytest.mark.slow
def test_a_student_has_one_allowance_of_time_for_all_files():
    slow = "It could not be read: that takes more than 1 s."
    assert read("half", "half", "half", "x", whose=lambda item: item) == [4, slow, slow, 1]


def test_a_crash_that_others_have_caused_is_tried_again(tmp_path):
    def second(item: int) -> int:
        # Like a process that has little memory left.
        with (tmp_path / "log").open("a") as log:
            log.write(f"{os.getpid()} {item}\n")
        calls = (tmp_path / "log").read_text().splitlines()
        if sum(line.startswith(f"{os.getpid()} ") for line in calls) == 2:
            os._exit(1)
        return item

    assert [answer for _, answer in in_bounds(second, [1, 2, 3], whose=str)] == [1, 2, 3]


def test_many_items_share_one_process():
    assert len({pid for _, pid in in_bounds(lambda item: os.getpid(), range(50), whose=str)}) == 1


def test_no_process_stays_when_reading_is_given_up():
    reading = in_bounds(lambda item: os.getpid(), ["x", "y"], whose=str)
    _, process = next(reading)
    reading.close()
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_without_fork_an_error_still_concerns_only_its_item(monkeypatch):
    monkeypatch.delattr(os, "fork")
    first, broken, last = read("x", "deep", "yy")
    assert (first, last) == (1, 2)
    assert "(RecursionError)" in broken


def graded(folder: Path) -> dict[str, object]:
    """Grade a class with ann's honest submission; return the rows of the others that are as they should."""
    write(submission(RIGHT), folder / "in" / "ann" / "x.ipynb")
    result = grade_class(
        folder / "in", folder / "out", root=REPOSITORY, lab=1, workers=threads(), grade=by_words
    )
    write_report(result, folder / "out", {1: "Lab 01"})
    table = (folder / "out" / "grades.csv").read_text(encoding="utf-8")
    assert max(map(len, table.splitlines())) < 5_000
    rows = {row.student: row for row in result.rows}
    assert rows.pop("ann").earned == 1
    for row in rows.values():
        assert re.fullmatch(r"[A-Z][^\n]{10,300}\.|", row.problem)
        assert row.problem or row.status in ("graded", "in part")
    return rows


@pytest.mark.slow
def test_code_that_is_hard_to_read_stops_nobody_and_costs_no_other_exercise(tmp_path, monkeypatch):
    monkeypatch.setattr(bounds, "SECONDS", 2.5)
    for name, source in CODE.items():
        notebook = submission(RIGHT)
        cell_of(notebook, "conv2d").source = source
        notebook.cells.insert(3, extra(f"{source} "))
        write(notebook, tmp_path / "in" / name / "x.ipynb")
    rows = graded(tmp_path)
    slow = {name for name in CODE if rows[name].problem}
    assert {rows[name].problem for name in slow} == {"It could not be read: that takes more than 2.5 s."}
    assert slow == {"many small statements"}
    assert [name for name in CODE if name not in slow and rows[name].earned != 1] == []


@pytest.mark.slow
def test_notebooks_that_are_hard_to_read_stop_nobody(tmp_path):
    for name, content in NOTEBOOKS.items():
        path = tmp_path / "in" / name / "x.ipynb"
        path.parent.mkdir(parents=True)
        path.write_bytes(content())
    rows = graded(tmp_path)
    assert set(rows) == set(NOTEBOOKS)
    assert not rows["a text of blank lines"].problem


@only_linux
def test_what_takes_all_memory_is_told_so():
    # More than any earlier test may have left in this process for its children.
    found = [answer for _, answer in in_bounds(bytearray, [bounds.MEMORY + 2**30, 1], whose=str)]
    assert "too much memory" in found[0].why and found[1] == bytearray(1)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_archives_that_are_hard_to_read_stop_nobody(tmp_path):
    (tmp_path / "in").mkdir()
    for name, content in ARCHIVES.items():
        (tmp_path / "in" / f"{name}.zip").write_bytes(content())
    start = time.process_time()
    rows = graded(tmp_path)
    assert time.process_time() - start < 15
    assert set(rows) == set(ARCHIVES)
    assert rows["20,000 files"].submission.others[20] == "and 19,980 more"
    bombs = rows["archives in an archive, each a bomb"].submission.others
    assert sum("The archive was not read" in text for text in bombs) >= 15
    lists = rows["an archive in an archive that lists 300,000 files"].submission.notes
    assert "may contain too many files" in lists[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_name_in_the_archive_of_a_class_takes_no_time_and_is_cut(name, tmp_path):
    (tmp_path / "class.zip").write_bytes(zipped({"ann/x.ipynb": ONE, "bob/x.ipynb": ONE, NAMES[name]: ONE}))
    start = time.process_time()
    try:
        found = collect(tmp_path / "class.zip")
    except GradingError as error:  # the name is no student's
        assert len(str(error)) < 1_000
    else:
        students = {one.student: one.problem for one in found.submissions}
        assert students["ann"] == students["bob"] == ""
        assert len(students) + len(found.unread) == 3
        assert max(len(file.path) for file in found.files) < 1_000
    assert time.process_time() - start < 1.5


@pytest.mark.parametrize(
    "name", ["a_1_assignsubmission_file_", "a_12_345_", "L_a_attempt_2026-11-01-10-22-33_"]
)
def test_a_long_name_in_a_platforms_export_keeps_its_owner(name, tmp_path):
    other = name.replace("a_", "b_", 1)
    content = zipped({f"{name}{'_' * 20_000}x.ipynb": ONE, f"{other}x.ipynb": ONE})
    (tmp_path / "class.zip").write_bytes(content)
    problems = [one.problem for one in collect(tmp_path / "class.zip").submissions]
    assert problems == ["Its path is longer than any system allows.", ""]


@pytest.mark.parametrize(
    "name", ["_", " ", "-", "(1)", "_final", "1_", "lab", "lab_", "conv", "9", "+", "a_1"]
)
def test_whose_a_file_is_takes_no_time_whatever_its_name(name):
    path = (name * 20_000 + "x.ipynb",)
    start = time.process_time()
    for layout in (None, "names", "moodle", "blackboard"):
        try:
            read_owners([path], [path], layout=layout)
        except GradingError:
            continue
    is_wrapper(path[0])
    without_lab(path[0])
    assert time.process_time() - start < 0.5


def test_folders_in_folders_are_followed_no_deeper_than_needed(tmp_path):
    write(submission(RIGHT), tmp_path / "in" / "ann" / "x.ipynb")
    folders_in_folders(tmp_path / "in", "e")
    try:
        problems = {one.student: one.problem for one in collect(tmp_path / "in").submissions}
    finally:
        remove_folder(tmp_path / "in")  # pytest cannot: it calls itself for each level
    assert problems == {"ann": "", "e": "It lies more than 100 folders deep."}
