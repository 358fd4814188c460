"""What happened in training, epoch by epoch, and its plot."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import nn

from course_utils.data.dataset import Dataset
from course_utils.timing import duration
from course_utils.training.recipes import Recipe

# Okabe and Ito's blue and vermilion: told apart by the colour-blind, and in greyscale by their markers.
TRAIN = {"color": "#0072B2", "marker": "o", "linestyle": "-"}
TEST = {"color": "#D55E00", "marker": "s", "linestyle": "--"}


@dataclass(frozen=True)
class EpochRecord:
    """One epoch.

    Attributes
    ----------
    epoch : int
        Counted from 1.
    learning_rate : float
        At the epoch's first step.
    train_loss : float
        Mean over the epoch's images, each seen as the weights then were.
    train_error, test_error : float
        Shares of wrong answers, 0 to 1; the training error is a running one, as the loss.
    seconds : float
        Wall time of the pass over the training set.
    test_seconds : float
        Wall time of the pass over the test set.
    """

    epoch: int
    learning_rate: float
    train_loss: float
    train_error: float
    test_error: float
    seconds: float
    test_seconds: float = 0.0


@dataclass
class History:
    """A training run: its records and where they come from.

    Attributes
    ----------
    recipe : Recipe
        What was followed.
    dataset, source : str
        The dataset's name, and where its images came from.
    substitute_for : str or None
        The dataset that was asked for, if embedded data stood in for it.
    classes : int
        Number of classes.
    parameters : int
        Number of trained weights.
    device : str
        Device and switches of the last run.
    records : list of EpochRecord
        One for each finished epoch.
    estimate : float or None
        Seconds per epoch, training and test, as foretold before training.
    interrupted : bool
        Whether training was ended by hand before the recipe was done.
    """

    recipe: Recipe
    dataset: str
    source: str
    classes: int
    substitute_for: str | None = None
    parameters: int = 0
    device: str = ""
    records: list[EpochRecord] = field(default_factory=list)
    estimate: float | None = None
    interrupted: bool = False

    @classmethod
    def begin(cls, model: nn.Module, dataset: Dataset, recipe: Recipe, *, device: str = "") -> History:
        """Open the history of a run that has not started."""
        return cls(
            recipe,
            dataset.name,
            dataset.source,
            classes=len(dataset.classes),
            substitute_for=dataset.substitute_for,
            parameters=sum(weight.numel() for weight in model.parameters()),
            device=device,
        )

    def add(
        self, rate: float, loss: float, error: float, test_error: float, seconds: float, test_seconds: float
    ) -> None:
        """Record the next epoch."""
        self.records.append(EpochRecord(len(self) + 1, rate, loss, error, test_error, seconds, test_seconds))

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[EpochRecord]:
        return iter(self.records)

    def __repr__(self) -> str:
        # No measured figure: a notebook that shows a history stays the same from run to run.
        ended = ", interrupted" if self.interrupted else ""
        epochs = f"{len(self)} of {self.recipe.epochs} epochs"
        return f"History({self.recipe.name}: {epochs} on {self.dataset}{ended})"

    @property
    def final(self) -> EpochRecord:
        """The last epoch's record.

        Raises
        ------
        IndexError
            If no epoch was finished.
        """
        if not self.records:
            raise IndexError("No epoch was finished, so there is no final record.")
        return self.records[-1]

    @property
    def test_error(self) -> float:
        """Test error after the last epoch, 0 to 1."""
        return self.final.test_error

    @property
    def train_error(self) -> float:
        """Running training error of the last epoch, 0 to 1."""
        return self.final.train_error

    @property
    def seconds_per_epoch(self) -> float:
        """Median wall time of a pass over the training set."""
        return median(record.seconds for record in self.records)

    @property
    def seconds(self) -> float:
        """Wall time of all epochs, training and test."""
        return sum(record.seconds + record.test_seconds for record in self.records)

    @property
    def estimate_ratio(self) -> float | None:
        """Foretold over actual seconds per epoch; None without an estimate or an epoch."""
        if self.estimate is None or not self.records:
            return None
        return self.estimate / median(record.seconds + record.test_seconds for record in self.records)

    @property
    def complete(self) -> bool:
        """Whether the recipe is done."""
        return len(self) >= self.recipe.epochs

    def forecast(self, place: str) -> str:
        """Say in one line how long the rest will take: ``30 epochs ≈ 7 min on this CPU (14 s each)``."""
        left, each = self.recipe.epochs - len(self), self.estimate or 0.0
        return f"{left} epoch{'s' * (left != 1)} ≈ {duration(left * each)} on {place} ({duration(each)} each)"

    def summary(self) -> str:
        """Say in one line how far training came and what it reached."""
        done = f"{len(self)} of {self.recipe.epochs} epochs"
        if not self.records:
            return done
        last = self.final
        return (
            f"{done} in {duration(self.seconds)} ({duration(self.seconds_per_epoch)} each) · "
            f"loss {last.train_loss:.4f} · "
            f"error: training {100 * last.train_error:.2f} %, test {100 * last.test_error:.2f} %"
        )

    def plot(self) -> Curves:
        """Plot loss and error against epochs.

        Returns
        -------
        Curves
            A matplotlib figure that a notebook shows by itself; ``savefig`` writes it to a file.
        """
        figure = Curves(self, figsize=(8, 3.1), dpi=100, layout="constrained", facecolor="white")
        FigureCanvasAgg(figure)
        losses, errors = figure.subplots(1, 2)
        epochs = [record.epoch for record in self.records]
        losses.plot(epochs, [record.train_loss for record in self.records], label="training", ms=3, **TRAIN)
        losses.axhline(math.log(self.classes), color="0.35", linestyle=(0, (6, 3)), linewidth=1)
        losses.text(
            1, math.log(self.classes), f"ln {self.classes} = {math.log(self.classes):.3f}: guessing",
            transform=losses.get_yaxis_transform(), ha="right", va="bottom", fontsize=8, color="0.25",
        )  # fmt: skip
        losses.set(yscale="log", ylabel="cross-entropy loss (nats)", title="Loss")
        losses.yaxis.set_major_formatter("{x:g}")
        for name, style in (("train_error", TRAIN), ("test_error", TEST)):
            shares = [100 * getattr(record, name) for record in self.records]
            errors.plot(
                epochs, shares, label=name.removesuffix("_error").replace("train", "training"), ms=3, **style
            )
        errors.set(ylabel="wrong answers (%)", title="Error")
        errors.set_ylim(bottom=0)
        errors.legend(frameon=False, fontsize=8)
        for axes in (losses, errors):
            self._dress(axes)
        place = f"{self.dataset} · {self.source}" if self.dataset not in self.source else self.source
        figure.suptitle(f"{self.recipe.name} · {place}", fontsize=9, color="0.25")
        return figure

    def _dress(self, axes: Axes) -> None:
        axes.set_xlabel("epoch")
        axes.set_xlim(0.5, max(2, self.recipe.epochs) + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(True, color="0.9", linewidth=0.6)
        axes.spines[["top", "right"]].set_visible(False)
        for epoch in self._rate_drops():
            axes.axvline(epoch - 0.5, color="0.6", linestyle=":", linewidth=1)
        if self._rate_drops():
            axes.text(
                0, 0.01, " dotted: learning rate falls", transform=axes.transAxes, fontsize=7, color="0.35"
            )

    def _rate_drops(self) -> list[int]:
        """Epochs (from 1) at whose start the rate jumps; a rate that moves with every step has none."""
        rate = self.recipe.rate
        starts = range(1, self.recipe.epochs)
        if any(rate(start) != rate(start + 0.5) for start in starts):
            return []
        return [start + 1 for start in starts if rate(start) != rate(start - 1)]


class Curves(Figure):
    """A figure of a history that shows itself as one small PNG with an alternative text."""

    def __init__(self, history: History, **settings: Any) -> None:
        super().__init__(**settings)
        self.description = f"Loss and error of {history!r}"

    def png(self) -> bytes:
        """Draw the figure as a PNG of few colours, well under 60 kB."""
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", metadata={"Software": None})
        return buffer.getvalue()

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        return {"text/plain": self.description, "image/png": self.png()}, {
            "image/png": {"alt": self.description}
        }
