"""How often a model is wrong, and what it answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from course_utils.data.dataset import Dataset, Split
from course_utils.errors import TrainingError
from course_utils.text import describe
from course_utils.training.own_code import explained

BATCH = 250
"""Images scored at once: more are not faster on a CPU, and cost memory."""


Evaluate = Callable[[nn.Module, Iterable[tuple[Tensor, Tensor]]], float]
"""Model, batches → share of wrong answers. `fit` also takes a student's own."""


def evaluate(model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]]) -> float:
    """Measure the share of wrong answers over all images of all batches.

    Parameters
    ----------
    model : nn.Module
        Its weights and its mode (training or evaluation) are left as they were.
    batches : iterable of (images, labels)
        Batches may differ in size.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    TrainingError
        If there is no image, the arguments are in another order, or the model cannot score the images.

    Examples
    --------
    >>> two = torch.tensor([[2.0, 1.0], [0.0, 1.0]]), torch.tensor([0, 1])
    >>> one = torch.tensor([[5.0, 4.0]]), torch.tensor([1])
    >>> evaluate(nn.Identity(), [two, one])  # these inputs are scores already; the third answer is wrong
    0.3333333333333333
    """
    if isinstance(batches, nn.Module) and not isinstance(model, nn.Module):
        raise TrainingError(
            "The arguments of evaluate are in another order.", next_step="Write evaluate(model, batches)."
        )
    check_model(model, "evaluate(%s, batches)")
    if isinstance(batches, (Dataset, Split, Tensor)) or not isinstance(batches, Iterable):
        raise TrainingError(
            f"evaluate got {kind_of(batches)} in place of batches.",
            why="It takes pairs of images and labels.",
            next_step="Write evaluate(model, dataset.test.batches(250)).",
        )
    with explained("The model cannot score these images."):
        wrong, seen = count_wrong(model, batches).tolist()
    if not seen:
        raise TrainingError("There is nothing to evaluate.", why="The batches hold no images.")
    return wrong / seen


def measured(evaluate: Evaluate, model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]]) -> float:
    """Call `evaluate`, which may be a student's own, and make sure that it returns a share.

    Raises
    ------
    TrainingError
        If it does not.
    """
    with explained("evaluate fails."):
        error = evaluate(model, batches)
    try:
        share = float(error)
    except (TypeError, ValueError, RuntimeError):
        share = math.nan
    if not 0 <= share <= 1:
        raise TrainingError(
            f"evaluate returned {error!r:.80}.",
            why="It should return the share of wrong answers, a number from 0 to 1.",
            next_step="Correct evaluate, run its check, and train again.",
        )
    return share


def count_wrong(model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]]) -> Tensor:
    """Count wrong answers and images; the model is left as it was. The two counts stay on its device."""
    counts = torch.zeros(2, dtype=torch.int64, device=_device_of(model))
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            for images, labels in batches:
                counts[0] += (_scores(model, images, labels).argmax(1) != labels).sum()
                counts[1] += len(labels)
    finally:
        model.train(training)
    return counts


