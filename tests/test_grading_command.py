"""``course grade`` from the shell: what it writes, what it says, and its exit codes."""

from __future__ import annotations

import csv
import json
import tomllib
from pathlib import Path

import pytest
from grading_workers import FULL, PARTIAL, by_words, threads
from submissions import REPOSITORY, solutions, submission, write

from course_utils.command_line import main
from course_utils.exercises.pooling_layer import EXERCISES
from course_utils.grading import grade_class, grade_many
from course_utils.grading.result_store import Task


@pytest.fixture
def handed_in(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(REPOSITORY)
    write(submission({"zero_pad": "# RIGHT"}), tmp_path / "in" / "ann" / "x.ipynb")
    write({}, tmp_path / "in" / "bea" / "x.ipynb")
    return tmp_path / "in"


@pytest.fixture
def quick(monkeypatch):
    """Grading without kernels and processes."""

    def by_threads(jobs=None):
        return threads(FULL, jobs or 2)

    monkeypatch.setattr(grade_many, "this_machine", by_threads)
    monkeypatch.setattr(
        grade_class.grade_class,
        "__kwdefaults__",
        grade_class.grade_class.__kwdefaults__ | {"grade": by_words},
    )


@pytest.mark.slow
def test_it_writes_tables_and_pages_and_says_where(handed_in, quick, tmp_path, capsys):
    assert main(["grade", str(handed_in), "--output", str(tmp_path / "out"), "--jobs", "1"]) == 0
    out, err = capsys.readouterr()
    assert "2 submissions: 1 graded now, 0 before, 1 not graded." in out
    assert "bea: The file is not a notebook" in out
    assert "Isolation: full." in out
    assert str(tmp_path / "out" / "index.html") in out
    assert f"Feedback for the students: {tmp_path / 'out' / 'feedback'}" in out
    assert "1 to grade" in err
    assert {p.name for p in (tmp_path / "out").iterdir()} - {".lock"} == {
        "feedback", "grades.csv", "grades.json", "index.html", "results", "students",
    }  # fmt: skip


def test_wrong_answers_that_no_misconception_explains_are_written_without_names(
    handed_in, quick, tmp_path, capsys
):
    answers = {
        "conv2d": 'def conv2d(x):\n    return """it\'s \'\'\' é\x7f"""  # WRONG, Ann',
        "same_padding": "# WRONG, by Ann\ndef same_padding(f):\n    return f",
        "output_size": "# WRONG: not Python\n)",
        "cross_correlate": "# <flipped-kernel>\nx = 1",
        "zero_pad": "# RIGHT\ny = 2",
    }
    for student in ("ann", "cat"):
        write(submission(answers), handed_in / student / "x.ipynb")
    file = tmp_path / "more.toml"
    assert main(["grade", str(handed_in), "-o", str(tmp_path / "out"), "--unexplained", str(file)]) == 0
    assert f"Unexplained wrong answers: 2, in {file}" in capsys.readouterr().out
    text = file.read_text(encoding="utf-8")
    of_teachers = {"verdict": "wrong", "cause": ""}
    assert tomllib.loads(text)["answer"] == [
        {**of_teachers, "code": "def same_padding(f):\n    return f\n"},
        {**of_teachers, "code": "def conv2d(x):\n    return \"it's ''' é\\x7f\"\n"},
    ]
    assert text.index("# same_padding\n") < text.index("# conv2d\n")


@pytest.mark.slow
def test_json_is_all_that_stands_on_stdout(handed_in, quick, tmp_path, capsys):
    arguments = ["grade", str(handed_in), "-o", str(tmp_path / "out"), "--json"]
    for graded, kept in ((1, 0), (0, 1)):
        assert main(arguments) == 0
        said = json.loads(capsys.readouterr().out)
        assert (said["graded"], said["kept"], said["isolation"]) == (graded, kept, "full")


@pytest.mark.slow
def test_points_by_hand_and_what_is_graded_again_are_said_in_the_shell(
    handed_in, quick, tmp_path, capsys, monkeypatch
):
    def graded(*options: str) -> int:
        assert main(["grade", str(handed_in), "-o", str(tmp_path / "out"), "--json", *options]) == 0
        return json.loads(capsys.readouterr().out)["graded"]

    def points() -> str:
        with (tmp_path / "out" / "grades.csv").open() as file:
            return next(csv.DictReader(file))["Points"]

    (tmp_path / "marks.csv").write_text("ann;same_padding;0,5;gut")
    assert graded("--manual", str(tmp_path / "marks.csv"), "--set", "ann,output_size,1") == 1
    assert points() == "2.5"
    assert graded("--regrade", "ann") == 1 and points() == "2.5"
    limits = []
    monkeypatch.setattr(grade_class, "Task", lambda *task: limits.append(task[2]) or Task(*task))
    assert graded("--time-limit", "30") == 1 and graded("--time-limit", "30") == 0
    assert {(one.cell_seconds, one.call_seconds) for one in limits} == {(30, 30)}
    before = (tmp_path / "out" / "grades.csv").read_bytes()
    wrong = ["--set", "ann,output_size,9", "--set", "eve,zero_pad,1", "--regrade", "zed"]
    assert main(["grade", str(handed_in), "-o", str(tmp_path / "out"), *wrong]) == 1
    err = capsys.readouterr().err
    assert "3 mistakes" in err and all(name in err for name in ("output_size has 1", "'eve'", "'zed'"))
    assert (tmp_path / "out" / "grades.csv").read_bytes() == before and graded() == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "code", "complaint"),
    [
        (["--lab", "9"], 2, "no lab 9"),
        (["--require-isolation", "much"], 2, "can be full"),
        (["--scheduler", "tcp://127.0.0.1:9", "--jobs", "2"], 2, "Give one of them"),
        (["--manual", "nowhere.csv"], 1, "cannot be read"),
        (["--due", "2026-02-30 23:59"], 1, "there is no such day"),
        (["--late", "10% per day"], 1, "There is no due date"),
        (["--deadlines", "nowhere.toml"], 1, "nowhere.toml cannot be read"),
        (["--jobs", "0"], 2, ""),
    ],
)
def test_wrong_options_are_one_clear_error_and_nothing_is_written(
    options, code, complaint, handed_in, quick, tmp_path, capsys
):
    assert main(["grade", str(handed_in), "-o", str(tmp_path / "out"), *options]) == code
    assert complaint in capsys.readouterr().err
    assert not (tmp_path / "out" / "grades.csv").exists()


