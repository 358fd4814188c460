"""The package as a whole: its two environments agree, its imports run one way and stay cheap."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import prepared
import pytest

CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base"}

REPOSITORY = Path(__file__).parents[1]
PACKAGE = REPOSITORY / "course_utils"
ROW = re.compile(r"^\| `(?P<module>\w+)` \| [^|]+ \|(?P<may_import>[^|]*)\|$", re.M)


def may_import() -> dict[str, set[str]]:
    """The table in CONTRIBUTING.md: which module may import which."""
    text = (REPOSITORY / "CONTRIBUTING.md").read_text(encoding="utf-8")
    return {row["module"]: set(re.findall(r"`(\w+)`", row["may_import"])) for row in ROW.finditer(text)}


LIGHT = ("torch", "torchvision", "numpy", "matplotlib", "tqdm", "PIL", "course_utils")


def bounds(requirements: list[str]) -> dict[str, str]:
    split = (re.match(r"([A-Za-z0-9_.-]+)(.*)", line) for line in requirements)
    return {match[1]: match[2].strip() for match in split if match}


def test_environment_yml_agrees_with_pyproject(repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    expected = {CONDA_NAMES.get(name, name): bound for name, bound in bounds(project["dependencies"]).items()}
    expected["python"] = project["requires-python"]
    lines = (repository / "environment.yml").read_text().splitlines()
    listed = bounds([line[4:] for line in lines if line.startswith("  - ") and not line.endswith(":")])
    for not_a_dependency in ("conda-forge", "pip"):
        listed.pop(not_a_dependency)
    assert listed == expected


def imports_of(path: Path, package: Path) -> set[str]:
    """The modules of course_utils that a file imports, lazily or not."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            if node.level:
                base = path.relative_to(package.parent).parent.parts
                module = ".".join((*base[: len(base) - node.level + 1], node.module or ""))
            else:
                module = node.module or ""
            if module.rstrip(".") == "course_utils":
                found |= {alias.name for alias in node.names}
            elif module.startswith("course_utils."):
                found.add(module.split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("course_utils.")}
    return found


def modules(package: Path) -> dict[str, list[Path]]:
    homes: dict[str, list[Path]] = {}
    for path in sorted(package.rglob("*.py")):
        home = path.relative_to(package).parts[0].removesuffix(".py")
        homes.setdefault(home, []).append(path)
    homes.pop("__init__")
    homes.pop("command_line", None)
    return homes


@pytest.mark.slow
def test_imports_run_one_way() -> None:
    allowed = may_import()
    found = modules(PACKAGE)
    assert set(allowed) == set(found), "the table in CONTRIBUTING.md lists every module"
    wrong = [
        f"{path.relative_to(REPOSITORY)} imports {sorted(extra)}"
        for home, paths in found.items()
        for path in paths
        if (extra := imports_of(path, PACKAGE) - allowed[home] - {home})
    ]
    assert not wrong, "\n".join(wrong)


def test_the_table_of_imports_has_no_circle() -> None:
    left = may_import()
    while left:
        free = [module for module, allowed in left.items() if not allowed & set(left)]
        assert free, f"a circle among {sorted(left)}"
        left = {module: allowed for module, allowed in left.items() if module not in free}


def test_a_module_is_found_by_its_name() -> None:
    """No two modules have one name, except those that are named after a command or an exercise."""
    names: dict[str, list[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        inside = path.relative_to(PACKAGE)
        named_elsewhere = inside.parts[0] == "command_line" or inside.match("exercises/*/*.py")
        if path.stem not in ("__init__", "__main__") and not named_elsewhere:
            names.setdefault(path.stem, []).append(inside.as_posix())
    assert not {name: places for name, places in names.items() if len(places) > 1}


@pytest.mark.slow
def test_a_class_is_found_by_its_name() -> None:
    names: dict[str, list[str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                names.setdefault(node.name, []).append(path.relative_to(PACKAGE).as_posix())
    assert not {name: places for name, places in names.items() if len(places) > 1}


def test_imports_are_found_however_they_are_written(tmp_path: Path) -> None:
    package = tmp_path / "course_utils"
    (package / "data").mkdir(parents=True)
    file = package / "data" / "x.py"
    file.write_text(
        "import course_utils.checks\nfrom course_utils import figures\nfrom ..training import fit\n"
        "from course_utils.device import pick_device\ndef f():\n    from .. import timing\n"
    )
    assert imports_of(file, package) == {"checks", "figures", "training", "device", "timing"}


@pytest.mark.slow
@pytest.mark.parametrize("module", ["data", "device", "timing", "training"])
def test_data_and_training_import_with_few_libraries(module: str) -> None:
    code = f"""
import sys
import torch, matplotlib.figure, tqdm
before = set(sys.modules)
import course_utils.{module}
heavy = sorted({{name.split(".")[0] for name in set(sys.modules) - before}} & {{
    "sklearn", "IPython", "ipywidgets", "requests", "filelock", "platformdirs", "nbclient", "nbconvert",
    "jupytext", "typer", "rich", "jupyter_client", "playwright"}})
print(heavy)
"""
    answer = prepared.run(code)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.strip() == "[]"


def test_an_unknown_public_name_lists_the_known_ones() -> None:
    import course_utils

    with pytest.raises(AttributeError, match="load_dataset"):
        _ = course_utils.load_data
