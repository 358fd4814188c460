"""Mistakes on the command line: noticed before the work, told in a sentence, never with a traceback."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
from grading_workers import FULL, by_words, threads
from notebook_samples import small_lab
from submissions import REPOSITORY, submission, write

from course_utils.command_line import main
from course_utils.command_line.output import check_writable
from course_utils.errors import CourseError
from course_utils.grading import grade_class, grade_many
from course_utils.notebooks import kernel
from course_utils.training import benchmark


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with one small lab, and the current folder."""
    root = tmp_path / "checkout"
    small_lab(root)
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def no_work(monkeypatch) -> None:
    """The work that costs time fails the test."""

    def fail(*_: object, **__: object) -> None:
        pytest.fail("it worked before it looked where to write")

    monkeypatch.setattr(kernel, "execute", fail)
    monkeypatch.setattr("course_utils.notebooks.run.execute", fail)
    monkeypatch.setattr(benchmark, "measure", fail)
    monkeypatch.setattr(grade_many, "grade_tasks", fail)
    monkeypatch.setattr(grade_class, "grade_tasks", fail)
    monkeypatch.setattr(grade_class, "_collect", fail)


def unwritable(tmp_path: Path, kind: str) -> Path:
    """A place that no user can write to, root included."""
    (tmp_path / "file").write_text("precious", encoding="utf-8")
    (tmp_path / "folder").mkdir()
    (tmp_path / "circle").symlink_to(tmp_path / "circle")
    return {
        "below a file": tmp_path / "file" / "x.png",
        "deep below a file": tmp_path / "file" / "a" / "b" / "x.png",
        "a name that is too long": tmp_path / ("x" * 300 + ".png"),
        "a name that is nearly too long": tmp_path / "new" / ("x" * 250 + ".png"),
        "a folder of the system": Path("/proc/no/such/x.png"),
        "below a device": Path("/dev/null/x.png"),
        "a link to itself": tmp_path / "circle" / "x.png",
    }[kind]


PLACES = (
    "below a file",
    "deep below a file",
    "a name that is too long",
    "a folder of the system",
    "below a device",
    "a link to itself",
)


@pytest.mark.slow
@pytest.mark.parametrize("kind", PLACES)
@pytest.mark.parametrize("command", ["run", "bench", "grade", "unexplained", "release", "dry run", "site"])
def test_an_output_that_cannot_be_written_is_noticed_before_the_work(
    command, kind, checkout, no_work, tmp_path, capsys
):
    path = unwritable(tmp_path, kind)
    before = sorted(tmp_path.rglob("*"))
    arguments = {
        "run": ["run", "-o", str(path)],
        "bench": ["bench", "--output", str(path)],
        "grade": ["grade", str(tmp_path), "-o", str(path)],
        "unexplained": ["grade", str(tmp_path), "-o", str(tmp_path / "out"), "--unexplained", str(path)],
        "release": ["release", str(path)],
        "site": ["site", str(path)],
        "dry run": ["grade", str(tmp_path), "--dry-run", "-o", str(path)],
    }[command]
    assert main(arguments) == 1
    said = capsys.readouterr().err
    assert f"Nothing can be written to {path}." in said
    assert "Traceback" not in said and "why:" in said
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("command", ["run", "grade", "release", "site"])
def test_a_file_in_place_of_a_folder_is_noticed_before_the_work(command, checkout, no_work, tmp_path, capsys):
    file = tmp_path / "result"
    file.write_text("precious", encoding="utf-8")
    options = {"run": ["-o"], "grade": [str(checkout), "-o"]}.get(command, [])
    assert main([command, *options, str(file)]) == 1
    assert f"Nothing can be written to {file}." in capsys.readouterr().err
    assert file.read_text(encoding="utf-8") == "precious"


