"""Learning-rate schedules, as data: each maps progress through training to a learning rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Schedule(Protocol):
    """What a recipe needs from a schedule."""

    def rate(self, largest: float, epoch: float, epochs: float) -> float:
        """Return the learning rate after `epoch` of `epochs` passes; `largest` is the recipe's."""
        ...


@dataclass(frozen=True)
class Constant:
    """Keep the learning rate."""

    def rate(self, largest: float, epoch: float, epochs: float) -> float:
        """See `Schedule.rate`."""
        return largest


@dataclass(frozen=True)
class DivideEvery:
    """Divide the learning rate by `factor` after every `epochs` epochs, as the lecture's LeNet5 does."""

    factor: float
    epochs: int

    def rate(self, largest: float, epoch: float, epochs: float) -> float:
        """See `Schedule.rate`."""
        return largest / self.factor ** (int(epoch) // self.epochs)


@dataclass(frozen=True)
class DivideAt:
    """Divide the learning rate by `factor` as each of `epochs` (from 1) begins, as the lecture's VGG does."""

    factor: float
    epochs: tuple[int, ...]

    def rate(self, largest: float, epoch: float, epochs: float) -> float:
        """See `Schedule.rate`."""
        return largest / self.factor ** sum(int(epoch) + 1 >= start for start in self.epochs)


@dataclass(frozen=True)
class Triangle:
    """Rise linearly to the largest rate, then fall linearly to nothing.

    A short rise allows a large rate without divergence. The fall to nothing averages out the noise of the
    last steps, so that few epochs are enough.

    Attributes
    ----------
    peak : float
        Share of training at which the largest rate is reached.
    start : float
        First rate as a share of the largest.
    """

    peak: float = 0.25
    start: float = 0.1

    def rate(self, largest: float, epoch: float, epochs: float) -> float:
        """See `Schedule.rate`."""
        done = epoch / epochs
        if done < self.peak:
            return largest * (self.start + (1 - self.start) * done / self.peak)
        return largest * (1 - done) / (1 - self.peak)
