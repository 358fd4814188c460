"""All commands of ``course``."""

from __future__ import annotations

import platform
from importlib import metadata
from shutil import get_terminal_size
from typing import Annotated

import typer

from course_utils import __version__
from course_utils.command_line import (
    bench,
    build,
    check,
    data,
    doctor,
    grade,
    lab,
    release,
    review,
    run,
    site,
)
from course_utils.command_line.output import say

_COLUMNS = get_terminal_size().columns
# Narrower than this, rich would cut the names of options.
_NARROW = _COLUMNS if _COLUMNS < 70 else None

app = typer.Typer(
    name="course",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None if _NARROW else "rich",
    context_settings={"help_option_names": ["-h", "--help"], "terminal_width": _NARROW},
)
app.command()(doctor.doctor)
app.add_typer(data.app, name="data")
app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(lab.lab)
app.command()(check.check)
app.command()(run.run)
app.command()(build.build)
app.command()(release.release)
app.command()(site.site)
app.command()(grade.grade)
app.command()(review.review)
app.command()(bench.bench)


@app.callback(invoke_without_command=True)
def course(
    version: Annotated[
        bool, typer.Option("--version", help="Print the versions of course, Python and PyTorch.")
    ] = False,
) -> None:
    """Labs on convolutional networks: open, check, run, build, release and grade them."""
    if version:
        # Not torch.__version__, whose import takes two seconds.
        versions = f"Python {platform.python_version()} · torch {metadata.version('torch')}"
        say(f"course {__version__} · {versions}")
        raise typer.Exit
