"""Which file takes the feedback back to each platform, and under which name each student's goes in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from course_utils.grading.collect.submitted_files import NOTEBOOKS
from course_utils.grading.grades import GradeRow
from course_utils.grading.records import Submission

_MOODLE = re.compile(r"(.+?)_(\d+)_(assignsubmission_[a-z]+)(_?)")
_SHOWN = 10
_CANVAS = re.compile(r"[^_]*[^_\d][^_]*_(?:LATE_)?(\d+)_\d+_(?:.*_)?(?!link)[^_]+", re.S)
_CANVAS_TAKES = (*NOTEBOOKS, ".zip", ".html")
"""The endings under which a student can open feedback: Canvas returns it under the name of their own file."""


@dataclass(frozen=True)
class Upload:
    """What goes back to one platform for one lab.

    Attributes
    ----------
    name : str
        The file's, for example ``"moodle-lab-01.zip"``.
    platform : str
    lab : int
    rows : dict
        By the name that the platform knows: of a file in the archive, or a student's user name.
    left_out : tuple of str
        The students to whom the platform cannot be told to return anything.
    """

    name: str
    platform: str
    lab: int
    rows: Mapping[str, GradeRow]
    left_out: tuple[str, ...]

    @property
    def lacks(self) -> str:
        """Who is left out, as a sentence; or an empty string."""
        if not self.left_out:
            return ""
        shown = ", ".join(self.left_out[:_SHOWN])
        more = f" and {len(self.left_out) - _SHOWN} more" if len(self.left_out) > _SHOWN else ""
        file = "notebook, zip or web page" if self.platform == "Canvas" else "file"
        why = f"no {file} of theirs has the name that {self.platform} gave it, or its lab is unclear"
        return f"Not in {self.name}: {shown}{more} ({why})."


def uploads(rows: Sequence[GradeRow]) -> list[Upload]:
    """Return the file for each platform and lab that submissions came from.

    Whoever handed in something is either in it or left out: nothing is returned on a guess. A notebook that
    cannot be read belongs to the lab of the others, if that is only one.
    """
    labs = sorted({row.lab for row in rows if row.lab is not None})
    found = []
    for platform in sorted({row.submission.platform for row in rows} & set(_NAMES)):
        name_of, ending = _NAMES[platform]
        for lab in labs:
            theirs = [
                (row, name_of(row.submission, lab) if row.lab == lab or len(labs) == 1 else "")
                for row in rows
                if row.lab in (lab, None) and row.submission.platform in (platform, "")
                if row.submission.path or row.submission.exported
            ]
            # What two students share cannot say whose it is.
            keys = Counter(_key(row) for row, _ in theirs)
            named = [(row, name if keys[_key(row)] == 1 else "") for row, name in theirs]
            if any(row.submission.platform for row, _ in theirs):
                found.append(
                    Upload(
                        f"{platform.lower()}-lab-{lab:02}.{ending}",
                        platform,
                        lab,
                        rows={name: row for row, name in named if name},
                        left_out=tuple(row.student for row, name in named if not name),
                    )
                )
    return found


def page_name(lab: int) -> str:
    """Return the name under which a student gets a page."""
    return f"feedback-lab-{lab:02}.html"


def _key(row: GradeRow) -> str:
    return row.submission.number or row.submission.account


def _in_moodle(one: Submission, lab: int) -> str:
    """Return the page in the folder that was exported; Moodle itself writes names without underscores."""
    found = _MOODLE.match(one.exported)
    if found is None or found[2] != one.number:
        return ""
    return f"{found[1].replace('_', ' ')}_{found[2]}_{found[3]}{found[4]}/{page_name(lab)}"


def _in_canvas(one: Submission, lab: int) -> str:
    """Return the name that was exported, if Canvas will find in it the student's number and the upload's."""
    found = _CANVAS.fullmatch(one.exported)
    is_taken = one.exported.lower().endswith(_CANVAS_TAKES)
    return one.exported if found and found[1] == one.number and is_taken else ""


def _in_blackboard(one: Submission, lab: int) -> str:
    return one.account if one.platform == "Blackboard" else ""


_NAMES: Mapping[str, tuple[Callable[[Submission, int], str], str]] = {
    "Moodle": (_in_moodle, "zip"),
    "Canvas": (_in_canvas, "zip"),
    "Blackboard": (_in_blackboard, "csv"),
}
