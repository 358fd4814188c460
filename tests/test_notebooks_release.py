"""Students get a package that is the same bytes everywhere, installs, and shows no solution."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import ClassVar

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from notebook_samples import edit

from course_utils import exercises
from course_utils.command_line import main
from course_utils.errors import NotebookError
from course_utils.notebooks import release as module
from course_utils.notebooks.layout import ANSWERS, Source, find_labs
from course_utils.notebooks.pairing import read_text
from course_utils.notebooks.release import release
from course_utils.notebooks.strip import find_leaks, strip

REPOSITORY = Path(__file__).parents[1]
TOP = ("labs", "solutions", "environment.yml", "pyproject.toml", "LICENSE", "Dockerfile", ".dockerignore")


@pytest.fixture(scope="module")
def released(tmp_path_factory) -> Path:
    return release(find_labs(REPOSITORY), tmp_path_factory.mktemp("out")).folder


@pytest.fixture
def checkout(tmp_path) -> Path:
    """A copy of the labs and their solutions that a test may spoil."""
    root = tmp_path / "checkout"
    root.mkdir()
    for name in TOP:
        path = REPOSITORY / name
        if path.is_dir():
            shutil.copytree(path, root / name, ignore=shutil.ignore_patterns(".*", "[!0]*_*"))
        else:
            shutil.copy(path, root / name)
    return root


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.slow
def test_a_student_gets_notebooks_environment_package_readme_and_licence(released):
    files = contents(released)
    assert {name.split("/")[0] for name in files} == {
        "labs", "course_utils", "environment.yml", "pyproject.toml", "README.md", "LICENSE", "Dockerfile",
        ".dockerignore", ".github",
    }  # fmt: skip
    assert len([name for name in files if name.startswith("labs/")]) == 4
    assert files["labs/01_conv_layer.ipynb"] == (REPOSITORY / "labs" / "01_conv_layer.ipynb").read_bytes()


@pytest.mark.slow
def test_no_solution_test_or_grading_is_in_it(released):
    names = set(contents(released))
    assert not [n for n in names if n.startswith("tests")]
    assert not [n for n in names if "grading/" in n or "site/" in n or "solutions" in n]
    assert not [n for n in names if "__pycache__" in n or "/." in n]
    assert b"BEGIN SOLUTION" not in b"".join(c for n, c in contents(released).items() if n.endswith(".ipynb"))


def test_neither_a_file_nor_a_text_of_the_answers_is_in_it(released):
    with zipfile.ZipFile(released.with_suffix(".zip")) as archive:
        assert not [name for name in archive.namelist() if "answers" in name]
        # As JSON writes it, in notebooks.
        text = "".join(archive.read(name).decode(errors="ignore") for name in archive.namelist())
    shown = " ".join(text.replace("\\n", " ").replace('\\"', '"').split())
    cells = read_text(Source(ANSWERS, REPOSITORY).text).cells
    lines = [line for c in cells if c.cell_type == "markdown" for line in c.source.splitlines()]
    words = [line for line in lines if len(line.split()) > 5 and not line.startswith(">")]
    assert len(words) > 50
    assert [line for line in words if line in shown] == []


@pytest.mark.slow
def test_two_releases_are_the_same_bytes_wherever_and_whenever(released, tmp_path, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    old = os.umask(0o077)
    try:
        again = release(find_labs(REPOSITORY), tmp_path / "elsewhere")
    finally:
        os.umask(old)
    assert contents(again.folder) == contents(released)
    assert again.archive.read_bytes() == released.with_suffix(".zip").read_bytes()
    modes = {oct(path.stat().st_mode) for path in again.folder.rglob("*") if path.is_file()}
    assert modes == {"0o100644"}


def test_the_archive_holds_the_folder_sorted_with_fixed_times(released):
    with zipfile.ZipFile(released.with_suffix(".zip")) as archive:
        names = archive.namelist()
        assert names == sorted(names)
        assert {entry.date_time for entry in archive.infolist()} == {(2020, 1, 1, 0, 0, 0)}
        assert {entry.external_attr >> 16 for entry in archive.infolist()} == {0o100644}
        inside = {name.removeprefix("convnet-labs/"): archive.read(name) for name in names}
    assert inside == contents(released)


@pytest.mark.slow
def test_releasing_again_over_it_changes_nothing(released):
    before = contents(released)
    release(find_labs(REPOSITORY), released.parent)
    assert contents(released) == before


@pytest.mark.slow
def test_a_folder_with_other_files_is_not_touched(tmp_path):
    stranger = tmp_path / "convnet-labs" / "labs" / "mine.ipynb"
    stranger.parent.mkdir(parents=True)
    stranger.write_text("work")
    with pytest.raises(NotebookError, match=r"labs/mine\.ipynb"):
        release(find_labs(REPOSITORY), tmp_path)
    assert list(contents(tmp_path)) == ["convnet-labs/labs/mine.ipynb"]


@pytest.mark.slow
def test_labs_out_of_step_are_not_released(checkout, tmp_path):
    edit(checkout / "labs" / "02_pooling_layer.ipynb", "Max pooling", "Maximum pooling")
    with pytest.raises(NotebookError, match="out of step") as caught:
        release(find_labs(checkout), tmp_path / "out")
    assert "02_pooling_layer" in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_a_lab_that_shows_a_solution_is_not_released(checkout, tmp_path):
    for name in ("01_conv_layer.py", "01_conv_layer.ipynb"):
        edit(checkout / "solutions" / name, "Four filters make four maps", "return (n + 2 * p - f) // s + 1")
    with pytest.raises(NotebookError, match=r"output_size"):
        release(find_labs(checkout, 1), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("return (n + 2 * p - f) // s + 1", True),
        ("The size is `(n+2p-f)//s+1`.", True),
        ("Try (N + 2P − F) // S + 1", True),
        (r"$(n + 2 \cdot p - f) // s + 1$", True),
        ("out = ((n - f) + 1)", False),
    ],
)
def test_an_answer_in_another_spelling_is_found_in_the_text(text, found):
    answer = new_code_cell(
        "def output_size(n, f, p=0, s=1):\n    ### BEGIN SOLUTION\n    return (n + 2 * p - f) // s + 1\n"
        "    ### END SOLUTION",
        metadata={"nbgrader": {"grade_id": "output_size", "solution": True, "grade": False}},
    )
    notebook = new_notebook(cells=[new_markdown_cell(f"How large is the output? {text}"), answer])
    assert [leak.exercise for leak in find_leaks(notebook, strip(notebook))] == ["output_size"] * found


class TestWhatLiesAround:
    """Students get what the package declares and Git knows."""

    @pytest.fixture
    def package(self, tmp_path, monkeypatch) -> Path:
        """A checkout of the package alone, from which it is released."""
        package = tmp_path / "course" / "course_utils"
        for name in ("exercises/old.py", "figures/live/card.js", "py.typed", "grading/grades.py"):
            (package / name).parent.mkdir(parents=True, exist_ok=True)
            (package / name).write_text(name)
        (package / "notebooks").mkdir()
        monkeypatch.setattr(module, "refuse_differences", lambda labs, what, left: None)
        monkeypatch.setattr(module, "__file__", str(package / "notebooks" / "release.py"))
        return package

    @staticmethod
    def git(package: Path, *arguments: str) -> None:
        command = ["git", "-c", "safe.directory=*", *arguments]
        subprocess.run(command, cwd=package.parent, check=True, capture_output=True)

    @staticmethod
    def released(package: Path) -> set[str]:
        out = release(find_labs(REPOSITORY, 2), package.parents[1] / "out").folder
        return {name for name in contents(out) if name.startswith("course_utils/")}

    WHOLE: ClassVar = {
        "course_utils/exercises/old.py",
        "course_utils/figures/live/card.js",
        "course_utils/py.typed",
    }
    STRAY = ("answers_2026.txt", "exercises/.ipynb_checkpoints/old.py", "exercises/__pycache__/old.pyc")

    def test_outside_a_checkout_it_is_what_the_package_declares(self, package):
        for name in self.STRAY:
            (package / name).parent.mkdir(exist_ok=True)
            (package / name).write_text("answers")
        assert self.released(package) == self.WHOLE

    @pytest.mark.skipif(not shutil.which("git"), reason="needs git")
    def test_in_a_checkout_what_git_does_not_know_stops_it(self, package):
        self.git(package, "init", "-q")
        self.git(package, "add", ".")
        (package / "grading" / "notes.txt").write_text("not for students anyway")
        assert self.released(package) == self.WHOLE
        for name in (*self.STRAY, "exercises/old_solutions.py"):
            (package / name).parent.mkdir(exist_ok=True)
            (package / name).write_text("answers")
        with pytest.raises(NotebookError) as caught:
            self.released(package)
        assert caught.value.why == "course_utils/answers_2026.txt, course_utils/exercises/old_solutions.py"
        assert "git add" in str(caught.value) and ".gitignore" in str(caught.value)
        (package.parent / ".gitignore").write_text("old_solutions.py\nanswers*\n")
        assert self.released(package) == self.WHOLE
        (package / "answers_2026.txt").rename(package / "declared.json")
        self.git(package, "add", "-f", ".")
        names = self.released(package)
        assert "course_utils/declared.json" in names and not [name for name in names if "/." in name]

    def test_a_checkout_that_git_cannot_read_is_not_released(self, package):
        (package.parent / ".git").write_text("gitdir: nowhere")
        with pytest.raises(NotebookError, match="cannot tell"):
            self.released(package)


def test_the_readme_speaks_of_the_labs_that_are_there(tmp_path):
    text = (release(find_labs(REPOSITORY, 2), tmp_path).folder / "README.md").read_text()
    assert "In one lab you build the pooling layer" in text
    assert "course lab 2" in text
    count = sum(exercises.get(name).lab == 2 for name in exercises.names())
    assert f"| `labs/02_pooling_layer.ipynb` · Lab 02 · The pooling layer | {count} |" in text
    assert "01_conv_layer" not in text


def test_the_readme_has_the_classs_rule_on_ai_assistants(checkout, tmp_path):
    labs = find_labs(checkout, 2)
    assert (
        "AI assistants here, and for what, ask"
        in (release(labs, tmp_path / "1").folder / "README.md").read_text()
    )
    project = checkout / "pyproject.toml"
    rule = "Use them for *explanations*, not for {answers}."
    project.write_text(project.read_text().replace('assistants = ""', f'assistants = "{rule}"'))
    text = (release(labs, tmp_path / "2").folder / "README.md").read_text()
    assert rule in text and "ask your instructor" not in text


@pytest.mark.slow
def test_the_package_in_it_works_without_grading(released):
    code = (
        "import course_utils, pathlib, sys\n"
        "from course_utils import exercises\nfrom course_utils.command_line import main\n"
        f"assert pathlib.Path(course_utils.__file__).is_relative_to({str(released)!r})\n"
        "assert exercises.evaluate('same_padding', lambda f: f // 2).status == 'correct'\n"
        "assert main(['--help']) == 0\n"
        "assert main(['review', 'x']) == main(['site', 'x']) == 1\n"
        "sys.exit(main(['grade', '.', '-o', 'x']))"
    )
    environment = os.environ | {"PYTHONPATH": str(released), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=released,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert done.stderr.count("does not grade") == 2 and "does not write the site" in done.stderr


def test_what_the_package_is_built_from_is_in_it(released):
    project = tomllib.loads((released / "pyproject.toml").read_text())
    assert (released / project["project"]["readme"]).exists()
    assert all((released / name).exists() for name in project["project"]["license-files"])
    assert (released / "course_utils" / "figures" / "live" / "live_figure.js").exists()


@pytest.mark.slow
def test_nbgrader_validates_a_released_lab(released, tmp_path):
    """It runs every cell, and finds what is not started; nothing is ill-formed."""
    lab = tmp_path / "02_pooling_layer.ipynb"
    shutil.copy(released / "labs" / lab.name, lab)
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", "validate", lab.name],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "VALIDATION FAILED ON" in done.stdout
    assert "check.max_pool(max_pool)" in done.stdout


def test_the_command_tells_what_it_made(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    assert main(["release", str(tmp_path), "--labs", "1,2", "--json"]) == 0
    assert '"02_pooling_layer"' in capsys.readouterr().out
    assert len(list((tmp_path / "convnet-labs" / "labs").iterdir())) == 2


@pytest.mark.parametrize("labs", ["9", "x", "1;2"])
def test_an_unknown_lab_is_one_clear_error(labs, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    assert main(["release", str(tmp_path / "out"), "--labs", labs]) == 2
    assert "why:" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
