"""The bench's table as a picture."""

from __future__ import annotations

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from course_utils.text import duration_text
from course_utils.training.bench.turns import PUBLISHED, Bench
from course_utils.training.bench.variants import VARIANTS

COLOURS = ("#999999", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")


def draw(bench: Bench) -> Figure:
    """Draw seconds per epoch, one panel for each network, with the lecture's published time beside them."""
    networks = list(dict.fromkeys(row.network for row in bench.rows))
    most = max(sum(row.network == network for row in bench.rows) for network in networks) + 1
    figure = Figure(figsize=(9, 1.2 + 0.45 * most * len(networks)), dpi=110, facecolor="white")
    FigureCanvasAgg(figure)
    for axes, network in zip(figure.subplots(len(networks), 1, squeeze=False)[:, 0], networks, strict=True):
        rows = [row for row in bench.rows if row.network == network]
        names = ["the lecture's CPU, as published", *(VARIANTS[row.variant].describe for row in rows)]
        seconds = [PUBLISHED[network], *(row.seconds_per_epoch for row in rows)]
        notes = ["", *(f" ({row.ratio:.2f})" for row in rows)]
        bars = axes.barh(names, seconds, color=[COLOURS[k % len(COLOURS)] for k in range(len(names))])
        axes.bar_label(
            bars,
            [duration_text(s) + note for s, note in zip(seconds, notes, strict=True)],
            padding=4,
            fontsize=8,
        )
        axes.invert_yaxis()
        axes.set_xlim(0, 1.25 * max(seconds))
        axes.set(xlabel="seconds per epoch (ratio to the lecture's loop here)", title=network)
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(bench.machine, fontsize=9, color="0.25")
    figure.tight_layout()
    return figure
