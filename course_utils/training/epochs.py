"""One epoch's record, and how a number of epochs is written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from course_utils.text import number_text


@dataclass(frozen=True)
class EpochRecord:
    """One epoch.

    Attributes
    ----------
    epoch : float
        Passes over the training set so far. The last one may be partial.
    learning_rate : float
        At the epoch's first step.
    train_loss : float
        Mean over the epoch's images, each with the weights of its step.
    train_error, test_error : float
        Shares of wrong answers, 0 to 1; the training error is a running one, like the loss.
    seconds : float
        Wall time of the pass over the training set.
    test_seconds : float
        Wall time of the pass over the test set.
    losses : sequence of float
        The loss within the epoch: means over equal parts of its steps.
    processes : int
        Number of processes that trained together.
    """

    epoch: float
    learning_rate: float
    train_loss: float
    train_error: float
    test_error: float
    seconds: float
    test_seconds: float
    losses: Sequence[float] = ()
    processes: int = 1

    @property
    def share(self) -> float:
        """Share of the training set that this pass covered: 1, or less for a partial last pass."""
        return self.epoch - math.ceil(self.epoch) + 1


PARTS = {1 / 4: "a quarter", 1 / 3: "a third", 1 / 2: "half", 2 / 3: "two thirds", 3 / 4: "three quarters"}


def epoch_number(epochs: float) -> str:
    """Write a number of epochs: ``30``, ``12.5``."""
    return number_text(round(epochs, 2))


def epoch_count(epochs: float) -> str:
    """Write a number of epochs with its noun: ``1 epoch``, ``2.5 epochs``, ``half an epoch``."""
    if epochs >= 1 or not epochs:
        number = epoch_number(epochs)
        return f"{number} epoch{'s' * (number != '1')}"
    nearest = min(PARTS, key=lambda part: abs(part - epochs))
    share = PARTS[nearest] if abs(nearest - epochs) < 0.02 else f"{100 * epochs:.0f} %"
    return f"{share} {'of ' * (share != 'half')}an epoch"
