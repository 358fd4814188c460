"""Gradescope: the archive it builds an image from, and the results.json that each submission ends with."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
import zipfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import gradescope
import pytest
from messy_class import CLASS
from submissions import REPOSITORY, solutions, submission

from course_utils import exercises
from course_utils.command_line import main
from course_utils.errors import NotebookError
from course_utils.exercises.model import Verdict
from course_utils.grading.grades import JudgedSubmission
from course_utils.grading.gradescope import __main__ as autograder
from course_utils.grading.gradescope.autograder_zip import requirements, write_autograders
from course_utils.grading.gradescope.results_json import Results
from course_utils.grading.records import Isolation
from course_utils.notebooks.layout import find_labs

pytestmark = pytest.mark.slow

LAB_ONE = [one for one in map(exercises.get, exercises.names()) if one.lab == 1]
WALLED = Isolation("full", mechanisms=("namespaces",))


@pytest.fixture(scope="module")
def archives(tmp_path_factory) -> list[Path]:
    return write_autograders(find_labs(REPOSITORY), tmp_path_factory.mktemp("gradescope"))


@pytest.fixture(scope="module")
def source(archives, tmp_path_factory) -> Path:
    """Lab 1's archive, unpacked as Gradescope does."""
    folder = tmp_path_factory.mktemp("source")
    with zipfile.ZipFile(archives[0]) as archive:
        archive.extractall(folder)
    return folder


def notebook(answers: dict[str, str] | None = None, lab: int = 1) -> bytes:
    return json.dumps(submission(answers, lab)).encode()


# ----------------------------------------------------------------------------------------------- the archive


def test_there_is_an_archive_for_each_lab_with_its_programs_at_the_top(archives):
    assert [path.name for path in archives] == [f"gradescope-lab-0{number}.zip" for number in (1, 2, 3, 4)]
    for path in archives:
        with zipfile.ZipFile(path) as archive:
            for name in ("setup.sh", "run_autograder"):
                assert archive.read(name).startswith(b"#!/usr/bin/env bash\n")
                assert archive.getinfo(name).external_attr >> 16 == 0o100755


def test_it_holds_the_solution_of_its_own_lab_and_grading(archives):
    with zipfile.ZipFile(archives[1]) as archive:
        names = archive.namelist()
    assert [name for name in names if "solutions" in name] == ["course/solutions/02_pooling_layer.py"]
    assert "course/course_utils/grading/grade_one.py" in names
    assert not [name for name in names if "__pycache__" in name or "answers" in name]


def test_the_same_bytes_come_out_again(archives, tmp_path):
    again = write_autograders(find_labs(REPOSITORY, 1), tmp_path)
    assert again[0].read_bytes() == archives[0].read_bytes()


