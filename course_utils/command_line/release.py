"""``course release``: the students' package, as a folder and a zip."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from course_utils.command_line.options import Json
from course_utils.command_line.output import check_writable, say, say_json

Directory = Annotated[
    Path, typer.Argument(metavar="DIR", help="Gets convnet-labs/ and convnet-labs.zip.", show_default=False)
]
Labs = Annotated[
    str | None, typer.Option(metavar="N,N", help="Only these labs, e.g. 1,2.", show_default=False)
]
Gradescope = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR",
        help="Also write an autograder for each lab, to upload to Gradescope. It holds the lab's solution.",
        show_default=False,
    ),
]


def release(
    directory: Directory, labs: Labs = None, gradescope: Gradescope = None, json: Json = False
) -> None:
    """Write what students get: the notebooks, a README, and the course to install.

    The bytes are the same wherever and whenever you make it. Solutions, tests and grading are not part of it;
    the references that the checks compare with are, inside course_utils. If the labs are out of step with
    their solutions or would show one, or if Git neither knows nor ignores a file in course_utils, nothing is
    written and the exit code is 1.
    """
    from course_utils.errors import SettingsError
    from course_utils.notebooks.layout import find_checkout, find_labs
    from course_utils.notebooks.release import NAME
    from course_utils.notebooks.release import release as write

    root = find_checkout()
    try:
        numbers = sorted({int(number) for number in labs.split(",")}) if labs else []
    except ValueError:
        raise SettingsError(f"--labs is {labs!r}.", why="It takes numbers, for example 1,2.") from None
    chosen = [lab for number in numbers for lab in find_labs(root, number)] or find_labs(root)
    check_writable(directory, "Release to another folder.", folder=True)
    if gradescope is not None:
        if gradescope.resolve().is_relative_to((directory / NAME).resolve()):
            raise SettingsError(
                f"--gradescope is {gradescope}, inside the students' folder.",
                why="Autograders hold the solutions.",
                next_step="Give it a folder elsewhere.",
            )
        check_writable(gradescope, "Give --gradescope another folder.", folder=True)
    done = write(chosen, directory)
    autograders: list[Path] = []
    if gradescope is not None:
        from course_utils.grading.gradescope.autograder_zip import write_autograders

        autograders = write_autograders(chosen, gradescope)
    if json:
        made = {"folder": str(done.folder), "zip": str(done.archive), "files": done.files}
        say_json({**made, "labs": [lab.name for lab in chosen], "gradescope": list(map(str, autograders))})
    else:
        say(f"Released {', '.join(lab.name for lab in chosen)}: {done.folder} and {done.archive}")
        if autograders:
            say(f"For Gradescope, with solutions: {', '.join(map(str, autograders))}")
