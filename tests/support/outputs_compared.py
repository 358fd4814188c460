"""The one place that knows what compares the outputs of notebooks with those of a new run: nbval.

pyproject.toml loads it as a plugin of pytest. Whatever takes nbval's place does what the two functions do,
and leaves out the cells that carry `course_utils.notebooks.outputs.IGNORE_TAG`.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from nbval.plugin import IPyNbCell

# This plugin comes before nbval, which imports nbformat: see `course_utils.notebooks`.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

CELL_SECONDS = 300
SANITIZE = Path(__file__).with_name("nbval.cfg")

OTHER_MARKS = ("NBVAL_", "PYTEST_VALIDATE", "raises-exception", "nbval-skip", "nbval-raises")
"""Further ways to keep a cell's outputs from being compared. None of them is used."""


def pytest_configure(config: pytest.Config) -> None:
    """Run and compare each notebook that pytest collects."""
    config.option.nbval = True
    config.option.nbval_current_env = True
    config.option.nbval_cell_timeout = CELL_SECONDS
    config.option.nbval_sanitize_with = str(SANITIZE)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Count all cells as slow: each needs those above it, and some of them train."""
    for item in items:
        if isinstance(item, IPyNbCell):
            item.add_marker("slow")


def agreement(folder: Path) -> dict[str, dict[str, bool]]:
    """Run the notebooks in a folder; by their names, whether each code cell gave its saved outputs again."""
    options = ["-p", Path(__file__).stem, "-rA", "--color=no", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(folder)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    found: dict[str, dict[str, bool]] = defaultdict(dict)
    for line in done.stdout.splitlines():
        if line.startswith(("PASSED", "FAILED", "ERROR")):
            outcome, notebook, cell = re.match(r"(\w+) (.*?)\.ipynb::(Cell \d+)", line).groups()
            found[notebook][cell] = outcome == "PASSED"
    assert found, done.stdout + done.stderr
    return dict(found)