@pytest.mark.slow
def test_due_dates_are_said_and_hold_for_later_runs(handed_in, quick, tmp_path, capsys):
    arguments = ["grade", str(handed_in), "-o", str(tmp_path / "out")]
    assert main([*arguments, "--due", "2020-01-01 12:00 Asia/Singapore", "--late", "no late"]) == 0
    for _ in range(2):
        out = capsys.readouterr().out
        assert "Lab 01: Due 2020-01-01 12:00 Asia/Singapore. Late work does not count." in out
        assert "1 late." in out
        assert main(arguments) == 0
    with (tmp_path / "out" / "grades.csv").open() as file:
        ann = next(csv.DictReader(file))
    assert (ann["Points"], ann["Penalty"], ann["Total"], ann["Time from"]) == ("1", "1", "0", "file")


def test_without_submissions_it_fails(quick, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    assert main(["grade", str(tmp_path / "nowhere"), "-o", str(tmp_path / "out")]) == 1
    assert "does not exist" in capsys.readouterr().err


def test_required_isolation_refuses_with_exit_code_one(handed_in, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(grade_many, "this_machine", lambda jobs=None: threads(PARTIAL))
    assert main(["grade", str(handed_in), "-o", str(tmp_path / "out"), "--require-isolation", "full"]) == 1
    assert "other files are visible" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_ctrl_c_says_how_to_go_on(handed_in, quick, tmp_path, capsys, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(grade_class, "grade_tasks", interrupted)
    assert main(["grade", str(handed_in), "-o", str(tmp_path / "out")]) == 130
    assert "same command continues" in capsys.readouterr().err


@pytest.mark.slow
def test_a_failure_that_is_not_the_students_is_exit_code_one(handed_in, quick, tmp_path):
    write(submission({"zero_pad": "# RAISE"}), handed_in / "cat" / "x.ipynb")
    assert main(["grade", str(handed_in), "-o", str(tmp_path / "out")]) == 1
    assert (tmp_path / "out" / "grades.csv").exists()


@pytest.mark.slow
def test_two_runs_do_not_write_into_one_folder(handed_in, quick, tmp_path, capsys):
    import filelock

    (tmp_path / "out").mkdir()
    with filelock.FileLock(tmp_path / "out" / ".lock"):
        assert main(["grade", str(handed_in), "-o", str(tmp_path / "out")]) == 1
    assert "Another run" in capsys.readouterr().err


@pytest.mark.slow
def test_a_class_is_graded_for_real(tmp_path, monkeypatch, capsys):
    """Kernels, isolation as the machine offers it, and the judge: nothing stands in."""
    monkeypatch.chdir(REPOSITORY)
    wrong = {
        **solutions(2),
        "pooled_shape": "def pooled_shape(shape, size=2, stride=None):\n    return shape",
    }
    write(submission(solutions(2), 2), tmp_path / "in" / "ann" / "x.ipynb")
    write(submission(wrong, 2), tmp_path / "in" / "bea" / "x.ipynb")
    assert (
        main(["grade", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--lab", "2", "--jobs", "1"]) == 0
    )
    with (tmp_path / "out" / "grades.csv").open() as file:
        rows = list(csv.DictReader(file))
    most = sum(exercise.points for exercise in EXERCISES)
    assert [(row["Student"], row["Points"], row["2.3 pooled_shape"]) for row in rows] == [
        ("ann", str(most), "1"),
        ("bea", str(most - 1), "0"),
    ]
    assert "pooled_shape): not right yet" in next((tmp_path / "out" / "students").glob("bea*")).read_text()
