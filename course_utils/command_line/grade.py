"""``course grade``: grade what a class handed in, in parallel, and report it."""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from course_utils.command_line.options import Json, LabNumber, not_empty, seconds
from course_utils.command_line.output import check_writable, console, need_part, say, say_json
from course_utils.command_line.run import end_like_ctrl_c

if TYPE_CHECKING:
    from course_utils.grading.grades import GradedClass
    from course_utils.grading.records import Collection, Limits

Submissions = Annotated[
    Path,
    typer.Argument(
        metavar="SUBMISSIONS",
        help="A folder or zip: a platform's export, or a folder, zip or notebook named after each student.",
        show_default=False,
    ),
]
Output = Annotated[
    Path | None,
    typer.Option("--output", "-o", help="Folder for grades, pages and results.", show_default=False),
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Show whose each file is and which counts, check --set, and grade nothing."
    ),
]
Roster = Annotated[
    Path | None,
    typer.Option(
        metavar="CSV",
        help="Everybody in the class: id, name (or surname, first name), e-mail.",
        show_default=False,
    ),
]
Layout = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="How the files are named, where that is not clear: moodle, canvas, blackboard, gradescope, "
        "brightspace, nbgrader, exchange, github, google, names or groups.",
        show_default=False,
    ),
]
Mapping = Annotated[
    Path | None,
    typer.Option(
        metavar="CSV",
        help="Whose a file or a folder is, where its name does not tell: file,student.",
        show_default=False,
    ),
]
Seed = Annotated[int, typer.Option(help="Determines the inputs of every student's checks.")]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs", "-j", min=1, metavar="N", help="Processes; default: one per core.", show_default=False
    ),
]
Corrections = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        "--manual",
        metavar="LINE|CSV",
        help='Points and comments by hand: student,exercise,points,"comment", or a file of such lines. Kept '
        "for later runs; a line without points and comment takes one back. Repeatable.",
        show_default=False,
    ),
]
Regrade = Annotated[
    list[str] | None,
    typer.Option(metavar="STUDENT", help="Grade this student again. Repeatable.", show_default=False),
]
Due = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        callback=not_empty,
        help='When the labs are due, such as "2026-12-01 23:59 Europe/Berlin". Kept for later runs.',
        show_default=False,
    ),
]
Late = Annotated[
    str | None,
    typer.Option(
        metavar="RULE",
        callback=not_empty,
        help='What late work loses: "10% per day, 3 days" of the maximum, "2 points per hour", "no late", '
        '"no penalty".',
        show_default=False,
    ),
]
Grace = Annotated[
    str | None,
    typer.Option(
        metavar="LENGTH",
        callback=not_empty,
        help="By how much later is not late: 15m, 2h.",
        show_default=False,
    ),
]
DeadlinesFile = Annotated[
    Path | None,
    typer.Option(
        "--deadlines",
        metavar="TOML",
        help="Due dates by lab, and extensions by student, in place of those that were kept.",
        show_default=False,
    ),
]
TimeLimit = Annotated[
    float | None,
    typer.Option(
        metavar="SECONDS",
        min=1,
        callback=seconds,
        help="For one cell, and for all calls of one exercise; everyone is graded again. Default: 10.",
        show_default=False,
    ),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS", help="Grade on this Dask cluster, e.g. tcp://host:8786.", show_default=False
    ),
]
Unexplained = Annotated[
    Path | None,
    typer.Option(
        metavar="TOML",
        help="Write the wrong answers that no misconception explains, without names.",
        show_default=False,
    ),
]
RequireIsolation = Annotated[
    str | None,
    typer.Option(
        "--require-isolation",
        metavar="full",
        help="Grade nothing unless submissions can be fully isolated.",
        show_default=False,
    ),
]


