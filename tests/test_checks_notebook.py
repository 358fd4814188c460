"""Checks and unfinished exercises in a real kernel: calm lines where work waits, real errors elsewhere."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbclient
import nbformat
import pytest

from course_utils.figures import VERDICT_MIME

pytestmark = pytest.mark.slow

STUB = "    # YOUR CODE HERE\n    raise NotImplementedError()\n"
METHOD_STUB = STUB.replace("    ", "        ", 1).replace("\n    raise", "\n        raise")

UNTOUCHED = {
    "begin": "from course_utils import check\ncheck.begin(lab=1)",
    "begin again": "check.begin(lab=1)",
    "stub": "def output_size(n, f, p=0, s=1):\n" + STUB,
    "check": "check.output_size(output_size)",
    "own cell": "def zero_pad(image, padding):\n" + STUB + "\nzero_pad([[1]], 1)",
    "empty": "def im2col(x, f):\n    pass\n\ncheck.im2col(im2col)",
    "above": "def avg_pool(x, size=2):\n" + STUB + "    return x\n\ncheck.avg_pool(avg_pool)",
    "user": "side = output_size(5, 3)\nimport math as maths\nfor row in range(side):\n    area = side * row",
    "needs side": "doubled = 2 * side",
    "needs doubled": "print(doubled)",
    "needs import": "maths.pi",
    "needs loop": "def f():\n    return row\nf()",
    "class": "import torch\nclass LeNet5(torch.nn.Module):\n"
    "    def __init__(self):\n        super().__init__()\n" + METHOD_STUB,
    "make": "model = LeNet5()",
    "use": "model(torch.zeros(1))",
    "class with forward": "class VGG(torch.nn.Module):\n    def forward(self, x):\n" + METHOD_STUB,
    "forward": "scores = VGG()(torch.zeros(1))",
    "class body": "class ResidualBlock:\n" + STUB,
    "use body": "ResidualBlock(3)",
    "nested": "def error_rate(scores, labels):\n"
    "    def inner():\n        raise NotImplementedError()\n    return inner()",
    "use nested": "error_rate(1, 2)",
    "finish": "def output_size(n, f, p=0, s=1):\n"
    "    return (n + 2 * p - f) // s + 1\n\nside = output_size(5, 3)\nside",
    "real name error again": "del side\nside",
}
GENUINE = {
    "name error": "undefined_name",
    "message": "raise NotImplementedError('later')",
    "helper": "def helper():\n    raise NotImplementedError()\n\nhelper()",
    "module": "raise NotImplementedError()",
    "torch": "torch.nn.Module()(3)",
    "in exercise": "def same_padding(f):\n    return torch.nn.Module()(f)\n\nsame_padding(3)",
    "unbound": "def g():\n    print(doubled)\n    doubled = 1\n\ng()",
    "unknown exercise": "check.outputsize",
    "library": "import types\nlibrary = types.ModuleType('library')\n"
    "exec('def evaluate():\\n    raise NotImplementedError()', vars(library))\nlibrary.evaluate()",
    "other error": "1 / 0",
    "left over": "def max_pool(x):\n    raise NotImplementedError()\n    return x\n\nmax_pool(3)",
}


class Ran:
    """A notebook after its run, cell by cell."""

    def __init__(self, cells: dict[str, str], may_fail: set[str], folder: Path, **environment: str) -> None:
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(code) for code in cells.values()]
        )
        self.cells = dict(zip(cells, notebook.cells, strict=True))
        for name in may_fail:
            self.cells[name].metadata.tags = ["raises-exception"]
        env = {**os.environ, "COURSE_DATA_DIR": str(folder), **environment}
        client = nbclient.NotebookClient(notebook, kernel_name="python3", timeout=120)
        # Without allow_errors, nbclient raises at the first cell whose reply says "error".
        client.execute(env=env)

    def output(self, name: str) -> Any:
        outputs = self.cells[name].outputs
        assert len(outputs) == 1, outputs
        return outputs[0]

    def text(self, name: str) -> str:
        output = self.output(name)
        assert output.output_type == "display_data", output
        return output.data["text/plain"]

    def error(self, name: str) -> str:
        output = self.output(name)
        assert output.output_type == "error", output
        return re.sub(r"\x1b\[[\d;]*m", "", "\n".join(output.traceback))


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ran]:
    cells = {**UNTOUCHED, **GENUINE}
    yield Ran(cells, {*GENUINE, "real name error again"}, tmp_path_factory.mktemp("data"))


def test_begin_says_one_line_each_time(ran: Ran) -> None:
    for name in ("begin", "begin again"):
        assert re.fullmatch(
            r"Lab 01 · Convolutional layer · \d+ exercises( and \d+ optional)?\n", ran.output(name).text
        )


def test_a_check_of_a_stub_says_not_started_and_leaves_the_verdict_for_tools(ran: Ran) -> None:
    assert ran.text("check") == "○ Exercise 1.4 (output_size) is not started."
    verdict = ran.output("check").data[VERDICT_MIME]
    assert (verdict["id"], verdict["status"], verdict["misconception"]) == (
        "output_size",
        "not started",
        None,
    )
    assert verdict["points"] >= 1 and verdict["earned"] == 0


def test_a_body_of_nothing_is_not_started(ran: Ran) -> None:
    assert ran.text("empty") == "○ Exercise 1.7 (im2col) is not started."


def test_a_stubs_line_beside_an_answer_is_told(ran: Ran) -> None:
    assert "the line `raise NotImplementedError()` still stands in `avg_pool`" in ran.text("above")


def test_a_stub_called_in_its_own_cell_is_not_started(ran: Ran) -> None:
    assert ran.text("own cell") == "Exercise 1.2 (zero_pad) is not started."


def test_a_cell_that_calls_a_stub_says_what_it_waits_for(ran: Ran) -> None:
    assert ran.text("user") == "This cell waits for Exercise 1.4 (output_size)."


@pytest.mark.parametrize("cell", ["needs side", "needs doubled", "needs import", "needs loop"])
def test_names_of_a_stopped_cell_are_waited_for_however_far_away(ran: Ran, cell: str) -> None:
    assert ran.text(cell) == "This cell waits for Exercise 1.4 (output_size)."


@pytest.mark.parametrize(
    ("cell", "exercise"),
    [
        ("make", "3.2 (lenet5)"),
        ("use", "3.2 (lenet5)"),
        ("forward", "4.2 (vgg)"),
        ("use body", "4.9 (residual_block)"),
        ("use nested", "3.4 (error_rate)"),
    ],
)
def test_stubs_in_classes_and_inner_functions_belong_to_their_exercise(
    ran: Ran, cell: str, exercise: str
) -> None:
    assert ran.text(cell) == f"This cell waits for Exercise {exercise}."


def test_a_stub_in_a_class_body_stops_the_cell_of_the_class(ran: Ran) -> None:
    assert ran.text("class body") == "Exercise 4.9 (residual_block) is not started."


def test_a_finished_exercise_is_waited_for_no_longer(ran: Ran) -> None:
    assert ran.output("finish").data["text/plain"] == "3"
    assert "NameError: name 'side' is not defined" in ran.error("real name error again")


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("name error", "NameError: name 'undefined_name' is not defined"),
        ("message", "NotImplementedError: later"),
        ("helper", "----> 2     raise NotImplementedError()"),
        ("module", "----> 1 raise NotImplementedError()"),
        ("torch", 'is missing the required "forward" function'),
        ("in exercise", 'is missing the required "forward" function'),
        ("unbound", "UnboundLocalError: cannot access local variable 'doubled'"),
        ("library", "in evaluate()"),
        ("other error", "ZeroDivisionError: division by zero"),
        ("left over", "----> 2     raise NotImplementedError()"),
    ],
)
def test_every_other_error_keeps_its_traceback(ran: Ran, cell: str, message: str) -> None:
    told = ran.error(cell)
    assert message in told
    assert "Traceback (most recent call last)" in told
    assert "not_started.py" not in told


def test_an_unknown_exercise_is_one_sentence_with_what_was_meant(ran: Ran) -> None:
    told = ran.error("unknown exercise")
    assert "There is no exercise 'outputsize'." in told and "check.output_size" in told
    assert "Traceback" not in told


def test_calm_lines_have_html_beside_their_text(ran: Ran) -> None:
    html = ran.output("user").data["text/html"]
    assert "This cell waits for Exercise 1.4 (output_size)." in html


WRONG = "def output_size(n, f, p=0, s=1):\n    return n\n"
RIGHT = "def output_size(n, f, p=0, s=1):\n    return (n + 2 * p - f) // s + 1\n"


def test_nbgrader_sees_an_error_in_every_check_that_is_not_correct(tmp_path: Path) -> None:
    failing = {
        "begin": UNTOUCHED["begin"],
        "not started": UNTOUCHED["stub"] + "\ncheck.output_size(output_size)",
        "wrong": WRONG + "\ncheck.output_size(output_size)",
        "stopped": "def zero_pad(image, padding):\n" + STUB + "\nanswer = zero_pad([[1]], 1)",
        "undefined": "check.zero_pad(answer)",
        "correct": RIGHT + "\ncheck.output_size(output_size)",
        "progress": "check.progress()",
    }
    ran = Ran(
        failing, {"not started", "wrong", "undefined", "stopped"}, tmp_path, NBGRADER_EXECUTION="autograde"
    )
    assert "AssertionError" in ran.error("not started")
    assert "AssertionError" in ran.error("wrong") and "1.4" in ran.error("wrong")
    # Reported calmly, these would count as passed.
    assert "NameError" in ran.error("undefined")
    assert "NotImplementedError" in ran.error("stopped")
    assert ran.text("correct") == "✓ Exercise 1.4 (output_size): correct."
    assert "✓ correct" not in ran.text("progress")
