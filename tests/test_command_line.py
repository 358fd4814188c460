"""The command ``course``: quick help, plain errors, exit codes, and output for machines."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import nbformat
import pytest
from notebook_samples import TEXT, edit, small_lab
from test_notebooks_build import FakeKernel

from course_utils import __version__, exercises
from course_utils.command_line import main
from course_utils.command_line.doctor import Finding, examine
from course_utils.notebooks.build import build

COMMANDS = ("doctor", "data", "lab", "run", "build", "check", "release", "grade", "review", "bench", "site")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with one small lab, and the current folder."""
    small_lab(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def built(checkout: Path) -> Path:
    """The same, and its lab is built."""
    build(small_lab(checkout), FakeKernel())
    return checkout


def test_help_names_every_command(capsys):
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    for command in COMMANDS:
        assert f" {command} " in shown


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command, capsys):
    assert main([command, "--help"]) == 0
    assert "Usage: course" in capsys.readouterr().out


def test_the_version_comes_with_what_a_report_needs(capsys):
    assert main(["--version"]) == 0
    shown = capsys.readouterr().out.strip()
    assert shown.startswith(f"course {__version__} · Python {platform.python_version()} · torch 2.")


@pytest.mark.slow
@pytest.mark.parametrize("option", ["--help", "--version"])
def test_help_and_version_import_nothing_heavy(option):
    code = (
        f"import sys\nfrom course_utils.command_line import main\nmain(['{option}'])\n"
        "heavy = {'torch', 'numpy', 'matplotlib', 'nbformat', 'jupytext', 'sklearn'} & set(sys.modules)\n"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_notebooks_are_read_without_a_grammar_that_takes_two_seconds():
    imports = "import sys; from course_utils import command_line; from course_utils.notebooks import pairing"
    code = f"{imports}; sys.exit('lark' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("command", ["run", "build", "lab"])
def test_an_unknown_lab_is_one_clear_error(command, checkout, capsys):
    arguments = [command, "9"] if command == "lab" else [command, "--lab", "9"]
    assert main(arguments) == 2
    shown = capsys.readouterr()
    assert "no lab 9" in shown.err and "1 (01_small)" in shown.err
    assert shown.out == ""


@pytest.mark.parametrize("command", ["run", "build"])
def test_an_unknown_profile_is_one_clear_error_and_nothing_is_written(command, checkout, capsys):
    assert main([command, "--profile", "slow"]) == 2
    assert "lecture, fast, quick" in capsys.readouterr().err
    assert [path.name for path in checkout.rglob("*") if path.is_file()] == ["01_small.py"]


def test_an_unknown_profile_in_the_environment_is_one_clear_error(checkout, capsys, monkeypatch):
    monkeypatch.setenv("COURSE_PROFILE", "slow")
    assert main(["run"]) == 2
    assert "COURSE_PROFILE" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["frobnicate"], ["run", "--lab", "x"], ["check"], []])
def test_wrong_usage_exits_with_two(arguments):
    assert main(arguments) == 2


@pytest.mark.slow
def test_build_check_and_build_agree(checkout, capsys):
    assert main(["build", "--check"]) == 1
    assert "course build --lab 1" in capsys.readouterr().out
    assert main(["build", "--profile", "quick"]) == 0
    assert "executed (quick)" in capsys.readouterr().out
    assert main(["build", "--check"]) == 0
    assert main(["build"]) == 0
    assert "up to date" in capsys.readouterr().out


