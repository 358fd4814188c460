"""The misconceptions of `train_step`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.optim import Optimizer

from course_utils.exercises.model import Misconception

Criterion = Callable[[Tensor, Tensor], Tensor]
TrainStep = Callable[[nn.Module, Tensor, Tensor, Criterion, Optimizer], float]


def _in_order(*actions: str) -> TrainStep:
    """Return a training step that computes the loss and then takes the named actions."""

    def train_step(
        model: nn.Module, images: Tensor, labels: Tensor, criterion: Criterion, optimizer: Optimizer
    ) -> float:
        loss = criterion(model(images), labels)
        do: dict[str, Callable[[], Any]] = {
            "zero": optimizer.zero_grad,
            "backward": lambda: loss.backward(retain_graph=True),
            "step": optimizer.step,
        }
        for action in actions:
            do[action]()
        return loss.item()

    return train_step


_train_step = _in_order("zero", "backward", "step")


def _loss_after_step(
    model: nn.Module, images: Tensor, labels: Tensor, criterion: Criterion, optimizer: Optimizer
) -> float:
    _train_step(model, images, labels, criterion, optimizer)
    return criterion(model(images), labels).item()


def _error_rate(
    model: nn.Module, images: Tensor, labels: Tensor, criterion: Criterion, optimizer: Optimizer
) -> float:
    wrong = model(images).argmax(dim=1) != labels
    _train_step(model, images, labels, criterion, optimizer)
    return wrong.float().mean().item()


def _by_hand(
    model: nn.Module, images: Tensor, labels: Tensor, criterion: Criterion, optimizer: Optimizer
) -> float:
    loss = _in_order("zero", "backward")(model, images, labels, criterion, optimizer)
    (group,) = optimizer.param_groups
    with torch.no_grad():
        for parameter in group["params"]:
            parameter.sub_(group["lr"] * parameter.grad)
    return loss


def _scores_without_gradient(
    model: nn.Module, images: Tensor, labels: Tensor, criterion: Criterion, optimizer: Optimizer
) -> float:
    optimizer.zero_grad()
    with torch.no_grad():
        scores = model(images)
    loss = criterion(scores, labels)
    loss.backward()
    optimizer.step()
    return loss.item()


def _own_optimizer(lr: float) -> TrainStep:
    def train_step(
        model: nn.Module, images: Tensor, labels: Tensor, criterion: Criterion, optimizer: Optimizer
    ) -> float:
        loss = criterion(model(images), labels)
        model.zero_grad()
        loss.backward()
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.grad is not None:
                    parameter.sub_(lr * parameter.grad)
        return loss.item()

    return train_step


def _one_hot(scores: Tensor, labels: Tensor) -> Tensor:
    return F.one_hot(labels, scores.shape[1]).float()


MISCONCEPTIONS = (
    Misconception(
        "arguments-exchanged",
        lambda model, images, labels, criterion, optimizer: _train_step(
            model, images, labels, lambda scores, truth: criterion(truth, scores), optimizer
        ),
        "A criterion takes the scores first and the labels second: criterion(scores, labels).",
        "Lab 03, Loss and error",
    ),
    Misconception(
        "forward-without-gradient",
        _scores_without_gradient,
        "backward needs the record of the forward pass, so a training step runs without torch.no_grad.",
    ),
    Misconception(
        "one-hot-labels",
        lambda model, images, labels, criterion, optimizer: _train_step(
            model,
            images,
            labels,
            lambda scores, truth: criterion(scores, _one_hot(scores, truth)),
            optimizer,
        ),
        "The labels are turned into rows of zeros and ones; a criterion takes them as they are.",
        "Lab 03, Loss and error",
    ),
    *(
        Misconception(
            f"own-optimizer-{lr}",
            _own_optimizer(lr),
            f"A new optimizer with learning rate {lr} is made inside the function; the one that is given has "
            "its own, and remembers its momentum from step to step.",
        )
        for lr in (0.25, 0.1, 0.05, 0.01, 0.001)
    ),
    Misconception(
        "gradients-not-zeroed",
        _in_order("backward", "step"),
        "The gradients of earlier steps are still there, and backward adds to them.",
    ),
    Misconception(
        "zeroed-after-backward",
        _in_order("backward", "zero", "step"),
        "The gradients are thrown away between backward and the step.",
    ),
    Misconception("no-step", _in_order("zero", "backward"), "Gradients are computed but never used."),
    Misconception("no-backward", _in_order("zero", "step"), "The optimizer steps without any gradient."),
    Misconception(
        "step-before-backward",
        _in_order("zero", "step", "backward"),
        "The step comes before the gradient it should follow.",
    ),
    Misconception(
        "gradient-of-the-batch-before",
        _in_order("step", "zero", "backward"),
        "Each step follows the gradient of the previous batch.",
    ),
    Misconception(
        "softmax-before-criterion",
        lambda model, *rest: _train_step(nn.Sequential(model, nn.Softmax(dim=1)), *rest),
        "The scores go through a softmax first, but the cross-entropy loss already applies one.",
        "Lab 03, Loss and error",
    ),
    Misconception("loss-after-step", _loss_after_step, "That is the loss after the step, not before it."),
    Misconception(
        "summed-loss",
        lambda model, images, *rest: _train_step(model, images, *rest) * len(images),
        "The loss is multiplied by the number of images; the criterion's own value is expected.",
    ),
    Misconception(
        "loss-divided-again",
        lambda model, images, *rest: _train_step(model, images, *rest) / len(images),
        "The loss is divided by the number of images, but the criterion already averages.",
    ),
    Misconception(
        "own-criterion",
        lambda model, images, labels, criterion, optimizer: _train_step(
            model, images, labels, F.cross_entropy, optimizer
        ),
        "The loss is always the cross-entropy, whatever criterion is given.",
    ),
    Misconception(
        "two-steps", _in_order("zero", "backward", "step", "step"), "The optimizer steps twice for one batch."
    ),
    Misconception(
        "backward-twice",
        _in_order("zero", "backward", "backward", "step"),
        "The gradient is computed twice, so it counts twice.",
    ),
    Misconception(
        "evaluation-mode",
        lambda model, *rest: _train_step(model.eval(), *rest),
        "The model is switched to evaluation mode, where batch normalisation ignores the batch's own "
        "statistics.",
    ),
    Misconception(
        "update-by-hand",
        _by_hand,
        "The parameters are changed by hand, so the optimizer and its momentum play no part.",
    ),
    Misconception("error-rate-returned", _error_rate, "That is the share of wrong answers, not the loss."),
    Misconception(
        "uphill",
        lambda model, images, labels, criterion, optimizer: (
            -_train_step(model, images, labels, lambda scores, truth: -criterion(scores, truth), optimizer)
        ),
        "The step goes up the gradient, so the loss grows.",
    ),
)
