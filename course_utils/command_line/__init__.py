"""The ``course`` command. Every subcommand imports what it needs when it runs: ``course --help`` is quick.

Exit codes: 0, all is well; 1, something failed, and the command said so; 2, the command was called with
unknown values; 130, interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import course_utils.notebooks  # noqa: F401  before nbformat
from course_utils.errors import CourseError, SettingsError
from course_utils.terminal import fall_back_to_ascii


def main(arguments: Sequence[str] | None = None) -> int:
    """Run ``course`` with `arguments` (by default those of the process) and return its exit code."""
    fall_back_to_ascii()
    try:
        from course_utils.command_line.app import app

        app(args=arguments, prog_name="course")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else int(bool(stop.code))
    except CourseError as error:
        print(error, file=sys.stderr)
        return 2 if isinstance(error, SettingsError) else 1
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "course_utils"):
            raise
        print(_lacks(package), file=sys.stderr)
        return 1
    except OSError as error:
        print(_refused(error), file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    return 0


def _refused(error: OSError) -> CourseError:
    where = f" ({error.filename})" if error.filename else ""
    return CourseError(
        "The system refuses what this command needs.",
        why=f"{error.strerror or error}{where}.",
        next_step="Run course doctor: it looks at disk, memory and permissions.",
    )


def _lacks(package: str) -> CourseError:
    return CourseError(
        f"This command needs {package}.",
        why="It is not installed: where the labs run on Colab or Kaggle, the course comes without its tools.",
        next_step=f"{sys.executable} -m pip install {package}",
    )
