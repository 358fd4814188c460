"""A check says when it judges an answer from before the last change, and stays silent in an ordinary run."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

# IPython keeps one shell for each process, so each notebook gets a process of its own.
PLAY = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

shell = InteractiveShell.instance()
told = []
for cell_id, source in json.load(sys.stdin):
    with capture_output() as captured:
        shell.run_cell(source, store_history=True, cell_id=cell_id)
    told.append("\\n".join([captured.stdout, *(output.data["text/plain"] for output in captured.outputs)]))
print(json.dumps(told))
"""
BEGIN = ("begin", "from course_utils import check\ncheck.begin(lab=1)")
STUB = ("a", "def same_padding(f):\n    raise NotImplementedError()")
WRONG = ("a", "def same_padding(f):\n    return f")
RIGHT = ("a", "def same_padding(f):\n    return (f - 1) // 2")
CHECK = ("check", "check.same_padding(same_padding)")
OTHER = ("other", "def output_size(n, f, p=0, s=1):\n    return (n + 2 * p - f) // s + 1")


def play(*cells: tuple[str | None, str]) -> str:
    """Run cells, each with its id, and return what the last one shows."""
    done = subprocess.run(
        [sys.executable, "-c", PLAY], input=json.dumps(cells), capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])[-1]


@pytest.fixture(autouse=True)
def own_folder(course_environment: Path) -> None:
    """Keep the progress of these notebooks out of the repository."""


@pytest.mark.parametrize(
    ("failing", "error"),
    [
        ("def same_padding(f:\n    return f", "SyntaxError"),
        ("def same_padding(f):\nreturn f", "IndentationError"),
        ("def same_padding(f=size):\n    return f", "NameError"),
        ("x = 1 / 0\ndef same_padding(f):\n    return f", "ZeroDivisionError"),
    ],
)
def test_a_cell_that_failed_before_its_definition_is_told(failing: str, error: str) -> None:
    told = play(BEGIN, WRONG, ("a", failing), CHECK)
    assert (
        f"A cell stopped with {error} before it could define same_padding: "
        "what is checked here is the same_padding from before." in told
    )
    assert "not right yet" in told


def test_a_renamed_answer_is_told() -> None:
    told = play(BEGIN, STUB, ("a", RIGHT[1].replace("same_padding", "my_padding")), OTHER, CHECK)
    assert (
        "The cell that defined same_padding now defines my_padding: "
        "what is checked here is the same_padding from before." in told
    )
    assert "is not started" in told


FAILED = ("a", "def same_padding(f:")
RENAMED = ("a", "def padding(f):\n    return 0")


@pytest.mark.parametrize(
    "cells",
    [
        [RIGHT],
        [WRONG, CHECK, RIGHT],
        [STUB, FAILED, RIGHT],
        [STUB, RENAMED, RIGHT],
        [STUB, FAILED, ("elsewhere", RIGHT[1])],
        [STUB, RENAMED, ("elsewhere", RIGHT[1])],
        [RIGHT, ("a", RIGHT[1] + "\n\n1 / 0")],
        [RIGHT, OTHER, ("helper", "def padding(f):\n    return f")],
        [RIGHT, ("helper", "def padding(f:")],
        [("a", "def padding(f):\n    return f"), ("b", RIGHT[1]), ("a", "def padding(f):\n    return 1")],
        [RIGHT, ("call", "same_padding(3, 4)"), ("call", "same_padding(3)")],
        [RIGHT, BEGIN],
        [(None, RIGHT[1]), (None, OTHER[1])],
        [("a", "same_padding = lambda f: f // 2"), ("a", "def helper():\n    return 0")],
        [RIGHT, ("a", "%%time\n" + RIGHT[1])],
    ],
)
def test_an_ordinary_run_is_not_warned(cells: list[tuple[str, str]]) -> None:
    told = play(BEGIN, *cells, CHECK)
    assert told.strip() == "✓ Exercise 1.3 (same_padding): correct."


def test_another_function_than_the_cells_is_not_warned() -> None:
    told = play(BEGIN, STUB, RENAMED, ("check", "check.same_padding(lambda f: f // 2)"))
    assert told.strip() == "✓ Exercise 1.3 (same_padding): correct."
