"""Grade what a student handed in on Gradescope: ``python -m course_utils.grading.gradescope [FOLDER]``."""

from __future__ import annotations

import json
import sys
import time
import traceback
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from course_utils.errors import GradingError
from course_utils.exercises.model import Verdict
from course_utils.grading.collect import Naming, collect
from course_utils.grading.grade_many import own_isolation
from course_utils.grading.grade_one import grade_notebook
from course_utils.grading.gradescope.results_json import Results
from course_utils.grading.rebuild import rebuild
from course_utils.grading.records import MIB, Isolation, Limits, Submission
from course_utils.grading.result_store import course_digest, publish, seed_of
from course_utils.grading.template import Template, read_template
from course_utils.notebooks.layout import Lab, find_labs

# CPU time as in `course grade`. By the clock all of it fits into Gradescope's 10 minutes, and the memory
# into a container of 1.5 GB, beside what grading itself needs.
LIMITS = Limits(patience=4.0, memory_bytes=1024 * MIB)

PENDING = (
    "Grading was stopped before its end, and what has no verdict yet counts 0. Please submit again; if it "
    "happens again, tell your instructor."
)
FAILED = (
    "Grading failed for a reason that is not yours, and what has no verdict counts 0. Please tell your "
    "instructor, who finds the reason in the autograder's output."
)


def main(home: Path, root: Path) -> int:
    """Grade the submission in Gradescope's folder; return 1 if that failed for no fault of the student's.

    Parameters
    ----------
    home : Path
        Gradescope's folder.
    root : Path
        The checkout, with the solution of one lab.
    """
    start = time.monotonic()
    results = Results()
    try:
        (lab,) = find_labs(root)
        grade_submission(home, lab, results, start)
    except Exception as error:  # whatever it is, the student must be told, and the instructor why
        traceback.print_exc()
        results.extra_data["failed"] = f"{type(error).__name__}: {error}"
        _publish(home, results, start, FAILED)
        return 1
    return 0


def grade_submission(home: Path, lab: Lab, results: Results, start: float) -> None:
    """Grade what lies in ``submission`` and keep ``results/results.json`` up to date.

    Parameters
    ----------
    home : Path
        Gradescope's folder.
    lab : Lab
    results : Results
        Gets what becomes known.
    start : float
        When it began, on the clock `time.monotonic`.

    Raises
    ------
    CourseError
        If it cannot be graded for a reason that is not the student's.
    """
    template = read_template(lab)
    metadata = _metadata(home / "submission_metadata.json")
    student = _student(metadata)
    # Grading one upload again draws the same numbers. Another upload draws new ones: the cards of the last
    # one showed numbers, and an answer that only knows those must not pass.
    seed = seed_of(0, f"{student} {metadata.get('id', '')}", lab.number)
    submission = _collected(home / "submission", student, template)
    notes = [*submission.notes]
    results.extra_data = {
        "lab": lab.number,
        "course": course_digest(),
        "seed": seed,
        "file": submission.path,
        "notes": notes,
    }
    results.said = _said(submission, metadata, template)
    rebuilt = submission.rebuilt
    if rebuilt is None:
        _publish(home, results, start)
        return
    isolation = own_isolation()
    results.extra_data["isolation"] = isolation.level
    print("\n".join(isolation.lines()), flush=True)
    _refuse_open(isolation)
    results.lab, results.unclear = lab.number, rebuilt.unclear
    _publish(home, results, start, PENDING)

    def judged(verdict: Verdict) -> None:
        results.verdicts[verdict.exercise] = verdict
        _publish(home, results, start, PENDING)

    done = grade_notebook(rebuilt.notebook, isolation=isolation, limits=LIMITS, seed=seed, judged=judged)
    results.verdicts = {verdict.exercise: verdict for verdict in done.verdicts}
    notes += [*rebuilt.notes, *done.notes]
    if done.waited:
        results.said.append("Some of your code was stopped by the clock: it waits, or the machine was busy.")
    _publish(home, results, start)
    print("\n".join(["To look at:", *notes] if notes else ["Nothing to look at."]), flush=True)


def _publish(home: Path, results: Results, start: float, pending: str = "") -> None:
    publish(home / "results" / "results.json", results.to_json(time.monotonic() - start, pending=pending))


def _collected(folder: Path, student: str, template: Template) -> Submission:
    """Return the version that counts, chosen as `course grade` chooses, or why there is none."""
    try:
        found = collect(
            folder,
            template.lab,
            naming=Naming(student=student),
            rebuild=lambda cells, lab: rebuild(cells, template),
        )
    except GradingError as error:
        return Submission(student, lab=template.lab, problem=error.why or error.what)
    return found.submissions[0]


def _said(submission: Submission, metadata: dict[str, Any], template: Template) -> list[str]:
    """Return what the student is told beside the verdicts."""
    if submission.problem:
        said = [f"This could not be graded. {submission.problem}"]
    else:
        said = ["These are the checks of the notebook, on new numbers."]
    if submission.path:
        said.append(
            f"File: {submission.path}{', handed in after the due date' if _is_late(metadata) else ''}."
        )
    if found := submission.rebuilt:
        said += _listed("Noticed in the notebook:", (*found.notes, *found.remarks))
    said += _listed("Your other files:", submission.others)
    if template.questions:
        names = ", ".join(f"{one.name} ({one.points:g})" for one in template.questions)
        said.append(f"Graded by hand, and not in these points: {names}.")
    return said


def _listed(title: str, lines: tuple[str, ...]) -> list[str]:
    return ["\n".join([title, *(f"- {line}" for line in lines)])] if lines else []


def _metadata(path: Path) -> dict[str, Any]:
    """Return Gradescope's account of the submission; nothing where it is missing or not what it should be."""
    with suppress(OSError, ValueError, RecursionError):
        found = json.loads(path.read_bytes())
        return found if isinstance(found, dict) else {}
    return {}


def _student(metadata: dict[str, Any]) -> str:
    """Return who handed in, by number or else address: the same for each of somebody's submissions."""
    users = metadata.get("users")
    known = [user for user in users if isinstance(user, dict)] if isinstance(users, list) else []
    return ",".join(sorted(str(user.get("id") or user.get("email") or "") for user in known))


def _is_late(metadata: dict[str, Any]) -> bool:
    with suppress(KeyError, TypeError, ValueError):
        due = datetime.fromisoformat(metadata["assignment"]["due_date"])
        return datetime.fromisoformat(metadata["created_at"]) > due
    return False


def _refuse_open(isolation: Isolation) -> None:
    if not {"namespaces", "landlock", "uid"} & set(isolation.mechanisms):
        raise GradingError(
            "Nothing was graded: a submission could read the solutions and write its own points.",
            why=" ".join(isolation.lacks),
            next_step="Leave Gradescope's container as it is: it runs as root.",
        )


if __name__ == "__main__":
    sys.exit(main(Path(*sys.argv[1:2] or ["/autograder"]), Path(__file__).resolve().parents[3]))
