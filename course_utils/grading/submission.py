"""What was handed in, as it is found: plain, frozen data."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from course_utils.grading.collect.submitted_notebook import Cell


@dataclass(frozen=True)
class Submission:
    """What one student handed in for one lab.

    Attributes
    ----------
    student : str
        Unique in the class; followed by the platform's number where two students have one name.
    number : str
        The platform's number of the student, or an empty string.
    platform : str
        ``"Moodle"``, ``"Canvas"``, ``"nbgrader"``, or an empty string.
    lab : int or None
        None if no notebook can be read.
    path : str
        The file that counts, below the folder of submissions.
    cells : tuple of Cell
        Its cells; empty if there is a problem.
    submitted : datetime or None
    late : bool
        Whether the platform marks it as late.
    others : tuple of str
        Older versions and other files of the student, with what is to be said of them.
    notes : tuple of str
        What a human should look at.
    problem : str
        Why it cannot be graded, as a sentence; empty if it can.
    """

    student: str
    number: str = ""
    platform: str = ""
    lab: int | None = None
    path: str = ""
    cells: tuple[Cell, ...] = ()
    submitted: datetime | None = None
    late: bool = False
    others: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class Collection:
    """Everything that was found.

    Attributes
    ----------
    submissions : list of Submission
        By student and lab.
    unread : list of str
        Files that belong to nobody, with the reason.
    """

    submissions: list[Submission] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)
