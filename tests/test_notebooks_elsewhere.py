"""Links to Colab and Binder, and the first cell on Colab: there with an address, absent without."""

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


@pytest.mark.parametrize(
    ("on_colab", "installed", "times"), [(True, False, 1), (True, True, 0), (False, False, 0)]
)
def test_the_first_cell_installs_on_colab_alone_and_only_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, on_colab: bool, installed: bool, times: int
) -> None:
    lab = lab_at(tmp_path, "https://github.com/someone/course")
    build(lab, FakeKernel())
    if on_colab:
        monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    commands: list[list[str]] = []
    monkeypatch.setattr(subprocess, "run", lambda command, check: commands.append(command))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object() if installed else None)
    exec(cells(lab)["install-on-colab"], {})
    assert len(commands) == times
    assert all(command[-1] == "git+https://github.com/someone/course@main" for command in commands)