@pytest.mark.slow
def test_build_speaks_json(checkout, capsys):
    assert main(["build", "--check", "--json"]) == 1
    (first, *_) = json.loads(capsys.readouterr().out)
    assert set(first) == {"file", "cell", "what", "mend"}
    assert main(["build", "--json"]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert row["executed"] == "fast"


@pytest.mark.slow
def test_a_lab_that_cannot_be_built_does_not_stop_the_others(checkout, capsys):
    small_lab(checkout, "# %%\n1 / 0\n", number=2)
    small_lab(checkout, TEXT, number=3)
    assert main(["build"]) == 1
    shown = capsys.readouterr()
    assert "ZeroDivisionError" in shown.err and "02_small" in shown.err
    assert (checkout / "labs" / "03_small.ipynb").exists()
    assert not (checkout / "labs" / "02_small.ipynb").exists()


@pytest.mark.slow
def test_run_goes_on_after_a_failure_and_tells_it(checkout, capsys):
    small_lab(checkout, "# %%\nbroken = 1 / 0\n", number=2)
    small_lab(checkout, "# %%\nprint('fine')\n", number=3)
    assert main(["run", "--profile", "quick", "--output", "pages"]) == 1
    shown = capsys.readouterr()
    assert "broken = 1 / 0" in shown.err and "ZeroDivisionError" in shown.err
    rows = [line for line in shown.out.splitlines() if "_small" in line]
    assert ["passed" in row for row in rows] == [True, False, True]
    assert str(checkout / "pages" / "index.html") in shown.out
    assert {path.name for path in (checkout / "pages").iterdir()} == {
        "index.html",
        "01_small.html",
        "02_small.html",
        "03_small.html",
    }


@pytest.mark.slow
def test_run_as_json_prints_nothing_else_on_stdout(checkout, capsys):
    assert main(["run", "--lab", "1", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["notebooks"][0]["result"] == "passed"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("profile", "reason"), [("quick", "profile is quick"), ("fast", "COURSE_OFFLINE is set")]
)
def test_run_says_at_the_top_that_embedded_data_stand_in(checkout, capsys, profile, reason):
    small_lab(checkout, '# %%\n# load_dataset("mnist", offline="digits")\nprint(1)\n')
    assert main(["run", "--profile", profile]) == 0
    first = capsys.readouterr().err.splitlines()[0]
    assert "embedded data stand in" in first and "mnist" in first and reason in first


def test_run_without_solutions_says_what_students_can_do(built, capsys):
    for path in (built / "solutions").iterdir():
        path.unlink()
    assert main(["run"]) == 1
    assert "course check labs/01_small.ipynb" in capsys.readouterr().err


@pytest.mark.slow
def test_a_checkout_is_found_from_a_folder_inside_it(checkout, capsys, monkeypatch):
    inside = checkout / "solutions" / "deeper"
    inside.mkdir()
    monkeypatch.chdir(inside)
    assert main(["build"]) == 0
    assert (checkout / "labs" / "01_small.ipynb").exists()


@pytest.fixture
def jupyter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A JupyterLab that only writes down how it was called."""
    folder = tmp_path / "fake" / "jupyterlab"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    note = tmp_path / "called.json"
    (folder / "__main__.py").write_text(
        f"import json, os, sys\njson.dump([os.getcwd(), *sys.argv[1:]], open({str(note)!r}, 'w'))"
    )
    monkeypatch.setenv("PYTHONPATH", str(folder.parent))
    return note


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["lab", "1", "--no-browser", "--port=9"], ["/labs/01_small.ipynb", "--no-browser", "--port=9"]),
        (["lab", "1", "--solution"], ["/solutions/01_small.ipynb"]),
        (["lab"], ["/labs"]),
    ],
)
def test_lab_opens_jupyterlab_at_the_notebook(arguments, expected, built, jupyter):
    assert main(arguments) == 0
    folder, where, *passed = json.loads(jupyter.read_text())
    assert Path(folder).samefile(built)
    assert [where.removeprefix("--LabApp.default_url=/lab/tree"), *passed] == expected


@pytest.mark.skipif(os.name == "nt", reason="Windows ends a process without a word")
def test_lab_passes_the_end_on_to_jupyterlab(built, jupyter):
    waiting = "import signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
    waiting += "print('ready', flush=True); time.sleep(600)"
    (jupyter.parent / "fake" / "jupyterlab" / "__main__.py").write_text(waiting)
    code = "from course_utils.command_line import main; raise SystemExit(main(['lab', '1']))"
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as course:
        assert course.stdout.readline() == "ready\n"
        course.terminate()
        assert course.wait(300) == 7


def test_a_solution_is_opened_as_a_trusted_notebook(built, jupyter, monkeypatch, tmp_path):
    from nbformat.sign import NotebookNotary

    from course_utils.notebooks.pairing import read_notebook

    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    solution = read_notebook(built / "solutions" / "01_small.ipynb")
    assert not NotebookNotary().check_signature(solution)
    assert main(["lab", "1", "--solution"]) == 0
    assert NotebookNotary().check_signature(solution)


def test_lab_before_a_build_says_what_to_run(checkout, capsys):
    assert main(["lab", "1"]) == 1
    assert "course build --lab 1" in capsys.readouterr().err


def test_data_status_names_what_is_missing(capsys, course_environment):
    assert main(["data", "status"]) == 0
    assert "course data fetch cifar10" in capsys.readouterr().out
    assert main(["data", "status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_a_shared_jpeg_copy_counts_as_found(course_environment, monkeypatch, tmp_path):
    from course_utils.command_line.data import whereabouts

    (tmp_path / "cifar10-jpeg" / "train").mkdir(parents=True)
    monkeypatch.setenv("COURSE_DATA_SHARED", str(tmp_path))
    found = whereabouts()
    assert "JPEG copy" in found["cifar10"] and found["mnist"] is None


@pytest.mark.slow
def test_data_is_exported_verified_and_cleared(capsys, course_environment, real_data, monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_DATA_SHARED", str(real_data))
    assert main(["data", "fetch", "mnist"]) == 0
    assert main(["data", "export", str(tmp_path / "export"), "mnist"]) == 0
    monkeypatch.setenv("COURSE_DATA_SHARED", str(tmp_path / "export"))
    capsys.readouterr()
    assert main(["data", "verify", "--json"]) == 0
    assert any(
        str(tmp_path / "export") in check["item"]["path"] for check in json.loads(capsys.readouterr().out)
    )
    assert main(["data", "clear"]) == 0
    assert main(["data", "status"]) == 0
    assert str(course_environment) not in capsys.readouterr().out.split("freed.")[1]


@pytest.mark.slow
def test_data_verify_fails_on_a_damaged_file(capsys, course_environment, real_data, monkeypatch, tmp_path):
    from course_utils.data import manage

    (tmp_path / "MNIST").symlink_to(real_data / "MNIST")
    monkeypatch.setenv("COURSE_DATA_SHARED", str(tmp_path))
    main(["data", "fetch", "mnist"])
    stored = next(item.path for item in manage.status() if item.place == manage.CACHE)
    content = bytearray(stored.read_bytes())
    content[len(content) // 2] ^= 1
    stored.write_bytes(content)
    assert main(["data", "verify"]) == 1
    assert "removed" in capsys.readouterr().out


def test_data_fetch_out_of_reach_is_one_clear_error(capsys, course_environment):
    assert main(["data", "fetch", "cifar10"]) == 1
    assert "out of reach" in capsys.readouterr().err


@pytest.mark.slow
def test_doctor_finds_this_machine_well(capsys):
    assert main(["doctor", "--json"]) == 0
    found = {finding["topic"]: finding for finding in json.loads(capsys.readouterr().out)}
    for topic in ("Python", "torch", "device", "threads", "mnist", "cache", "memory", "kernel"):
        assert found[topic]["state"] in ("ok", "note")
    assert sys.executable in found["kernel"]["value"]
    assert "COURSE_PROFILE=quick" in found["environment"]["value"]


@pytest.mark.parametrize(("hosted", "state"), [(False, "problem"), (True, "note")])
def test_doctor_leaves_the_packages_of_colab_as_they_are(hosted, state, monkeypatch):
    from course_utils.command_line import doctor

    monkeypatch.delenv("KAGGLE_KERNEL_RUN_TYPE", raising=False)
    monkeypatch.delenv("COLAB_RELEASE_TAG", raising=False)
    if hosted:
        monkeypatch.setenv("COLAB_RELEASE_TAG", "release-colab")
    installed = metadata.version

    def without_jupyterlab(name):
        if name == "jupyterlab":
            raise metadata.PackageNotFoundError(name)
        return installed(name)

    monkeypatch.setattr(metadata, "version", without_jupyterlab)
    found = {finding.topic: finding for finding in [*doctor._versions(), *doctor._requirements()]}
    assert found["jupyterlab"].state == found["requirements"].state == state
    assert "jupyterlab is not installed" in found["requirements"].value
    assert ("pip install" in found["requirements"].advice) != hosted


@pytest.mark.slow
def test_doctor_tells_where_data_is(real_data, tmp_path, monkeypatch):
    (tmp_path / "MNIST").symlink_to(real_data / "MNIST")  # and no CIFAR-10, which may lie beside it
    monkeypatch.setenv("COURSE_DATA_SHARED", str(tmp_path))
    found = {finding.topic: finding for finding in examine()}
    assert str(tmp_path) in found["mnist"].value
    assert found["cifar10"].state == "note" and "course data fetch cifar10" in found["cifar10"].advice


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variable", "value", "topic"),
    [
        ("COURSE_DATA_SHARED", "/no/such/folder", "shared data"),
        ("COURSE_DEVICE", "abacus", "device"),
        ("COURSE_PROFILE", "slow", "settings"),
        ("COURSE_OFFLINE", "perhaps", "settings"),
    ],
)
def test_doctor_says_what_to_do_about_each_problem(variable, value, topic, monkeypatch, capsys):
    monkeypatch.setenv(variable, value)
    problems = {finding.topic: finding for finding in examine() if finding.state == "problem"}
    assert variable in problems[topic].advice
    assert main(["doctor"]) == 1
    assert "problem" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("repository", "state", "told"),
    [
        ("", "ok", "no links to Colab and Binder"),
        ("https://github.com/someone/labs", "ok", "https://github.com/someone/labs, branch main"),
        ("https://example.org/labs", "problem", "The labs cannot link"),
    ],
)
def test_doctor_says_what_the_address_of_the_course_means(repository, state, told, tmp_path, monkeypatch):
    from course_utils.command_line import doctor

    (tmp_path / "solutions").mkdir()
    (tmp_path / "solutions" / "01_one.py").touch()
    (tmp_path / "pyproject.toml").write_text(f'[tool.course]\nrepository = "{repository}"\n')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(doctor, "_jupyter", lambda: iter(()))
    found = {finding.topic: finding for finding in examine()}["address"]
    assert found.state == state and told in found.value
    assert ("pyproject.toml" in found.advice) == (repository == "")


def test_doctor_tells_students_nothing_about_the_address(tmp_path, monkeypatch):
    from course_utils.command_line import doctor

    (tmp_path / "labs").mkdir()
    (tmp_path / "labs" / "01_one.ipynb").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(doctor, "_jupyter", lambda: iter(()))
    assert "address" not in {finding.topic for finding in examine()}


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_doctor_notices_a_cache_that_cannot_be_written(monkeypatch, tmp_path):
    tmp_path.chmod(0o500)
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path / "cache"))
    assert any(finding.topic == "cache" and finding.state == "problem" for finding in examine())


def test_a_look_that_fails_is_itself_a_finding(monkeypatch):
    from course_utils.command_line import doctor

    def broken():
        raise RuntimeError("the disk is on fire")
        yield Finding("", "")

    monkeypatch.setattr(doctor, "_disk", broken)
    assert any("on fire" in finding.value and finding.state == "problem" for finding in examine())


LAB_ONE = {name for name in exercises.names() if exercises.get(name).lab == 1}
NEEDED = [name for name in exercises.names() if name in LAB_ONE and not exercises.get(name).optional]
LAB = """# %%
from course_utils import check
check.begin(lab=1)

# %%
def output_size(n, f, p=0, s=1):
    {body}

# %%
check.output_size(output_size)

# %%
raise RuntimeError("training, which a check has no need of")
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("body", "status"),
    [
        ("return (n + 2 * p - f) // s + 1", "correct"),
        ("return (n + p - f) // s + 1", "wrong"),
        ("raise NotImplementedError()", "not started"),
        ("return undefined", "error"),
    ],
)
def test_check_reports_every_exercise_of_a_saved_notebook(body, status, tmp_path, capsys):
    import jupytext

    path = tmp_path / "01_mine.ipynb"
    jupytext.write(jupytext.reads(LAB.format(body=body), fmt="py:percent"), path)
    before = path.read_bytes()
    assert main(["check", str(path), "--json"]) == 1, "the other exercises are missing"
    report = json.loads(capsys.readouterr().out)
    assert report["errors"] == [], "cells after the last check do not run"
    rows = {row["id"]: row for row in report["exercises"]}
    assert rows["output_size"]["status"] == status
    assert set(rows) == LAB_ONE and rows["conv2d"]["status"] == "not checked"
    assert path.read_bytes() == before


@pytest.mark.slow
def test_check_shows_a_table_and_the_wrong_answers_card(tmp_path, capsys):
    import jupytext

    path = tmp_path / "01_mine.ipynb"
    jupytext.write(jupytext.reads(LAB.format(body="return n"), fmt="py:percent"), path)
    assert main(["check", str(path)]) == 1
    shown = capsys.readouterr().out
    assert "not right yet" in shown and f"0 of {len(NEEDED)} correct" in shown


@pytest.mark.slow
@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("YOUR ANSWER HERE", "not answered yet"),
        (" \n", "not answered yet"),
        ("Corners: 4.", "your instructor reads your answer"),
    ],
)
def test_check_tells_whether_the_question_for_the_instructor_is_answered(written, said, tmp_path, capsys):
    import jupytext

    notebook = jupytext.reads(LAB.format(body="return n"), fmt="py:percent")
    notebook.cells.append(nbformat.v4.new_markdown_cell(written))
    marks = {"grade": True, "solution": True, "points": 2, "grade_id": "explain_border"}
    notebook.cells[-1].metadata["nbgrader"] = marks
    path = tmp_path / "01_mine.ipynb"
    jupytext.write(notebook, path)
    assert main(["check", str(path)]) == 1
    assert f"explain_border (up to 2 more points): {said}" in capsys.readouterr().out


