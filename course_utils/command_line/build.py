"""``course build``: text and notebook in step, outputs made, student notebooks derived."""

from __future__ import annotations

import sys

import typer

from course_utils.errors import NotebookError


def build(
    lab: int = typer.Option(None, "--lab", "-l", metavar="N", help="Only this lab.", show_default=False),
    check: bool = typer.Option(
        False, "--check", help="Write nothing, execute nothing; fail if a build would change a file."
    ),
    force: bool = typer.Option(False, "--force", help="Execute the notebooks although no code changed."),
    profile: str = typer.Option(
        None,
        help="lecture, fast or quick. Default: the profile of the outputs that are there, else fast.",
        show_default=False,
    ),
    timeout: float = typer.Option(None, help="Seconds that one cell may take.", show_default=False),
) -> None:
    """Build solutions/*.ipynb and labs/*.ipynb from solutions/*.py.

    An edit of either twin, text or notebook, goes into the other; if both were edited differently, nothing is written.
    A notebook is executed again only if its code changed.
    """
    from course_utils import settings
    from course_utils.notebooks.build import build as build_lab
    from course_utils.notebooks.build import check as check_lab
    from course_utils.notebooks.layout import find_checkout, find_labs

    if profile is not None:
        settings.check_profile(profile)
    labs = find_labs(find_checkout(), lab)
    if check:
        differences = [difference for one in labs for difference in check_lab(one)]
        for difference in differences:
            typer.echo(str(difference))
        if not differences:
            typer.echo(f"Up to date: {', '.join(one.name for one in labs)}.")
        raise typer.Exit(1 if differences else 0)

    from course_utils.command_line.progress import CellProgress
    from course_utils.notebooks.kernel import CellFailure, execute

    failed = False
    for one in labs:
        with CellProgress() as progress:

            def execute_here(notebook, chosen, one=one, progress=progress):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
                progress.start(f"{one.name} ({chosen})")
                execute(
                    notebook,
                    one.solution.parent,
                    environment={"COURSE_PROFILE": chosen},
                    timeout=timeout,
                    progress=progress.cell,
                )

            try:
                built = build_lab(one, execute_here, profile=profile, force=force)
            except CellFailure as failure:
                progress.stop()
                typer.echo(f"{one.shown(one.text)}: {failure}\nNothing of this lab was written.", err=True)
                failed = True
                continue
            except NotebookError as error:
                progress.stop()
                typer.echo(str(error), err=True)
                failed = True
                continue
        how = f"executed ({built.executed})" if built.executed else "outputs kept"
        typer.echo(f"{one.name}: {', '.join(built.written) + ', ' + how if built.written else 'up to date'}")
        for note in built.notes:
            typer.echo(f"  note: {note}")
    if failed:
        sys.stdout.flush()
        raise typer.Exit(1)
