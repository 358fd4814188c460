"""Grading: what happens to a submission, in the order of the modules that do it.

1. `collect` finds the notebooks that were handed in: whose they are, which lab, which version counts.
2. `template` reads the instructor's notebook; `rebuild` puts the student's answers between its cells: those
   that `student_code` finds, made `portable` (`source` and `suspicious` look at code without running it).
   Whatever reads what a student wrote does so in `bounds`: in a process that may die.
3. `grade_one` runs the result and judges the answers: `kernel_run` talks to a kernel in the `sandbox`, whose
   copy of the course (`redact`) can ask the probes and holds no answers.
4. `grade_many` does so in parallel, and `result_store` keeps each result; `grade_class` directs all of this
   and adds `similarity`, `corrections`, `deadlines` and `unexplained`.
5. `report` writes the tables, the pages, and the files that take them back to the students; `spreadsheets` is
   how CSV files are read and written.
6. `review` shows what waits for a human in the browser, and keeps what is decided there as `corrections`.
7. `gradescope` is the same for a single submission: the autograder that Gradescope runs.

`records` holds what is passed on before a notebook runs, `grades` what is passed on afterwards.
"""

import course_utils.notebooks  # noqa: F401  before nbformat
from course_utils.grading.grades import JudgedSubmission
from course_utils.grading.records import CodeCell, Isolation, Limits, RunnableNotebook

__all__ = ["CodeCell", "Isolation", "JudgedSubmission", "Limits", "RunnableNotebook"]
