"""What goes back to the students: a file for each platform and lab, and a table for a mail merge."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from course_utils.files import zipped
from course_utils.grading.collect.submitted_files import NOTEBOOKS
from course_utils.grading.grades import GradeRow
from course_utils.grading.report.next_step import feedback_text
from course_utils.grading.report.pages import students_page, ticks
from course_utils.grading.report.uploads import Upload, page_name, uploads
from course_utils.grading.result_store import Store, publish
from course_utils.grading.spreadsheets import as_csv

_FOLDER = "feedback"
_EMAIL = "email.csv"
_EMAIL_HEADS = ("Student", "E-mail", "Lab", "Points", "Max", "Total", "Page", "Feedback")
_OURS = re.compile(r"[a-z]+-lab-\d+\.(?:zip|csv)")
_NOTE = (
    "This is feedback on your work, not the work itself: Canvas returns it under the name of the file "
    "that you handed in. Keep the two apart."
)
_STYLES = {
    "cl-differs": "border: 2px solid #d55e00",
    "cl-window": "border: 2px dashed #0072b2",
    "cl-grid": "display: inline-table; margin: 0 16px 8px 0",
    "cl-wrong": "border-left: 4px solid #d55e00; padding-left: 12px",
    "cl-error": "border-left: 4px solid #cc79a7; padding-left: 12px",
    "plain": "margin: 0",
}
"""Of the style of pages, what a notebook needs; Jupyter keeps none but that of each element."""


def write_feedback(
    rows: Sequence[GradeRow],
    output: Path,
    pages: Mapping[str, str],
    store: Store,
    titles: Mapping[int, str],
) -> None:
    """Write the folder ``feedback``.

    Parameters
    ----------
    rows : sequence of GradeRow
    output : Path
        The folder of the report.
    pages : mapping
        By student, the path of the page below `output`.
    store : Store
        The results, with their cards.
    titles : mapping
        Title of each lab.
    """
    folder = output / _FOLDER
    files = {one.name: one for one in uploads(rows) if one.rows}
    publish(folder / _EMAIL, as_csv(_EMAIL_HEADS, [_email(row, pages) for row in rows]))
    for name, one in files.items():
        publish(folder / name, _table(one) if one.platform == "Blackboard" else _archive(one, store, titles))
    for old in folder.iterdir():
        if _OURS.fullmatch(old.name) and old.name not in files:
            old.unlink()


def _email(row: GradeRow, pages: Mapping[str, str]) -> list[Any]:
    points, total = ("", "") if row.status == "not graded" else (f"{row.earned:g}", f"{row.total:g}")
    most = "" if row.lab is None else f"{row.maximum:g}"
    text = feedback_text(row).replace("`", "")
    return [row.student, row.submission.email, row.lab or "", points, most, total, pages[row.student], text]


def _archive(upload: Upload, store: Store, titles: Mapping[int, str]) -> bytes:
    files = {}
    for name, row in sorted(upload.rows.items()):
        if upload.platform == "Canvas" and name.lower().endswith(NOTEBOOKS):
            files[name] = _notebook(row, store, titles)
            continue
        page = students_page([row], store, titles).encode()
        is_zip = upload.platform == "Canvas" and name.lower().endswith(".zip")
        files[name] = zipped({page_name(upload.lab): page}) if is_zip else page
    return zipped(files, small=True)


def _notebook(row: GradeRow, store: Store, titles: Mapping[int, str]) -> bytes:
    """Return what the student's page says, as a notebook without code."""
    page = students_page([row], store, titles, layout="bare.html")
    # A blank line would end the HTML, and a dollar sign begin a formula.
    page = re.sub(r"</?section[^>]*>", "", page.replace("$", "&#36;"))
    page = re.sub(r"\n(?=[ \t]*\n)", "&#10;", page)
    page = re.sub(r'class="(?:[\w-]+ )?([\w-]+)"', _with_style, page)
    sources = [_NOTE, *re.split(r"(?=<h3>)", page)]
    cells: list[dict[str, Any]] = [
        {"cell_type": "markdown", "id": f"feedback-{place}", "metadata": {}, "source": source.strip()}
        for place, source in enumerate(sources)
    ]
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(notebook, indent=1, ensure_ascii=False).encode()


def _with_style(found: re.Match[str]) -> str:
    style = _STYLES.get(found[1])
    return f'{found[0]} style="{style}"' if style else found[0]


def _table(upload: Upload) -> str:
    """Return a file of grades with feedback; the heading of the points is the instructor's to complete."""
    most = max((row.maximum for row in upload.rows.values()), default=0)
    column = f"Lab {upload.lab:02} [Total Pts: {most:g} Score]"
    heads = ("Last Name", "First Name", "Username", column)
    notes = ("Grading Notes", "Notes Format", "Feedback to Learner", "Feedback Format")
    rows = [
        ["", "", name, total, "", "HTML", str(ticks(feedback_text(row))).replace("\n", "<br>"), "HTML"]
        for name, row in sorted(upload.rows.items())
        for total in ["" if row.status == "not graded" else f"{row.total:g}"]
    ]
    return "\ufeff" + as_csv([*heads, *notes], rows)