def test_students_do_not_get_it(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(REPOSITORY)
    command = ["release", str(tmp_path), "--labs", "1", "--gradescope"]
    assert main([*command, str(tmp_path / "convnet-labs" / "autograders")]) == 2
    assert "hold the solutions" in capsys.readouterr().err and not list(tmp_path.iterdir())
    assert main([*command, str(tmp_path / "autograders")]) == 0
    assert "gradescope-lab-01.zip" in capsys.readouterr().out
    with zipfile.ZipFile(tmp_path / "convnet-labs.zip") as archive:
        assert not [name for name in archive.namelist() if "gradescope" in name or "grading" in name]


def test_packages_are_pinned_as_installed_for_the_cpu():
    lines = requirements(
        ["torch>=2.11", "nbclient>=0.10", "not-installed-anywhere>=3; os_name == 'posix'"]
    ).splitlines()
    found = [line for line in lines if not line.startswith("#")]
    assert "not-installed-anywhere>=3" in found
    assert f"nbformat=={version('nbformat')}" in found
    assert f"torch=={version('torch').partition('+')[0]}" in found, "any build of it"
    names = [re.split("[=>]", line)[0] for line in found]
    assert {"torch", "nbclient", "nbformat", "traitlets", "pyzmq"} <= set(names)
    assert not [name for name in names if name.startswith(("nvidia", "cuda", "triton"))]


def test_what_python_3_11_cannot_use_is_not_pinned(tmp_path, monkeypatch):
    for name, python in (("made-up-old", ">=3.9"), ("made-up-new", ">=3.13")):
        folder = tmp_path / f"{name.replace('-', '_')}-1.5.dist-info"
        folder.mkdir()
        text = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\nRequires-Python: {python}\n"
        (folder / "METADATA").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    lines = requirements(["made-up-old>=1", "made-up-new>=1"]).splitlines()
    assert "made-up-old==1.5" in lines and "made-up-new>=1" in lines


@pytest.mark.parametrize("name", ["setup.sh", "run_autograder"])
def test_the_programs_are_well_formed(name, source):
    assert subprocess.run(["bash", "-n", source / name], check=False).returncode == 0


def test_what_stands_there_before_python_starts_is_valid(source):
    text = (source / "run_autograder").read_text()
    first = re.search(r"<<'END'\n(.*?)\nEND\n", text, re.S)
    assert first and gradescope.validated(first[1])["score"] == 0


# ----------------------------------------------------------------------------------------------- the results


def told(answers: dict[str, Any], unclear: dict[str, str] | None = None, pending: str = "") -> dict[str, Any]:
    """The results of these answers, functions by exercise."""
    verdicts = {name: exercises.evaluate(name, answer) for name, answer in answers.items()}
    return gradescope.validated(
        Results(1, unclear=unclear or {}, verdicts=verdicts).to_json(1.25, pending=pending)
    )


def test_each_exercise_is_a_test_with_its_card():
    flipped = next(m for m in exercises.get("cross_correlate").misconceptions if m.id == "flipped-kernel")
    found = told(
        {one.id: one.reference for one in LAB_ONE if one.points} | {"cross_correlate": flipped.wrong}
    )
    assert [test["number"] for test in found["tests"]] == [one.number for one in LAB_ONE if one.points]
    first, *others = found["tests"]
    assert (first["name"], first["status"], first["score"], first["tags"]) == (
        "cross_correlate", "failed", 0, ["flipped-kernel"],
    )  # fmt: skip
    assert (
        "not right yet" in first["output"] and first["max_score"] == exercises.get("cross_correlate").points
    )
    assert all(test["score"] == test["max_score"] and test["status"] == "passed" for test in others)
    assert found["leaderboard"] == [
        {"name": "Points", "value": sum(test["score"] for test in others)},
        {"name": "Exercises right", "value": len(others)},
    ]
    assert "score" not in found, "Gradescope adds up"


def test_an_optional_exercise_is_shown_without_points_if_it_is_begun():
    (optional,) = [one for one in LAB_ONE if one.optional]
    assert optional.number not in [test["number"] for test in told({})["tests"]]
    (shown,) = [t for t in told({optional.id: optional.reference})["tests"] if t["number"] == optional.number]
    assert shown["status"] == "passed" and "score" not in shown and "max_score" not in shown


def test_what_a_human_must_decide_has_no_points_and_says_so():
    found = told({"zero_pad": exercises.get("zero_pad").reference}, unclear={"zero_pad": "It is elsewhere."})
    (test,) = [test for test in found["tests"] if test["name"] == "zero_pad"]
    assert (test["score"], test["status"]) == (0, "failed")
    assert test["output"] == "Your instructor will look at it: It is elsewhere."


def test_what_is_not_judged_yet_says_why_and_what_is_judged_counts():
    found = told({"same_padding": exercises.get("same_padding").reference}, pending="Stopped.")
    outputs = {test["name"]: test["output"] for test in found["tests"]}
    assert found["output"] == "Stopped." and outputs["zero_pad"] == "Not judged; see above."
    assert "correct" in outputs["same_padding"] and sum(gradescope.points(found).values()) == 1


def test_characters_that_databases_refuse_are_replaced():
    verdict = Verdict("zero_pad", "1.2", "zero_pad", "error", reason="a\0b\ud800c", printed="\0")
    results = Results(1, said=["\0"], extra_data={"a": ("\ud800",)}, verdicts={"zero_pad": verdict})
    assert "a\ufffdb?c" in str(gradescope.validated(results.to_json(0))["tests"])


# ------------------------------------------------------------------------------------- without kernels


@pytest.fixture
def quick(monkeypatch) -> list[int]:
    """Grading without kernels: everything is right. Returns the seeds that it was called with."""
    seeds: list[int] = []

    def grade(notebook, *, isolation, limits, seed, judged):
        seeds.append(seed)
        asked = {cell.exercise for cell in notebook.cells}
        verdicts = [
            Verdict(e.id, e.number, e.title, "correct" if e.id in asked else "not started", points=e.points,
                    earned=e.points if e.id in asked else 0)
            for e in LAB_ONE
        ]  # fmt: skip
        for verdict in verdicts:
            judged(verdict)
        return JudgedSubmission(verdicts, ("a note",), 0.1, isolation)

    monkeypatch.setattr(autograder, "own_isolation", lambda: WALLED)
    monkeypatch.setattr(autograder, "grade_notebook", grade)
    return seeds


@pytest.fixture(scope="module")
def lab_root(source) -> Path:
    return source / "course"


def graded(home: Path, root: Path) -> dict[str, Any]:
    assert autograder.main(home, root) == 0
    return gradescope.read(home)


def test_one_upload_always_draws_the_same_numbers_and_another_one_new_numbers(quick, lab_root, tmp_path):
    again = gradescope.METADATA | {"created_at": "2026-11-21T00:00:00+00:00"}
    other = gradescope.METADATA | {"id": 9}
    pair = gradescope.METADATA | {"users": [{"id": 5}, {"id": 1234}]}
    riap = gradescope.METADATA | {"users": [{"id": 1234}, {"id": 5}]}
    for number, metadata in enumerate((gradescope.METADATA, again, pair, riap, other)):
        home = gradescope.folder(tmp_path / str(number), {"a.ipynb": notebook(solutions())}, metadata)
        assert graded(home, lab_root)["extra_data"]["seed"] == quick[-1]
    assert quick[0] == quick[1] != quick[2] == quick[3]
    assert len(set(quick)) == 3


@pytest.mark.parametrize(
    "metadata",
    [
        None,
        b"",
        b"{",
        b"[]",
        b"[" * 100_000,
        b"\xff",
        {"users": "x"},
        {"users": [1, {"id": {}}]},
        {"users": None},
    ],
    ids=["missing", "empty", "cut off", "list", "deep", "not text", "users text", "users odd", "no users"],
)
def test_odd_metadata_take_no_points(metadata, quick, lab_root, tmp_path):
    home = gradescope.folder(tmp_path / "home", {"a.ipynb": notebook(solutions())}, metadata)
    found = graded(home, lab_root)
    assert sum(gradescope.points(found).values()) == sum(one.points for one in LAB_ONE)


def test_it_says_which_file_counts_what_was_found_and_that_it_is_late(quick, lab_root, tmp_path):
    late = gradescope.METADATA | {"created_at": "2026-12-01T08:00:00-08:00"}
    files = {
        "old/lab.ipynb": notebook({"zero_pad": solutions()["zero_pad"]}),
        "lab (2).ipynb": CLASS["helper_above"].content,
        "notes.txt": b"x",
    }
    found = graded(gradescope.folder(tmp_path / "home", files, late), lab_root)
    assert "File: lab (2).ipynb, handed in after the due date." in found["output"]
    assert "copied from other cells: `sides`" in found["output"]
    assert "- old/lab.ipynb (fewer answers: 1" in found["output"] and "- notes.txt" in found["output"]
    assert found["extra_data"]["notes"][-1] == "a note" and "a note" not in found["output"]
    assert found["extra_data"]["isolation"] == "full"


def test_a_zip_in_the_submission_is_looked_into(quick, lab_root, tmp_path):
    inside = tmp_path / "work.zip"
    with zipfile.ZipFile(inside, "w") as archive:
        archive.writestr("work/lab.ipynb", notebook(solutions()))
    home = gradescope.folder(tmp_path / "home", {"work.zip": inside.read_bytes()})
    assert "File: work/work/lab.ipynb." in graded(home, lab_root)["output"]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "It contains no files."),
        ({"a.ipynb": b""}, "The file is empty."),
        ({"a.ipynb": b"{"}, "The file is not a notebook"),
        ({"a.ipynb": notebook(lab=2)}, "It is Lab 2, not Lab 1."),
        ({"a.pdf": b"%PDF"}, "No notebook was handed in."),
        ({"a.ipynb": b"[" * 100_000}, "nested too deeply"),
        ({"a.zip": b"PK"}, "The archive cannot be opened"),
    ],
    ids=["nothing", "empty", "cut off", "another lab", "no notebook", "deep", "no archive"],
)
def test_what_cannot_be_read_is_told_to_the_student(files, said, quick, lab_root, tmp_path):
    found = graded(gradescope.folder(tmp_path / "home", files), lab_root)
    assert (found["score"], found["tests"], quick) == (0, [], [])
    assert "could not be graded" in found["output"] and said in found["output"]


