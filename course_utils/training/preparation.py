"""What `fit` does before the first step: check its arguments, move model and images, estimate the time."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.data.dataset import Dataset, Split
from course_utils.data.validity import check_half, check_halves
from course_utils.errors import TrainingError
from course_utils.text import shape_text
from course_utils.timing import estimate_epoch
from course_utils.training.distributed import ONE_PROCESS, ProcessGroup
from course_utils.training.evaluation import BATCH, Evaluate, check_model, evaluate, kind_of, measured
from course_utils.training.loop import ScoredModel, TrainStep, train_step
from course_utils.training.meter import loss_of
from course_utils.training.own_code import explained
from course_utils.training.recipes import Recipe
from course_utils.training.speed import Speed

UNTOUCHED = "The model was not trained."


def check_arguments(
    model: Any,
    dataset: Any,
    recipe: Any,
    train_step: Any,
    evaluate: Any,
    learning_rate: Any,
    device: Any,
    speed: Any,
    checkpoint: Any,
) -> None:
    """Make sure that the arguments of `fit` are of the right kinds, and the dataset's values possible.

    Raises
    ------
    TrainingError
        Otherwise.
    """
    given = (model, dataset, recipe)
    kinds = (nn.Module, Dataset, Recipe)
    if not all(map(isinstance, given, kinds)) and all(
        any(isinstance(x, kind) for x in given) for kind in kinds
    ):
        raise TrainingError(
            "The arguments of fit are in another order.",
            why=f"They are {', '.join(map(kind_of, given))}.",
            left=UNTOUCHED,
            next_step="Write fit(model, dataset, recipe).",
        )
    check_model(model, "fit(%s, dataset, recipe)")
    if not isinstance(dataset, Dataset):
        half = "not one of its halves; write" if isinstance(dataset, Split) else "for example"
        raise _wrong("dataset", dataset, f'It takes a whole dataset, {half} load_dataset("digits").')
    if not isinstance(recipe, Recipe):
        raise _wrong(
            "recipe", recipe, 'It takes a Recipe, for example recipe("lenet5") or Recipe("mine", epochs=3).'
        )
    for name, function in (("train_step", train_step), ("evaluate", evaluate)):
        if not callable(function):
            raise _wrong(name, function, f"It takes a function: fit(…, {name}={name}).")
    if learning_rate is not None and not callable(learning_rate):
        step = "For a number, write dataclasses.replace(recipe, learning_rate=…)."
        raise _wrong("learning_rate", learning_rate, "It takes a function of the epoch.", step)
    if device is not None and not isinstance(device, (str, torch.device)):
        raise _wrong("device", device, 'It takes a name, for example "cpu" or "cuda:0".')
    if speed is not None and not isinstance(speed, Speed):
        raise _wrong("speed", speed, "It takes a Speed, for example PLAIN.")
    named = isinstance(checkpoint, (str, os.PathLike)) and isinstance(os.fspath(checkpoint), str)
    if not isinstance(checkpoint, bool) and not (named and os.fspath(checkpoint).strip("\0 ")):
        raise _wrong("checkpoint", checkpoint, "It takes True, False or a folder.")
    for name in ("name", "source", "digest"):
        text = getattr(dataset, name)
        if not isinstance(text, str):
            raise _wrong("dataset", dataset, f"Its {name} is {kind_of(text)}, not a text.")
    # They were checked when they were made, but tensors change in place.
    for split in (dataset.train, dataset.test):
        check_half(split.images, split.labels, split.mean, split.std)
    check_halves(dataset.train, dataset.test, dataset.classes)


def _wrong(name: str, value: Any, why: str, next_step: str = "") -> TrainingError:
    return TrainingError(
        f"The argument {name} of fit is {kind_of(value)}.", why=why, left=UNTOUCHED, next_step=next_step
    )


def on_device(dataset: Dataset, device: torch.device) -> Dataset:
    """Return the dataset with its images on `device`, or the dataset itself if they are there already."""

    def moved(split: Split) -> Split:
        return replace(split, images=split.images.to(device), labels=split.labels.to(device))

    tensors = [part for half in (dataset.train, dataset.test) for part in (half.images, half.labels)]
    if all(part.device == device for part in tensors):
        return dataset
    with explained(f"The images cannot be moved to {device}.", left=UNTOUCHED):
        return replace(dataset, train=moved(dataset.train), test=moved(dataset.test))


def moved(model: nn.Module, device: torch.device) -> None:
    """Move a model to `device`, in place.

    Raises
    ------
    TrainingError
        If it cannot be moved: on the device ``meta``, weights have no values.
    """
    with explained(f"The model cannot be moved to {device}.", left=UNTOUCHED):
        model.to(device)


def copied_state(model: nn.Module) -> dict[str, Any]:
    """Return a copy of a model's state; what is no tensor in it is the model's own business."""
    state = model.state_dict()
    return {name: value.clone() if isinstance(value, Tensor) else value for name, value in state.items()}


def sample(dataset: Dataset) -> Tensor:
    """Return two normalised training images."""
    return next(iter(dataset.train.batches(2)))[0]


def check_fit(model: nn.Module, dataset: Dataset, recipe: Recipe) -> None:
    """Make sure that `model` can be trained and gives one score per class, and that images can be shifted.

    Raises
    ------
    TrainingError
        Otherwise.
    """
    images = sample(dataset)
    if recipe.augmentation.shift >= min(images.shape[2:]):
        raise TrainingError(
            "The images cannot be shifted that far.",
            why=f"They have {shape_text(images.shape[2:])} pixels, the shift is {recipe.augmentation.shift}.",
            left=UNTOUCHED,
        )
    training = model.training
    model.eval()
    try:
        with (
            torch.no_grad(),
            explained(
                f"The model cannot take images of {shape_text(images.shape[1:])}.",
                left=UNTOUCHED,
                next_step="Try it on one batch: model(next(iter(dataset.train.batches(2)))[0]).",
            ),
        ):
            scores = model(images)
    finally:
        model.train(training)
    if not any(weight.requires_grad for weight in model.parameters()):
        raise TrainingError("There is nothing to train.", why="No parameter of the model takes a gradient.")
    wanted = (len(images), len(dataset.classes))
    got = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
    if got != wanted:
        raise TrainingError(
            "The model's scores do not fit the data.",
            why=f"For {tuple(images.shape)} images they should be {wanted}, not {got}: one score per class.",
            left=UNTOUCHED,
            next_step="Check the last layer, and that forward() returns its output.",
        )
    if not scores.is_floating_point():
        raise TrainingError(
            f"The model's scores are {scores.dtype}.",
            why="They should be fractions, which have gradients.",
            left=UNTOUCHED,
            next_step="Return the output of the last layer, not its argmax.",
        )


def estimate(
    model: nn.Module,
    dataset: Dataset,
    recipe: Recipe,
    speed: Speed,
    device: torch.device,
    processes: ProcessGroup = ONE_PROCESS,
    *,
    step: TrainStep = train_step,
    evaluate: Evaluate = evaluate,
) -> tuple[float, float]:
    """Estimate the seconds of a pass over the training set and over the test set, from a few batches.

    The steps are those that training takes; a short training has fewer of them timed. The model is left as it
    was.
    """
    untouched = copied_state(model)
    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]  # some are not part of the state
    mode = model.training
    criterion, optimizer = recipe.make_criterion(), recipe.make_optimizer(model)
    batches = recipe.batches(dataset.train, torch.Generator().manual_seed(recipe.seed))
    tests = dataset.test.batches(BATCH)
    scored = ScoredModel(model, speed)

    def train(images: Tensor, labels: Tensor) -> None:
        with speed.autocast(device), explained("The training step fails.", left=UNTOUCHED):
            loss_of(step(scored, images, labels, criterion, optimizer))

    def test(images: Tensor, labels: Tensor) -> None:
        with speed.autocast(device):
            measured(evaluate, model, [(images, labels)])

    model.train()
    try:
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            few = min(30, max(3, round(recipe.epochs * len(batches)) // 20))
            training = estimate_epoch(
                train, processes.split(batches), len(batches), device=device, at_most=few
            )
            testing = estimate_epoch(test, tests, len(tests) / processes.size, device=device, at_most=5)
    finally:
        model.load_state_dict(untouched)
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)
        model.train(mode)
        optimizer.zero_grad()
    training, testing = processes.mean(training, testing)
    return training, testing
