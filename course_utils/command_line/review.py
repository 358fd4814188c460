"""``course review``: give points and comments by hand, in the browser."""

from __future__ import annotations

import signal
import tempfile
import threading
import webbrowser
from contextlib import suppress
from html import escape
from pathlib import Path
from typing import Annotated

import typer

from course_utils.command_line.output import check_writable, need_part, say
from course_utils.command_line.run import end_like_ctrl_c

Graded = Annotated[
    Path, typer.Argument(metavar="OUT", help="The folder that course grade wrote.", show_default=False)
]
Port = Annotated[
    int,
    typer.Option(
        min=0, max=65535, metavar="N", help="Port on this machine; default: a free one.", show_default=False
    ),
]
NoBrowser = Annotated[bool, typer.Option("--no-browser", help="Print the address, and open it yourself.")]


def review(output: Graded, port: Port = 0, no_browser: NoBrowser = False) -> None:
    """Review by hand what the checks cannot: open questions, and answers that need a look.

    It opens a page in your browser: what one student wrote, beside the
    question and the model answer, or the check's card; all answers to a
    question after each other. Points and comments are saved at once, as with
    course grade --set, in OUT/corrections.csv. When you are done, end it with
    Ctrl-C and run the same course grade command as before: it brings pages
    and tables up to date, and runs no answer again.

    The page is served to this machine only, and only under the address that
    is printed; whoever has it can read and grade. Elsewhere, forward the port:
    ssh -L 8000:127.0.0.1:8000 HOST, and give --port 8000.
    """
    need_part("grading", "does not grade")

    from course_utils.grading.review.items import Review
    from course_utils.grading.review.server import ReviewServer

    opened = Review(output)
    check_writable(output, "Let yourself write there.", folder=True)
    end_like_ctrl_c(signal.SIGTERM)
    with ReviewServer(opened, port) as server, tempfile.TemporaryDirectory(prefix="course-review-") as folder:
        now = opened.now()
        waiting = sum(map(now.waits, now.items))
        say(f"{waiting} of {len(now.items)} answers wait in {output}. Ctrl-C ends the review.")
        say(server.url)
        if not no_browser:
            _open(server.url, Path(folder) / "review.html")
        with suppress(KeyboardInterrupt):
            server.serve_forever()
    if not opened.saved:
        say("Nothing was saved.")
    else:
        say(f"Saved: {opened.saved}, in {output / 'corrections.csv'}.")
        say("Run the same course grade command as before: it brings pages and tables up to date.")


def _open(address: str, file: Path) -> None:
    """Open an address by way of a file that nobody else can read: others see the commands that run here."""
    file.write_text(f'<meta http-equiv="refresh" content="0; url={escape(address)}">', encoding="utf-8")
    with suppress(webbrowser.Error):
        browser = webbrowser.get()
        # A browser in the terminal ends only when its user is done.
        threading.Thread(target=browser.open, args=(file.as_uri(),), daemon=True).start()
