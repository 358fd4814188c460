"""What the commands print: lines, JSON and tables, to streams of any encoding."""

from __future__ import annotations

import errno
import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course_utils.errors import CourseError
from course_utils.files import check_place
from course_utils.terminal import printable

if TYPE_CHECKING:
    from rich.console import Console


def say(line: object = "", *, err: bool = False) -> None:
    """Print a line at once. `typer.echo` would write UTF-8 where the terminal expects ASCII."""
    print(line, file=sys.stderr if err else sys.stdout, flush=True)


def say_json(value: Any) -> None:
    """Print plain values as JSON."""
    say(json.dumps(value, indent=2, default=str))


def need_part(name: str, lacking: str) -> None:
    """Refuse where a part of the course is left out, as it is for students.

    Parameters
    ----------
    name : str
        The part, a folder of ``course_utils``.
    lacking : str
        What the copy without it does not do: ``"does not grade"``.

    Raises
    ------
    CourseError
        If it is left out.
    """
    if not (Path(__file__).parents[1] / name).is_dir():
        raise CourseError(f"This is the students' package: it {lacking}.")


def check_writable(path: Path, next_step: str, *, folder: bool = False) -> None:
    """Make sure that the result of a command can be written, before the work; nothing is left behind.

    Parameters
    ----------
    path : Path
        The file; with `folder`, the folder of several. What is missing above it would be made.
    next_step : str
        What the user does if it cannot.

    Raises
    ------
    CourseError
        If it cannot be written, with what the system says.
    """
    place, file = (path, path / "index.html") if folder else (path.parent, path)
    made: list[Path] = []
    try:
        if file.is_dir():
            raise IsADirectoryError(errno.EISDIR, "It is a folder")
        if file.exists() and not os.access(file, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        for each in [*reversed(place.parents), place]:
            if not each.exists():
                each.mkdir()
                made.append(each)
        check_place(file)
    except (OSError, ValueError) as error:
        raise CourseError(
            f"Nothing can be written to {path}.",
            why=f"{getattr(error, 'strerror', None) or error}.",
            left="Everything: the command has not begun.",
            next_step=next_step,
        ) from None
    finally:
        for each in reversed(made):
            with suppress(OSError):
                each.rmdir()


def console(*, wide: int | None = None, stderr: bool = False) -> Console:
    """Return a console for tables: as wide as the terminal, or `wide` columns where there is none."""
    from rich.console import Console
    from rich.text import Text

    class Printable(Console):
        def render_str(self, text: str, **options: Any) -> Text:
            # Replaced before rich counts columns. A path that is too long is wrapped, not cut.
            return super().render_str(printable(text, self.file), **({"overflow": "fold"} | options))

    made = Printable(stderr=stderr)
    return made if made.is_terminal or wide is None else Printable(stderr=stderr, width=wide)
