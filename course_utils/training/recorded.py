"""What was measured once and is shown in Lab 04: an ablation, and the plateau of a deep network."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from course_utils.figures.charts import draw_bars
from course_utils.figures.picture import BLUE, ORANGE, Picture, picture
from course_utils.training.curves import mark_guessing, rule

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def measured(name: str) -> dict[str, Any]:
    """Read what ``tests/benchmarks/NAME.py`` measured: date, machine, command, data, and the numbers."""
    return json.loads(files("course_utils.training").joinpath(f"{name}.json").read_text(encoding="utf-8"))


def plot_ablation(found: dict[str, Any] | None = None) -> Picture:
    """Draw the test error of the whole recipe, and of the recipe without each of its ingredients.

    Parameters
    ----------
    found : dict, optional
        Defaults to what was measured, and has its form.

    Returns
    -------
    Picture
        Shows itself in a notebook.
    """
    found = measured("ablation") if found is None else found
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


def plot_plateau(found: dict[str, Any] | None = None) -> Picture:
    """Draw the loss of the lecture's VGG in its first epochs, without and with batch normalisation.

    Parameters
    ----------
    found : dict, optional
        Defaults to what was measured, and has its form.

    Returns
    -------
    Picture
        Shows itself in a notebook.
    """
    found = measured("plateau") if found is None else found
    styles = (("-", BLUE), ("--", ORANGE))  # so that they differ without colour, too

    def paint(figure: Figure) -> None:
        axes = figure.subplots()
        for run, (line, colour) in zip(found["runs"], styles, strict=True):
            losses, parts = run["losses"], run["parts"]
            passes = [(index + 0.5) / parts for index in range(len(losses))]
            axes.plot(passes, losses, linestyle=line, color=colour, label=run["name"])
        mark_guessing(axes, found["classes"])
        axes.set(xlabel="epoch", ylabel="cross-entropy loss (nats)", xlim=0)
        axes.set_ylim(bottom=0)
        rule(axes)
        axes.legend(frameon=False, fontsize=8, loc="lower left")
        figure.suptitle(f"{found['recipe']} · {found['data']} · {found['date']}", fontsize=9, color="0.25")

    return picture(
        paint,
        width=8,
        height=3,
        alt="; ".join(
            f"{run['name']}: loss {run['losses'][0]:.2f} at first, "
            f"{run['losses'][-1]:.2f} after {len(run['losses']) / run['parts']:.1f} epochs"
            for run in found["runs"]
        ),
        text="Loss of the lecture's VGG without and with batch normalisation",
        colours=64,
    )
