"""The labs as students get them, with the outputs that give no answer away."""

from __future__ import annotations

import copy
import re
from dataclasses import dataclass

from nbformat import NotebookNode
from nbformat.v4 import new_output

from course_utils.notebooks.cells import grade_id_of
from course_utils.notebooks.outputs import found_plot

_WITHOUT_PARAMETERS = re.compile(r"^def (\w+)\(\)", re.M)
_AIM = re.compile(r"\*\*Aim\.\*\* (.+?)(?:\n\n|\Z)", re.S)
# How PyTorch prints a network: as good as the code that makes it.
_NETWORK = re.compile(r"^ *\(\w+\): \w+\(", re.M)


@dataclass(frozen=True)
class Overview:
    """What the start page says about a lab.

    Attributes
    ----------
    title : str
        For example ``Lab 01 · The convolutional layer``.
    aim : str
        What its reader builds, in Markdown.
    exercises, points : int
        What is checked, without what is optional, and the points for it.
    plot : str
        What it finds, as an ``img`` element.
    """

    title: str
    aim: str
    exercises: int
    points: int
    plot: str


def overview(lab: NotebookNode) -> Overview:
    """Return what there is to say about a lab, shown with its outputs."""
    first = next((cell.source for cell in lab.cells if cell.source.startswith("# ")), "# Lab")
    marks = [cell.metadata.get("nbgrader", {}) for cell in lab.cells if cell.cell_type == "code"]
    points = [int(mark["points"]) for mark in marks if mark.get("grade")]
    aim = match[1] if (match := _AIM.search(first)) else ""
    return Overview(
        first.splitlines()[0][2:], aim, sum(each > 0 for each in points), sum(points), found_plot(lab)
    )


def with_outputs(lab: NotebookNode, solution: NotebookNode) -> NotebookNode:
    """Return a copy of a lab in which cells that ask nothing have the outputs of the solution.

    Exercises and questions have none, nor have cells that call a check, which would say that all is done. A
    cell that calls an answer without parameters would show that answer: it says so instead. What PyTorch
    prints of a network is left out.

    Parameters
    ----------
    lab : NotebookNode
        The students' notebook.
    solution : NotebookNode
        The notebook that it was made of, as it ran. Of a cell that differs, nothing is taken.
    """
    ran = {cell.id: cell for cell in solution.cells}
    answers = {
        name
        for cell in lab.cells
        if cell.metadata.get("nbgrader", {}).get("solution")
        for name in _WITHOUT_PARAMETERS.findall(cell.source)
    }
    shown = copy.deepcopy(lab)
    for cell in shown.cells:
        other = ran.get(cell.id)
        if cell.metadata.get("nbgrader", {}).get("solution"):
            cell.metadata.tags = ["exercise"]
        elif cell.cell_type == "code" and not grade_id_of(cell) and other and other.source == cell.source:
            asked = [name for name in sorted(answers) if f"{name}()" in cell.source]
            if asked:
                text = f"*The output shows what your `{asked[0]}` returns.*"
                cell.outputs = [new_output("display_data", data={"text/markdown": text})]
            elif "check." not in cell.source:
                cell.outputs = [copy.deepcopy(each) for each in other.outputs if not _shows_code(each)]
    return shown


def _shows_code(output: NotebookNode) -> bool:
    return output.output_type == "stream" and bool(_NETWORK.search(output.text))
