"""What each ingredient of the ``fast`` recipe of Lab 04 is worth: measured once, shown in the lab."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

from course_utils.training.curves import TEST, TRAIN, Curves


def measured() -> dict[str, Any]:
    """Read what ``tests/benchmarks/ablation.py`` measured: date, machine, command, data and rows."""
    return json.loads(files("course_utils.training").joinpath("ablation.json").read_text(encoding="utf-8"))


def plot_ablation(found: dict[str, Any] | None = None) -> Curves:
    """Draw the test error of the whole recipe, and of the recipe without each of its ingredients.

    Parameters
    ----------
    found : dict, optional
        In the form of `measured`, which it defaults to.

    Returns
    -------
    Curves
        A matplotlib figure that a notebook shows by itself.
    """
    found = measured() if found is None else found
    whole, *others = found["rows"]
    rows = [whole, *sorted(others, key=lambda row: row["test_error"])]
    errors = [100 * row["test_error"] for row in rows]
    said = "; ".join(f"{row['name']}: {error:.1f} %" for row, error in zip(rows, errors, strict=True))
    figure = Curves(
        "Test error without each ingredient",
        said,
        figsize=(8, 0.9 + 0.34 * len(rows)),
        dpi=100,
        facecolor="white",
    )
    figure.subplots_adjust(left=0.36, right=0.97, bottom=0.14, top=0.91)
    axes = figure.subplots()
    colours = [TEST["color"], *[TRAIN["color"]] * len(others)]
    bars = axes.barh([row["name"] for row in rows], errors, color=colours)
    bars[0].set_hatch("//")  # told apart without colour, too
    axes.bar_label(bars, [f"{error:.1f}" for error in errors], padding=4, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.1 * max(errors))
    axes.set_xlabel("test error (%)")
    axes.grid(True, axis="x", color="0.9", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(f"{found['recipe']} · {found['data']} · {found['date']}", fontsize=9, color="0.25")
    return figure