def test_a_folder_in_place_of_a_file_is_noticed_before_the_work(checkout, no_work, tmp_path, capsys):
    (tmp_path / "plot.png").mkdir()
    assert main(["bench", "-o", str(tmp_path / "plot.png")]) == 1
    assert "It is a folder." in capsys.readouterr().err
    (tmp_path / "in").mkdir()
    arguments = ["grade", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--unexplained", str(tmp_path)]
    assert main(arguments) == 1
    assert "It is a folder." in capsys.readouterr().err


@pytest.mark.parametrize("name", ["plot", "plot.jpg", "plot.png.txt"])
def test_a_plot_of_an_unknown_kind_is_noticed_before_the_work(name, checkout, no_work, capsys):
    assert main(["bench", "--output", name]) == 2
    assert ".png, .svg, .pdf" in capsys.readouterr().err


def test_what_a_check_of_the_output_makes_it_takes_away(tmp_path):
    for folder in (True, False):
        check_writable(tmp_path / "a" / "b" / "c", "--output", folder=folder)
        assert not list(tmp_path.iterdir())
    with pytest.raises(CourseError):
        check_writable(tmp_path / "new" / ("x" * 250 + ".png"), "--output")
    with pytest.raises(CourseError, match="null"):
        check_writable(tmp_path / "a\0b", "--output")
    assert not list(tmp_path.iterdir())


def test_a_file_that_may_not_be_changed_is_refused(tmp_path, monkeypatch):
    file = tmp_path / "plot.png"
    file.write_text("precious", encoding="utf-8")
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != file)
    with pytest.raises(CourseError, match="Permission denied"):
        check_writable(file, "--output")


def test_a_checkout_that_cannot_be_written_is_noticed_before_a_build(checkout, no_work, capsys):
    (checkout / "labs").write_text("a file where the folder should be", encoding="utf-8")
    assert main(["build"]) == 1
    assert "Nothing can be written to" in capsys.readouterr().err


def test_what_the_system_refuses_later_is_told_without_a_traceback(checkout, monkeypatch, capsys):
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "build/01_small.html")

    monkeypatch.setattr("course_utils.notebooks.run.run", full)
    assert main(["run"]) == 1
    said = capsys.readouterr().err
    assert "No space left on device (build/01_small.html)." in said and "Traceback" not in said