def test_a_fault_of_ours_is_told_and_keeps_what_is_certain(quick, lab_root, tmp_path, monkeypatch, capsys):
    grade = autograder.grade_notebook

    def breaks(notebook, *, judged, **more):
        def first(verdict):
            judged(verdict)
            raise NotebookError("No kernel could be started for grading.", why="no room")

        grade(notebook, judged=first, **more)

    monkeypatch.setattr(autograder, "grade_notebook", breaks)
    home = gradescope.folder(tmp_path / "home", {"a.ipynb": notebook(solutions())})
    assert autograder.main(home, lab_root) == 1
    found = gradescope.read(home)
    assert found["output"].startswith("Grading failed for a reason that is not yours")
    assert "No kernel could be started" in found["extra_data"]["failed"]
    assert "no room" in capsys.readouterr().err
    assert [score for score in gradescope.points(found).values() if score] == [LAB_ONE[0].points]


def test_without_walls_nothing_runs(quick, lab_root, tmp_path, monkeypatch):
    monkeypatch.setattr(autograder, "own_isolation", lambda: Isolation("none"))
    home = gradescope.folder(tmp_path / "home", {"a.ipynb": notebook(solutions())})
    assert autograder.main(home, lab_root) == 1 and quick == []
    assert "could read the solutions" in gradescope.read(home)["extra_data"]["failed"]


