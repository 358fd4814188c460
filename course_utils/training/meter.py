"""Loss and error of an epoch, added up while it runs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from torch import Tensor

from course_utils.errors import TrainingError

LOOK_EVERY = 0.5
"""Seconds between two looks at the running loss: each makes Python wait for the accelerator."""

Watch = Callable[[int, float, float], None]
"""Called with the steps done, the running loss and the running error (0 to 1)."""


class Meter:
    """Mean loss and share of wrong answers over the batches so far.

    Parameters
    ----------
    watch : callable
        Called every `LOOK_EVERY` seconds and at each `read`.
    """

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._steps = self._images = 0
        self._loss: Tensor | float = 0.0
        self._wrong: Tensor | int = 0
        self._rate = 0.0
        self._looked = time.monotonic()

    def add(self, loss: Tensor, scores: Tensor, labels: Tensor, rate: float) -> None:
        """Add a batch: its mean loss, its scores, and the learning rate of its step."""
        # Sums stay on the device: reading a number at each step would make Python wait for it.
        self._loss = self._loss + loss * len(labels)
        self._wrong = self._wrong + (scores.argmax(1) != labels).sum()
        self._images += len(labels)
        self._steps += 1
        self._rate = rate
        if time.monotonic() - self._looked > LOOK_EVERY:
            self.read()
            self._looked = time.monotonic()

    def read(self) -> tuple[float, float]:
        """Pass the mean loss and error to `watch`, and return them.

        Raises
        ------
        TrainingError
            If the loss is not finite.
        """
        loss, error = float(self._loss) / self._images, float(self._wrong) / self._images
        if not math.isfinite(loss):
            raise TrainingError(
                f"The loss became {loss}.",
                why=f"Most often the learning rate, {self._rate:g} here, is too large; "
                "or the scores are not finite.",
                left="The checkpoint of the last finished epoch. The weights in memory are not usable.",
                next_step="Create the model again and train it with a smaller rate: "
                f"dataclasses.replace(recipe, learning_rate={self._rate / 4:.2g}).",
            )
        self._watch(self._steps, loss, error)
        return loss, error
