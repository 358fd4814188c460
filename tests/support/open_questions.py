"""A small lab with open questions, and a class that answers them, graded without kernels."""

from __future__ import annotations

from pathlib import Path

import nbformat
from grading_workers import by_words, threads
from notebook_samples import SOLUTION, TEXT, nbgrader, small_lab
from submissions import cell_of, write

from course_utils.grading.grade_class import grade_class
from course_utils.grading.grades import GradedClass
from course_utils.grading.report import write_report
from course_utils.notebooks.layout import Lab
from course_utils.notebooks.pairing import read_text
from course_utils.notebooks.strip import strip

BY_HAND = SOLUTION | {"grade": True, "points": 2}
TASK = {"grade": True, "locked": True, "points": 5, "solution": False, "task": True}
TITLES = {1: "Lab 01 · Small"}
QUESTIONS = f"""
# %% [markdown]
# Why does an image of 5 × 5 stay as large with a padding of 1? Is `f < 3` allowed?

{nbgrader("explain_padding", BY_HAND, "[markdown] ")}
# Each side gains one pixel, and a filter of 3 × 3 takes two away.

# %% [markdown]
# Draw a kernel that finds edges.

{nbgrader("edges", BY_HAND)}
### BEGIN SOLUTION
kernel = [[-1, 1]]
### END SOLUTION

{nbgrader("essay", TASK, "[markdown] ")}
# Write a page about pooling, in cells of your own.
# ### BEGIN MARK SCHEME
# One point for each idea.
# ### END MARK SCHEME
"""
UNCLEAR = "import nobody_has_this as my\n\ndef output_size(n, f):\n    return my.size(n)"
NASTY = "<img src=x onerror=alert(1)><script>alert(2)</script> & \u202e\n\n    two lines"


def lab_with_questions(root: Path) -> Lab:
    """Write the instructor's notebook into a checkout of its own."""
    return small_lab(root, TEXT + QUESTIONS)


def handed_out(lab: Lab) -> nbformat.NotebookNode:
    """What students start from."""
    return strip(read_text(lab.text))


def class_with_questions(folder: Path) -> None:
    """Write a checkout, and what five students hand in, into `folder`."""
    lab = lab_with_questions(folder / "course")
    answers = {
        "Ann Lee": {"output_size": "# RIGHT", "explain_padding": "Because <b>padding</b>.\n\n- one\n- two"},
        "Bo": {
            "output_size": "# <floor-forgotten>",
            "explain_padding": NASTY,
            "edges": "kernel = '<script>'",
        },
        "Cy": {"output_size": UNCLEAR},
        "Dora": {
            "output_size": "def outputsize(n, f, p=0, s=1):\n    return n  # WRONG",
            "edges": "kernel = 1",
        },
    }
    for student, cells in answers.items():
        notebook = handed_out(lab)
        for name, source in cells.items():
            cell_of(notebook, name).source = source
        write(notebook, folder / "in" / student / "lab.ipynb")
    (folder / "in" / "Eve").mkdir()
    (folder / "in" / "Eve" / "lab.ipynb").write_text("{", encoding="utf-8")


def graded(folder: Path, *corrections: str) -> GradedClass:
    """Grade the class in `folder` into ``out``; only what is new is graded."""
    done = grade_class(
        folder / "in", folder / "out", root=folder / "course", workers=threads(), grade=by_words,
        corrections=corrections,
    )  # fmt: skip
    write_report(done, folder / "out", TITLES)
    return done
