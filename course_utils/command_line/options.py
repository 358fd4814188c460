"""Options that several commands share."""

from __future__ import annotations

import math
from typing import Annotated

import typer


def seconds(value: float | None) -> float | None:
    """Refuse what is no time: negative numbers, nothing, infinity and nan."""
    if value is not None and not 0 < value < math.inf:
        raise typer.BadParameter(f"{value:g} is no number of seconds above 0.")
    return value


def not_empty(value: str | None) -> str | None:
    """Refuse an empty text: somebody's shell variable was not set."""
    if value is not None and not value.strip():
        raise typer.BadParameter("it is empty.")
    return value


LabNumber = Annotated[
    int | None, typer.Option("--lab", "-l", metavar="N", help="Only this lab.", show_default=False)
]
Timeout = Annotated[
    float | None,
    typer.Option(metavar="SECONDS", help="How long one cell may take.", show_default=False, callback=seconds),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, and nothing else, to stdout.")]
