"""What each ingredient of Lab 04's ``fast`` recipe contributes: measured once, shown in the lab."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from course_utils.figures.charts import draw_bars
from course_utils.figures.picture import BLUE, ORANGE, Picture, picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def measured() -> dict[str, Any]:
    """Read what ``tests/benchmarks/ablation.py`` measured: date, machine, command, data and rows."""
    return json.loads(files("course_utils.training").joinpath("ablation.json").read_text(encoding="utf-8"))


def plot_ablation(found: dict[str, Any] | None = None) -> Picture:
    """Draw the test error of the whole recipe, and of the recipe without each of its ingredients.

    Parameters
    ----------
    found : dict, optional
        Defaults to `measured`, and has its form.

    Returns
    -------
    Picture
        Shows itself in a notebook.
    """
    found = measured() if found is None else found
    whole, *others = found["rows"]
    rows = [whole, *sorted(others, key=lambda row: row["test_error"])]
    errors = {row["name"]: 100 * row["test_error"] for row in rows}

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        labels = [f"{error:.1f}" for error in errors.values()]
        bars = draw_bars(axes, errors, labels, [ORANGE, *[BLUE] * len(others)])
        bars[0].set_hatch("//")  # so that it stands out without colour, too
        axes.set_xlim(0, 1.1 * max(errors.values()))
        axes.set_xlabel("test error (%)")
        axes.grid(True, axis="x", color="0.9", linewidth=0.6)
        axes.set_axisbelow(True)
        figure.suptitle(f"{found['recipe']} · {found['data']} · {found['date']}", fontsize=9, color="0.25")

    return picture(
        paint,
        width=8,
        height=0.9 + 0.34 * len(rows),
        alt="; ".join(f"{name}: {error:.1f} %" for name, error in errors.items()),
        text="Test error without each ingredient",
        colours=64,
    )