def grade(
    submissions: Submissions,
    output: Output = None,
    lab: LabNumber = None,
    dry_run: DryRun = False,
    roster: Roster = None,
    layout: Layout = None,
    mapping: Mapping = None,
    seed: Seed = 0,
    jobs: Jobs = None,
    corrections: Corrections = None,
    regrade: Regrade = None,
    due: Due = None,
    late: Late = None,
    grace: Grace = None,
    deadlines: DeadlinesFile = None,
    time_limit: TimeLimit = None,
    unexplained: Unexplained = None,
    scheduler: Scheduler = None,
    require_isolation: RequireIsolation = None,
    json: Json = False,
) -> None:
    """Grade submissions, and report to you and to each student.

    It writes grades.csv, grades.json, a page for each student and one for
    you. Before it grades, it shows whose each file is; where the names do not
    say so, it stops and asks. Only the answers of a submission run, with the
    helpers that they use, between the cells of solutions/. They run in the
    strictest sandbox that this machine supports,
    and the report says which. The same command, run again, grades only what
    is new or has changed.

    Exit code 1 if nothing was graded, or if a submission could not be graded
    for a reason that is not its own; 130 after Ctrl-C.
    """
    need_part("grading", "does not grade")

    from course_utils.command_line.progress import GradingProgress
    from course_utils.errors import SettingsError
    from course_utils.grading.collect import Naming
    from course_utils.grading.deadlines import GivenDates
    from course_utils.grading.grade_class import collect_class, grade_class
    from course_utils.grading.grade_many import cluster, this_machine
    from course_utils.grading.report import write_report
    from course_utils.grading.result_store import publish
    from course_utils.grading.template import title_of
    from course_utils.grading.unexplained import as_toml
    from course_utils.notebooks.layout import find_checkout, find_labs

    if require_isolation not in (None, "full"):
        raise SettingsError(
            f"--require-isolation is {require_isolation!r}.", why="It can be full or left out."
        )
    if scheduler and jobs:
        raise SettingsError(
            "--jobs is for this machine, --scheduler for another.", next_step="Give one of them."
        )
    if output is None and not dry_run:
        raise SettingsError(
            "--output is missing.", next_step="Give a folder for grades, pages and results, or --dry-run."
        )
    root = find_checkout()
    labs = find_labs(root, lab)
    naming = Naming(layout, mapping, roster)
    dates = GivenDates(due or "", late or "", grace or "", deadlines)
    shown: Callable[[Collection], None] = (lambda collection: None) if json else _show
    if output is not None:
        check_writable(output, "Give --output another folder.", folder=True)
    if unexplained is not None:
        check_writable(unexplained, "Give --unexplained another file.")
    if output is None or dry_run:
        collection = collect_class(
            submissions,
            output,
            root=root,
            lab=lab,
            naming=naming,
            corrections=corrections or (),
            regrade=regrade or (),
            dates=dates,
            collected=shown,
        )
        if json:
            say_json(_collected(collection))
        return
    end_like_ctrl_c(signal.SIGTERM)
    with (
        cluster(scheduler) if scheduler else nullcontext(this_machine(jobs)) as workers,
        GradingProgress() as progress,
    ):
        try:
            graded = grade_class(
                submissions,
                output,
                root=root,
                workers=workers,
                lab=lab,
                naming=naming,
                seed=seed,
                limits=_limits(time_limit),
                corrections=corrections or (),
                regrade=regrade or (),
                dates=dates,
                require_full=require_isolation == "full",
                collected=shown,
                started=progress.start,
                done=lambda result: progress.advance(),
                stopping=progress.stopping,
            )
        except KeyboardInterrupt:
            progress.say("Stopped; what was graded is kept. The same command continues from there.")
            raise typer.Exit(130) from None
    page = write_report(graded, output, {one.number: title_of(one) for one in labs})
    if unexplained:
        publish(unexplained, as_toml(graded.unexplained))
    if json:
        say_json(_summary(graded, page))
    else:
        say(_told(graded, page))
        if unexplained:
            say(f"Unexplained wrong answers: {len(graded.unexplained)}, in {unexplained.resolve()}")
    raise typer.Exit(1 if any(row.result.failed for row in graded.rows) else 0)


def _limits(seconds: float | None) -> Limits:
    from course_utils.grading.records import Limits

    if seconds is None:
        return Limits()
    return Limits(cell_seconds=seconds, call_seconds=seconds, notebook_seconds=12 * seconds)


def _collected(collection: Collection) -> dict[str, Any]:
    return {"layout": collection.layout, "files": [asdict(file) for file in collection.files]}


def _show(collection: Collection) -> None:
    """Print whose each file is."""
    from rich.markup import escape
    from rich.table import Table

    students = {submission.student for submission in collection.submissions if submission.path}
    table = Table(
        "student",
        "lab",
        "file",
        "time",
        "why",
        title=f"{len(students)} students, from {collection.layout}",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    for file in collection.files:
        lab = "" if file.lab is None else str(file.lab)
        time = f"{file.time:%Y-%m-%d %H:%M %Z}".strip() if file.time else ""
        table.add_row(*(escape(text) for text in (file.student or "?", lab, file.path, time, file.why)))
    console(wide=150).print(table)


def _summary(graded: GradedClass, page: Path) -> dict[str, Any]:
    from course_utils.grading.report.uploads import uploads

    return {
        "submissions": len(graded.rows),
        "graded": graded.graded,
        "kept": graded.kept,
        "not graded": [
            {"student": row.student, "lab": row.lab, "why": row.problem}
            for row in graded.rows
            if row.status == "not graded"
        ],
        "look": sum(row.needs_look for row in graded.rows),
        "late": sum(row.is_late for row in graded.rows),
        "similar": len(graded.similar),
        "unexplained": len(graded.unexplained),
        "isolation": graded.isolation.level,
        "page": str(page.resolve()),
        "grades": str((page.parent / "grades.csv").resolve()),
        "feedback": [
            {"file": one.name, "students": len(one.rows), "left out": list(one.left_out)}
            for one in uploads(graded.rows)
        ],
    }


def _told(graded: GradedClass, page: Path) -> str:
    from course_utils.grading.report.uploads import uploads

    lines = [f"Isolation: {graded.isolation.level}."]
    lines += [f"  weakness: {text}" for text in graded.isolation.lacks]
    problems = [row for row in graded.rows if row.status == "not graded"]
    lines.append(
        f"{len(graded.rows)} submissions: {graded.graded} graded now, {graded.kept} before, "
        f"{len(problems)} not graded."
    )
    lines += [f"  {row.student}: {row.problem}" for row in problems[:10]]
    lines += [f"  … and {len(problems) - 10} more"] if len(problems) > 10 else []
    lines += graded.problems
    lines += [f"Lab {lab:02}: {one.words()}" for lab, one in graded.deadlines.items()]
    late = sum(row.is_late for row in graded.rows)
    lines += [f"{late} late."] if late else []
    look = sum(row.needs_look for row in graded.rows)
    lines += [f"Please look at {look} of them; the page says why."] if look else []
    if any(row.open for row in graded.rows):
        lines.append("Open questions wait for your points.")
    if look or any(row.open for row in graded.rows):
        lines.append(f"By hand: course review {page.parent}")
    lines += [f"Feedback for the students: {(page.parent / 'feedback').resolve()}"]
    lines += [f"  {one.lacks}" for one in uploads(graded.rows) if one.lacks]
    return "\n".join([*lines, f"Page: {page.resolve()}"])