def _scores(model: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    if not (isinstance(images, Tensor) and isinstance(labels, Tensor)):
        raise TrainingError(
            f"A batch is {kind_of(images)} and {kind_of(labels)}.",
            why="It should be images and labels, two tensors.",
        )
    try:
        scores = model(images)
    except RuntimeError as error:
        device = _device_of(model)
        if device == images.device or not any(True for _ in model.parameters()):
            raise
        raise TrainingError(
            f"The model is on {device}, and the images are on {images.device}.",
            why="Both must be on the same device.",
            next_step=f'Move the model, model.to("{images.device}"), or load the data there.',
        ) from error
    check_scores(scores, labels)
    return scores


def check_scores(scores: Any, labels: Any) -> None:
    """Make sure that there is a row of scores for each label.

    Raises
    ------
    TrainingError
        Otherwise.
    """
    fits = isinstance(scores, Tensor) and scores.ndim == 2 and scores.shape[1] > 0
    if not fits or not isinstance(labels, Tensor) or tuple(labels.shape) != (len(scores),):
        shapes = [tuple(x.shape) if isinstance(x, Tensor) else kind_of(x) for x in (scores, labels)]
        raise TrainingError(
            "Scores and labels do not fit together.",
            why=f"Scores should be N×classes, and labels N numbers; they are {shapes[0]} and {shapes[1]}.",
        )


def check_model(model: Any, call: str) -> None:
    """Make sure that `model` is a model, ready to be called; `call` shows where it goes.

    Raises
    ------
    TrainingError
        Otherwise.
    """
    if isinstance(model, type) and issubclass(model, nn.Module):
        raise TrainingError(
            f"{model.__name__} is a class, not yet a model.",
            why="Parentheses make a model of it.",
            next_step=f"Write {call % (model.__name__ + '()')}.",
        )
    if not isinstance(model, nn.Module):
        raise TrainingError(
            f"{kind_of(model)[0].upper()}{kind_of(model)[1:]} is no model.",
            why="A model is an nn.Module, such as nn.Sequential(…) or an instance of your class.",
            next_step=f"Write {call % 'model'}.",
        )
    if not hasattr(model, "_parameters"):
        raise TrainingError(
            f"The model {type(model).__name__} is not set up.",
            why="Its __init__ does not call super().__init__().",
            next_step="Begin __init__ with super().__init__().",
        )


def kind_of(value: Any) -> str:
    """Say in a few words what an argument is.

    Examples
    --------
    >>> kind_of(nn.Linear), kind_of(nn.Linear(1, 1)), kind_of(print), kind_of(0.5)
    ('the class Linear', 'a model (Linear)', 'the function print', 'the number 0.5')
    """
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if isinstance(value, nn.Module):
        return f"a model ({type(value).__name__})"
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    if callable(value) and hasattr(value, "__name__"):
        return f"the function {value.__name__}"
    said = describe(value)
    named = said == type(value).__name__ and said != "None"
    return f"{'an' if said[0].lower() in 'aeiou' else 'a'} {said}" if named else said


def _device_of(model: nn.Module) -> torch.device:
    return next(iter(model.parameters()), torch.zeros(())).device


def error_rate(scores: Tensor, labels: Tensor) -> float:
    """Measure the share of rows of N×classes `scores` whose largest entry is not at the label.

    Examples
    --------
    >>> error_rate(torch.tensor([[2.0, 1.0], [0.0, 1.0], [5.0, 4.0], [1.0, 0.0]]), torch.tensor([0, 1, 1, 0]))
    0.25
    """
    check_scores(scores, labels)
    if not len(labels):
        raise TrainingError("There is nothing to evaluate.", why="There are no labels.")
    with explained("The scores cannot be compared with the labels."):
        return (scores.argmax(1) != labels).sum().item() / len(labels)


def predict(model: nn.Module, split: Split) -> Tensor:
    """Compute the scores of every image of a split.

    Parameters
    ----------
    model : nn.Module
        Its weights and its mode are left as they were.
    split : Split
        ``dataset.test`` or ``dataset.train``.

    Returns
    -------
    Tensor
        N×classes float32 scores on the CPU, in the split's order.

    Raises
    ------
    TrainingError
        If the split has no images, or the model cannot score them.
    """
    check_model(model, "predict(%s, dataset.test)")
    if not isinstance(split, Split):
        raise TrainingError(
            f"predict got {kind_of(split)} in place of a split.",
            next_step="Write predict(model, dataset.test).",
        )
    device = _device_of(model)
    training = model.training
    model.eval()
    try:
        with torch.no_grad(), explained("The model cannot score these images."):
            scores = [_scores(model, images.to(device), labels) for images, labels in split.batches(BATCH)]
            return torch.cat([part.float().cpu() for part in scores])
    finally:
        model.train(training)
