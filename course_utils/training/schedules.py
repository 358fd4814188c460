"""Learning-rate schedules, as data: each maps progress through training to a learning rate."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class Schedule(Protocol):
    """What a recipe needs from a schedule."""

    def rate(self, largest: float, epoch: float, epochs: float) -> float:
        """Return the learning rate after `epoch` of `epochs` passes; `largest` is the recipe's."""
        ...

    def __str__(self) -> str:
        """Say in a few words how the rate changes."""
        ...


@dataclass(frozen=True)
class Constant:
    """Keep the learning rate."""

    def rate(self, largest: float, epoch: float, epochs: float) -> float:
        """See `Schedule.rate`."""
        return largest

    def __str__(self) -> str:
        return "the same at every step"


@dataclass(frozen=True)
class DivideEvery:
    """Divide the learning rate by `factor` after every `epochs` epochs, as the lecture's LeNet5 does."""

    factor: float
    epochs: int

    def rate(self, largest: float, epoch: float, epochs: float) -> float:
        """See `Schedule.rate`."""
        return largest / self.factor ** (int(epoch) // self.epochs)

    def __str__(self) -> str:
        return f"divided by {self.factor:g} after every {self.epochs} epochs"


@dataclass(frozen=True)
class DivideAt:
    """Divide the learning rate by `factor` as each of `epochs` (from 1) begins, as the lecture's VGG does."""

    factor: float
    epochs: tuple[int, ...]

    def rate(self, largest: float, epoch: float, epochs: float) -> float:
        """See `Schedule.rate`."""
        return largest / self.factor ** sum(int(epoch) + 1 >= start for start in self.epochs)

    def __str__(self) -> str:
        *most, last = map(str, self.epochs)
        starts = f"s {', '.join(most)} and {last}" if most else f" {last}"
        return f"divided by {self.factor:g} at epoch{starts}"


@dataclass(frozen=True)
class Squeezed:
    """Go through another schedule in fewer (or more) epochs than it was made for.

    Attributes
    ----------
    schedule : Schedule
        The other schedule.
    epochs : int
        Epochs that it was made for.

    Examples
    --------
    >>> lecture = DivideEvery(1.5, epochs=5)  # made for 30 epochs
    >>> squeezed = Squeezed(lecture, epochs=30)
    >>> squeezed.rate(0.25, epoch=1, epochs=3) == lecture.rate(0.25, epoch=10, epochs=30)
    True
    """

    schedule: Schedule
    epochs: int

    def rate(self, largest: float, epoch: float, epochs: float) -> float:
        """See `Schedule.rate`."""
        return self.schedule.rate(largest, epoch * self.epochs / epochs, self.epochs)

    def __str__(self) -> str:
        return f"{self.schedule}, with its {self.epochs} epochs squeezed into these"


@dataclass(frozen=True)
class Given:
    """Take the learning rate from a function, for example a student's own.

    Attributes
    ----------
    function : callable
        Passes over the training set, from 0 and with fractions → learning rate. The recipe's is not used.
    """

    function: Callable[[float], float]

    def rate(self, largest: float, epoch: float, epochs: float) -> float:
        """See `Schedule.rate`."""
        return self.function(epoch)

    def __str__(self) -> str:
        return f"from {getattr(self.function, '__name__', 'a function')}"


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

    def __str__(self) -> str:
        return f"rises for {100 * self.peak:.0f} % of the steps, then falls to 0"
