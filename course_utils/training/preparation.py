"""What `fit` does before the first step: move the images, check the model, estimate the time."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from course_utils.data.dataset import Dataset, Split
from course_utils.errors import TrainingError
from course_utils.timing import estimate_epoch
from course_utils.training.distributed import ONE_PROCESS, ProcessGroup
from course_utils.training.evaluation import BATCH, Evaluate, evaluate, measured
from course_utils.training.loop import ScoredModel, TrainStep, train_step
from course_utils.training.meter import loss_of
from course_utils.training.recipes import Recipe
from course_utils.training.speed import Speed


def on_device(dataset: Dataset, device: torch.device) -> Dataset:
    """Return the dataset with its images on `device`, or the dataset itself if they are there already."""

    def moved(split: Split) -> Split:
        return replace(split, images=split.images.to(device), labels=split.labels.to(device))

    if dataset.train.images.device == device:
        return dataset
    return replace(dataset, train=moved(dataset.train), test=moved(dataset.test))


def sample(dataset: Dataset) -> Tensor:
    """Return two normalised training images."""
    return next(iter(dataset.train.batches(2)))[0]


def check_fit(model: nn.Module, dataset: Dataset) -> None:
    """Make sure that `model` has weights to train and gives one score per class.

    Raises
    ------
    TrainingError
        Otherwise.
    """
    if not any(weight.requires_grad for weight in model.parameters()):
        raise TrainingError("There is nothing to train.", why="No parameter of the model takes a gradient.")
    images = sample(dataset)
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            scores = model(images)
    finally:
        model.train(training)
    wanted = (len(images), len(dataset.classes))
    got = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
    if got != wanted:
        raise TrainingError(
            "The model's scores do not fit the data.",
            why=f"For {tuple(images.shape)} images they should be {wanted}, not {got}: one score per class.",
            left="The model was not trained.",
            next_step="Check the last layer, and that forward() returns its output.",
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

    The steps are those that training takes. The model is left as it was.
    """
    untouched = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    mode = model.training
    criterion, optimizer = recipe.make_criterion(), recipe.make_optimizer(model)
    batches = recipe.batches(dataset.train, torch.Generator().manual_seed(recipe.seed))
    tests = dataset.test.batches(BATCH)
    scored = ScoredModel(model, speed)

    def train(images: Tensor, labels: Tensor) -> None:
        with speed.autocast(device):
            loss_of(step(scored, images, labels, criterion, optimizer))

    def test(images: Tensor, labels: Tensor) -> None:
        with speed.autocast(device):
            measured(evaluate, model, [(images, labels)])

    model.train()
    try:
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            training = estimate_epoch(train, processes.split(batches), len(batches), device=device)
            testing = estimate_epoch(test, tests, len(tests) / processes.size, device=device, at_most=5)
    finally:
        model.load_state_dict(untouched)
        model.train(mode)
        optimizer.zero_grad()
    training, testing = processes.mean(training, testing)
    return training, testing
