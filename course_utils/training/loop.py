"""The training loop: the lecture's dozen lines, and what makes them pleasant to wait for."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable
from itertools import islice

import torch
from torch import Tensor, nn

from course_utils.data.dataset import Dataset
from course_utils.device import pick_device
from course_utils.errors import TrainingError
from course_utils.timing import Stopwatch
from course_utils.training.checkpoints import Checkpoint
from course_utils.training.display import choose_display
from course_utils.training.distributed import ALONE, Team
from course_utils.training.evaluation import BATCH
from course_utils.training.history import History
from course_utils.training.preparation import check_fit, estimate, on_device, sample
from course_utils.training.recipes import Recipe
from course_utils.training.speed import Speed, default_speed, fitting, keep_heap, machine

LOOK_EVERY = 0.5
"""Seconds between two looks at the running loss: each makes Python wait for the accelerator."""


def fit(
    model: nn.Module,
    dataset: Dataset,
    recipe: Recipe,
    *,
    device: str | torch.device | None = None,
    speed: Speed | None = None,
    checkpoint: bool | str | os.PathLike[str] = True,
    fresh: bool = False,
    show: bool = True,
    team: Team = ALONE,
) -> History:
    """Train `model` on `dataset` as `recipe` says.

    After each epoch the test error is measured and a checkpoint is written. Calling `fit` again with a model
    of the same structure, the same recipe and the same data goes on where the last run stopped, or loads the
    finished one at once. Ctrl-C (or the stop button) ends training and keeps the model as it is.

    Parameters
    ----------
    model : nn.Module
        Maps N×C×H×W images to N×classes scores. It is trained in place and stays on the device.
    dataset : Dataset
        From `load_dataset`.
    recipe : Recipe
        Epochs, learning rate and all else that decides the result.
    device : str or torch.device, optional
        Defaults to what `pick_device` picks.
    speed : Speed, optional
        Switches that change the time and not the result. Defaults to what pays on the device.
    checkpoint : bool or path
        Whether to write checkpoints, and to go on from one; or the folder for them.
    fresh : bool
        Whether to ignore an earlier run's checkpoint and train anew.
    show : bool
        Whether to show progress and curves.
    team : Team
        The processes that train together; see `course_utils.training.distributed`.

    Returns
    -------
    History
        One record for each epoch; it can plot itself.

    Raises
    ------
    TrainingError
        If the model has no weights, its scores have another shape than N×classes, or the loss is not finite.
    DeviceError
        If the asked-for device does not exist.
    """
    place = pick_device(device)
    display = choose_display(show and team.leads)
    dataset = on_device(dataset, place)
    model.to(place)
    check_fit(model, dataset)
    speed = fitting(default_speed(place) if speed is None else speed, model, sample(dataset))

    criterion = nn.CrossEntropyLoss(label_smoothing=recipe.label_smoothing)
    optimizer = recipe.make_optimizer(model)
    generator = torch.Generator().manual_seed(recipe.seed)
    batches = dataset.train.batches(
        recipe.batch_size, shuffle=True, generator=generator, transform=recipe.augment(generator)
    )
    recipe = recipe.for_batches(len(batches))
    history = History.begin(
        model, dataset, recipe, device=speed.describe(place), machine=machine(place, team.size)
    )
    folder = None if isinstance(checkpoint, bool) else checkpoint
    saved = Checkpoint.of(model, recipe, dataset.digest, display, folder)
    if checkpoint is not False and not fresh and saved.load(model, optimizer, generator, history):
        begun = "already trained" if history.complete else "going on"
        display.say(f"{begun}: {history.progress}; fit(..., fresh=True) trains anew.")
    team.agree(len(history), "the epochs that are done")
    if history.complete:
        display.end(history)
        return history

    keep_heap(speed)
    if speed.channels_last:
        model.to(memory_format=torch.channels_last)
    trained = team.wrap(model, place)

    def rate(step: int) -> float:
        return recipe.rate(len(history) + step / len(batches))

    try:
        history.device = speed.describe(place)
        history.estimate, history.test_estimate = estimate(model, dataset, recipe, speed, place, team)
        display.say(history.device)
        display.say(history.forecast("this CPU" if place.type == "cpu" else str(place)))
        display.begin(history, len(batches))
        while not history.complete:
            steps = round(min(1, recipe.epochs - len(history)) * len(batches))
            with Stopwatch(device=place) as training:
                loss, error = train_epoch(
                    trained,
                    team.share(islice(batches, steps)),
                    criterion,
                    optimizer,
                    rate=rate,
                    speed=speed,
                    watch=display.step,
                )
            team.align(model)
            with Stopwatch(device=place) as testing, speed.autocast(place):
                test_error = team.evaluate(model, dataset.test.batches(BATCH))
            loss, error = team.mean(loss, error)
            history.add(rate(0), loss, error, test_error, training.seconds, testing.seconds)
            if checkpoint is not False and team.leads:
                saved.save(model, optimizer, generator, history)
            display.epoch(history)
    except KeyboardInterrupt:
        history.interrupted = True
        display.say(f"Interrupted after {history.progress}; the model is kept as it is.")
    finally:
        model.to(memory_format=torch.contiguous_format)
        display.end(history)
    return history


def train_epoch(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    criterion: nn.Module,
    optimizer: torch.optim.Optimizer,
    *,
    rate: Callable[[int], float],
    speed: Speed,
    watch: Callable[[int, float, float], None],
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
    loss_sum: Tensor | float = 0.0
    wrong: Tensor | int = 0
    seen, looked = 0, time.monotonic()
    for step, (images, labels) in enumerate(batches):
        for group in optimizer.param_groups:
            group["lr"] = rate(step)
        with speed.scoring(images.device):
            scores = model(images)
        loss = criterion(scores.float(), labels)
        optimizer.zero_grad()
        loss.backward()
        with speed.autocast(images.device):  # Muon multiplies matrices too
            optimizer.step()
        # Sums stay on the device: reading a number at each step would make Python wait for it.
        loss_sum = loss_sum + loss.detach() * len(labels)
        wrong = wrong + (scores.detach().argmax(1) != labels).sum()
        seen += len(labels)
        if time.monotonic() - looked > LOOK_EVERY:
            watch(step + 1, _finite(float(loss_sum) / seen, rate(step)), float(wrong) / seen)
            looked = time.monotonic()
    mean_loss, error = _finite(float(loss_sum) / seen, rate(step)), float(wrong) / seen
    watch(step + 1, mean_loss, error)
    return mean_loss, error


def _finite(loss: float, rate: float) -> float:
    if math.isfinite(loss):
        return loss
    raise TrainingError(
        f"The loss became {loss}.",
        why=f"Most often the learning rate, {rate:g} here, is too large; or the scores are not finite.",
        left="The checkpoint of the last finished epoch. The model in memory is spoilt.",
        next_step="Make the model anew and train it with a smaller rate: "
        f"dataclasses.replace(recipe, learning_rate={rate / 4:.2g}).",
    )
