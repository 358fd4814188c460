"""The training loop of Lab 03: one step, one epoch, all epochs. `evaluation` holds the lab's `evaluate`.

What surrounds the loop is elsewhere. `trainer` prepares a run, shows its progress and keeps checkpoints.
`speed` holds the switches that make a step faster. `meter` adds up loss and error. `distributed` lets several
processes train together; with one process, a `ProcessGroup` changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice

import torch
from torch import Tensor, nn

from course_utils.data.dataset import Batches
from course_utils.timing import Stopwatch
from course_utils.training.distributed import ProcessGroup
from course_utils.training.evaluation import Evaluate
from course_utils.training.history import History
from course_utils.training.meter import Meter, Watch, check_weights
from course_utils.training.own_code import explained
from course_utils.training.speed import Speed

TrainStep = Callable[[nn.Module, Tensor, Tensor, nn.Module, torch.optim.Optimizer], Tensor | float]
"""Model, images, labels, criterion, optimizer → the batch's mean loss. `fit` also takes a student's own."""


def train_step(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    criterion: nn.Module,
    optimizer: torch.optim.Optimizer,
) -> Tensor:
    """Take one step of gradient descent on one batch. Returns the batch's mean loss from before the step."""
    optimizer.zero_grad()
    loss = criterion(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss.detach()


def train_epoch(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    criterion: nn.Module,
    optimizer: torch.optim.Optimizer,
    *,
    step: TrainStep,
    rate: Callable[[int], float],
    speed: Speed,
    watch: Watch = lambda *_: None,
) -> Meter:
    """Take one step of gradient descent for each batch.

    Parameters
    ----------
    model, batches, criterion, optimizer
        As in the lab's own loop.
    step : callable
        Takes a step, as `train_step` does.
    rate : callable
        Learning rate of each step, counted from 0.
    speed : Speed
        Switches that change the time and not the result.
    watch : callable
        Called now and then, and at the end, with the steps done, the running loss and the running error.

    Returns
    -------
    Meter
        Loss and share of wrong answers, each batch taken before its step.

    Raises
    ------
    TrainingError
        If the loss is not finite, or not a number.
    """
    model.train()
    scored, meter = ScoredModel(model, speed), Meter(watch)
    for index, (images, labels) in enumerate(batches):
        now = rate(index)
        for group in optimizer.param_groups:
            group["lr"] = now
        # Muon multiplies matrices too.
        with speed.autocast(images.device), explained("The training step fails."):
            loss = step(scored, images, labels, criterion, optimizer)
        meter.add(loss, scored.scores, labels, now)
    meter.read()
    return meter


class ScoredModel(nn.Module):
    """A model that keeps its last scores, for the running error, and gives them to the loss in float32."""

    def __init__(self, model: nn.Module, speed: Speed) -> None:
        super().__init__()
        self.model = model
        self.speed = speed
        self.scores = torch.empty(0)

    def forward(self, images: Tensor) -> Tensor:
        """Score N×C×H×W images."""
        with self.speed.pooling(images.device):
            scores = self.model(images)
        self.scores = scores.detach()
        return scores.float()


def train(
    model: nn.Module,
    batches: Batches,
    test_batches: Batches,
    criterion: nn.Module,
    optimizer: torch.optim.Optimizer,
    history: History,
    *,
    step: TrainStep,
    evaluate: Evaluate,
    device: torch.device,
    speed: Speed,
    processes: ProcessGroup,
    watch: Watch,
) -> Iterator[None]:
    """Train until the history's recipe is done. Yields after each epoch, when the history has its record."""
    recipe = history.recipe

    def rate(index: int) -> float:
        return recipe.rate(len(history) + index / len(batches))

    trained = processes.data_parallel(model, device)
    while not history.complete:
        steps = round(min(1, recipe.epochs - len(history)) * len(batches))  # the last epoch may be a part
        with Stopwatch(device=device) as training:
            mine = processes.split(islice(batches, steps))
            meter = train_epoch(
                trained, mine, criterion, optimizer, step=step, rate=rate, speed=speed, watch=watch
            )
            check_weights(model, rate(steps - 1))
        with Stopwatch(device=device) as testing, speed.autocast(device):
            test_error = processes.evaluate(model, test_batches, evaluate)
        loss, error, *losses = processes.mean(meter.loss, meter.error, *meter.curve())
        history.add(
            rate(0), loss, error, test_error, training.seconds, testing.seconds, losses, processes.size
        )
        yield
