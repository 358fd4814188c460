"""Outputs as they are stored: no noise, no large pictures, and the results that a notebook reports."""

from __future__ import annotations

import base64
import copy
import re
from collections.abc import Iterator
from typing import Any

from nbformat import NotebookNode

RESULT_MIME = "application/vnd.convnet-labs.result+json"
"""What `course_utils.training.report` shows beside its table, for programs to read."""

IGNORE_TAG = "nbval-ignore-output"
"""The tag of a cell whose outputs are not compared when the notebook is run again."""

MAX_IMAGE_BYTES = 60_000

_WIDGETS = ("application/vnd.jupyter.widget-view+json", "application/vnd.jupyter.widget-state+json")
_PNG = re.compile(r'<img alt="([^"]*)"[^>]*? src="(data:image/png;base64,[^"]*)"')
_CHARTS = ('<img alt="Dot plot', '<img alt="Bar chart')
_ADDRESS = re.compile(r"\bat 0x[0-9a-fA-F]{6,}")


def tidy(notebook: NotebookNode) -> NotebookNode:
    """Remove from the outputs, in place, what has no meaning on a page; return the notebook.

    Progress bars and warnings (the error stream) go, as do views of widgets, which are dead without their
    kernel. Execution counts become 1, 2, 3, …
    """
    count = 0
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        count += 1
        cell.execution_count = count
        cell.outputs = [kept for output in cell.outputs if (kept := _tidied(output, count))]
    return notebook


def without_widgets(notebook: NotebookNode) -> NotebookNode:
    """Return a copy in which text stands in for each widget."""
    still = copy.deepcopy(notebook)
    still.metadata.pop("widgets", None)
    for cell in still.cells:
        for output in cell.get("outputs", []):
            for mime in _WIDGETS:
                output.get("data", {}).pop(mime, None)
    return still


def problems(notebook: NotebookNode) -> list[str]:
    """Return one line for each output that should not be committed, beginning with the cell's id."""
    found = []
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        for mime, size in image_sizes(cell):
            if size > MAX_IMAGE_BYTES:
                found.append(
                    f"{cell.id}: its {mime} picture takes {size / 1000:.0f} kB, more than "
                    f"{MAX_IMAGE_BYTES // 1000} kB; make the figure smaller or lower its dpi"
                )
        if IGNORE_TAG not in cell.metadata.get("tags", []):
            texts = " ".join(output_texts(cell))
            if _ADDRESS.search(texts):
                found.append(f"{cell.id}: its output contains a memory address, which differs in every run")
            for output in cell.outputs:
                if output.get("name") == "stderr":
                    found.append(
                        f"{cell.id}: its stderr output is not stored but would be compared; silence it "
                        f"or tag the cell {IGNORE_TAG}: {output.text.strip().splitlines()[0]}"
                    )
    return found


def image_sizes(cell: NotebookNode) -> Iterator[tuple[str, int]]:
    """Yield the type and the size in bytes of each picture among a cell's outputs."""
    for output in cell.get("outputs", []):
        for mime, value in output.get("data", {}).items():
            if mime.startswith("image/"):
                text = "".join(value)
                yield mime, len(text.encode()) if mime == "image/svg+xml" else len(base64.b64decode(text))


def output_texts(cell: NotebookNode) -> Iterator[str]:
    """Yield the text that each output of a cell shows to a reader."""
    for output in cell.get("outputs", []):
        yield output.get("text", "") or output.get("data", {}).get("text/plain", "")


def plots(cell: NotebookNode) -> Iterator[str]:
    """Yield each plot among a cell's outputs as an ``img`` element with its alt text.

    The still pictures of live figures are left out: they show how a figure begins.
    """
    for output in cell.get("outputs", []):
        data = output.get("data", {})
        if "image/png" in data:
            yield f'<img alt="" src="data:image/png;base64,{"".join(data["image/png"]).strip()}">'
        shown = "".join(data.get("text/html", ""))
        for alt, source in _PNG.findall(shown) if "cl-live" not in shown else []:
            yield f'<img alt="{alt}" src="{source}">'


def found_plot(notebook: NotebookNode) -> str:
    """Return, as an ``img`` element, the plot that says most about what a notebook found.

    It is the first one after the last result that the notebook reports, which shows what the trained network
    gets wrong; otherwise the last images in the notebook, or its last chart. Without plots, it is empty.
    """
    found: list[str] = []
    reported = False
    for cell in reversed(notebook.cells):
        reported = any(RESULT_MIME in output.get("data", {}) for output in cell.get("outputs", []))
        if reported and found:
            return found[0]
        found = [*plots(cell), *found]
    images = [plot for plot in found if not plot.startswith(_CHARTS)]
    return (images or found or [""])[-1]


def results(notebook: NotebookNode) -> list[dict[str, Any]]:
    """Return what the notebook reported with `course_utils.training.report`, in order."""
    return [
        dict(output.data[RESULT_MIME])
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if RESULT_MIME in output.get("data", {})
    ]


def _tidied(output: NotebookNode, count: int) -> NotebookNode | None:
    if output.output_type == "stream":
        return None if output.name == "stderr" else output
    if output.output_type == "execute_result":
        output.execution_count = count
    if any(mime in output.get("data", {}) for mime in _WIDGETS):
        # Without its view, a widget's text is a repr that says nothing.
        for mime in (*_WIDGETS, "text/plain"):
            output.data.pop(mime, None)
        if not output.data:
            return None
    return output
