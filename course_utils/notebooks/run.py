"""``course run``: execute a solution notebook in a fresh kernel and keep its results."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from course_utils.errors import CourseError, NotebookError
from course_utils.notebooks import outputs
from course_utils.notebooks.kernel import CellError, Progress, execute
from course_utils.notebooks.layout import Lab
from course_utils.notebooks.page import write_page
from course_utils.notebooks.pairing import synchronise


@dataclass(frozen=True)
class Outcome:
    """The result of running one notebook.

    Attributes
    ----------
    lab : Lab
        The lab.
    result : str
        ``"passed"``, ``"failed"``, ``"interrupted"`` or ``"not run"``.
    seconds : float
        How long it took.
    reports : list of dict
        What the notebook reported: dataset, source, test error and so on.
    failure : CourseError or None
        Why it failed.
    page : Path or None
        The notebook as a page.
    plot : str
        What it found, as an ``img`` element.
    """

    lab: Lab
    result: str
    seconds: float = 0.0
    reports: list[dict[str, Any]] = field(default_factory=list)
    failure: CourseError | None = None
    page: Path | None = None
    plot: str = ""

    @property
    def datasets(self) -> str:
        """The datasets and where they came from, each once."""
        return "; ".join(dict.fromkeys(_dataset(report) for report in self.reports))

    @property
    def findings(self) -> str:
        """The test errors that the notebook found."""
        return "; ".join(text for report in self.reports if (text := _finding(report)))

    @property
    def substitutes(self) -> list[str]:
        """The sources of embedded data that stood in for a real dataset."""
        return list(dict.fromkeys(str(r.get("source")) for r in self.reports if r.get("substitute")))

    def as_json(self) -> dict[str, Any]:
        """Return the outcome as plain values."""
        failure: dict[str, Any] | None = None
        if isinstance(self.failure, CellError):
            failure = {k: getattr(self.failure, k) for k in ("cell", "number", "source", "traceback")}
        elif self.failure is not None:
            failure = {"message": str(self.failure)}
        return {
            "lab": self.lab.number,
            "notebook": self.lab.name,
            "result": self.result,
            "seconds": round(self.seconds, 1),
            "reports": self.reports,
            "failure": failure,
            "page": str(self.page) if self.page else None,
        }


def run(
    lab: Lab, *, profile: str, output: Path, timeout: float | None = None, progress: Progress | None = None
) -> Outcome:
    """Execute the solution notebook of one lab and write it as a page. Nothing in the checkout is written.

    Parameters
    ----------
    lab : Lab
        The lab.
    profile : str
        The profile to run under.
    output : Path
        The folder for the page, which is written even if a cell fails.
    timeout : float, optional
        Seconds that one cell may take.
    progress : callable, optional
        Told which cell runs.
    """
    started = time.monotonic()
    if not (lab.text.exists() or lab.solution.exists()):
        missing = NotebookError(
            f"Lab {lab.number} has no solution here.",
            why=f"{lab.text.parent} is not part of what students get.",
            next_step=f"To check your own notebook: course check {lab.shown(lab.notebook)}",
        )
        return Outcome(lab, "failed", failure=missing)
    try:
        notebook = synchronise(lab).notebook
    except NotebookError as error:
        return Outcome(lab, "failed", failure=error)
    failure: CourseError | None = None
    try:
        execute(notebook, lab.text.parent, profile=profile, timeout=timeout, progress=progress)
    except CourseError as error:
        failure = error
    seconds = time.monotonic() - started
    page = output / f"{lab.name}.html"
    write_page(notebook, page, title=lab.name, folder=lab.text.parent)
    result = "failed" if failure else "passed"
    return Outcome(
        lab, result, seconds, outputs.results(notebook), failure, page, outputs.found_plot(notebook)
    )


def _dataset(report: dict[str, Any]) -> str:
    return str(report.get("source") or report.get("dataset") or "")


def _finding(report: dict[str, Any]) -> str:
    error = report.get("test_error")
    if not isinstance(error, (int, float)):
        return ""
    return f"{report.get('recipe', '')}: test error {100 * error:.2f} %".removeprefix(": ")
