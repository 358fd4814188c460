"""Exercise 3.8: whether a network can learn one batch by heart."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from course_utils.exercises.compare import Difference, difference
from course_utils.exercises.lenet5.train_step import SmallSGD, train_step
from course_utils.exercises.model import Exercise, Misconception, Probe
from course_utils.exercises.probes import Draw

LEARNING_RATE = 0.05


def overfit_batch(model: nn.Module, images: Tensor, labels: Tensor, steps: int) -> list[float]:
    """Train `model` on one batch and return the loss before each step.

    Parameters
    ----------
    model : nn.Module
        From images to scores. It is put into training mode, and its parameters change.
    images, labels : Tensor
        The batch; every step is on all of it.
    steps : int
        How many steps of plain gradient descent, with learning rate 0.05.
    """
    optimizer: Any = SmallSGD(model, lr=LEARNING_RATE, momentum=0)
    model.train()
    losses = []
    for _ in range(steps):
        losses.append(train_step(model, images, labels, F.cross_entropy, optimizer))
    return losses


def _plain_sgd(model: nn.Module) -> SmallSGD:
    return SmallSGD(model, lr=LEARNING_RATE, momentum=0)


def _last_layer(model: nn.Module) -> SmallSGD:
    assert isinstance(model, nn.Sequential)
    return SmallSGD(model[-1], lr=LEARNING_RATE, momentum=0)


def _training(
    *,
    optimizer: Callable[[nn.Module], Any] = _plain_sgd,
    loss: Callable[[Tensor, Tensor], Tensor] = F.cross_entropy,
    mode: bool | None = True,
    zero: bool = True,
    step: bool = True,
    more: int = 0,
    told: Callable[[float, float, Tensor, Tensor], float] = lambda before, after, scores, labels: before,
    result: Callable[[list[float]], Any] = lambda losses: losses,
) -> Callable[..., Any]:
    """Return a way to train with parts changed; `told` gets a step's losses, scores and labels."""

    def overfit(model: nn.Module, images: Tensor, labels: Tensor, steps: int) -> Any:
        chosen = optimizer(model)
        if mode is not None:
            model.train(mode)
        losses = []
        for _ in range(steps + more):
            if zero:
                model.zero_grad()
            scores = model(images)
            before = loss(scores, labels)
            before.backward()
            if step:
                chosen.step()
            with torch.no_grad():
                after = loss(model(images), labels).item()
            losses.append(told(before.item(), after, scores, labels))
        return result(losses)

    return overfit


def _returned_in_the_loop(model: nn.Module, images: Tensor, labels: Tensor, steps: int) -> float:
    return overfit_batch(model, images, labels, 1)[0]


def _last_loss_too(model: nn.Module, images: Tensor, labels: Tensor, steps: int) -> list[float]:
    losses = overfit_batch(model, images, labels, steps)
    with torch.no_grad():
        return [*losses, F.cross_entropy(model(images), labels).item()]


def _image_by_image(model: nn.Module, images: Tensor, labels: Tensor, steps: int) -> list[float]:
    optimizer: Any = _plain_sgd(model.train())
    losses = []
    for _ in range(steps):
        for image, label in zip(images, labels, strict=True):
            losses.append(train_step(model, image[None], label[None], F.cross_entropy, optimizer))
    return losses


def _one_step_at_the_end(model: nn.Module, images: Tensor, labels: Tensor, steps: int) -> list[float]:
    optimizer, losses = _plain_sgd(model.train()), []
    for _ in range(steps):
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        losses.append(loss.item())
    optimizer.step()
    return losses


def _trained_after_the_loop(model: nn.Module, images: Tensor, labels: Tensor, steps: int) -> list[float]:
    optimizer = _plain_sgd(model.train())
    made = [F.cross_entropy(model(images), labels) for _ in range(steps)]
    made[-1].backward()
    optimizer.step()
    return [loss.item() for loss in made]


