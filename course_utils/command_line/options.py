"""Options that several commands share."""

from __future__ import annotations

from typing import Annotated

import typer

LabNumber = Annotated[
    int | None, typer.Option("--lab", "-l", metavar="N", help="Only this lab.", show_default=False)
]
Timeout = Annotated[
    float | None, typer.Option(metavar="SECONDS", help="How long one cell may take.", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, to stdout.")]
