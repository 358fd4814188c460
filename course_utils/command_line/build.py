"""``course build``: text and notebook in step, outputs made, student notebooks derived."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from course_utils.command_line.options import Json, LabNumber, Timeout
from course_utils.command_line.output import check_writable, say, say_json
from course_utils.errors import CourseError

if TYPE_CHECKING:
    from nbformat import NotebookNode

    from course_utils.notebooks.build import Built
    from course_utils.notebooks.layout import Source

Profile = Annotated[
    str | None,
    typer.Option(
        help="lecture, fast or quick. Default: that of the existing outputs, else fast.",
        show_default=False,
    ),
]
Check = Annotated[
    bool, typer.Option("--check", help="Write and execute nothing; fail if a build would change a file.")
]
Force = Annotated[bool, typer.Option("--force", help="Execute the notebooks even if no code changed.")]


def build(
    lab: LabNumber = None,
    check: Check = False,
    force: Force = False,
    profile: Profile = None,
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Build solutions/*.ipynb and labs/*.ipynb from solutions/*.py.

    An edit to the text goes into the notebook and the other way round; if both were edited in different ways,
    nothing is written. A notebook is executed again only if its code changed.
    """
    from course_utils import settings
    from course_utils.notebooks.layout import find_checkout, find_sources

    if profile is not None:
        settings.check_profile(profile)
    sources = find_sources(find_checkout(), lab)
    fine = _check(sources, json) if check else _build(sources, profile, force, timeout, json)
    raise typer.Exit(0 if fine else 1)


def _check(sources: list[Source], json: bool) -> bool:
    from course_utils.notebooks.build import check

    differences = [difference for one in sources for difference in check(one)]
    if json:
        say_json([asdict(difference) for difference in differences])
    else:
        for difference in differences:
            say(difference)
        if not differences:
            say(f"Up to date: {', '.join(one.name for one in sources)}.")
    return not differences


def _build(
    sources: list[Source], profile: str | None, force: bool, timeout: float | None, json: bool
) -> bool:
    rows: list[dict[str, Any]] = []
    for one in sources:
        try:
            built = _build_one(one, profile, force, timeout)
        except CourseError as error:
            say(f"{one.name} was not built. {error}", err=True)
            rows.append({"notebook": one.name, "error": str(error)})
            continue
        rows.append(
            {"notebook": one.name, "written": built.written, "executed": built.executed, "notes": built.notes}
        )
        if not json:
            how = f"executed ({built.executed})" if built.executed else "outputs kept"
            say(f"{one.name}: {', '.join([*built.written, how]) if built.written else 'up to date'}")
            for note in built.notes:
                say(f"  note: {note}")
    if json:
        say_json(rows)
    return not any("error" in row for row in rows)


def _build_one(source: Source, profile: str | None, force: bool, timeout: float | None) -> Built:
    from course_utils.command_line.progress import CellProgress
    from course_utils.notebooks.build import build
    from course_utils.notebooks.kernel import execute

    for path in source.files:
        check_writable(path, "Build in a checkout that you can write to.")
    with CellProgress() as progress:

        def run(notebook: NotebookNode, chosen: str) -> None:
            progress.start(f"{source.name} ({chosen})")
            execute(notebook, source.text.parent, profile=chosen, timeout=timeout, progress=progress.cell)

        return build(source, run, profile=profile, force=force)
