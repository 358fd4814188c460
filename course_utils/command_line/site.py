"""``course site``: the labs and guides as pages to read, without installing anything."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from course_utils.command_line.options import Json
from course_utils.command_line.output import check_writable, need_part, say, say_json

Directory = Annotated[
    Path, typer.Argument(metavar="DIR", help="A new folder, or one of an earlier site.", show_default=False)
]


def site(directory: Directory, json: Json = False) -> None:
    """Write the labs and guides as a static site, to read without installing anything.

    The labs are shown as students get them, with live figures and the outputs of the solutions. No solution
    and no model answer is on the pages; if labs and solutions are out of step, nothing is written. The pages
    need no server and no network: open index.html, or put them on a web server. The same checkout gives the
    same bytes. Only the course's own files are ever replaced.
    """
    from course_utils.notebooks.layout import find_checkout

    need_part("site", "does not write the site")
    root = find_checkout()
    check_writable(directory, "Give course site another folder.", folder=True)

    from course_utils.site.publish import publish

    files = publish(root, directory, lambda title: say(f"{title}: done", err=True))
    index = (directory / "index.html").resolve()
    if json:
        say_json({"index": str(index), "bytes": sum(files.values()), "files": files})
    else:
        pages = sum(name.endswith(".html") for name in files)
        say(f"Site: {index} ({pages} pages, {sum(files.values()) / 1e6:.1f} MB)")
