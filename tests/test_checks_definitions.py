"""A check says when it judges an answer from before the last change, and stays silent in an ordinary run."""

from __future__ import annotations

import json
import os
from pathlib import Path

import prepared
import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

pytestmark = pytest.mark.slow

# IPython keeps one shell for each process; all notebooks run in one, each from a clean start.
PLAY = """
import json, sys
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

shell = InteractiveShell.instance()
told = []
for cells in json.load(sys.stdin):
    shell.reset()
    for mark in ("_course_definitions", "_course_not_started"):
        vars(shell).pop(mark, None)
    for cell_id, source in cells:
        with capture_output() as captured:
            shell.run_cell(source, store_history=True, cell_id=cell_id)
    told.append("\\n".join([captured.stdout, *(output.data["text/plain"] for output in captured.outputs)]))
print(json.dumps(told))
"""
Cells = list[tuple[str | None, str]]

BEGIN = ("begin", "from course_utils import check\ncheck.begin(lab=1)")
STUB = ("a", "def same_padding(f):\n    raise NotImplementedError()")
WRONG = ("a", "def same_padding(f):\n    return f")
RIGHT = ("a", "def same_padding(f):\n    return (f - 1) // 2")
FAILED = ("a", "def same_padding(f:")
RENAMED = ("a", "def padding(f):\n    return 0")
OTHER = ("other", "def output_size(n, f, p=0, s=1):\n    return (n + 2 * p - f) // s + 1")
CHECK = ("check", "check.same_padding(same_padding)")


def play(notebooks: list[Cells], folder: Path) -> list[str]:
    """Run notebooks, whose cells each have an id, and return what the last cell of each shows."""
    done = prepared.run(
        PLAY,
        given=json.dumps([[BEGIN, *cells] for cells in notebooks]),
        env={**os.environ, "COURSE_DATA_DIR": str(folder)},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


STOPPED = {
    "SyntaxError": "def same_padding(f:\n    return f",
    "IndentationError": "def same_padding(f):\nreturn f",
    "NameError": "def same_padding(f=size):\n    return f",
    "ZeroDivisionError": "x = 1 / 0\ndef same_padding(f):\n    return f",
}


def test_a_cell_that_failed_before_its_definition_is_told(tmp_path: Path) -> None:
    shown = play([[WRONG, ("a", cell), CHECK] for cell in STOPPED.values()], tmp_path)
    for error, told in zip(STOPPED, shown, strict=True):
        assert (
            f"A cell stopped with {error} before it could define same_padding: "
            "what is checked here is the same_padding from before." in told
        )
        assert "not right yet" in told


def test_a_renamed_answer_is_told(tmp_path: Path) -> None:
    (told,) = play([[STUB, RENAMED, OTHER, CHECK]], tmp_path)
    assert (
        "The cell that defined same_padding now defines padding: "
        "what is checked here is the same_padding from before." in told
    )
    assert "is not started" in told


ORDINARY: list[Cells] = [
    [RIGHT],
    [WRONG, CHECK, RIGHT],
    [STUB, FAILED, RIGHT],
    [STUB, RENAMED, RIGHT],
    [STUB, FAILED, ("elsewhere", RIGHT[1])],
    [STUB, RENAMED, ("elsewhere", RIGHT[1])],
    [RIGHT, ("a", RIGHT[1] + "\n\n1 / 0")],
    [RIGHT, OTHER, ("helper", "def padding(f):\n    return f")],
    [RIGHT, ("helper", "def padding(f:")],
    [RENAMED, ("b", RIGHT[1]), RENAMED],
    [RIGHT, ("call", "same_padding(3, 4)"), ("call", "same_padding(3)")],
    [RIGHT, BEGIN],
    [(None, RIGHT[1]), (None, OTHER[1])],
    [("a", "same_padding = lambda f: f // 2"), ("a", "def helper():\n    return 0")],
    [RIGHT, ("a", "%%time\n" + RIGHT[1])],
]


def test_an_ordinary_run_is_not_warned(tmp_path: Path) -> None:
    another = [STUB, RENAMED, ("check", "check.same_padding(lambda f: f // 2)")]
    shown = play([*([*cells, CHECK] for cells in ORDINARY), another], tmp_path)
    assert {told.strip() for told in shown} == {"✓ Exercise 1.3 (same_padding): correct."}


def executed(client: BlockingKernelClient, cell_id: str, source: str) -> str:
    """Execute a cell as JupyterLab does, which sends the cell's id, and return what is displayed."""
    content = {"code": source, "silent": False, "store_history": True, "user_expressions": {}}
    request = client.session.msg("execute_request", content, metadata={"cellId": cell_id})
    client.shell_channel.send(request)
    shown: list[str] = []
    while True:
        message = client.get_iopub_msg(timeout=120)
        if message["parent_header"].get("msg_id") == request["header"]["msg_id"]:
            if message["content"].get("execution_state") == "idle":
                return "\n".join(shown)
            shown += [message["content"]["data"]["text/plain"]] if "data" in message["content"] else []


def test_a_notebook_that_is_edited_and_run_again_is_told(tmp_path: Path) -> None:
    manager, client = start_new_kernel(env={**os.environ, "COURSE_DATA_DIR": str(tmp_path)})

    def checked(cell: tuple[str, str]) -> str:
        executed(client, *cell)
        return executed(client, *CHECK)

    from_before = "what is checked here is the same_padding from before."
    try:
        executed(client, *BEGIN)
        assert checked(STUB) == "○ Exercise 1.3 (same_padding) is not started."
        renamed = f"The cell that defined same_padding now defines padding: {from_before}"
        assert checked(RENAMED).splitlines()[0] == renamed
        assert checked(OTHER).splitlines()[0] == renamed
        assert checked(RIGHT) == "✓ Exercise 1.3 (same_padding): correct."
        failed = f"A cell stopped with SyntaxError before it could define same_padding: {from_before}"
        assert checked(FAILED) == f"{failed}\n✓ Exercise 1.3 (same_padding): correct."
        assert checked(WRONG).splitlines()[0] == "✗ Exercise 1.3 (same_padding): not right yet."
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
