"""Exercise 3.6: one step of training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from course_utils.exercises.compare import Difference, difference
from course_utils.exercises.lenet5.wrong_train_step import MISCONCEPTIONS, Criterion
from course_utils.exercises.model import Exercise, Probe
from course_utils.exercises.probes import Draw

STEPS = 3


def train_step(
    model: nn.Module, images: Tensor, labels: Tensor, criterion: Criterion, optimizer: Optimizer
) -> float:
    """Take one step of `optimizer` on a batch and return the batch's loss before the step."""
    optimizer.zero_grad()
    loss = criterion(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


class SmallSGD:
    """SGD with momentum. The first `torch.optim.SGD` takes a second: it imports PyTorch's compiler."""

    def __init__(
        self, model: nn.Module, *, lr: float, momentum: float, on_step: Callable[[], None] = lambda: None
    ) -> None:
        self.defaults = {"lr": lr, "momentum": momentum}
        self.param_groups: list[dict[str, Any]] = [{"params": list(model.parameters()), **self.defaults}]
        self.state: dict[Tensor, dict[str, Tensor]] = {}
        self.on_step = on_step

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        for parameter in self.param_groups[0]["params"]:
            if parameter.grad is not None:
                parameter.grad = None if set_to_none else torch.zeros_like(parameter)

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        """Move each parameter that has a gradient; return what `closure` returns."""
        with torch.enable_grad():
            loss = closure() if closure else None
        self.on_step()
        group = self.param_groups[0]
        for parameter in group["params"]:
            if parameter.grad is not None:
                before = self.state.setdefault(parameter, {}).get("momentum_buffer")
                velocity = parameter.grad.clone()
                velocity += 0 if before is None else group["momentum"] * before
                self.state[parameter]["momentum_buffer"] = velocity
                parameter -= group["lr"] * velocity
        return loss


def observe_train_step(candidate: Callable[..., Any], probe: Probe) -> dict[str, Any]:
    """Let the candidate take three steps on one batch; keep each loss and the parameters after each step."""
    model, images, labels, criterion, optimizer = probe.arguments
    # A copied optimizer may not hold the copied model's parameters, so it is made again for this model.
    events: list[str] = []

    def watch_criterion(_: nn.Module, given: tuple[Tensor, ...]) -> None:
        if len(given) != 2 or not all(isinstance(value, Tensor) for value in given):
            return
        scores, truth = given
        if _same(scores, labels):
            events.append("the criterion gets the labels first; the scores come first")
        elif not scores.requires_grad:
            events.append(_why_without_gradient(scores, seen))
        elif not _same(truth, labels):
            events.append("the criterion gets other labels than those that were given")

    seen: list[Tensor] = []
    model.register_forward_hook(lambda _, given, scores: seen.append(scores))
    criterion.register_forward_pre_hook(watch_criterion)
    optimizer = SmallSGD(model, **optimizer.defaults, on_step=lambda: events.append("step"))
    for parameter in model.parameters():
        parameter.register_post_accumulate_grad_hook(lambda _: events.append("backward"))
    before = _parameters(model)
    losses, parameters = [], []
    for _ in range(STEPS):
        try:
            losses.append(candidate(model, images.clone(), labels.clone(), criterion, optimizer))
        except Exception as error:
            mixed_up = [event for event in events if event not in ("step", "backward")]
            if mixed_up:
                error.observed = _observed("", mixed_up[0])  # type: ignore[attr-defined]
            raise
        parameters.append(_parameters(model))
    moved = any(not torch.equal(old, new) for old, new in zip(before, parameters[-1], strict=True))
    told = "the optimizer that was given never takes a step" if moved and "step" not in events else ""
    return _observed("" if moved else _why_stuck(events), told, losses, parameters)


def _why_without_gradient(given: Tensor, scores: list[Tensor]) -> str:
    if not scores or not scores[-1].requires_grad:
        return "the scores carry no gradient: the forward pass ran under torch.no_grad"
    if torch.equal(given.float(), scores[-1].argmax(dim=-1).float()):
        return "the criterion gets the answers (argmax), not the scores, and answers have no gradient"
    return "the scores carry no gradient: they were cut off from the model (.detach(), .data, torch.tensor)"


def _same(one: Tensor, other: Tensor) -> bool:
    return one.shape == other.shape and one.dtype == other.dtype and torch.equal(one, other)


def _observed(stuck: str, told: str, losses: Any = (), parameters: Any = ()) -> dict[str, Any]:
    return {"losses": list(losses), "parameters": list(parameters), "stuck": stuck, "told": told}


def _parameters(model: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in model.parameters()]


def _why_stuck(events: list[str]) -> str:
    if "step" not in events:
        return "the optimizer never takes a step"
    if "backward" not in events:
        return "no gradient is ever computed"
    if events.index("step") < events.index("backward"):
        return "the optimizer steps before there is a gradient"
    return "the gradient is gone when the optimizer steps"


def compare_train_step(expected: dict[str, Any], actual: Any) -> Difference | None:
    """Compare step by step: first the returned loss, then the parameters after the step."""
    if not isinstance(actual, dict) or set(actual) != set(expected):
        return difference(expected, actual)
    if actual["stuck"] and actual["stuck"] != expected["stuck"]:
        before = "The parameters never change: "
        return Difference("values", f"{before}{actual['stuck']}.", expected["stuck"] or "moving", "stuck")
    stopped = not actual["losses"] and actual["told"] != expected["told"]
    if stopped or len(actual["losses"]) != len(expected["losses"]):
        return Difference(
            "values", _capital(actual["told"]), expected["told"] or "the right parts", "other parts"
        )
    found = _in_steps(expected, actual)
    if found and actual["told"] != expected["told"]:
        return replace(found, sentence=f"{found.sentence} {_capital(actual['told'])}")
    return found


def _capital(told: str) -> str:
    return f"{told[:1].upper()}{told[1:]}."


def _in_steps(expected: dict[str, Any], actual: dict[str, Any]) -> Difference | None:
    steps = zip(
        expected["losses"], expected["parameters"], actual["losses"], actual["parameters"], strict=True
    )
    for number, (loss, parameters, my_loss, my_parameters) in enumerate(steps, 1):
        if found := difference(loss, my_loss):
            return _in_step(number, "The loss returned in", found)
        for right, mine in zip(parameters, my_parameters, strict=True):
            if found := difference(right, mine):
                return _in_step(number, "The parameters after", found)
    return None


def _in_step(number: int, what: str, found: Difference) -> Difference:
    which = "the first step" if number == 1 else f"step {number} (right until then)"
    sentence = f"{what} {which}: {found.sentence[0].lower()}{found.sentence[1:]}"
    return Difference(found.kind, sentence, found.expected, found.actual, found.mask)


def probes(seed: int) -> Sequence[Probe]:
    """Draw tiny models and batches; plain SGD first, then momentum, another loss, batch normalisation."""
    draw = Draw(seed)

    def probe(note: str, count: int, criterion: nn.Module, *layers: nn.Module, momentum: float = 0) -> Probe:
        first, last = layers[0], layers[-1]
        assert isinstance(first, nn.Linear) and isinstance(last, nn.Linear)
        model = nn.Sequential(nn.Flatten(), *layers)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.copy_(draw.distinct(*parameter.shape).clamp(-4, 4) / 4)
        images = draw.integers(count, 1, 1, first.in_features, low=1, high=3)
        labels = torch.tensor([draw.between(0, last.out_features - 1) for _ in range(count)])
        if isinstance(criterion, nn.MSELoss):
            labels = draw.integers(count, last.out_features, low=-3, high=3) / 2
            images = images - 1.5
        optimizer = SmallSGD(model, lr=0.5, momentum=momentum)
        shown = {"images": images.flatten(1), "labels": labels}
        shown |= {name: value.detach() for name, value in model.named_parameters()}
        call = "train_step(model, images, labels, criterion, optimizer)"
        return Probe((model.train(), images, labels, criterion, optimizer), note=note, call=call, shown=shown)

    entropy = nn.CrossEntropyLoss()
    smoothed = nn.CrossEntropyLoss(label_smoothing=0.25)
    normalised = nn.Linear(3, 2, bias=False), nn.BatchNorm1d(2), nn.Linear(2, 3)
    return (
        probe("three steps of plain SGD on two images", 2, entropy, nn.Linear(2, 2)),
        probe("SGD with momentum", 3, entropy, nn.Linear(2, 3), momentum=0.9),
        probe("a batch of one, another loss", 1, smoothed, nn.Linear(3, 3)),
        probe("a model with batch normalisation", 4, entropy, *normalised),
        probe("the mean squared error, whose labels are fractions", 2, nn.MSELoss(), nn.Linear(2, 3)),
    )


EXERCISE = Exercise(
    number="3.6",
    points=2,
    reference=train_step,
    probes=probes,
    observe=observe_train_step,
    compare=compare_train_step,
    section="Lab 03, One training step",
    misconceptions=MISCONCEPTIONS,
    hints=(
        "The text above names the parts in their order: clear, scores and loss, gradients, update. At the "
        "end, return the loss.",
        "loss.backward() adds to the gradients that are already there: when must the old ones be cleared?",
        "Two of the parts belong to the optimizer, zero_grad and step. loss.item() is the loss as a plain "
        "number.",
    ),
)
