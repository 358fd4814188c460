"""``course run``: the four solution notebooks, in order, in fresh kernels."""

from __future__ import annotations

import signal
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from course_utils.command_line.options import Json, LabNumber, Timeout
from course_utils.command_line.output import check_writable, console, say, say_json

if TYPE_CHECKING:
    from course_utils.notebooks.layout import Lab
    from course_utils.notebooks.run import Outcome

HEADS = ("Notebook", "Result", "Seconds", "Data", "Found")


Profile = Annotated[
    str | None,
    typer.Option(help="lecture, fast or quick. Default: COURSE_PROFILE, else fast.", show_default=False),
]
Output = Annotated[Path, typer.Option("--output", "-o", help="Folder for the HTML pages.")]


def run(
    lab: LabNumber = None,
    profile: Profile = None,
    output: Output = Path("build"),
    timeout: Timeout = None,
    json: Json = False,
) -> None:
    """Execute the solution notebooks in fresh kernels and write them as self-contained HTML.

    The notebooks in the checkout do not change. Exit code 1 if a cell fails (the other notebooks still run),
    130 after Ctrl-C.
    """
    from course_utils import settings
    from course_utils.notebooks.layout import find_checkout, find_labs

    chosen = settings.check_profile(profile) if profile else settings.read().profile
    labs = find_labs(find_checkout(), lab)
    check_writable(output, "Give --output another folder.", folder=True)
    _announce(labs, chosen)

    from course_utils.command_line.progress import CellProgress
    from course_utils.notebooks.run import Outcome
    from course_utils.notebooks.run import run as run_lab

    outcomes: list[Outcome] = []
    end_like_ctrl_c(signal.SIGTERM)
    interrupted = False
    with CellProgress() as progress:
        for one in labs:
            if interrupted:
                outcomes.append(Outcome(one, "not run"))
                continue
            progress.start(one.name)
            try:
                outcome = run_lab(one, profile=chosen, output=output, timeout=timeout, progress=progress.cell)
            except KeyboardInterrupt:
                interrupted = True
                outcome = Outcome(one, "interrupted")
            outcomes.append(outcome)
            progress.finish(outcome.result)
            for source in outcome.substitutes if chosen != "quick" else []:
                progress.say(f"{one.name}: {source}")

    index = _write_index(outcomes, output, chosen)
    if json:
        payload = {"profile": chosen, "index": str(index), "notebooks": [o.as_json() for o in outcomes]}
        say_json(payload)
    else:
        for outcome in outcomes:
            if outcome.failure:
                say(f"{outcome.lab.name}: {outcome.failure}\n", err=True)
        _print_table(outcomes)
        say(f"Pages: {index}")
    if interrupted:
        raise typer.Exit(130)
    raise typer.Exit(0 if all(outcome.result == "passed" for outcome in outcomes) else 1)


def _announce(labs: list[Lab], profile: str) -> None:
    """Say in one line, before anything runs, whether embedded data may stand in for real datasets."""
    from course_utils import settings
    from course_utils.command_line.data import whereabouts

    sources = "".join(one.text.read_text(encoding="utf-8") for one in labs if one.text.exists())
    wanted = {name: place for name, place in whereabouts().items() if f'load_dataset("{name}"' in sources}
    if profile == "quick" and wanted:
        line = f"The profile is quick: embedded data stand in for {' and '.join(wanted)}."
    elif missing := " and ".join(name for name, place in wanted.items() if not place):
        line = f"Not on this machine: {missing}. "
        if settings.read().offline:
            line += "COURSE_OFFLINE is set, so embedded data stand in."
        else:
            line += "If the download fails, embedded data stand in."
    else:
        return
    say(line, err=True)


def end_like_ctrl_c(number: int) -> None:
    """Make a signal end the command as Ctrl-C does."""

    def stop(_number: int, _frame: FrameType | None) -> Any:
        raise KeyboardInterrupt

    signal.signal(number, stop)


def _row(outcome: Outcome) -> tuple[str, ...]:
    seconds = f"{outcome.seconds:.1f}" if outcome.seconds else ""
    return outcome.lab.name, outcome.result, seconds, outcome.datasets, outcome.findings


def _write_index(outcomes: list[Outcome], output: Path, profile: str) -> Path:
    from course_utils.notebooks.page import Card, write_index

    path = output / "index.html"
    cards = []
    for outcome in outcomes:
        name, *others = _row(outcome)
        facts = dict(zip(HEADS[1:], others, strict=True))
        cards.append(Card(name, facts, outcome.page.name if outcome.page else None, outcome.plot))
    write_index(path, title="Convolutional networks: the labs", caption=f"Profile {profile}.", cards=cards)
    return path.resolve()


def _print_table(outcomes: list[Outcome]) -> None:
    from rich.table import Table

    table = Table(*HEADS)
    colours = {"passed": "green", "failed": "red"}
    for outcome in outcomes:
        name, result, *others = _row(outcome)
        table.add_row(name, f"[{colours.get(result, 'yellow')}]{result}[/]", *others)
    console(wide=140).print(table)
