"""`fit`: the training loop with an estimate of its time, progress, checkpoints, and a way to stop it."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from course_utils.data.dataset import Dataset
from course_utils.device import pick_device
from course_utils.training.checkpoints import Checkpoint
from course_utils.training.display import choose_display
from course_utils.training.distributed import ONE_PROCESS, ProcessGroup
from course_utils.training.evaluation import BATCH, Evaluate, evaluate
from course_utils.training.history import History
from course_utils.training.loop import TrainStep, train, train_step
from course_utils.training.own_code import explained
from course_utils.training.preparation import check_arguments, check_fit, estimate, moved, on_device, sample
from course_utils.training.recipes import Recipe
from course_utils.training.schedules import Given
from course_utils.training.speed import Speed, default_speed, keep_heap, machine, supported


def fit(
    model: nn.Module,
    dataset: Dataset,
    recipe: Recipe,
    *,
    train_step: TrainStep = train_step,
    evaluate: Evaluate = evaluate,
    learning_rate: Callable[[float], float] | None = None,
    device: str | torch.device | None = None,
    speed: Speed | None = None,
    checkpoint: bool | str | os.PathLike[str] = True,
    fresh: bool = False,
    show: bool = True,
    processes: ProcessGroup = ONE_PROCESS,
) -> History:
    """Train `model` on `dataset` as `recipe` says.

    After each epoch the test error is measured and a checkpoint is written. Calling `fit` again with a model
    of the same code, the same recipe and the same data resumes where the last run stopped, or loads the
    finished one at once; a run whose code has changed trains anew and says what has. Ctrl-C (or the stop
    button) ends training and keeps the model as it is.

    Parameters
    ----------
    model : nn.Module
        Maps N×C×H×W images to N×classes scores. It is trained in place and stays on the device.
    dataset : Dataset
        From `load_dataset`.
    recipe : Recipe
        Epochs, learning rate and everything else that decides the result.
    train_step : callable, optional
        A step of your own, as in Lab 03: model, images, labels, criterion, optimizer → loss before the step.
    evaluate : callable, optional
        A test of your own, as in Lab 03: model, batches → share of wrong answers.
    learning_rate : callable, optional
        Passes over the training images, from 0 and with fractions → learning rate, in place of the recipe's.
    device : str or torch.device, optional
        Defaults to what `pick_device` picks.
    speed : Speed, optional
        Switches that change the time and not the result. Defaults to what pays off on the device.
    checkpoint : bool or path
        Whether to write checkpoints and to resume from one, or the folder for them; ``~`` is your home.
    fresh : bool
        Whether to ignore an earlier run's checkpoint and start over.
    show : bool
        Whether to show progress and curves.
    processes : ProcessGroup
        The processes that train together; see `course_utils.training.distributed`.

    Returns
    -------
    History
        One record for each epoch; it can plot itself.

    Raises
    ------
    TrainingError
        If an argument is not what it should be, or the arguments are in another order; if the model has no
        weights, its scores have another shape than N×classes, or the loss is not finite; if `train_step` or
        `evaluate` fails or does not return a number.
    DeviceError
        If the requested device does not exist.

    Examples
    --------
    >>> from course_utils import Recipe, load_dataset
    >>> _ = torch.manual_seed(0)
    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    >>> recipe = Recipe("one layer", epochs=2, learning_rate=0.02)
    >>> history = fit(model, load_dataset("digits"), recipe, checkpoint=False, show=False)
    >>> history
    History(one layer: 2 of 2 epochs on digits)
    >>> history.test_error < 0.2
    True
    """
    check_arguments(model, dataset, recipe, train_step, evaluate, learning_rate, device, speed, checkpoint)
    with explained("The device cannot be used."):
        place = pick_device(device)
    display = choose_display(show and processes.is_main)
    if learning_rate is not None:
        recipe = replace(recipe, schedule=Given(learning_rate))
    saved = None
    if checkpoint is not False:
        folder = None if checkpoint is True else checkpoint
        code: dict[str, Callable[..., Any]] = {"train_step": train_step, "evaluate": evaluate}
        # Before the model is called for the first time: its attributes may count the calls.
        saved = Checkpoint.of(model, recipe, dataset, display, folder, code)
    dataset = on_device(dataset, place)
    moved(model, place)
    check_fit(model, dataset, recipe)
    speed = supported(default_speed(place) if speed is None else speed, model, sample(dataset))

    criterion = recipe.make_criterion()
    optimizer = recipe.make_optimizer(model)
    generator = torch.Generator().manual_seed(recipe.seed)
    batches = recipe.batches(dataset.train, generator)
    recipe = recipe.for_batches(len(batches))
    history = History.begin(
        model, dataset, recipe, device=speed.describe(place), machine=machine(place, processes.size)
    )
    if saved is not None and not fresh:
        if not saved.news and saved.load(model, optimizer, generator, history):
            begun = "already trained" if history.complete else "resuming"
            display.say(f"{begun}: {history.progress}; fit(..., fresh=True) starts over.")
        elif saved.news:
            display.say(f"training anew: {saved.news}.")
    processes.check_equal(len(history), "the epochs that are done")
    if history.complete:
        display.end(history)
        if saved is not None:
            saved.remember(model)
        return history

    if saved is not None and processes.is_main:
        saved.prepare()
    keep_heap(speed)
    if speed.channels_last:
        model.to(memory_format=torch.channels_last)
    try:
        history.device = speed.describe(place)
        history.estimate, history.test_estimate = estimate(
            model, dataset, recipe, speed, place, processes, step=train_step, evaluate=evaluate
        )
        display.detail("How it is computed", history.device)
        display.say(history.forecast("this CPU" if place.type == "cpu" else str(place)))
        display.begin(history, len(batches))
        for _ in train(
            model,
            batches,
            dataset.test.batches(BATCH),
            criterion,
            optimizer,
            history,
            step=train_step,
            evaluate=evaluate,
            device=place,
            speed=speed,
            processes=processes,
            watch=display.step,
        ):
            if saved is not None and processes.is_main:
                saved.save(model, optimizer, generator, history)
            display.epoch(history)
    except KeyboardInterrupt:
        history.interrupted = True
        display.say(f"Interrupted after {history.progress}; the model is kept as it is.")
    finally:
        model.to(memory_format=torch.contiguous_format)
        display.end(history)
    if saved is not None:
        saved.remember(model)
    return history
