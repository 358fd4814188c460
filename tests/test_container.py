"""What builds an environment elsewhere (container, dev container, CI, uv) agrees with the rest."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

CPU_BUILD = re.compile(r"https://download\.pytorch\.org/[\w./-]*\w")


@pytest.fixture
def pyproject(repository: Path) -> dict[str, Any]:
    return tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture
def dockerfile(repository: Path) -> list[list[str]]:
    """Each instruction and its argument."""
    text = (repository / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", "")
    return [line.split(maxsplit=1) for line in text.splitlines() if line and not line.startswith("#")]


@pytest.fixture
def defaults(dockerfile: list[list[str]]) -> dict[str, str]:
    """The build's arguments and their defaults."""
    return dict(argument.split("=", 1) for instruction, argument in dockerfile if instruction == "ARG")


@pytest.fixture
def dev_container(repository: Path) -> dict[str, Any]:
    return json.loads((repository / ".devcontainer/devcontainer.json").read_text(encoding="utf-8"))


def test_everyone_takes_the_cpu_build_from_the_same_address(repository: Path) -> None:
    places = ("pyproject.toml", "Dockerfile", ".github/workflows/ci.yml", "README.md")
    found = {
        place: set(CPU_BUILD.findall((repository / place).read_text(encoding="utf-8"))) for place in places
    }
    assert all(addresses == {"https://download.pytorch.org/whl/cpu"} for addresses in found.values()), found


def test_uv_takes_only_pytorch_from_there_and_only_on_linux(pyproject: dict[str, Any]) -> None:
    (index,) = pyproject["tool"]["uv"]["index"]
    assert index["explicit"]
    sources = pyproject["tool"]["uv"]["sources"]
    required = {Requirement(line).name for line in pyproject["project"]["dependencies"]}
    assert set(sources) == {"torch", "torchvision"} <= required
    assert all(s == {"index": index["name"], "marker": "sys_platform == 'linux'"} for s in sources.values())


def test_the_image_runs_the_course_as_an_ordinary_user(
    dockerfile: list[list[str]], defaults: dict[str, str], pyproject: dict[str, Any]
) -> None:
    users = [argument for instruction, argument in dockerfile if instruction == "USER"]
    assert users[-1:] == ["${NB_UID}"] and int(defaults["NB_UID"]) > 0
    command, *arguments = json.loads(dict(map(tuple, dockerfile))["CMD"])
    assert command in pyproject["project"]["scripts"]
    assert arguments == ["lab"]
    assert "ENTRYPOINT" not in dict(map(tuple, dockerfile)), "Binder and hubs start their own command"


def test_the_image_has_a_python_that_the_course_accepts(
    defaults: dict[str, str], dev_container: dict[str, Any], pyproject: dict[str, Any]
) -> None:
    accepted = Requirement(f"python{pyproject['project']['requires-python']}").specifier
    for base in (defaults["BASE"], dev_container["build"]["args"]["BASE"]):
        assert base.removeprefix("python:").removesuffix("-slim") in accepted


def test_the_image_gets_what_installs_and_nothing_else(repository: Path, pyproject: dict[str, Any]) -> None:
    lines = (repository / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    kept = {rule[1:] for rule in rules if rule.startswith("!")}
    project = pyproject["project"]
    installs = {"pyproject.toml", "course_utils", project["readme"], *project["license-files"]}
    assert rules[0] == "*"
    assert kept == installs | {"labs", "solutions"}
    assert all((repository / name).exists() for name in kept)


def test_the_dev_container_is_made_of_the_same_file(
    repository: Path, dockerfile: list[list[str]], defaults: dict[str, str], dev_container: dict[str, Any]
) -> None:
    folder, build = repository / ".devcontainer", dev_container["build"]
    assert (folder / build["dockerfile"]).resolve() == repository / "Dockerfile"
    assert (folder / build["context"]).resolve() == repository
    assert set(build["args"]) <= set(defaults)
    assert dev_container["remoteUser"] == defaults["NB_USER"]
    assert dev_container["forwardPorts"] == [int(dict(map(tuple, dockerfile))["EXPOSE"])]
    assert f"{dev_container['postCreateCommand']} && pytest\n" in (repository / "README.md").read_text(
        "utf-8"
    )


def test_ci_installs_the_cpu_build_before_the_course(repository: Path) -> None:
    jobs = yaml.safe_load((repository / ".github/workflows/ci.yml").read_text(encoding="utf-8"))["jobs"]
    commands = [step.get("run", "") for step in jobs["cpu"]["steps"]]
    (install,) = [command for command in commands if "pip install" in command]
    assert install in (repository / "README.md").read_text(encoding="utf-8")
    assert CPU_BUILD.search(install) and install.endswith("&& pip install -e .")
