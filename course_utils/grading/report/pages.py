"""Self-contained pages: one for each student, and one for the instructor."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_utils.grading.deadlines.dates import length, shown
from course_utils.grading.grades import GradedClass, GradeRow, Mark, Result
from course_utils.grading.report.next_step import next_step
from course_utils.grading.report.summary import STATUSES, reasons, summarise
from course_utils.grading.report.uploads import uploads
from course_utils.grading.result_store import Store, publish

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

_SCRIPT = Path(__file__).parent / "templates" / "tables.js"
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,60}")


def write_pages(graded: GradedClass, output: Path, store: Store, titles: Mapping[int, str]) -> dict[str, str]:
    """Write all pages; return the path of each student's, below `output`."""
    folder = output / "students"
    folder.mkdir(parents=True, exist_ok=True)
    by_student: dict[str, list[GradeRow]] = defaultdict(list)
    for row in graded.rows:
        by_student[row.student].append(row)
    names = page_names(by_student)
    for old in folder.glob("*.html"):
        if old.name not in names.values():
            old.unlink()
    for student, rows in by_student.items():
        publish(folder / names[student], students_page(rows, store, titles))
    pages = {student: f"students/{name}" for student, name in names.items()}
    publish(output / "index.html", instructors_page(graded, store, pages, titles))
    return pages


def students_page(
    rows: Sequence[GradeRow], store: Store, titles: Mapping[int, str], layout: str = "base.html"
) -> str:
    """Return the page about one student's labs; in the layout ``bare.html`` without head and style."""
    labs = [(row, _whole(row, store), next_step(row)) for row in rows]
    template = environment().get_template("student.html")
    return template.render(student=rows[0].student, labs=labs, titles=titles, layout=layout)


def instructors_page(
    graded: GradedClass, store: Store, pages: Mapping[str, str], titles: Mapping[int, str]
) -> str:
    """Return the page about the class; its script is the only one that may run there."""
    script = _SCRIPT.read_text("utf-8")
    return (
        environment()
        .get_template("instructor.html")
        .render(
            graded=graded,
            summaries=summarise(graded.rows),
            example=lambda cause: _example(cause.cases[0], store),
            pages=pages,
            titles=titles,
            statuses=STATUSES,
            reasons=reasons(graded.rows),
            uploads=uploads(graded.rows),
            script=script,
            script_digest=script_digest(script),
        )
    )


def script_digest(script: str) -> str:
    """Return the digest by which a page's policy names the one script that may run."""
    return f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}"


def page_names(students: Mapping[str, Any] | Sequence[str]) -> dict[str, str]:
    """Return a file name for each student that every file system accepts, even one that ignores case."""
    taken: set[str] = set()
    names = {}
    for student in students:
        slug = re.sub(r"[^A-Za-z0-9_-]+", "-", student).strip("-_")[:60]
        if slug.lower() in taken or not _PLAIN.fullmatch(student):
            slug = f"{slug or 'student'}-{hashlib.sha256(student.encode()).hexdigest()[:8]}"
        taken.add(slug.lower())
        names[student] = f"{slug}.html"
    return names


def _whole(row: GradeRow, store: Store) -> Result:
    """Return a row's result with its cards; where they differ, as for an unclear cell, the row wins."""
    stored = store.get(row.key) if row.key else None
    cards = {mark.exercise: mark for mark in stored.marks} if stored else {}
    marks = tuple(_with_card(mark, cards.get(mark.exercise)) for mark in row.result.marks)
    return replace(row.result, marks=marks)


def _with_card(mark: Mark, stored: Mark | None) -> Mark:
    return replace(mark, card=stored.card) if stored and stored.status == mark.status else mark


def _example(case: tuple[GradeRow, str], store: Store) -> str:
    row, exercise = case
    return next((mark.card for mark in _whole(row, store).marks if mark.exercise == exercise), "")


def ticks(text: str) -> Markup:
    """Show text between backticks as code; the rest is escaped."""
    from markupsafe import Markup, escape

    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(escape(text))))


@cache
def environment() -> Environment:
    """Return what makes pages of templates: everything in them is escaped."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from course_utils.figures.html_figure import STYLE

    pages = Environment(
        loader=PackageLoader("course_utils.grading.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters["ticks"] = ticks
    pages.filters["time"] = shown
    pages.filters["length_of_time"] = length
    pages.filters["points"] = lambda value: f"{value:g}"
    pages.globals["card_style"] = STYLE
    return pages
