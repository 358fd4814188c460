"""Loss and error of an epoch, added up while it runs."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from numbers import Real

import torch
from torch import Tensor, nn

from course_utils.errors import TrainingError

LOOK_EVERY = 0.5
"""Seconds between two looks at the running loss: each makes Python wait for the accelerator."""

CURVE_POINTS = 50
"""Points of an epoch's loss curve. Each is the mean of the steps around it: single batches are noisy."""

Watch = Callable[[int, float, float], None]
"""Called with the steps done, the running loss and the running error (0 to 1)."""


class Meter:
    """Mean loss and share of wrong answers over the batches so far.

    Parameters
    ----------
    watch : callable
        Called every `LOOK_EVERY` seconds and at each `read`.

    Attributes
    ----------
    loss, error : float
        As last read.
    """

    loss = error = math.nan

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._images = 0
        self._losses: list[Tensor | float] = []
        self._sum: Tensor | float = 0.0
        self._wrong: Tensor | int = 0
        self._rate = 0.0
        self._looked = time.monotonic()

    def add(self, loss: Tensor | float, scores: Tensor, labels: Tensor, rate: float) -> None:
        """Add a batch: what its step returned, its scores, and the learning rate of its step."""
        # Sums stay on the device: reading a number at each step would make Python wait for it.
        loss = loss_of(loss)
        if scores.ndim != 2 or len(scores) != len(labels):
            raise TrainingError(
                f"The training step scores {len(scores)} of {len(labels)} images.",
                why="The running error is that of its last call of the model, which should score the batch.",
                next_step="Call model(images) once in train_step, with all images.",
            )
        self._losses.append(loss)
        self._sum = self._sum + loss * len(labels)
        self._wrong = self._wrong + (scores.argmax(1) != labels).sum()
        self._images += len(labels)
        self._rate = rate
        if time.monotonic() - self._looked > LOOK_EVERY:
            self.read()
            self._looked = time.monotonic()

    def read(self) -> None:
        """Compute the mean loss and error so far, and pass them to `watch`.

        Raises
        ------
        TrainingError
            If the loss is not finite.
        """
        loss, error = float(self._sum) / self._images, float(self._wrong) / self._images
        if not math.isfinite(loss):
            raise not_finite(f"The loss became {loss}.", self._rate)
        self.loss, self.error = loss, error
        self._watch(len(self._losses), loss, error)

    def curve(self) -> list[float]:
        """Return the loss of every step, as the means of at most `CURVE_POINTS` equal parts of the epoch."""
        losses = torch.stack([torch.as_tensor(loss, dtype=torch.float32) for loss in self._losses])
        parts = losses.tensor_split(min(CURVE_POINTS, len(losses)))
        return torch.stack([part.mean() for part in parts]).tolist()


def not_finite(what: str, rate: float) -> TrainingError:
    """Say why training cannot continue, at a learning rate of `rate`."""
    return TrainingError(
        what,
        why=f"Most often the learning rate, {rate:g} here, is too large; or the scores are not finite.",
        left="The checkpoint of the last finished epoch. The weights in memory are not usable.",
        next_step="Create the model again and train it with a smaller rate: "
        f"dataclasses.replace(recipe, learning_rate={rate / 4:.2g}).",
    )


def check_weights(model: nn.Module, rate: float) -> None:
    """Make sure that an epoch has left usable weights: the last step's loss is from before it.

    Raises
    ------
    TrainingError
        If a weight is not finite.
    """
    if not all(weight.isfinite().all() for weight in model.parameters()):
        raise not_finite("A weight became infinite or not a number.", rate)


def loss_of(returned: object) -> Tensor | float:
    """Return what a training step returned, without its graph.

    Raises
    ------
    TrainingError
        If it is not one number, as from a step that returns nothing.
    """
    if (
        isinstance(returned, Tensor)
        and returned.numel() == 1
        and not (returned.is_complex() or returned.is_meta)
    ):
        return returned.detach()
    if isinstance(returned, Real):
        try:
            return float(returned)
        except OverflowError:
            return math.inf
    raise TrainingError(
        f"A training step returned {returned!r:.80}.",
        why="It should return the batch's loss, one number.",
        next_step="End train_step with return loss.item().",
    )
