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
from course_utils.training.history import History
from course_utils.training.meter import Meter, Watch
from course_utils.training.speed import Speed


def train_step(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    criterion: nn.Module,
    optimizer: torch.optim.Optimizer,
    speed: Speed,
) -> tuple[Tensor, Tensor]:
    """Take one step of gradient descent on one batch.

    Returns
    -------
    tuple of Tensor
        The batch's mean loss and its N×classes scores, both from before the step.
    """
    optimizer.zero_grad()
    with speed.scoring(images.device):
        scores = model(images)
    loss = criterion(scores.float(), labels)
    loss.backward()
    with speed.autocast(images.device):  # Muon multiplies matrices too
        optimizer.step()
    return loss.detach(), scores.detach()


def train_epoch(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    criterion: nn.Module,
    optimizer: torch.optim.Optimizer,
    *,
    rate: Callable[[int], float],
    speed: Speed,
    watch: Watch,
) -> tuple[float, float]:
    """Take one step of gradient descent for each batch.

    Parameters
    ----------
    model, batches, criterion, optimizer
        As in the lab's own loop.
    rate : callable
        Learning rate of each step, counted from 0.
    speed : Speed
        Switches that change the time and not the result.
    watch : callable
        Called now and then, and at the end, with the steps done, the running loss and the running error.

    Returns
    -------
    tuple of float
        Mean loss and share of wrong answers over the epoch, each batch taken before its step.

    Raises
    ------
    TrainingError
        If the loss is not finite.
    """
    model.train()
    meter = Meter(watch)
    for step, (images, labels) in enumerate(batches):
        for group in optimizer.param_groups:
            group["lr"] = rate(step)
        loss, scores = train_step(model, images, labels, criterion, optimizer, speed)
        meter.add(loss, scores, labels, rate(step))
    return meter.read()


def train(
    model: nn.Module,
    batches: Batches,
    test_batches: Batches,
    criterion: nn.Module,
    optimizer: torch.optim.Optimizer,
    history: History,
    *,
    device: torch.device,
    speed: Speed,
    processes: ProcessGroup,
    watch: Watch,
) -> Iterator[None]:
    """Train until the history's recipe is done. Yields after each epoch, when the history has its record."""
    recipe = history.recipe

    def rate(step: int) -> float:
        return recipe.rate(len(history) + step / len(batches))

    trained = processes.data_parallel(model, device)
    while not history.complete:
        steps = round(min(1, recipe.epochs - len(history)) * len(batches))  # the last epoch may be a part
        with Stopwatch(device=device) as training:
            mine = processes.split(islice(batches, steps))
            loss, error = train_epoch(
                trained, mine, criterion, optimizer, rate=rate, speed=speed, watch=watch
            )
        with Stopwatch(device=device) as testing, speed.autocast(device):
            test_error = processes.evaluate(model, test_batches)
        loss, error = processes.mean(loss, error)
        history.add(rate(0), loss, error, test_error, training.seconds, testing.seconds)
        yield