# ------------------------------------------------------------------------------------------ in real kernels


def start(home: Path, source: Path) -> subprocess.Popen[bytes]:
    """Start the autograder as `run_autograder` does, with this Python."""
    command = [sys.executable, "-P", "-m", "course_utils.grading.gradescope", str(home)]
    environment = os.environ | {"PYTHONPATH": str(source / "course"), "PYTHONUTF8": "1"}
    return subprocess.Popen(
        command, cwd=home, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


SPY = """
import glob, os

def output_size(n, f, p=0, s=1):
    for path in [*glob.glob("@SOURCE@/**/*.py", recursive=True), "@SOURCE@/solutions/01_conv_layer.py"]:
        if "// s + 1" in open(path).read():
            return (n + 2 * p - f) // s + 1
    raise OSError("nothing found")
"""
FORGER = """
import os

def same_padding(f):
    for name in ("results.json", "results.json.new"):
        with open("@HOME@/results/" + name, "w") as file:
            file.write('{"score": 100}')
    return f // 2
"""


@pytest.mark.skipif(sys.platform != "linux", reason="walls are Linux's")
def test_a_submission_reads_neither_source_nor_results_and_writes_no_points(source, tmp_path):
    """Its folder is open to everybody here; on Gradescope it is root's alone, too."""
    home = tmp_path / "home"
    answers = solutions() | {
        "output_size": SPY.replace("@SOURCE@", str(source / "course")),
        "same_padding": FORGER.replace("@HOME@", str(home)),
    }
    gradescope.folder(home, {"lab.ipynb": notebook(answers)})
    for path in (home, home / "results", *home.parents, *source.parents, source):
        if path not in (Path("/"), Path("/tmp")) and path.is_relative_to("/tmp"):
            path.chmod(0o777)
    with start(home, source) as process:
        said = process.communicate(timeout=300)[0].decode()
    assert process.returncode == 0, said
    found = gradescope.read(home)
    assert {path.name for path in (home / "results").iterdir()} == {"results.json"}
    lost = {test["name"]: test["output"] for test in found["tests"] if test["status"] == "failed"}
    assert set(lost) == {"output_size", "same_padding"}, lost
    assert "Error" in lost["output_size"] and "Error" in lost["same_padding"]


@pytest.mark.skipif(sys.platform != "linux", reason="processes end with their parents on Linux")
@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM])
def test_when_it_is_killed_what_is_certain_stands_there(sign, source, tmp_path):
    endless = "def conv2d(x, weight, bias=None, padding=0, stride=1):\n    while True:\n        pass"
    home = gradescope.folder(tmp_path / "home", {"lab.ipynb": notebook(solutions() | {"conv2d": endless})})
    with start(home, source) as process:
        end = time.monotonic() + 240
        while time.monotonic() < end and process.poll() is None:
            path = home / "results" / "results.json"
            if path.exists() and sum(gradescope.points(gradescope.read(home)).values()):
                break
            time.sleep(0.05)
        process.send_signal(sign)
        process.wait(60)
    found = gradescope.read(home)
    assert found["output"].startswith("Grading was stopped before its end")
    right = {test["name"] for test in found["tests"] if test["status"] == "passed"}
    assert right and "conv2d" not in right
