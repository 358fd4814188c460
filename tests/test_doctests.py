"""The examples in docstrings: each one runs, and everything that a lab calls by name has one."""

from __future__ import annotations

import doctest
import inspect
from importlib import import_module
from pathlib import Path

import pytest

import course_utils
from course_utils import figures

pytestmark = pytest.mark.slow

PACKAGE = Path(course_utils.__file__).parent
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def modules_with_examples() -> list[str]:
    paths = [path for path in PACKAGE.rglob("*.py") if ">>> " in path.read_text(encoding="utf-8")]
    names = [".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in paths]
    return sorted(name.removesuffix(".__init__") for name in names)


def called_by_users() -> dict[str, object]:
    """What a lab calls; datasets and recipes come out of these calls, nobody makes one by hand."""
    public = {name: getattr(course_utils, name) for name in course_utils.__all__}
    drawn = {f"figures.{name}": getattr(figures, name) for name in figures.__all__}
    found = {name: thing for name, thing in (public | drawn).items() if inspect.isfunction(thing)}
    return found | {"check": course_utils.check, "Stopwatch": course_utils.Stopwatch}


@pytest.mark.parametrize("name", modules_with_examples())
def test_the_examples_run(name: str) -> None:
    results = doctest.testmod(import_module(name), optionflags=FLAGS)
    assert results.attempted and not results.failed


def test_all_that_a_lab_calls_has_an_example() -> None:
    users = called_by_users()
    assert {"load_dataset", "pick_device", "describe_device", "fit", "evaluate", "error_rate"} <= users.keys()
    bare = [name for name, thing in users.items() if ">>> " not in (inspect.getdoc(thing) or "")]
    assert not bare, f"without an example: {', '.join(bare)}"
