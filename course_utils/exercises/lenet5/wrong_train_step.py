"""What goes wrong in a training step."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn
from torch.optim import Optimizer

from course_utils.exercises.model import Misconception

SECTION = "Lab 03, One training step"
Criterion = Callable[[Tensor, Tensor], Tensor]
TrainStep = Callable[[nn.Module, Tensor, Tensor, Criterion, Optimizer], float]


def _variant(step: Callable[[Callable[[], Tensor], Optimizer], float]) -> TrainStep:
    """Return a training step from what it does with the batch's loss and the optimizer."""

    def train_step(
        model: nn.Module, images: Tensor, labels: Tensor, criterion: Criterion, optimizer: Optimizer
    ) -> float:
        return step(lambda: criterion(model(images), labels), optimizer)

    return train_step


def _right(loss_of_batch: Callable[[], Tensor], optimizer: Optimizer) -> float:
    optimizer.zero_grad()
    loss = loss_of_batch()
    loss.backward()
    optimizer.step()
    return loss.item()


_train_step = _variant(_right)


def _never_zeroed(loss_of_batch: Callable[[], Tensor], optimizer: Optimizer) -> float:
    loss = loss_of_batch()
    loss.backward()
    optimizer.step()
    return loss.item()


def _zeroed_after_backward(loss_of_batch: Callable[[], Tensor], optimizer: Optimizer) -> float:
    loss = loss_of_batch()
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


def _no_step(loss_of_batch: Callable[[], Tensor], optimizer: Optimizer) -> float:
    optimizer.zero_grad()
    loss = loss_of_batch()
    loss.backward()
    return loss.item()


def _no_backward(loss_of_batch: Callable[[], Tensor], optimizer: Optimizer) -> float:
    optimizer.zero_grad()
    loss = loss_of_batch()
    optimizer.step()
    return loss.item()


def _step_before_backward(loss_of_batch: Callable[[], Tensor], optimizer: Optimizer) -> float:
    optimizer.zero_grad()
    loss = loss_of_batch()
    optimizer.step()
    loss.backward()
    return loss.item()


def _gradient_of_the_batch_before(loss_of_batch: Callable[[], Tensor], optimizer: Optimizer) -> float:
    loss = loss_of_batch()
    optimizer.step()
    optimizer.zero_grad()
    loss.backward()
    return loss.item()


def _loss_after_step(loss_of_batch: Callable[[], Tensor], optimizer: Optimizer) -> float:
    _right(loss_of_batch, optimizer)
    return loss_of_batch().item()


def _two_steps(loss_of_batch: Callable[[], Tensor], optimizer: Optimizer) -> float:
    loss = _right(loss_of_batch, optimizer)
    optimizer.step()
    return loss


def _backward_twice(loss_of_batch: Callable[[], Tensor], optimizer: Optimizer) -> float:
    optimizer.zero_grad()
    loss = loss_of_batch()
    loss.backward(retain_graph=True)
    loss.backward()
    optimizer.step()
    return loss.item()


def _uphill(loss_of_batch: Callable[[], Tensor], optimizer: Optimizer) -> float:
    return -_right(lambda: -loss_of_batch(), optimizer)


def _by_hand(loss_of_batch: Callable[[], Tensor], optimizer: Optimizer) -> float:
    optimizer.zero_grad()
    loss = loss_of_batch()
    loss.backward()
    (group,) = optimizer.param_groups
    with torch.no_grad():
        for parameter in group["params"]:
            parameter.sub_(group["lr"] * parameter.grad)
    return loss.item()


def _softmax_first(
    model: nn.Module, images: Tensor, labels: Tensor, criterion: Criterion, optimizer: Optimizer
) -> float:
    return _train_step(nn.Sequential(model, nn.Softmax(dim=1)), images, labels, criterion, optimizer)


def _own_criterion(
    model: nn.Module, images: Tensor, labels: Tensor, criterion: Criterion, optimizer: Optimizer
) -> float:
    return _train_step(model, images, labels, F.cross_entropy, optimizer)


def _in_evaluation_mode(
    model: nn.Module, images: Tensor, labels: Tensor, criterion: Criterion, optimizer: Optimizer
) -> float:
    return _train_step(model.eval(), images, labels, criterion, optimizer)


def _error_rate(
    model: nn.Module, images: Tensor, labels: Tensor, criterion: Criterion, optimizer: Optimizer
) -> float:
    wrong = model(images).argmax(dim=1) != labels
    _train_step(model, images, labels, criterion, optimizer)
    return wrong.float().mean().item()


def _returning(figure: Callable[[float, int], float]) -> TrainStep:
    """Return a right step that returns another figure, from the loss and the number of images."""

    def step(
        model: nn.Module, images: Tensor, labels: Tensor, criterion: Criterion, optimizer: Optimizer
    ) -> float:
        return figure(_train_step(model, images, labels, criterion, optimizer), len(images))

    return step


MISCONCEPTIONS = (
    Misconception(
        "gradients-not-zeroed",
        _variant(_never_zeroed),
        "The gradients of the steps before are still there: backward adds to them.",
        SECTION,
    ),
    Misconception(
        "zeroed-after-backward",
        _variant(_zeroed_after_backward),
        "The gradients are thrown away between backward and the step.",
        SECTION,
    ),
    Misconception(
        "no-step", _variant(_no_step), "Gradients are computed, and nothing is done with them.", SECTION
    ),
    Misconception(
        "no-backward", _variant(_no_backward), "The optimizer steps without any gradient.", SECTION
    ),
    Misconception(
        "step-before-backward",
        _variant(_step_before_backward),
        "The step comes before the gradient that it should follow.",
        SECTION,
    ),
    Misconception(
        "gradient-of-the-batch-before",
        _variant(_gradient_of_the_batch_before),
        "Each step follows the gradient of the batch before.",
        SECTION,
    ),
    Misconception(
        "softmax-before-criterion",
        _softmax_first,
        "The scores go through a softmax first, and the cross-entropy loss applies one itself.",
        "Lab 03, Loss and error",
    ),
    Misconception("loss-after-step", _variant(_loss_after_step), "That is the loss after the step.", SECTION),
    Misconception(
        "summed-loss",
        _returning(lambda loss, count: loss * count),
        "The loss is multiplied by the number of images; the criterion's value is wanted as it is.",
        SECTION,
    ),
    Misconception(
        "loss-divided-again",
        _returning(lambda loss, count: loss / count),
        "The loss is divided by the number of images, and the criterion averages already.",
        SECTION,
    ),
    Misconception(
        "own-criterion",
        _own_criterion,
        "The loss is always the cross-entropy, whatever criterion is given.",
        SECTION,
    ),
    Misconception("two-steps", _variant(_two_steps), "The optimizer steps twice for one batch.", SECTION),
    Misconception(
        "backward-twice",
        _variant(_backward_twice),
        "The gradient is computed twice and so counts twice.",
        SECTION,
    ),
    Misconception(
        "evaluation-mode",
        _in_evaluation_mode,
        "The model is switched to evaluation mode, in which batch normalisation does not use the batch.",
        SECTION,
    ),
    Misconception(
        "update-by-hand",
        _variant(_by_hand),
        "The parameters are changed by hand, so that the optimizer and its momentum play no part.",
        SECTION,
    ),
    Misconception(
        "error-rate-returned", _error_rate, "That is the share of wrong answers, not the loss.", SECTION
    ),
    Misconception(
        "uphill", _variant(_uphill), "The step goes up the gradient, so that the loss grows.", SECTION
    ),
)
