"""Links to Colab, Kaggle and Binder, and the first cell there: with an address, and not without."""

from __future__ import annotations

import subprocess
import sys
import types
from pathlib import Path

import nbformat
import pytest
from notebook_samples import small_lab
from test_notebooks_build import FakeKernel, never

from course_utils.errors import NotebookError
from course_utils.notebooks.build import build, check
from course_utils.notebooks.layout import Lab


def lab_at(root: Path, repository: str) -> Lab:
    root.joinpath("pyproject.toml").write_text(
        f'[tool.course]\nrepository = "{repository}"\nbranch = "main"\n'
    )
    return small_lab(root)


def cells(lab: Lab) -> dict[str, str]:
    return {cell.id: cell.source for cell in nbformat.read(lab.notebook, as_version=4).cells}


def test_without_an_address_a_lab_has_neither_links_nor_installation(tmp_path: Path) -> None:
    lab = lab_at(tmp_path, "")
    build(lab, FakeKernel())
    assert not {"open-elsewhere", "install-on-colab"} & set(cells(lab))


def test_with_an_address_they_stand_before_everything_else(tmp_path: Path) -> None:
    lab = lab_at(tmp_path, "https://github.com/someone/course.git")
    build(lab, FakeKernel())
    found = cells(lab)
    assert list(found)[:2] == ["open-elsewhere", "install-on-colab"]
    opened = "someone/course/blob/main/labs/01_small.ipynb"
    assert f"(https://colab.research.google.com/github/{opened})" in found["open-elsewhere"]
    assert f"(https://kaggle.com/kernels/welcome?src=https://github.com/{opened})" in found["open-elsewhere"]
    binder = "https://mybinder.org/v2/gh/someone/course/main?urlpath=lab/tree/labs/01_small.ipynb"
    assert f"({binder})" in found["open-elsewhere"]
    assert "open-elsewhere" not in lab.text.read_text(), "the source stays as it is written"
    assert build(lab, never).written == []
    assert check(lab) == []


def test_a_new_address_makes_the_labs_out_of_date(tmp_path: Path) -> None:
    lab = lab_at(tmp_path, "")
    build(lab, FakeKernel())
    lab_at(tmp_path, "https://github.com/someone/course")
    assert {difference.file for difference in check(lab)} == {"labs/01_small.ipynb"}


def test_an_address_that_colab_cannot_open_is_refused(tmp_path: Path) -> None:
    lab = lab_at(tmp_path, "https://example.org/course")
    with pytest.raises(NotebookError, match=r"repository = 'https://example.org/course'"):
        build(lab, FakeKernel())
    assert not lab.notebook.exists()


def run_first_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, lacks: set[str], code: int = 0
) -> list[list[str]]:
    """Run the cell that installs the course in a kernel that lacks some modules; returns what pip got."""
    lab = lab_at(tmp_path, "https://github.com/someone/course")
    build(lab, FakeKernel())
    monkeypatch.delenv("KAGGLE_KERNEL_RUN_TYPE", raising=False)
    if place == "colab":
        monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    if place == "kaggle":
        monkeypatch.setenv("KAGGLE_KERNEL_RUN_TYPE", "Interactive")
    commands: list[list[str]] = []

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        commands.append(command)
        return subprocess.CompletedProcess(command, code, "", "Could not resolve host: github.com")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name in lacks else object())
    exec(cells(lab)["install-on-colab"], {})
    return commands


@pytest.mark.parametrize("place", ["colab", "kaggle"])
@pytest.mark.parametrize(
    ("more", "installed"), [(set(), []), ({"sklearn", "platformdirs"}, ["scikit-learn", "platformdirs"])]
)
def test_the_first_cell_installs_the_course_and_what_is_missing_without_a_change_to_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, more: set[str], installed: list[str]
) -> None:
    (command,) = run_first_cell(tmp_path, monkeypatch, place, {"course_utils", *more})
    assert command[:5] == [sys.executable, "-m", "pip", "install", "--no-deps"]
    assert command[5:] == ["git+https://github.com/someone/course@main", *installed]


@pytest.mark.parametrize(
    ("place", "lacks"), [("colab", set()), ("kaggle", set()), ("elsewhere", {"course_utils"})]
)
def test_the_first_cell_does_nothing_where_the_course_is_and_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, lacks: set[str]
) -> None:
    assert run_first_cell(tmp_path, monkeypatch, place, lacks) == []


def test_an_installation_that_fails_says_why_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(RuntimeError, match=r"could not be installed.* internet .*run this cell again"):
        run_first_cell(tmp_path, monkeypatch, "kaggle", {"course_utils"}, code=1)
    assert "Could not resolve host" in capsys.readouterr().out
