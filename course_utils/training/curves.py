"""The plot of a training run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import mean
from typing import TYPE_CHECKING, Any

from course_utils.figures.picture import BLUE, ORANGE, Picture, picture
from course_utils.training.epochs import EpochRecord
from course_utils.training.recipes import Recipe

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Markers and line styles distinguish the two without colour, too.
TRAIN: dict[str, Any] = {"color": BLUE, "marker": "o", "linestyle": "-", "markersize": 3}
TEST: dict[str, Any] = {"color": ORANGE, "marker": "s", "linestyle": "--", "markersize": 3}

# Behind words that lines cross.
_PAPER = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}


def draw_curves(
    records: Sequence[EpochRecord], recipe: Recipe, *, classes: int, title: str, text: str, alt: str
) -> Picture:
    """Draw loss and error over epochs, the loss of guessing, and where the learning rate falls."""
    epochs, falls = [record.epoch for record in records], rate_falls(recipe)
    steps = smoothed([point for record in records for point in loss_points(record)])

    def paint(figure: Figure) -> None:
        # Fixed margins: an automatic layout draws everything twice while training waits.
        figure.set_layout_engine(None)
        figure.subplots_adjust(left=0.095, right=0.985, bottom=0.16, top=0.84, wspace=0.2)
        losses, errors = figure.subplots(1, 2)
        losses.plot(*zip(*steps, strict=True), color=BLUE, linewidth=1.2)
        _dress_losses(losses, classes)
        errors.plot(epochs, [100 * record.train_error for record in records], label="training", **TRAIN)
        errors.plot(epochs, [100 * record.test_error for record in records], label="test", **TEST)
        errors.set(ylabel="wrong answers (%)", title="Error")
        worst = max((share for each in records for share in (each.train_error, each.test_error)), default=0)
        errors.set_ylim(0, 108 * worst or 1)  # with room for the marks of the first epoch
        errors.legend(frameon=False, fontsize=8)
        for axes in (losses, errors):
            _dress(axes, recipe.epochs, falls)
        if falls:
            note = " dotted: the learning rate falls"
            losses.text(0, 0.02, note, transform=losses.transAxes, fontsize=7, color="0.35", bbox=_PAPER)
        figure.suptitle(title, fontsize=9, color="0.25")

    return picture(paint, width=8, height=3.1, alt=alt, text=text, colours=64)


def loss_points(record: EpochRecord) -> list[tuple[float, float]]:
    """Return the epoch's loss curve: passes so far, and the loss around there."""
    losses = record.losses or [record.train_loss]
    start, width = record.epoch - record.share, record.share / len(losses)
    return [(start + (index + 0.5) * width, loss) for index, loss in enumerate(losses)]


def smoothed(points: Sequence[tuple[float, float]], at_most: int = 80) -> list[tuple[float, float]]:
    """Average neighbours, so that `at_most` points are left: single batches are noisy."""
    size = max(1, math.ceil(len(points) / at_most))
    groups = [points[start : start + size] for start in range(0, len(points), size)]
    return [(mean(x for x, _ in group), mean(y for _, y in group)) for group in groups]


def rate_falls(recipe: Recipe, looks: int = 1200) -> list[float]:
    """Return the passes after which the rate falls; none if it changes all the time."""
    passes = [recipe.epochs * look / looks for look in range(looks)]
    rates = [recipe.rate(epoch) for epoch in passes]
    falls = [
        epoch for epoch, before, rate in zip(passes[1:], rates, rates[1:], strict=False) if rate < before
    ]
    return falls if len(falls) < 20 else []


def rule(axes: Axes) -> None:
    """Draw a pale grid, and no frame above and to the right."""
    axes.grid(True, color="0.9", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def mark_guessing(axes: Axes, classes: int) -> None:
    """Draw a line at the loss of a network that gives each class the same chance."""
    guessing = math.log(classes)
    axes.axhline(guessing, color="0.35", linestyle=(0, (6, 3)), linewidth=1)
    label, at_right = f"ln {classes} = {guessing:.3f}: guessing", axes.get_yaxis_transform()
    axes.text(
        1, guessing, label, transform=at_right, ha="right", va="bottom", fontsize=8, color="0.25", bbox=_PAPER
    )


def _dress_losses(axes: Axes, classes: int) -> None:
    from matplotlib.ticker import LogLocator

    mark_guessing(axes, classes)
    axes.set(yscale="log", ylabel="cross-entropy loss (nats)", title="Loss")
    bottom, top = axes.get_ylim()
    # A loss that stays where it is should look so.
    bottom, top = axes.set_ylim(min(bottom, math.log(classes) / 4), max(top, 1.3 * math.log(classes)))
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if top < 30 * bottom else (1,)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.yaxis.set_minor_formatter("")


def _dress(axes: Axes, epochs: float, falls: list[float]) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel("epoch")
    axes.set_xlim(0, epochs * 1.02)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    rule(axes)
    for epoch in falls:
        axes.axvline(epoch, color="0.6", linestyle=":", linewidth=1)
