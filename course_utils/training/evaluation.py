"""How often a model is wrong, and what it answers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from course_utils.data.dataset import Split
from course_utils.errors import TrainingError

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
        If there is no image.

    Examples
    --------
    >>> two = torch.tensor([[2.0, 1.0], [0.0, 1.0]]), torch.tensor([0, 1])
    >>> one = torch.tensor([[5.0, 4.0]]), torch.tensor([1])
    >>> evaluate(nn.Identity(), [two, one])  # these inputs are scores already; the third answer is wrong
    0.3333333333333333
    """
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
    counts = torch.zeros(2, dtype=torch.int64, device=next(iter(model.parameters()), torch.zeros(())).device)
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            for images, labels in batches:
                counts[0] += (model(images).argmax(1) != labels).sum()
                counts[1] += len(labels)
    finally:
        model.train(training)
    return counts


def error_rate(scores: Tensor, labels: Tensor) -> float:
    """Measure the share of rows of N×classes `scores` whose largest entry is not at the label.

    Examples
    --------
    >>> error_rate(torch.tensor([[2.0, 1.0], [0.0, 1.0], [5.0, 4.0], [1.0, 0.0]]), torch.tensor([0, 1, 1, 0]))
    0.25
    """
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
    """
    device = next(model.parameters()).device
    training = model.training
    model.eval()
    try:
        with torch.no_grad():
            batches = split.batches(BATCH)
            return torch.cat([model(images.to(device)).float().cpu() for images, _ in batches])
    finally:
        model.train(training)
