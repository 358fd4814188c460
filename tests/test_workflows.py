"""The workflows of continuous integration: what they start is there, on Pythons that the course supports."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.specifiers import SpecifierSet

REPOSITORY = Path(__file__).parents[1]
OWN = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))
STUDENTS = REPOSITORY / "course_utils" / "notebooks" / "checks.yml"
WORKFLOWS = {path.name: path for path in (*OWN, STUDENTS)}


def jobs(name: str) -> dict[str, dict[str, Any]]:
    return yaml.safe_load(WORKFLOWS[name].read_text("utf-8"))["jobs"]


def commands(name: str) -> list[str]:
    return [step["run"] for job in jobs(name).values() for step in job["steps"] if "run" in step]


def pythons(found: object) -> list[object]:
    """Every version of Python in a workflow, wherever it stands."""
    if isinstance(found, list):
        return [version for item in found for version in pythons(item)]
    if not isinstance(found, dict):
        return []
    own = [value for key, value in found.items() if key in ("python", "python-version")]
    listed = [version for value in own for version in (value if isinstance(value, list) else [value])]
    return listed + [version for value in found.values() for version in pythons(value)]


@pytest.mark.parametrize("name", WORKFLOWS)
def test_each_job_says_where_it_runs_and_for_how_long_at_most(name: str) -> None:
    assert jobs(name)
    for job in jobs(name).values():
        assert job["runs-on"] and job["timeout-minutes"] and job["steps"]
        assert all(("run" in step) != ("uses" in step) for step in job["steps"])


@pytest.mark.parametrize("name", WORKFLOWS)
def test_scripts_that_are_started_exist(name: str) -> None:
    started = re.findall(r"(?:bash|sh|python3?|pwsh) (?!-)(\S+)", "\n".join(commands(name)))
    assert [script for script in started if not (REPOSITORY / script).exists()] == []


@pytest.mark.parametrize("name", WORKFLOWS)
def test_pythons_are_texts_that_the_course_supports(name: str) -> None:
    """Without quotes, 3.10 would be 3.1."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    supported = SpecifierSet(project["requires-python"])
    found = [version for version in pythons(jobs(name)) if not str(version).startswith("${{")]
    assert found
    assert all(isinstance(version, str) and version in supported for version in found), found


def test_every_change_is_tested_with_the_script_for_it() -> None:
    assert "bash .ci/run" in commands("ci.yml")


@pytest.mark.skipif(not shutil.which("bash") or os.name == "nt", reason="needs bash")
@pytest.mark.parametrize("unreadable", [False, True])
def test_a_wrong_answer_does_not_fail_the_students_run_and_an_unreadable_notebook_does(unreadable, tmp_path):
    """Run as GitHub runs it, with a stand-in for the command that prints, or does not, and exits with 1."""
    (tmp_path / "labs").mkdir()
    for name in ("01_a.ipynb", "02_b.ipynb"):
        (tmp_path / "labs" / name).touch()
    command = tmp_path / "bin" / "course"
    command.parent.mkdir()
    command.write_text(f"#!/bin/sh\n{'' if unreadable else 'echo card $2'}\necho page > $5\nexit 1\n")
    command.chmod(0o755)
    (script,) = [text for text in commands("checks.yml") if "course check" in text]
    paths = os.pathsep.join([str(command.parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-e", "-c", script],
        cwd=tmp_path,
        env={"PATH": paths, "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")},
        check=False,
    )
    assert (done.returncode != 0) == unreadable
    if not unreadable:
        assert (tmp_path / "summary.md").read_text() == "card labs/01_a.ipynb\ncard labs/02_b.ipynb\n"
    assert (tmp_path / "pages" / "01_a.html").read_text() == "page\n"


@pytest.mark.skipif(not shutil.which("bash") or os.name == "nt", reason="needs bash")
def test_a_release_is_published_with_its_files_and_what_the_changelog_says_of_it(tmp_path):
    """Run as GitHub runs it, with a stand-in for ``gh`` that keeps what it is given."""
    (script,) = [text for text in commands("release.yml") if "gh release create" in text]
    (tmp_path / "release").mkdir()
    for name in ("a.whl", "SHA256SUMS"):
        (tmp_path / "release" / name).touch()
    new = "New.\n\n### Students\n\n- More.\n"
    log = f"# Changelog\n\n## 1.1.0 (2027-01-31)\n\n{new}\n## 1.0.0 (2026-11-30)\n\nOld.\n"
    (tmp_path / "CHANGELOG.md").write_text(log)
    gh = tmp_path / "bin" / "gh"
    gh.parent.mkdir()
    gh.write_text('#!/bin/sh\necho "$@" > asked\n')
    gh.chmod(0o755)
    environment = {"GITHUB_REF_NAME": "v1.1.0", "RUNNER_TEMP": str(tmp_path)}
    paths = os.pathsep.join([str(gh.parent), os.environ["PATH"]])
    subprocess.run(["bash", "-e", "-c", script], cwd=tmp_path, env=environment | {"PATH": paths}, check=True)
    asked = (tmp_path / "asked").read_text()
    assert "v1.1.0 release/SHA256SUMS release/a.whl" in asked and f"--notes-file {tmp_path}/notes.md" in asked
    assert (tmp_path / "notes.md").read_text().strip() == new.strip()
