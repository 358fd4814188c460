"""``course bench``: what an epoch of each lab costs here, compared with the lecture's loop."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from course_utils.command_line.options import Json
from course_utils.command_line.output import check_writable, console, say, say_json
from course_utils.errors import SettingsError
from course_utils.files import published

if TYPE_CHECKING:
    from course_utils.training.benchmark import Benchmark

Quick = Annotated[bool, typer.Option("--quick", help="Time fewer batches, for a first impression.")]
Switches = Annotated[
    bool, typer.Option("--switches", help="Also time each switch of the training loop on its own.")
]
Output = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Save the plot (PNG, SVG or PDF).")
]

FORMATS = (".png", ".svg", ".pdf")


def bench(
    quick: Quick = False, switches: Switches = False, output: Output = None, json: Json = False
) -> None:
    """Time an epoch of both labs on this machine, and compare it with the lecture's original loop.

    The variants take turns, each in its own process; the median is extrapolated to a full epoch. Close other
    programs first.
    """
    if output is not None:
        if output.suffix.lower() not in FORMATS:
            raise SettingsError(
                f"--output is {str(output)!r}.", why=f"A plot's name ends in {', '.join(FORMATS)}."
            )
        check_writable(output, "Give --output another file.")

    from course_utils.training.benchmark import VARIANTS, measure

    chosen = tuple(VARIANTS) if switches else ("lecture", "course")
    budget = (6.0 if quick else 30.0) * len(chosen)
    found = measure(variants=chosen, budget=budget, announce=lambda line: say(line, err=True))
    if json:
        say_json(found.as_json())
    else:
        _print(found)
    if output is not None:
        from course_utils.training.benchmark.plot import plot_benchmark

        plot = plot_benchmark(found)
        with published(output) as file:
            if output.suffix.lower() == ".png":
                file.write(plot.png)
            else:
                plot.figure.savefig(file, format=output.suffix[1:].lower())
        say(f"Plot: {output.resolve()}", err=True)


def _print(found: Benchmark) -> None:
    from rich.table import Table

    from course_utils.text import duration_text
    from course_utils.training.benchmark import VARIANTS
    from course_utils.training.benchmark.turns import PUBLISHED

    longest = {row.network: 0.0 for row in found.rows}
    for row in found.rows:
        longest[row.network] = max(longest[row.network], row.seconds_per_epoch)
    table = Table("Network", "Loop", "", title=found.machine)
    for head in ("Epoch", "Ratio", "Images/s", "Of peak", "Memory", "Batches"):
        table.add_column(head, justify="right")
    for row in found.rows:
        table.add_row(
            row.network,
            VARIANTS[row.variant].describe,
            "█" * max(1, round(16 * row.seconds_per_epoch / longest[row.network])),
            duration_text(row.seconds_per_epoch),
            f"{row.ratio:.2f}",
            f"{row.images_per_second:,.0f}",
            f"{row.share_of_peak:.0%}",
            f"{row.memory / 1e6:,.0f} MB" if row.memory else "–",
            str(row.batches),
        )
    shown = console(wide=140)
    shown.print(table)
    published = ", ".join(f"{name} {seconds:g} s" for name, seconds in PUBLISHED.items())
    peaks = sorted(
        {f"{row.peak / 1e9:,.0f} GFLOP/s ({VARIANTS[row.variant].describe})" for row in found.rows}
    )
    lines = [
        "Epochs are extrapolated from the timed batches (median of the turns), without the test pass.",
        f"The lecture's published epochs, on a CPU: {published}.",
        "Peak speed of multiplying matrices of the same type: " + "; ".join(peaks) + ".",
        "Data: " + "; ".join(f"{name}: {source}" for name, source in found.sources.items()) + ".",
    ]
    shown.print("\n".join(lines), markup=False, highlight=False)
