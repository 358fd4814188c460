"""The report on a class: tables for learning platforms, pages for the students and the instructor."""

from __future__ import annotations

from pathlib import Path

from course_utils.grading.grades import GradedClass
from course_utils.grading.report.feedback import write_feedback
from course_utils.grading.report.gradebook import write_tables
from course_utils.grading.report.pages import write_pages
from course_utils.grading.result_store import Store
from course_utils.grading.review.material import write_material

__all__ = ["write_report"]


def write_report(graded: GradedClass, output: Path, titles: dict[int, str]) -> Path:
    """Write the tables, the pages, the files that take them back, and what ``course review`` shows.

    Parameters
    ----------
    graded : GradedClass
    output : Path
        The folder with the results in ``results/``.
    titles : dict
        Title of each lab.

    Returns
    -------
    Path
        The instructor's page.
    """
    store = Store(output / "results")
    pages = write_pages(graded, output, store, titles)
    write_tables(graded, output, pages)
    write_feedback(graded.rows, output, pages, store, titles)
    write_material(graded, output, titles)
    return output / "index.html"