@pytest.mark.slow
@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "0", "-1", "x", ""])
@pytest.mark.parametrize(
    "command",
    [
        ["check", "x.ipynb", "--timeout"],
        ["run", "--timeout"],
        ["build", "--timeout"],
        ["grade", "in", "-o", "out", "--time-limit"],
    ],
    ids=" ".join,
)
def test_a_time_that_is_none_is_refused(command, value, checkout, no_work, capsys):
    assert main([*command, value]) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize(
    "address", ["nope", "tcp://", "tcp://nowhere.invalid:1", "127.0.0.1:1", "tcp://x:y", "http://a b", "://"]
)
def test_a_scheduler_that_does_not_answer_is_told(address, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(REPOSITORY)
    cluster = grade_many.cluster
    monkeypatch.setattr(grade_many, "cluster", lambda address: cluster(address, seconds=0.3))
    write(submission({}), tmp_path / "in" / "ann" / "x.ipynb")
    assert main(["grade", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--scheduler", address]) == 1
    said = capsys.readouterr().err
    assert f"The scheduler {address} does not answer." in said and "Traceback" not in said


# Notebooks.

DAMAGE = {
    "a source that is a number": lambda notebook: notebook["cells"][1].update(source=5),
    "a source that is nothing": lambda notebook: notebook["cells"][1].update(source=None),
    "a source of numbers": lambda notebook: notebook["cells"][1].update(source=[1, 2]),
    "no source": lambda notebook: notebook["cells"][1].pop("source"),
    "a cell that is a number": lambda notebook: notebook["cells"].insert(0, 5),
    "cells that are a number": lambda notebook: notebook.update(cells=5),
    "no cells": lambda notebook: notebook.pop("cells"),
    "metadata that are a list": lambda notebook: notebook["cells"][1].update(metadata=[]),
    "nbgrader that is a number": lambda notebook: notebook["cells"][1].update(metadata={"nbgrader": 5}),
    "outputs that are a number": lambda notebook: notebook["cells"][1].update(outputs=5),
    "an output that is a number": lambda notebook: notebook["cells"][1].update(outputs=[5]),
    "a type that is a number": lambda notebook: notebook["cells"][1].update(cell_type=5),
    "an unknown type": lambda notebook: notebook["cells"][1].update(cell_type="poem"),
    "a course that is a number": lambda notebook: notebook["metadata"].update(course=5),
    "a course with cells that are none": lambda notebook: notebook["metadata"]["course"].update(cells=None),
    "a course with cells of lists": lambda notebook: notebook["metadata"]["course"].update(cells=[[]]),
    "a course with a profile of 5": lambda notebook: notebook["metadata"]["course"].update(profile=5),
    "metadata of the whole that are a list": lambda notebook: notebook.update(metadata=[]),
    "a list": lambda notebook: [notebook],
    "an unknown format": lambda notebook: notebook.update(nbformat=99),
    "a format that is a text": lambda notebook: notebook.update(nbformat="4"),
}


@pytest.fixture(scope="module")
def built(tmp_path_factory) -> str:
    """The small lab's notebook, built."""
    root = tmp_path_factory.mktemp("built")
    lab = small_lab(root)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setattr(kernel, "execute", lambda *_, **__: [])
        assert main(["build"]) == 0
    return lab.solution.read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_notebook_is_told_by_every_command(damage, built, checkout, monkeypatch, capsys):
    monkeypatch.setattr(kernel, "execute", lambda *_, **__: [])
    monkeypatch.setattr("course_utils.notebooks.run.execute", lambda *_, **__: [])
    notebook = json.loads(built)
    notebook = DAMAGE[damage](notebook) if damage == "a list" else (DAMAGE[damage](notebook), notebook)[1]
    path = checkout / "solutions" / "01_small.ipynb"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    before = path.read_bytes()
    for command in (["build"], ["build", "--check"], ["run"], ["check", str(path)]):
        assert main(command) == 1, command
        shown = capsys.readouterr()
        assert "Traceback" not in shown.err + shown.out
        assert "01_small" in shown.err + shown.out
        assert path.read_bytes() == before
    (checkout / "in" / "ann").mkdir(parents=True)
    (checkout / "in" / "ann" / "x.ipynb").write_bytes(before)
    assert main(["grade", "in", "--dry-run"]) in (0, 1)
    assert "Traceback" not in capsys.readouterr().err


def test_the_cell_and_its_fault_are_named(built, checkout, capsys):
    notebook = json.loads(built)
    notebook["cells"][1]["source"] = 5
    path = checkout / "x.ipynb"
    path.write_text(json.dumps(notebook), encoding="utf-8")
    assert main(["check", str(path)]) == 1
    assert "the source of cell 2 is 5, not text" in capsys.readouterr().err


# Points by hand.

MISTAKES = {
    "an unknown student": "nobody,same_padding,1",
    "an unknown exercise": "ann,no_such,1",
    "too many points": "ann,same_padding,100",
    "no number": "ann,same_padding,many",
    "too short": "ann,same_padding",
    "no file": "no/such/file.csv",
    "negative": "ann,same_padding,-1",
}


@pytest.fixture
def handed_in(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(REPOSITORY)
    monkeypatch.setattr(grade_many, "this_machine", lambda jobs=None: threads(FULL, 2))
    defaults = grade_class.grade_class.__kwdefaults__
    monkeypatch.setattr(grade_class.grade_class, "__kwdefaults__", defaults | {"grade": by_words})
    write(submission({"zero_pad": "# RIGHT"}), tmp_path / "in" / "ann" / "x.ipynb")
    return tmp_path / "in"


@pytest.mark.slow
@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("output", [True, False])
def test_a_dry_run_reports_the_mistakes_of_a_real_one_and_changes_nothing(
    mistake, output, handed_in, tmp_path, capsys
):
    file = tmp_path / "marks.csv"
    file.write_text(f"ann,zero_pad,1\n{MISTAKES[mistake]}\n", encoding="utf-8")
    given = ["--set", MISTAKES[mistake] if "/" in MISTAKES[mistake] else str(file)]
    out = tmp_path / "out"
    place = ["-o", str(out)] if output else []
    assert main(["grade", str(handed_in), *place, "--dry-run", *given]) == 1
    dry = capsys.readouterr()
    assert not out.exists()
    assert main(["grade", str(handed_in), "-o", str(out), *given]) == 1
    real = capsys.readouterr()
    assert "given by hand" in dry.err
    assert dry.err == real.err
    assert "ann" in dry.out


def test_a_dry_run_reports_a_student_to_grade_again_who_is_not_there(handed_in, capsys):
    assert main(["grade", str(handed_in), "--dry-run", "--regrade", "nobody"]) == 1
    assert "--regrade: nobody in this class" in capsys.readouterr().err


@pytest.mark.slow
def test_a_dry_run_reads_what_earlier_runs_kept_and_keeps_nothing_new(handed_in, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["grade", str(handed_in), "-o", str(out), "--set", "ann,zero_pad,1"]) == 0
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    arguments = ["grade", str(handed_in), "-o", str(out), "--dry-run", "--set", "ann,same_padding,1"]
    assert main(arguments) == 0
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    (out / "corrections.csv").write_text("student,exercise,points\nann,zero_pad,100\n", encoding="utf-8")
    assert main(arguments) == 1
    assert "corrections.csv, line 2" in capsys.readouterr().err
