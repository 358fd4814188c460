"""Grade a class: collect, rebuild, run, add the instructor's corrections, and list what needs a human."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from course_utils import exercises
from course_utils.errors import GradingError
from course_utils.grading import deadlines
from course_utils.grading.collect import Naming, collect
from course_utils.grading.collect.roster import Roster, read_roster
from course_utils.grading.corrections import KEPT, Corrections, read_corrections
from course_utils.grading.deadlines import Deadlines, GivenDates, read_deadlines
from course_utils.grading.grade_many import Grade, Workers, grade_task, grade_tasks
from course_utils.grading.grades import GradedClass, GradeRow, Result, UnexplainedAnswer
from course_utils.grading.rebuild import rebuild
from course_utils.grading.records import Collection, Limits, Question, Rebuilt, Submission
from course_utils.grading.result_store import Store, Task, alone, publish, publish_corrections, seed_of
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
    output: Path | None = None,
    *,
    root: Path,
    lab: int | None = None,
    naming: Naming | None = None,
    corrections: Sequence[str] = (),
    regrade: Sequence[str] = (),
    dates: GivenDates | None = None,
    collected: Callable[[Collection], None] = lambda collection: None,
) -> Collection:
    """Find what each student handed in and check what is given by hand, but grade and write nothing.

    The parameters are those of `grade_class`, and so are the mistakes that it raises.
    """
    if output is not None:
        _keep_apart(submissions, output)
    templates = _templates(root, lab)
    collection = _collect(submissions, templates, lab, naming)
    collected(collection)
    people = _people(collection, naming)
    _words(collection, templates, output, people, corrections, regrade)
    _dates(templates, output, people, dates)
    return collection


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
    limits: Limits | None = None,
    corrections: Sequence[str] = (),
    regrade: Sequence[str] = (),
    dates: GivenDates | None = None,
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
    limits : Limits, optional
        What a submission may use.
    corrections, regrade : sequence of str, optional
        Points and comments given by hand, and students to grade again: see `read_corrections`.
    dates : GivenDates, optional
        When the labs are due, and what late work loses: see `read_deadlines`.
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
    people = _people(collection, naming)
    kept = _content(output / KEPT)
    words = _words(collection, templates, output, people, corrections, regrade)
    due = _dates(templates, output, people, dates)
    prepared = _prepare(collection, seed, limits or Limits(), isolation.level)
    failed: dict[str, Result] = {}

    def took(key: str, result: Result) -> None:
        if result.failed:
            failed[key] = result
        done(result)

    with alone(output):
        if _content(output / KEPT) != kept:  # somebody has saved points meanwhile
            words = _words(collection, templates, output, people, corrections, regrade)
        store = Store(output / "results")
        if corrections:
            publish_corrections(output, words)
        if due.text:
            publish(output / deadlines.KEPT, due.text)
        for key, one in prepared.items():
            if one.submission.student in words.regrade:
                store.drop(key)
        tasks = {key: one.task for key, one in prepared.items() if store.get(key) is None}
        started(len(tasks), len(prepared) - len(tasks))
        grade_tasks(tasks, store, workers, grade=grade, done=took, stopping=stopping)
    rows = _rows(_with_corrected(collection.submissions, words), prepared, store, failed, words, due)
    handed_in = {row.lab for row in rows}
    return GradedClass(
        rows=rows,
        isolation=isolation,
        graded_by=workers.where,
        seed=seed,
        graded=len(tasks) - len(failed),
        kept=len(prepared) - len(tasks),
        similar=_similar(prepared, templates),
        unread=collection.unread,
        problems=[*words.problems, *due.problems],
        unexplained=_unexplained(prepared, store),
        deadlines={lab: one for lab, one in due.of.items() if lab in handed_in},
        people=people,
        questions=_questions(templates, words),
        references={number: dict(template.references) for number, template in templates.items()},
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


def _prepare(collection: Collection, seed: int, limits: Limits, level: str) -> dict[str, _Prepared]:
    prepared = {}
    for submission in collection.submissions:
        rebuilt = submission.rebuilt
        if rebuilt is None:
            continue
        own_seed = seed_of(seed, submission.student, rebuilt.notebook.lab)
        task = Task(rebuilt.notebook, own_seed, limits, level)
        prepared[task.key] = _Prepared(submission, rebuilt, task)
    return prepared


def _words(
    collection: Collection,
    templates: Mapping[int, Template],
    output: Path | None,
    people: Roster,
    corrections: Sequence[str],
    regrade: Sequence[str],
) -> Corrections:
    handed_in = {submission.lab for submission in collection.submissions}
    asked = {
        number: {question.name: question.points for question in template.questions}
        for number, template in templates.items()
        if number in handed_in
    }
    return read_corrections(
        corrections,
        output / KEPT if output else None,
        people=people,
        labs=list(templates),
        questions=asked,
        regrade=regrade,
    )


def _dates(
    templates: Mapping[int, Template], output: Path | None, people: Roster, given: GivenDates | None
) -> Deadlines:
    kept = output / deadlines.KEPT if output else None
    return read_deadlines(given or GivenDates(), kept, people=people, labs=list(templates))


def _content(file: Path) -> bytes | None:
    return file.read_bytes() if file.exists() else None


def _people(collection: Collection, naming: Naming | None) -> Roster:
    roster = read_roster(naming.roster) if naming and naming.roster else Roster(())
    return roster.of_students((one.student, one.number) for one in collection.submissions)


def _questions(templates: Mapping[int, Template], words: Corrections) -> dict[int, tuple[Question, ...]]:
    """Return the open questions by lab, also those that stand in no notebook."""
    known = {(number, one.name): one for number, template in templates.items() for one in template.questions}
    return {
        number: tuple(
            known.get((number, name)) or Question(name, most)
            for name, most in words.asked.get(number, {}).items()
        )
        for number in templates
    }


def _with_corrected(collected: Sequence[Submission], words: Corrections) -> list[Submission]:
    """Add labs that were not handed in, or cannot be read, and have points all the same."""
    submissions = list(collected)
    known = {(one.student, one.lab) for one in submissions}
    for student, lab in sorted(words.with_points() - known):
        places = [i for i, one in enumerate(submissions) if one.student == student]
        unread = next((i for i in places if submissions[i].lab is None), None)
        if unread is not None:
            submissions[unread] = replace(submissions[unread], lab=lab)
        else:
            one = submissions[places[0]]
            absent = "This lab was not handed in."
            nothing = Submission(student, one.number, lab=lab, problem=absent, email=one.email)
            submissions.insert(places[-1] + 1, nothing)
    return submissions


def _rows(
    submissions: Sequence[Submission],
    prepared: Mapping[str, _Prepared],
    store: Store,
    failed: Mapping[str, Result],
    words: Corrections,
    due: Deadlines,
) -> list[GradeRow]:
    keys = {(p.submission.student, p.submission.lab): key for key, p in prepared.items()}
    rows = []
    for submission in submissions:
        key = keys.get((submission.student, submission.lab), "")
        row = GradeRow(
            replace(submission, rebuilt=None),
            key=key,
            corrections=words.exercises(submission.student, submission.lab),
            questions=words.questions(submission.student, submission.lab),
            comment=words.comment(submission.student, submission.lab),
            timing=due.timing(submission),
        )
        notes: tuple[str, ...] = ()
        if key:
            rebuilt = prepared[key].rebuilt
            result = failed.get(key) or store.get(key) or Result(failed="Its result cannot be read.")
            result = _with_unclear(result, rebuilt.unclear)
            row = replace(
                row,
                result=replace(result, marks=tuple(replace(mark, card="") for mark in result.marks)),
                remarks=(*rebuilt.notes, *rebuilt.remarks),
                written=rebuilt.written,
            )
            notes = (*rebuilt.notes, *result.notes)
        rows.append(replace(row, look=_look(row, notes)))
    return rows


def _look(row: GradeRow, notes: Sequence[str]) -> tuple[str, ...]:
    """Return why a human should look at a row; where the instructor has given points, that is done."""
    settled = (
        *(
            start
            for exercise in map(exercises.get, filter(row.is_corrected, row.corrections))
            for start in (f"{exercise.id}: ", f"Exercise {exercise.number} ({exercise.id}): ")
        ),
        *(f"{one.name}: " for one in row.questions if one.points is not None),
    )
    return (
        *([row.problem] if row.status == "not graded" else []),
        *row.submission.notes,
        *(row.timing.look() if row.timing else ()),
        *(note for note in notes if not note.startswith(settled)),
    )


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
        if not answers:
            continue
        known = {
            exercise: (stubs[exercise], own, inspect.getsource(exercises.get(exercise).reference))
            for exercise, own in template.references
        }
        pairs += find_similar(lab, answers, known)
    return pairs
