"""The plot of a training run."""

from __future__ import annotations

import base64
import html
import io
import math
from typing import TYPE_CHECKING, Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator
from PIL import Image

from course_utils.training.recipes import Recipe

if TYPE_CHECKING:
    from course_utils.training.history import History

# Okabe and Ito's blue and vermilion: told apart by the colour-blind, and in greyscale by their markers.
TRAIN: dict[str, Any] = {"color": "#0072B2", "marker": "o", "linestyle": "-", "markersize": 3}
TEST: dict[str, Any] = {"color": "#D55E00", "marker": "s", "linestyle": "--", "markersize": 3}


class Curves(Figure):
    """A figure that shows itself as one small PNG with an alternative text.

    Parameters
    ----------
    description : str
        One line that holds no measured figure.
    alternative : str
        What the figure shows, with its figures.
    **settings
        Of `matplotlib.figure.Figure`.
    """

    def __init__(self, description: str, alternative: str, **settings: Any) -> None:
        super().__init__(**settings)
        FigureCanvasAgg(self)
        self.description, self.alternative = description, alternative

    def png(self) -> bytes:
        """Draw the figure as a PNG; 64 colours do for lines and letters, and keep a notebook small."""
        drawn, small = io.BytesIO(), io.BytesIO()
        self.savefig(drawn, format="png")
        Image.open(drawn).convert("RGB").quantize(64).save(small, "png", optimize=True)
        return small.getvalue()

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        # As HTML, since notebooks show an image/png without its alternative text.
        source = f"data:image/png;base64,{base64.b64encode(self.png()).decode()}"
        style = "max-width:100%;height:auto;border-radius:4px"
        image = f'<img alt="{html.escape(self.alternative)}" src="{source}" style="{style}">'
        return {"text/plain": self.description, "text/html": image}


def draw(history: History) -> Curves:
    """Draw loss and error against epochs, the level of guessing, and where the learning rate falls."""
    description = f"Loss and error of {history!r}"
    figure = Curves(
        description, f"{description}: {history.summary()}", figsize=(8, 3.1), dpi=100, facecolor="white"
    )
    # Fixed margins: an automatic layout draws everything twice, and training waits meanwhile.
    figure.subplots_adjust(left=0.095, right=0.985, bottom=0.16, top=0.84, wspace=0.2)
    losses, errors = figure.subplots(1, 2)
    epochs = [record.epoch for record in history]

    losses.plot(epochs, [record.train_loss for record in history], label="training", **TRAIN)
    guessing = math.log(history.classes)
    losses.axhline(guessing, color="0.35", linestyle=(0, (6, 3)), linewidth=1)
    label = f"ln {history.classes} = {guessing:.3f}: guessing"
    at_right = losses.get_yaxis_transform()
    losses.text(1, guessing, label, transform=at_right, ha="right", va="bottom", fontsize=8, color="0.25")
    losses.set(yscale="log", ylabel="cross-entropy loss (nats)", title="Loss")
    bottom, top = losses.get_ylim()
    losses.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if top < 30 * bottom else (1,)))
    losses.yaxis.set_major_formatter("{x:g}")
    losses.yaxis.set_minor_formatter("")

    errors.plot(epochs, [100 * record.train_error for record in history], label="training", **TRAIN)
    errors.plot(epochs, [100 * record.test_error for record in history], label="test", **TEST)
    errors.set(ylabel="wrong answers (%)", title="Error")
    errors.set_ylim(bottom=0)
    errors.legend(frameon=False, fontsize=8)

    falls = rate_falls(history.recipe)
    for axes in (losses, errors):
        _dress(axes, history.recipe.epochs, falls)
    if falls:
        note = " dotted: the learning rate falls"
        losses.text(0, 0.01, note, transform=losses.transAxes, fontsize=7, color="0.35")
    figure.suptitle(f"{history.recipe.name} · {history.data}", fontsize=9, color="0.25")
    return figure


def rate_falls(recipe: Recipe) -> list[int]:
    """Epochs, from 1, at whose start the learning rate jumps; a rate that moves with every step has none."""
    starts = range(1, math.ceil(recipe.epochs))
    if any(recipe.rate(start) != recipe.rate(start + 0.5) for start in starts):
        return []
    return [start + 1 for start in starts if recipe.rate(start) != recipe.rate(start - 1)]


def _dress(axes: Axes, epochs: float, falls: list[int]) -> None:
    axes.set_xlabel("epoch")
    axes.set_xlim(0.5, max(2, epochs) + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(True, color="0.9", linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    for epoch in falls:
        axes.axvline(epoch - 0.5, color="0.6", linestyle=":", linewidth=1)
