"""``course data``: show, fetch, verify, clear, export and serve the datasets."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from course_utils.command_line.options import Json
from course_utils.command_line.output import console, say, say_json

MEGABYTE = 10**6

app = typer.Typer(no_args_is_help=True, help="Datasets: show, fetch, verify, clear, export or serve them.")

Names = Annotated[list[str] | None, typer.Argument(metavar="NAME", help="Datasets; all of them by default.")]
Folder = Annotated[Path, typer.Argument(metavar="FOLDER", show_default=False)]


@app.command()
def status(json: Json = False) -> None:
    """Show every file of every dataset on this machine, and what is missing."""
    from course_utils.data import manage

    items = manage.status()
    if json:
        say_json([asdict(item) for item in items])
        return
    rows = [
        (
            item.dataset,
            item.kind,
            f"{item.size / MEGABYTE:.1f} MB",
            f"{item.place}: {item.path}",
            item.source,
            f"{item.verified:%Y-%m-%d %H:%M}" if item.verified else "–",
        )
        for item in items
    ]
    if rows:
        _print_table(("Dataset", "Kind", "Size", "Where", "Source", "Verified (UTC)"), rows)
    for name, place in whereabouts().items():
        if not place:
            say(f"{name}: not on this machine. Fetch it with: course data fetch {name}")


@app.command()
def fetch(names: Names = None) -> None:
    """Download datasets and decode them; an interrupted download continues where it stopped."""
    from course_utils.data import manage

    for name, source in manage.fetch(names or []):
        say(f"{name}: {source}")


@app.command()
def verify(names: Names = None, json: Json = False) -> None:
    """Compare every byte with its checksum; remove damaged files from the cache (exit code 1)."""
    from course_utils.data import manage

    checks = manage.verify(names or [])
    if json:
        say_json([asdict(check) for check in checks])
    else:
        for check in checks:
            mended = ", removed: the next load makes a new one" if check.mended else ""
            say(f"{check.problem + mended if check.problem else 'intact'}: {check.item.path}")
        if not checks:
            say("There is nothing to verify.")
    raise typer.Exit(1 if any(check.problem for check in checks) else 0)


@app.command()
def clear(names: Names = None) -> None:
    """Remove datasets from your cache. Checkpoints, progress and the shared folder are kept."""
    from course_utils.data import manage

    removed = manage.clear(names or [])
    for item in removed:
        say(f"removed {item.path}")
    say(f"{sum(item.size for item in removed) / MEGABYTE:.1f} MB freed.")


@app.command()
def export(folder: Folder, names: Names = None) -> None:
    """Copy datasets to a folder for COURSE_DATA_SHARED, or to serve as COURSE_DATA_MIRROR."""
    from course_utils.data import manage

    paths = manage.export(folder, names or [])
    for path in paths:
        say(path)
    if not paths:
        say("There is no dataset on this machine. Name one to fetch it, or run: course data fetch", err=True)
        raise typer.Exit(1)


@app.command()
def serve(
    folder: Folder,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 opens it to the network.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 8000,
) -> None:
    """Serve an exported folder over HTTP, read-only, until Ctrl-C."""
    from course_utils.data import serve

    serve.serve(folder, host, port)


def whereabouts() -> dict[str, str | None]:
    """Return, for each published dataset, the place that has all of it, or None. Content is not verified."""
    from course_utils import settings
    from course_utils.data import manage
    from course_utils.data.catalog import PUBLISHED

    items, shared = manage.status(), settings.read().data_shared
    found: dict[str, str | None] = {}
    for name, dataset in PUBLISHED.items():
        found[name] = None
        for place in (manage.CACHE, manage.SHARED):
            here = [item for item in items if (item.dataset, item.place) == (name, place)]
            files = {item.path.name for item in here if item.kind == "archive"}
            whole = all(any(file.name in files for file in variants) for variants in dataset.parts)
            if whole or any(item.kind == "decoded" for item in here):
                found[name] = f"{place}, {here[0].path.parent}"
        copy = shared / dataset.copy if shared and dataset.copy else None
        if copy and os.path.isdir(copy) and not found[name]:
            found[name] = f"{manage.SHARED}, {copy} (JPEG copy)"
    return found


def _print_table(heads: tuple[str, ...], rows: list[tuple[Any, ...]]) -> None:
    from rich.markup import escape
    from rich.table import Table

    table = Table(*heads)
    for row in rows:
        table.add_row(*(escape(str(cell)) for cell in row))
    shown = console(wide=200)
    if shown.width >= 100:
        shown.print(table)
        return
    for row in rows:
        lines = [f"{head}: {cell}" for head, cell in zip(heads, row, strict=True)]
        shown.print("\n".join(lines), end="\n\n", markup=False, highlight=False)
