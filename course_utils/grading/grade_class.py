"""Grade a class: collect, rebuild, run, add points given by hand, and list what needs a human."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from course_utils import exercises
from course_utils.errors import GradingError
from course_utils.grading.collect import Naming, collect
from course_utils.grading.grade_many import Grade, Workers, grade_task, grade_tasks
from course_utils.grading.grades import GradedClass, GradeRow, Result, UnexplainedAnswer
from course_utils.grading.manual_points import ManualPoints, match_points
from course_utils.grading.rebuild import rebuild
from course_utils.grading.records import Collection, Limits, Rebuilt, Submission
from course_utils.grading.result_store import Store, Task, seed_of
from course_utils.grading.similarity import SimilarPair, find_similar
from course_utils.grading.template import Template, read_template
from course_utils.grading.unexplained import find_unexplained
from course_utils.notebooks.layout import find_labs


@dataclass(frozen=True)
class _Prepared:
    submission: Submission
    rebuilt: Rebuilt
    task: Task


def collect_class(
    submissions: Path,
    *,
    root: Path,
    lab: int | None = None,
    naming: Naming | None = None,
) -> Collection:
    """Find what each student handed in, without grading it; the parameters are those of `grade_class`."""
    return _collect(submissions, _templates(root, lab), lab, naming)


def _templates(root: Path, lab: int | None) -> dict[int, Template]:
    return {one.number: read_template(one) for one in find_labs(root, lab)}


def _collect(
    submissions: Path, templates: Mapping[int, Template], lab: int | None, naming: Naming | None
) -> Collection:
    return collect(
        submissions,
        lab,
        naming=naming,
        rebuild=lambda cells, number: rebuild(cells, templates[number]) if number in templates else None,
    )


def grade_class(
    submissions: Path,
    output: Path,
    *,
    root: Path,
    workers: Workers,
    lab: int | None = None,
    naming: Naming | None = None,
    seed: int = 0,
    manual: Path | None = None,
    require_full: bool = False,
    collected: Callable[[Collection], None] = lambda collection: None,
    started: Callable[[int, int], None] = lambda todo, kept: None,
    done: Callable[[Result], None] = lambda result: None,
    stopping: Callable[[int], None] = lambda running: None,
    grade: Grade = grade_task,
) -> GradedClass:
    """Grade what a class handed in.

    Parameters
    ----------
    submissions, output : Path
        The submissions, and the folder for results; neither may be inside the other.
    root : Path
        The checkout with ``solutions/``.
    workers : Workers
    lab : int, optional
        Only this lab.
    naming : Naming, optional
        What the instructor says about whose files are.
    seed : int, optional
        From it and the student's name, the inputs of every student's checks are drawn.
    manual : Path, optional
        CSV with points for open questions.
    require_full : bool, optional
        Refuse to grade where isolation is not full.
    collected, started, done, stopping : callable, optional
        Called with what was found, before grading; the numbers to grade and kept; each result; after Ctrl-C,
        the number still running.
    grade : callable, optional
        What a worker does.

    Raises
    ------
    GradingError
        If there is nothing to grade, or if isolation is not full although that is required.
    """
    _keep_apart(submissions, output)
    templates = _templates(root, lab)
    isolation = workers.isolation()
    if require_full and isolation.level != "full":
        raise GradingError(
            "Nothing was graded: isolation is not full here.",
            why=" ".join(isolation.lines()),
            left="The results of earlier runs.",
            next_step="Grade on a machine that allows namespaces, or leave out --require-isolation.",
        )
    collection = _collect(submissions, templates, lab, naming)
    collected(collection)
    handed_in = {submission.lab for submission in collection.submissions}
    templates = {number: template for number, template in templates.items() if number in handed_in}
    prepared = _prepare(collection, seed, isolation.level)
    points = match_points(
        manual,
        [(s.student, s.number, s.lab) for s in collection.submissions if s.lab is not None],
        {number: template.questions for number, template in templates.items()},
    )
    failed: dict[str, Result] = {}

    def took(key: str, result: Result) -> None:
        if result.failed:
            failed[key] = result
        done(result)

    with _alone(output):
        store = Store(output / "results")
        tasks = {key: one.task for key, one in prepared.items() if store.get(key) is None}
        started(len(tasks), len(prepared) - len(tasks))
        grade_tasks(tasks, store, workers, grade=grade, done=took, stopping=stopping)
    return GradedClass(
        rows=_rows(collection, prepared, store, failed, points),
        isolation=isolation,
        graded_by=workers.where,
        seed=seed,
        graded=len(tasks) - len(failed),
        kept=len(prepared) - len(tasks),
        similar=_similar(prepared, templates),
        unread=collection.unread,
        problems=[f"{manual.name}, {problem}" for problem in points.problems] if manual else [],
        unexplained=_unexplained(prepared, store),
    )


def _keep_apart(submissions: Path, output: Path) -> None:
    inside, outside = output.resolve(), submissions.resolve()
    if inside.is_relative_to(outside) or outside.is_relative_to(inside):
        raise GradingError(
            f"One of these folders is inside the other: {submissions}, {output}.",
            why="Submissions must not be mistaken for results, nor results for submissions.",
            left="Everything.",
            next_step="Give --output a folder elsewhere.",
        )


@contextmanager
def _alone(output: Path) -> Iterator[None]:
    """Lock the folder of results, so that two runs do not grade the same submissions at once."""
    from filelock import FileLock, Timeout

    output.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(output / ".lock", timeout=0):
            yield
    except Timeout:
        raise GradingError(
            f"Another run of course grade is writing to {output}.",
            left="Everything.",
            next_step="Wait for it, or give --output another folder.",
        ) from None


def _prepare(collection: Collection, seed: int, level: str) -> dict[str, _Prepared]:
    prepared = {}
    for submission in collection.submissions:
        rebuilt = submission.rebuilt
        if rebuilt is None:
            continue
        own_seed = seed_of(seed, submission.student, rebuilt.notebook.lab)
        task = Task(rebuilt.notebook, own_seed, Limits(), level)
        prepared[task.key] = _Prepared(submission, rebuilt, task)
    return prepared


def _rows(
    collection: Collection,
    prepared: Mapping[str, _Prepared],
    store: Store,
    failed: Mapping[str, Result],
    points: ManualPoints,
) -> list[GradeRow]:
    keys = {(p.submission.student, p.submission.lab): key for key, p in prepared.items()}
    rows = []
    for submission in collection.submissions:
        key = keys.get((submission.student, submission.lab), "")
        manual = points.of.get((submission.student, submission.lab or 0), ())
        light = replace(submission, rebuilt=None)
        if not key:
            rows.append(GradeRow(light, manual=manual, look=(*submission.notes, submission.problem)))
            continue
        rebuilt = prepared[key].rebuilt
        result = failed.get(key) or store.get(key) or Result(failed="Its result cannot be read.")
        result = _with_unclear(result, rebuilt.unclear)
        waiting = [f"No points yet for {p.question}." for p in manual if p.points is None]
        failure = (result.failed,) if result.failed else ()
        rows.append(
            GradeRow(
                light,
                replace(result, marks=tuple(replace(mark, card="") for mark in result.marks)),
                key,
                manual,
                (*rebuilt.notes, *rebuilt.remarks),
                (*failure, *submission.notes, *rebuilt.notes, *result.notes, *waiting),
            )
        )
    return rows


def _with_unclear(result: Result, unclear: Mapping[str, str]) -> Result:
    """Mark exercises whose cell is unclear as not graded, whatever the rest of the notebook did."""
    marks = tuple(
        replace(mark, status="not graded", earned=0, misconception=None, reason=unclear[mark.exercise])
        if mark.exercise in unclear
        else mark
        for mark in result.marks
    )
    return replace(result, marks=marks)


def _unexplained(prepared: Mapping[str, _Prepared], store: Store) -> set[UnexplainedAnswer]:
    found = set()
    for key, one in prepared.items():
        if (result := store.get(key)) is not None:
            found |= find_unexplained(result.marks, one.rebuilt.code)
    return found


def _similar(prepared: Mapping[str, _Prepared], templates: Mapping[int, Template]) -> list[SimilarPair]:
    pairs = []
    for lab, template in templates.items():
        stubs = template.stubs
        answers = {
            p.submission.student: p.rebuilt.shingles for p in prepared.values() if p.submission.lab == lab
        }
        known = {
            exercise: (stubs[exercise], own, inspect.getsource(exercises.get(exercise).reference))
            for exercise, own in template.references
        }
        pairs += find_similar(lab, answers, known)
    return pairs
