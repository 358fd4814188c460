"""The ``course`` command. Every subcommand imports what it needs when it runs: ``course --help`` is quick.

Exit codes: 0, all is well; 1, something failed and was said; 2, the command was called with values that it
does not know; 130, interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from course_utils import __version__
from course_utils.command_line import bench, build, check, data, doctor, grade, lab, release, run
from course_utils.errors import CourseError, SettingsError

app = typer.Typer(
    name="course",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(doctor.doctor)
app.add_typer(data.app, name="data")
app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(lab.lab)
app.command()(check.check)
app.command()(run.run)
app.command()(build.build)
app.command()(release.release)
app.command()(grade.grade)
app.command()(bench.bench)


@app.callback(invoke_without_command=True)
def course(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    """Labs on convolutional networks: open, check, run, build, release and grade them."""
    if version:
        typer.echo(f"course {__version__}")
        raise typer.Exit


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``course`` with `arguments` (by default those of the process) and return its exit code."""
    try:
        app(args=arguments, prog_name="course")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(bool(stop.code))
    except CourseError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, SettingsError) else 1
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    return 0
