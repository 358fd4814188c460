"""``course check``: all checks of a saved notebook, from the terminal."""

from __future__ import annotations

import json as text_of
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from course_utils.command_line.options import Json, seconds
from course_utils.command_line.output import check_writable, console, say, say_json
from course_utils.errors import NotebookError

if TYPE_CHECKING:
    from nbformat import NotebookNode

File = Annotated[
    Path, typer.Argument(metavar="NOTEBOOK", help="For example labs/03_lenet5.ipynb.", show_default=False)
]
Timeout = Annotated[
    float, typer.Option(metavar="SECONDS", help="How long one cell may take.", callback=seconds)
]
Markdown = Annotated[bool, typer.Option("--markdown", help="Print Markdown, for a summary on GitHub.")]
Page = Annotated[
    Path | None,
    typer.Option(metavar="HTML", help="Also write the notebook, as it ran, as a page.", show_default=False),
]
Classroom50 = Annotated[
    Path | None,
    typer.Option(
        metavar="JSON",
        help="Also write Classroom 50's result.json; the exit code is then 0.",
        show_default=False,
    ),
]


def check(
    notebook: File,
    timeout: Timeout = 120.0,
    page: Page = None,
    classroom50: Classroom50 = None,
    markdown: Markdown = False,
    json: Json = False,
) -> None:
    """Run all checks of a saved notebook and show the verdicts.

    The notebook runs in a fresh kernel up to its last check, with the profile quick. The file stays as it is.
    Exit code 0 if every exercise is correct, 1 otherwise; optional ones do not count.
    """
    from course_utils.command_line.check_reports import as_classroom50, as_markdown, that_count
    from course_utils.command_line.progress import CellProgress
    from course_utils.notebooks.kernel import CellError, execute
    from course_utils.notebooks.pairing import read_notebook

    for option, path in (("--page", page), ("--classroom50", classroom50)):
        if path is not None:
            check_writable(path, f"Give {option} another file.")
    if classroom50:
        as_classroom50((), os.environ)  # what is missing is told before the work
    try:
        cells = read_notebook(notebook)
        questions = _questions(cells)
        _cut_after_last_check(cells, notebook)
    except NotebookError as error:
        rows = _unchecked(set(), notebook)
        if classroom50 is None or not rows:
            raise
        say(error, err=True)
        _write_classroom50(classroom50, rows)
        return
    with CellProgress() as progress:
        progress.start(notebook.name)
        try:
            errors = execute(
                cells,
                notebook.resolve().parent,
                profile="quick",
                timeout=timeout,
                progress=progress.cell,
                keep_going=True,
            )
        except CellError as error:
            errors = [error]
    rows = _verdicts(cells)
    rows += _unchecked({row["id"] for row in rows}, notebook)
    rows.sort(key=lambda row: [int(part) for part in row["number"].split(".")])
    if page:
        from course_utils.notebooks.page import write_page

        write_page(cells, page, title=notebook.stem, folder=notebook.resolve().parent)
    if classroom50:
        _write_classroom50(classroom50, rows)
    if markdown:
        say(as_markdown(notebook.name, rows, errors))
    elif json:
        failures = [
            {"cell": error.cell, "source": error.source, "traceback": error.traceback} for error in errors
        ]
        found = {"notebook": str(notebook), "exercises": rows, "questions": questions, "errors": failures}
        say_json(found)
    else:
        for row in rows:
            if row["status"] in ("wrong", "error"):
                say(row["message"] + "\n")
        for failed in errors:
            say(f"{failed}\n", err=True)
        _print_table(rows)
        for question in questions:
            state = "your instructor reads your answer" if question["answered"] else "not answered yet"
            say(f"{question['id']} (up to {question['points']:g} more points): {state}")
    needed = that_count(rows)
    right = needed and all(row["status"] == "correct" for row in needed)
    raise typer.Exit(0 if right or classroom50 else 1)


def _write_classroom50(path: Path, rows: list[dict[str, Any]]) -> None:
    from course_utils.command_line.check_reports import as_classroom50
    from course_utils.files import published

    with published(path) as file:
        file.write(text_of.dumps(as_classroom50(rows, os.environ), indent=2).encode())


def _questions(cells: NotebookNode) -> list[dict[str, Any]]:
    """Return the questions that a human grades, and whether anything stands in the cell."""
    from course_utils.notebooks.strip import TEXT_STUB

    found = []
    for cell in cells.cells:
        marks, text = cell.metadata.get("nbgrader", {}), cell.source.strip()
        if marks.get("grade") and marks.get("solution"):
            question = {"id": marks.get("grade_id", ""), "points": marks.get("points", 0)}
            found.append(question | {"answered": text not in ("", *TEXT_STUB)})
    return found


def _cut_after_last_check(cells: NotebookNode, notebook: Path) -> None:
    # Training comes after the last check and would only take time.
    checks = [
        i
        for i, cell in enumerate(cells.cells)
        if cell.cell_type == "code" and re.search(r"^\s*check\.\w+\(\w", cell.source, re.M)
    ]
    if not checks:
        raise NotebookError(
            f"{notebook} has no checks.",
            why="No cell calls check.<exercise>(…).",
            next_step="Choose one of the notebooks in labs/.",
        )
    del cells.cells[checks[-1] + 1 :]


def _verdicts(cells: NotebookNode) -> list[dict[str, Any]]:
    """Read the verdicts from the outputs; the last one for an exercise counts."""
    from course_utils import exercises
    from course_utils.figures import VERDICT_MIME

    found: dict[str, dict[str, Any]] = {}
    for cell in cells.cells:
        for output in cell.get("outputs", []):
            verdict = output.get("data", {}).get(VERDICT_MIME)
            if verdict:
                exercise = exercises.get(verdict["id"])
                row = {
                    "number": exercise.number,
                    "title": exercise.title,
                    "message": output.data["text/plain"],
                }
                found[verdict["id"]] = {**verdict, **row}
    return list(found.values())


def _unchecked(checked: set[str], notebook: Path) -> list[dict[str, Any]]:
    """Return a row for each exercise of the lab whose check did not run."""
    from course_utils import exercises

    known = [exercises.get(name) for name in exercises.names()]
    number = re.match(r"\d+", notebook.name)
    labs = {exercise.lab for exercise in known if exercise.id in checked} or {
        int(number.group()) if number else 0
    }
    return [
        {"id": e.id, "status": "not checked", "misconception": None, "points": e.points, "earned": 0}
        | {"number": e.number, "title": e.title, "message": "Its check did not run."}
        for e in known
        if e.lab in labs and e.id not in checked
    ]


def _print_table(rows: list[dict[str, Any]]) -> None:
    from rich.table import Table

    from course_utils.command_line.check_reports import points_text, summary

    table = Table("", "Exercise", "Verdict", "Points")
    colours = {"correct": "green", "wrong": "red", "error": "red"}
    for row in rows:
        verdict = row["status"] + (f" ({row['misconception']})" if row["misconception"] else "")
        colour = colours.get(row["status"], "yellow")
        table.add_row(row["number"], row["id"], f"[{colour}]{verdict}[/]", points_text(row))
    shown = console()
    shown.print(table)
    shown.print(summary(rows))