@pytest.mark.slow
def test_check_does_not_miss_an_optional_exercise(tmp_path, capsys):
    import jupytext

    text = "# %%\nfrom course_utils import check, exercises\n"
    text += "".join(f"\n# %%\ncheck.{name}(exercises.get({name!r}).reference)\n" for name in NEEDED)
    path = tmp_path / "01_mine.ipynb"
    jupytext.write(jupytext.reads(text, fmt="py:percent"), path)
    assert main(["check", str(path)]) == 0
    shown = capsys.readouterr().out
    assert f"{len(NEEDED)} of {len(NEEDED)} correct" in shown and "optional" in shown


def test_check_of_what_is_no_lab_is_one_clear_error(tmp_path, capsys):
    assert main(["check", str(tmp_path / "missing.ipynb")]) == 1
    assert "cannot be read" in capsys.readouterr().err
    (tmp_path / "a.ipynb").write_text('{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}')
    assert main(["check", str(tmp_path / "a.ipynb")]) == 1
    assert "has no checks" in capsys.readouterr().err


def test_an_edit_in_conflict_is_told_on_the_error_stream(built, capsys):
    edit(built / "solutions" / "01_small.py", "floor(2.5)", "floor(3.5)")
    edit(built / "solutions" / "01_small.ipynb", "output_size(5, 3)", "output_size(7, 3)")
    assert main(["build"]) == 1
    assert "both edited" in capsys.readouterr().err
