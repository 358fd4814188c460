"""What happened in training, epoch by epoch."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

from torch import nn

from course_utils.data.dataset import Dataset
from course_utils.figures.picture import Picture
from course_utils.text import duration_text
from course_utils.training.curves import draw_curves
from course_utils.training.epochs import EpochRecord, epoch_count, epoch_number
from course_utils.training.recipes import Recipe


@dataclass
class History:
    """A training run: its records and where they come from.

    Attributes
    ----------
    recipe : Recipe
        The recipe that is followed.
    dataset, source : str
        The dataset's name, and where its images came from.
    substitute_for : str or None
        The requested dataset, if embedded data stand in for it.
    classes : int
        Number of classes.
    parameters : int
        Number of trained weights.
    device : str
        Device and switches of the last run.
    machine : str
        The hardware: ``2 threads of AMD EPYC``.
    records : list of EpochRecord
        One for each finished epoch.
    estimate : float or None
        Seconds of a pass over the training set, estimated before training.
    test_estimate : float
        The same for the pass over the test set after each epoch.
    interrupted : bool
        Whether training was stopped by hand before the recipe was done.
    """

    recipe: Recipe
    dataset: str
    source: str
    classes: int
    substitute_for: str | None = None
    parameters: int = 0
    device: str = ""
    machine: str = ""
    records: list[EpochRecord] = field(default_factory=list)
    estimate: float | None = None
    test_estimate: float = 0.0
    interrupted: bool = False

    @classmethod
    def begin(
        cls, model: nn.Module, dataset: Dataset, recipe: Recipe, *, device: str, machine: str
    ) -> History:
        """Start the history of a new run."""
        return cls(
            recipe,
            dataset.name,
            dataset.source,
            classes=len(dataset.classes),
            substitute_for=dataset.substitute_for,
            parameters=sum(weight.numel() for weight in model.parameters()),
            device=device,
            machine=machine,
        )

    def add(
        self,
        rate: float,
        loss: float,
        error: float,
        test_error: float,
        seconds: float,
        test_seconds: float,
        losses: Sequence[float] = (),
        processes: int = 1,
    ) -> None:
        """Record the next epoch, or a partial last one; see `EpochRecord`."""
        epoch = min(len(self) + 1, self.recipe.epochs)
        self.records.append(
            EpochRecord(epoch, rate, loss, error, test_error, seconds, test_seconds, losses, processes)
        )

    def __len__(self) -> int:
        return len(self.records)

    def __iter__(self) -> Iterator[EpochRecord]:
        return iter(self.records)

    def __repr__(self) -> str:
        # No measured numbers: a notebook that shows a history stays the same from run to run.
        ended = ", interrupted" if self.interrupted else ""
        return f"History({self.recipe.name}: {self.progress} on {self.dataset}{ended})"

    @property
    def epochs(self) -> float:
        """Passes over the training set so far."""
        return self.records[-1].epoch if self.records else 0

    @property
    def progress(self) -> str:
        """How far training has got: ``2 of 3 epochs``, ``half an epoch``."""
        planned = epoch_count(self.recipe.epochs)
        if self.recipe.epochs < 1:
            return planned if self.records else f"nothing of {planned}"
        return f"{epoch_number(self.epochs)} of {planned}"

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
        """Median wall time of a pass over the training set; a last part is scaled to a whole one."""
        return median(record.seconds / record.share for record in self.records)

    @property
    def seconds(self) -> float:
        """Wall time of all epochs, training and test."""
        return sum(record.seconds + record.test_seconds for record in self.records)

    @property
    def estimate_ratio(self) -> float | None:
        """Estimated over actual seconds of the finished epochs; None without an estimate or an epoch."""
        if self.estimate is None or not self.records:
            return None
        return self._estimated(self.epochs, len(self)) / self.seconds

    @property
    def data(self) -> str:
        """Dataset and source in one phrase."""
        named = self.dataset.lower() in self.source.lower()
        return self.source if named else f"{self.dataset}, {self.source}"

    @property
    def complete(self) -> bool:
        """Whether the recipe is done."""
        return self.epochs >= self.recipe.epochs

    def left(self, part: float = 0.0) -> float:
        """Estimate the seconds that the rest will take, when `part` of the next epoch is done."""
        tests = math.ceil(self.recipe.epochs) - len(self)
        return self._estimated(self.recipe.epochs - self.epochs - part, tests)

    def _estimated(self, epochs: float, tests: int) -> float:
        return epochs * (self.estimate or 0.0) + tests * self.test_estimate

    def forecast(self, place: str) -> str:
        """Say in one line how long the rest will take: ``30 epochs ≈ 7 min on this CPU (14 s each)``."""
        rest = epoch_count(self.recipe.epochs - self.epochs)
        return (
            f"{rest} ≈ {duration_text(self.left())} on {place} ({duration_text(self._estimated(1, 1))} each)"
        )

    def summary(self) -> str:
        """Say in one line how far training has got and what it has reached."""
        done = self.progress
        if not self.records:
            return done
        last = self.final
        return (
            f"{done} in {duration_text(self.seconds)} ({duration_text(self.seconds_per_epoch)} each) · "
            f"loss {last.train_loss:.4f} · "
            f"error: training {100 * last.train_error:.2f} %, test {100 * last.test_error:.2f} %"
        )

    def share(self, target: float) -> str:
        """Say in one line how soon the test error reached `target` (0 to 1), to share with others.

        The time is that of training and of the test after each epoch, up to the first epoch that met the
        target. The line says so if none did, and if embedded data stood in.
        """
        title = self.source.rpartition(", ")[0] or self.source  # after the comma comes where it was found
        data = self.dataset if self.source.startswith(self.dataset) else title
        if self.substitute_for is not None:
            data = f"{self.dataset}, standing in for {self.substitute_for}"
        seconds = 0.0
        for record in self.records:
            seconds += record.seconds + record.test_seconds
            if record.test_error <= target:
                result = f"{100 * target:g} % test error after {duration_text(seconds)}"
                break
        else:
            best = min((record.test_error for record in self.records), default=None)
            reached = (
                "no epoch finished" if best is None else f"{100 * best:.1f} % after {duration_text(seconds)}"
            )
            result = f"{100 * target:g} % test error not reached, {reached}"
        return f"{data}: {result} on {self.machine} (seed {self.recipe.seed}, recipe {self.recipe.name!r})"

    def plot(self) -> Picture:
        """Plot the loss of every step, smoothed, and the errors after each epoch.

        Returns
        -------
        Picture
            Shows itself in a notebook; ``plot().figure.savefig("curves.pdf")`` writes it to a file.
        """
        text = f"Loss and error of {self!r}"
        begun = ""
        if self.records:
            first = self.records[0]
            begun = f"loss {first.train_loss:.4f}, test error {100 * first.test_error:.2f} % at first; "
        return draw_curves(
            self.records,
            self.recipe,
            classes=self.classes,
            title=f"{self.recipe.name} · {self.data}",
            text=text,
            alt=f"{text}: {begun}{self.summary()}",
        )
