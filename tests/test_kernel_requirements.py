"""A lab's kernel needs little: what Colab and Kaggle have. Jupyter's tools are for the commands alone."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from course_utils.notebooks.hosted import KERNEL_NEEDS
from course_utils.notebooks.layout import find_labs
from course_utils.notebooks.pairing import read_notebook

pytestmark = pytest.mark.slow

LABS = find_labs(Path(__file__).parents[1])

REFUSE = """
import sys

class Without:
    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in {refused!r}:
            return self.finder.find_spec(name, path, target)

sys.meta_path[:] = [Without(finder) for finder in sys.meta_path]
"""

LAB = """
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

shell = InteractiveShell.instance()

def cell(source):
    with capture_output() as shown:
        result = shell.run_cell(source)
    result.raise_error()
    return shown.stdout + "".join(output.data["text/plain"] for output in shown.outputs)

for source in {imports!r}:
    cell(source)
assert "LeNet5" in cell("check.begin(lab=3)")
cell("def lenet5_learning_rate(epoch): raise NotImplementedError")
assert "not started" in cell("check.lenet5_learning_rate(lenet5_learning_rate)")
assert "not right yet" in cell("check.output_size(lambda n, f, p=0, s=1: n)")
assert "correct" in cell("check.output_size(lambda n, f, p=0, s=1: (n + 2 * p - f) // s + 1)")
assert "Hint 1" in cell("check.output_size.hint()")
assert "output_size" in cell("check.progress(lab=1)")
cell("digits = load_dataset('digits')")
assert "4 images" in cell("figures.image_grid(digits.train.images[:4])")
assert "conv_walk" in cell("figures.conv_walk(torch.ones(5, 5), torch.ones(3, 3))")
cell("net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(2 * 26 * 26, 10))")
cell("from dataclasses import replace; brief = replace(recipe('lenet5', 'quick'), epochs=0.1, least_steps=0)")
cell("history = fit(net, digits, brief, checkpoint=False)")
assert "test error" in cell("report(3, history)")
assert "Loss and error" in cell("history.plot()")
cell("pad = figures.draw_digit(net); widget = pad.widget()")
cell("import base64; widget.children[0].value = '1:' + base64.b64encode(bytes(784)).decode()")
assert "says" in cell("print(widget.children[1].value)")
print("all of a lab ran")
"""


def brought_by(names: list[str]) -> set[str]:
    """The distributions that come with the named ones, and with those."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = re.sub(r"[-_.]+", "-", waiting.pop()).lower()
        if name in found:
            continue
        found.add(name)
        try:
            needed = [Requirement(line) for line in metadata.requires(name) or []]
        except metadata.PackageNotFoundError:
            continue  # for another system
        waiting += [each.name for each in needed if not each.marker or each.marker.evaluate({"extra": ""})]
    return found


@cache
def distributions() -> Mapping[str, list[str]]:
    """The installed modules, and which distributions bring each of them."""
    return metadata.packages_distributions()


def packages(module: str) -> list[str]:
    return distributions().get(module, [])


@pytest.fixture(scope="module")
def refused() -> set[str]:
    """Every installed module that comes with nothing of what a kernel needs."""
    # A kernel has ipykernel. The course comes without what its package asks for.
    allowed = brought_by([*(name for module in KERNEL_NEEDS for name in packages(module)), "ipykernel"])
    allowed |= {"convnet-labs"}
    return {
        module
        for module, brought in distributions().items()
        if not allowed & {re.sub(r"[-_.]+", "-", name).lower() for name in brought}
    }


def run(code: str, folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    own = {"COURSE_STATE_DIR": str(folder), "COURSE_OFFLINE": "1", "COURSE_DEVICE": "cpu"}
    own |= {"IPYTHONDIR": str(folder / "ipython")}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], env=os.environ | own, capture_output=True, text=True
    )


def test_what_a_kernel_needs_is_part_of_what_an_installation_brings(repository: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    brought = {Requirement(line).name for line in project["dependencies"]}
    assert {packages(module)[0] for module in KERNEL_NEEDS} <= brought


def test_jupyters_tools_are_refused_here(refused: set[str]) -> None:
    """The tests below prove something only where the tools are installed and kept away."""
    assert {"nbclient", "nbconvert", "jupytext", "nbformat", "typer", "rich", "jupyterlab"} <= refused
    assert not refused & {*KERNEL_NEEDS, "course_utils", "IPython", "PIL"}


def test_a_lab_runs_with_what_colab_has(refused: set[str], tmp_path: Path) -> None:
    imports = []
    for lab in LABS:
        for cell in read_notebook(lab.notebook).cells:
            if cell.cell_type == "code":
                nodes = ast.walk(ast.parse(cell.source))
                imports += [ast.unparse(n) for n in nodes if isinstance(n, ast.Import | ast.ImportFrom)]
    assert "from course_utils import Stopwatch, check, figures, load_dataset" in imports
    done = run(REFUSE.format(refused=refused) + LAB.format(imports=imports), tmp_path)
    assert done.stdout.endswith("all of a lab ran\n"), done.stdout + done.stderr


def test_training_in_a_terminal_needs_no_more(refused: set[str], tmp_path: Path) -> None:
    code = "import runpy, sys; runpy.run_module('course_utils.training', run_name='__main__')"
    small = ["lenet5", "--profile", "quick", "--data", "digits", "--epochs", "0.1"]
    done = run(REFUSE.format(refused=refused) + code, tmp_path, *small)
    assert done.returncode == 0, done.stderr
    assert "test error" in done.stdout


@pytest.mark.parametrize(
    ("lacks", "arguments"),
    [
        ("typer", ["--help"]),
        ("nbformat", ["check", "labs/01_conv_layer.ipynb"]),
        ("rich", ["run"]),
        ("jupytext", ["build", "--check"]),
        ("nbclient", ["run"]),
    ],
)
def test_a_command_names_the_package_that_it_lacks(lacks: str, arguments: list[str], tmp_path: Path) -> None:
    code = "import sys; from course_utils.command_line import main; sys.exit(main())"
    done = run(REFUSE.format(refused={lacks}) + code, tmp_path, *arguments)
    assert done.returncode == 1
    assert f"needs {lacks}" in done.stderr
    assert f"pip install {lacks}" in done.stderr
    assert "Traceback" not in done.stderr