def _one_hot(scores: Tensor, labels: Tensor) -> Tensor:
    return F.one_hot(labels, scores.shape[1]).float()


def _stopped_early(model: nn.Module, images: Tensor, labels: Tensor, steps: int) -> list[float]:
    optimizer: Any = _plain_sgd(model.train())
    losses: list[float] = []
    while len(losses) < steps and not (losses and losses[-1] < 0.01):
        losses.append(train_step(model, images, labels, F.cross_entropy, optimizer))
    return losses


def _copy_trained(model: nn.Module, images: Tensor, labels: Tensor, steps: int) -> list[float]:
    return overfit_batch(copy.deepcopy(model), images, labels, steps)


def observe_overfit_batch(candidate: Callable[..., Any], probe: Probe) -> dict[str, Any]:
    """Let the candidate train the model; keep the losses and the parameters afterwards."""
    model, images, labels, steps = probe.arguments
    before = [parameter.detach().clone() for parameter in model.parameters()]
    losses = candidate(model, images, labels, steps)
    after = [parameter.detach().clone() for parameter in model.parameters()]
    moved = any(not torch.equal(old, new) for old, new in zip(before, after, strict=True))
    return {"losses": losses, "parameters": after, "moved": moved}


def compare_overfit_batch(expected: dict[str, Any], actual: Any) -> Difference | None:
    """Compare first the losses, then the parameters after the training."""
    if not isinstance(actual, dict) or set(actual) != set(expected):
        return difference(expected, actual)
    if found := difference(expected["losses"], actual["losses"]):
        return found
    if expected["moved"] and not actual["moved"]:
        sentence = "The losses are right, but the model's parameters are the same as before the training."
        return Difference("values", sentence, "parameters that changed", "the same parameters")
    for right, mine in zip(expected["parameters"], actual["parameters"], strict=True):
        if found := difference(right, mine):
            sentence = f"{found.sentence[0].lower()}{found.sentence[1:]}"
            return Difference(
                found.kind,
                f"The losses are right, but not the parameters after the training: {sentence}",
                found.expected,
                found.actual,
                found.mask,
            )
    return None


def _explain(probe: Probe, expected: Any, actual: Any) -> str | None:
    mine, right = actual["losses"], expected["losses"]
    if not isinstance(mine, (list, tuple)) or not mine or not isinstance(mine[0], (int, float)):
        return None
    if difference(right[0], mine[0]):
        return (
            "The first loss, before any step, is wrong already: look at the loss function and at the model's "
            "mode, not at the steps."
        )
    if len(set(mine)) == 1 and len(mine) == len(right) and len(set(right)) > 1:
        return "The loss stays the same, so the model does not change from step to step."
    return None


def probes(seed: int) -> Sequence[Probe]:
    """Draw tiny models and batches: one step, several, a batch of one, two layers, both modes, no loss."""
    draw = Draw(seed)

    def probe(
        note: str,
        count: int,
        steps: int,
        *layers: nn.Module,
        training: bool = True,
        learned: bool = False,
        shift: float = 0,
    ) -> Probe:
        first, last = layers[0], layers[-1]
        assert isinstance(first, nn.Linear) and isinstance(last, nn.Linear)
        model = nn.Sequential(nn.Flatten(), *layers).train(training)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.copy_(draw.distinct(*parameter.shape).clamp(-4, 4) / 4)
        images = draw.distinct(count, 1, 1, first.in_features, low=1) - shift
        labels = torch.tensor(draw.shuffled(*range(last.out_features))[:count])
        if learned:
            with torch.no_grad():
                last.weight.copy_(100 * torch.arange(last.out_features)[:, None].expand_as(last.weight))
            labels = torch.full((count,), last.out_features - 1)
        shown: dict[str, Any] = {"images": images.flatten(1), "labels": labels, "steps": steps}
        shown |= {name: value.detach() for name, value in model.named_parameters()}
        call = f"overfit_batch(model, images, labels, {steps})"
        return Probe((model, images, labels, steps), note=note, call=call, shown=shown)

    def normalised() -> tuple[nn.Module, ...]:
        return nn.Linear(3, 2, bias=False), nn.BatchNorm1d(2), nn.Linear(2, 4)

    two_layers = nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 2)
    return (
        probe("one step on two images", 2, 1, nn.Linear(2, 3)),
        probe("three steps on two images", 2, 3, nn.Linear(2, 3)),
        probe("a batch of one; two layers", 1, draw.between(4, 5), *two_layers, shift=1.5),
        probe("a model with batch normalisation, in training mode", 4, 3, *normalised()),
        probe("the same that comes in evaluation mode", 4, 2, *normalised(), training=False),
        probe("a batch that is learned already", 2, 3, nn.Linear(2, 3), learned=True),
    )


