"""``course lab 3``: open JupyterLab at that notebook."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from course_utils.errors import NotebookError

Number = Annotated[
    int | None, typer.Argument(metavar="[N]", help="The lab's number; without it, the folder of labs opens.")
]
Solution = Annotated[bool, typer.Option("--solution", help="Open the solution instead.")]


def lab(context: typer.Context, number: Number = None, solution: Solution = False) -> None:
    """Open JupyterLab at a lab. Other options go to JupyterLab: course lab 3 --no-browser."""
    from importlib.util import find_spec

    from course_utils.notebooks.layout import find_checkout, find_labs

    root = find_checkout()
    where = "labs"
    if number is not None:
        one = find_labs(root, number)[0]
        path = one.solution if solution else one.notebook
        if not path.exists():
            raise NotebookError(
                f"{one.shown(path)} does not exist.",
                why="It is made from its source."
                if one.text.exists()
                else "It is not part of this copy of the course.",
                next_step=f"Run: course build --lab {number}"
                if one.text.exists()
                else "Open the lab: course lab",
            )
        where = one.shown(path)
        if solution:
            _trust(path)
    if find_spec("jupyterlab") is None:
        raise NotebookError(
            "JupyterLab is not installed.", next_step=f"{sys.executable} -m pip install jupyterlab"
        )
    # The checkout is JupyterLab's root, so that the file browser reaches labs and solutions alike; a notebook
    # as the argument would make its folder the root.
    command = [sys.executable, "-m", "jupyterlab", f"--LabApp.default_url=/lab/tree/{where}", *context.args]
    with subprocess.Popen(command, cwd=root) as server:
        # A container is stopped with SIGTERM, which its first process ignores unless it handles it.
        before = signal.signal(signal.SIGTERM, lambda *_: server.terminate())
        try:
            while True:
                # JupyterLab gets Ctrl-C too: it asks, and ends its kernels.
                with suppress(KeyboardInterrupt):
                    raise typer.Exit(server.wait())
        finally:
            signal.signal(signal.SIGTERM, before)


def _trust(path: Path) -> None:
    """Sign a solution's outputs: JupyterLab runs figures only in notebooks that its user trusts."""
    from nbformat.sign import NotebookNotary

    from course_utils.notebooks.pairing import read_notebook

    NotebookNotary().sign(read_notebook(path))
