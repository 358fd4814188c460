"""The benchmark's table as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from course_utils.figures.charts import draw_bars
from course_utils.figures.picture import BLUE, ORANGE, Picture, picture
from course_utils.text import duration_text
from course_utils.training.benchmark.turns import PUBLISHED, Benchmark
from course_utils.training.benchmark.variants import VARIANTS

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_benchmark(found: Benchmark) -> Picture:
    """Draw seconds per epoch, one panel for each network, with the lecture's published time beside them."""
    panels: dict[str, dict[str, tuple[float, str]]] = {}
    for row in found.rows:
        published = {"the lecture's CPU, as published": (PUBLISHED[row.network], "")}
        panel = panels.setdefault(row.network, published)
        panel[VARIANTS[row.variant].describe] = (row.seconds_per_epoch, f" ({row.ratio:.2f})")

    def paint(figure: Figure) -> None:
        figure.set_layout_engine("constrained", h_pad=0.08)
        rows = figure.subplots(len(panels), squeeze=False)[:, 0]
        for axes, (network, bars) in zip(rows, panels.items(), strict=True):
            seconds = {name: time for name, (time, _) in bars.items()}
            labels = [duration_text(time) + ratio for time, ratio in bars.values()]
            draw_bars(axes, seconds, labels, ["0.6", ORANGE, *[BLUE] * (len(bars) - 2)])
            axes.set_xlim(0, 1.25 * max(seconds.values()))
            axes.set(xlabel="seconds per epoch (ratio to the lecture's loop here)", title=network)
        figure.suptitle(found.machine, fontsize=9, color="0.25")

    text = ". ".join(
        f"{network}: "
        + "; ".join(f"{name} {duration_text(time)}{ratio}" for name, (time, ratio) in bars.items())
        for network, bars in panels.items()
    )
    height = 0.5 + sum(0.9 + 0.34 * len(bars) for bars in panels.values())
    return picture(paint, width=9, height=height, alt=f"Bar charts. {text}", text=text, colours=64)
