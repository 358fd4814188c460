"""What happened in training, epoch by epoch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import median

from torch import nn

from course_utils.data.dataset import Dataset
from course_utils.timing import duration
from course_utils.training.curves import Curves, draw
from course_utils.training.recipes import Recipe


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
    def data(self) -> str:
        """Dataset and source in one phrase."""
        named = self.dataset.lower() in self.source.lower()
        return self.source if named else f"{self.dataset}, {self.source}"

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
        return draw(self)