EXERCISE = Exercise(
    number="3.8",
    points=2,
    reference=overfit_batch,
    builds_on=("train_step",),
    probes=probes,
    observe=observe_overfit_batch,
    compare=compare_overfit_batch,
    explain=_explain,
    section="Lab 03, One batch by heart",
    misconceptions=(
        Misconception(
            "loss-after-step",
            _training(told=lambda before, after, scores, labels: after),
            "Each loss is the one after the step, not before it.",
            "Lab 03, One training step",
        ),
        Misconception(
            "last-loss-only",
            _training(result=lambda losses: losses[-1]),
            "Only the last loss is returned; there should be one for each step.",
        ),
        Misconception(
            "list-made-anew",
            _training(result=lambda losses: losses[-1:]),
            "The list holds only the last loss: it is made anew at each step, or filled after the loop.",
        ),
        Misconception(
            "mean-loss",
            _training(result=lambda losses: sum(losses) / len(losses)),
            "The losses are averaged; there should be one for each step.",
        ),
        Misconception(
            "returned-in-the-loop",
            _returned_in_the_loop,
            "The function returns after the first step: the `return` is inside the loop.",
        ),
        Misconception(
            "last-loss-too",
            _last_loss_too,
            "The loss after the last step is in the list, too; there should be one for each step.",
        ),
        Misconception("one-step-more", _training(more=1), "It takes one step more than it is asked for."),
        Misconception("one-step-less", _training(more=-1), "It takes one step less than it is asked for."),
        Misconception(
            "stopped-early",
            _stopped_early,
            "The training stops as soon as the loss is small; it should take all the steps.",
        ),
        Misconception(
            "gradients-not-cleared",
            _training(zero=False),
            "The gradients of earlier steps are still there, and backward adds to them.",
            "Lab 03, One training step",
        ),
        Misconception(
            "no-step",
            _training(step=False),
            "Gradients are computed but never used.",
            "Lab 03, One training step",
        ),
        Misconception(
            "one-step-at-the-end",
            _one_step_at_the_end,
            "The optimizer steps once, after the loop, so the loss stays the same until then.",
        ),
        Misconception(
            "trained-after-the-loop",
            _trained_after_the_loop,
            "The optimizer steps once, after the loop, so the loss stays the same until then.",
        ),
        Misconception(
            "image-by-image",
            _image_by_image,
            "There is a step for each image; one step is for the whole batch.",
        ),
        Misconception(
            "evaluation-mode",
            _training(mode=False),
            "The model is switched to evaluation mode; a training step needs training mode.",
        ),
        Misconception(
            "mode-left-as-it-was",
            _training(mode=None),
            "The model keeps the mode it came in, and that may be evaluation mode.",
        ),
        Misconception(
            "a-copy-is-trained",
            _copy_trained,
            "A copy learns, and the model that was given stays as it was.",
        ),
        Misconception(
            "last-layer-only",
            _training(optimizer=_last_layer),
            "Only the last layer's parameters are given to the optimizer.",
        ),
        Misconception(
            "momentum",
            _training(optimizer=lambda model: SmallSGD(model, lr=LEARNING_RATE, momentum=0.9)),
            "The optimizer has momentum 0.9; plain gradient descent has none.",
        ),
        Misconception(
            "adam",
            _training(optimizer=lambda model: torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)),
            "The optimizer is Adam; the exercise asks for plain SGD.",
        ),
        Misconception(
            "adam-by-default",
            _training(optimizer=lambda model: torch.optim.Adam(model.parameters())),
            "The optimizer is Adam, with its own learning rate; the exercise asks for SGD with 0.05.",
        ),
        Misconception(
            "learning-rate-0.25",
            _training(optimizer=lambda model: SmallSGD(model, lr=0.25, momentum=0)),
            "The learning rate is 0.25, the lecture's; here it is 0.05.",
        ),
        Misconception(
            "learning-rate-0.1",
            _training(optimizer=lambda model: SmallSGD(model, lr=0.1, momentum=0)),
            "The learning rate is 0.1; here it is 0.05.",
        ),
        Misconception(
            "learning-rate-0.01",
            _training(optimizer=lambda model: SmallSGD(model, lr=0.01, momentum=0)),
            "The learning rate is 0.01; here it is 0.05.",
        ),
        Misconception(
            "learning-rate-by-default",
            _training(optimizer=lambda model: SmallSGD(model, lr=0.001, momentum=0)),
            "The learning rate is 0.001, the one SGD has by itself; here it is 0.05.",
        ),
        Misconception(
            "softmax-before-loss",
            _training(loss=lambda scores, labels: F.cross_entropy(scores.softmax(1), labels)),
            "The scores go through a softmax first, but the cross-entropy loss already applies one.",
            "Lab 03, Loss and error",
        ),
        *(
            Misconception(
                name,
                _training(loss=loss),
                "The loss is the mean squared error to rows of zeros and ones; the exercise asks for the "
                "cross-entropy.",
                "Lab 03, Loss and error",
            )
            for name, loss in {
                "squared-error": lambda scores, labels: F.mse_loss(scores, _one_hot(scores, labels)),
                "squared-error-of-softmax": lambda scores, labels: F.mse_loss(
                    scores.softmax(1), _one_hot(scores, labels)
                ),
            }.items()
        ),
        Misconception(
            "negative-log-likelihood",
            _training(loss=F.nll_loss),
            "nll_loss takes logarithms of probabilities, but gets scores; F.cross_entropy takes scores.",
            "Lab 03, Loss and error",
        ),
        Misconception(
            "binary-cross-entropy",
            _training(
                loss=lambda scores, labels: F.binary_cross_entropy_with_logits(
                    scores, _one_hot(scores, labels)
                )
            ),
            "The loss is the binary cross-entropy, which asks of each class alone, yes or no; the exercise "
            "asks for the cross-entropy.",
            "Lab 03, Loss and error",
        ),
        Misconception(
            "summed-loss",
            _training(loss=lambda scores, labels: F.cross_entropy(scores, labels, reduction="sum")),
            "The loss is the sum over the images, so each step is as many times larger.",
        ),
        Misconception(
            "loss-multiplied",
            _training(told=lambda before, after, scores, labels: before * len(labels)),
            "The loss is multiplied by the number of images; its own value is expected.",
        ),
        Misconception(
            "errors-returned",
            _training(
                told=lambda before, after, scores, labels: (scores.argmax(1) != labels).float().mean().item()
            ),
            "Those are the shares of wrong answers, not the losses.",
        ),
    ),
    hints=(
        "It is the loop of training without the data: the same batch in every step, and a list that grows.",
        "Before the loop: an optimizer, torch.optim.SGD(model.parameters(), lr=0.05), and training mode.",
        "Your train_step does the rest and returns the loss before its step: collect what it returns.",
    ),
)
