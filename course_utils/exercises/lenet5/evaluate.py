"""Exercise 3.7: the share of wrong answers over all batches of a dataset."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from course_utils.exercises.compare import Difference, difference
from course_utils.exercises.lenet5.error_rate import scores_with
from course_utils.exercises.model import Exercise, Misconception, Probe
from course_utils.exercises.probes import Draw

Batches = Sequence[tuple[Tensor, Tensor]]


def evaluate(model: nn.Module, batches: Batches) -> float:
    """Return the share of wrong answers of `model` over all images of all batches.

    Parameters
    ----------
    model : nn.Module
        From images to scores. It runs in evaluation mode, without recording gradients.
    batches : iterable of (images, labels)
        Batches may differ in size.
    """
    model.eval()
    wrong = total = 0
    with torch.no_grad():
        for images, labels in batches:
            wrong += (model(images).argmax(dim=1) != labels).sum().item()
            total += len(labels)
    return wrong / total


def _shares(model: nn.Module, batches: Batches) -> tuple[float, list[float], list[int]]:
    """Return the overall share of wrong answers, that of each batch, and the batches' sizes."""
    wrong = [int((model(images).argmax(dim=1) != labels).sum()) for images, labels in batches]
    sizes = [len(labels) for _, labels in batches]
    shares = [count / size for count, size in zip(wrong, sizes, strict=True)]
    return sum(wrong) / sum(sizes), shares, sizes


def _computed(figure: Callable[[float, list[float], list[int]], float]) -> Callable[..., float]:
    @torch.no_grad()
    def evaluate(model: nn.Module, batches: Batches) -> float:
        model.eval()
        return figure(*_shares(model, batches))

    return evaluate


@torch.no_grad()
def _loss(model: nn.Module, batches: Batches) -> float:
    model.eval()
    losses = [F.cross_entropy(model(images), labels) * len(labels) for images, labels in batches]
    return float(sum(losses)) / sum(len(labels) for _, labels in batches)


def _divided_by(size: Callable[[Tensor], int]) -> Callable[[nn.Module, Batches], float]:
    """Return the wrong answers divided by the `size` of the scores, added up over the batches."""

    @torch.no_grad()
    def evaluate(model: nn.Module, batches: Batches) -> float:
        model.eval()
        wrong = total = 0
        for images, labels in batches:
            scores = model(images)
            wrong += int((scores.argmax(dim=1) != labels).sum())
            total += size(scores)
        return wrong / total

    return evaluate


@torch.no_grad()
def _along_the_batch(model: nn.Module, batches: Batches) -> float:
    model.eval()
    wrong = total = 0
    for images, labels in batches:
        answers = model(images).argmax(dim=0)
        images_compared = min(len(answers), len(labels))
        wrong += int((answers[:images_compared] != labels[:images_compared]).sum())
        total += len(labels)
    return wrong / total


def observe_evaluate(candidate: Callable[[nn.Module, Batches], Any], probe: Probe) -> dict[str, Any]:
    """Let the candidate evaluate a model, and observe in which mode the model runs."""
    model, batches = probe.arguments
    modes: set[str] = set()
    recorded: set[bool] = set()

    def watch(module: nn.Module, _: Any, scores: Tensor) -> None:
        modes.add("training mode" if module.training else "evaluation mode")
        recorded.add(scores.requires_grad)

    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.register_forward_hook(watch)
    share = candidate(model, batches)
    after = model.state_dict()
    changed = [name for name, value in before.items() if not torch.equal(value, after[name])]
    return {
        "share": share,
        "mode": " and ".join(sorted(modes)),
        "gradients": "recorded" if True in recorded else "not recorded",
        "changed": changed,
    }


def compare_evaluate(expected: dict[str, Any], actual: Any) -> Difference | None:
    """Compare first the share, then how the model ran."""
    if not isinstance(actual, dict) or set(actual) != set(expected):
        return difference(expected, actual)
    if found := difference(expected["share"], actual["share"]):
        return found
    sentences = {
        "mode": f"The share is right, but the model {_ran(actual['mode'])}.",
        "gradients": "The share is right, but the model ran with gradients "
        f"{actual['gradients']}; expected {expected['gradients']}.",
        "changed": "The share is right, but the model is not the same afterwards: "
        f"{', '.join(actual['changed'])} changed.",
    }
    for key, sentence in sentences.items():
        if actual[key] != expected[key]:
            return Difference("values", sentence, _text(expected[key]), _text(actual[key]))
    return None


def _ran(mode: str) -> str:
    return f"ran in {mode}" if mode else "was never called"


def _text(value: str | list[str]) -> str:
    return value if isinstance(value, str) else ", ".join(value) or "nothing changed"


def _identity(classes: int) -> nn.Module:
    """Return a model whose scores are its input, so that every score can be read off the images."""
    linear = nn.Linear(classes, classes)
    with torch.no_grad():
        linear.weight.copy_(torch.eye(classes))
        linear.bias.zero_()
    return nn.Sequential(nn.Flatten(), linear)


def _times(*factors: float) -> nn.Module:
    """Return a layer that multiplies the score of each class by a factor."""
    linear = nn.Linear(len(factors), len(factors), bias=False)
    with torch.no_grad():
        linear.weight.copy_(torch.diag(torch.tensor(factors)))
    return linear


def probes(seed: int) -> Sequence[Probe]:
    """Draw batches of unequal sizes, and models for which the mode matters."""
    draw = Draw(seed)

    def probe(note: str, batches: Sequence[Sequence[bool]], *more: nn.Module, classes: int = 3) -> Probe:
        made = []
        for wrong in batches:
            scores, labels = scores_with(draw, wrong, classes)
            made.append((scores.reshape(-1, 1, 1, classes), labels))
        model = nn.Sequential(_identity(classes), *more).eval()
        with torch.no_grad():
            shown = {"the model's scores": torch.cat([model(images) for images, _ in made])}
        shown["labels"] = torch.cat([labels for _, labels in made])
        return Probe((model.train(), made), note=note, call="evaluate(model, batches)", shown=shown)

    wrong = [draw.between(0, 1) == 1 for _ in range(3)]
    return (
        probe("one batch of two images", [[True, False]]),
        probe("batches of three images and of one", [[False, False, False], [True]]),
        probe("batches of two, three and one image", [[True, False], [True, False, False], [False]]),
        probe("a model with dropout", [[False, False, False], [False, True]], nn.Dropout(1.0)),
        probe(
            "a model with batch normalisation",
            [[*wrong, False], [False, True, False]],
            nn.BatchNorm1d(4),
            classes=4,
        ),
        probe("classes that weigh unequally", [[False, True, False, False], [True, False]], _times(3, 1, 2)),
    )


EXERCISE = Exercise(
    number="3.7",
    points=2,
    reference=evaluate,
    builds_on=("error_rate",),
    probes=probes,
    observe=observe_evaluate,
    compare=compare_evaluate,
    section="Lab 03, Evaluation",
    misconceptions=(
        Misconception(
            "mean-of-batch-means",
            _computed(lambda share, shares, sizes: sum(shares) / len(shares)),
            "The shares of the batches are averaged, so an image in a small batch counts for more.",
        ),
        Misconception(
            "training-mode",
            torch.no_grad()(lambda model, batches: _shares(model, batches)[0]),
            "The model is left in training mode, where dropout is active and batch normalisation uses the "
            "batch's own statistics.",
        ),
        Misconception(
            "gradients-recorded",
            lambda model, batches: _shares(model.eval(), batches)[0],
            "PyTorch records every operation for a backward pass that never comes, which wastes time and "
            "memory.",
        ),
        Misconception(
            "training-mode-and-gradients",
            lambda model, batches: _shares(model, batches)[0],
            "The model runs as in training: training mode is on and gradients are recorded.",
        ),
        Misconception(
            "accuracy",
            _computed(lambda share, shares, sizes: 1 - share),
            "That is the share of right answers, the accuracy.",
        ),
        Misconception(
            "percent",
            _computed(lambda share, shares, sizes: 100 * share),
            "That is the error in percent; the lab uses shares from 0 to 1.",
        ),
        Misconception(
            "count",
            _computed(lambda share, shares, sizes: share * sum(sizes)),
            "That is the number of wrong answers, not their share.",
        ),
        Misconception(
            "last-batch-only",
            _computed(lambda share, shares, sizes: shares[-1]),
            "Only the last batch counts: it overwrites the result of the batches before it.",
        ),
        Misconception(
            "first-batch-only",
            _computed(lambda share, shares, sizes: shares[0]),
            "Only the first batch counts: the loop ends too early.",
        ),
        Misconception(
            "sum-of-shares",
            _computed(lambda share, shares, sizes: sum(shares)),
            "The shares of the batches are added up and never divided.",
        ),
        Misconception(
            "divided-by-batches",
            _computed(lambda share, shares, sizes: share * sum(sizes) / len(sizes)),
            "The number of wrong answers is divided by the number of batches, not by the number of images.",
        ),
        Misconception(
            "divided-by-classes",
            _divided_by(lambda scores: scores.shape[1]),
            "For each batch, the number of classes is added to the total, not the number of images: that is "
            "the scores' other axis.",
        ),
        Misconception(
            "divided-by-all-scores",
            _divided_by(Tensor.numel),
            "The number of wrong answers is divided by the number of scores, images times classes, not by "
            "the number of images.",
        ),
        Misconception(
            "batches-of-one-size",
            _computed(lambda share, shares, sizes: share * sum(sizes) / (len(sizes) * sizes[0])),
            "All batches are assumed to be as large as the first; the last one is often smaller.",
        ),
        Misconception(
            "batches-of-the-last-size",
            _computed(lambda share, shares, sizes: share * sum(sizes) / (len(sizes) * sizes[-1])),
            "All batches are assumed to be as large as the last, which is often smaller.",
        ),
        Misconception(
            "shares-divided-by-images",
            _computed(lambda share, shares, sizes: sum(shares) / sum(sizes)),
            "Each batch gives a share, which is divided already, and their sum is divided by the number of "
            "images once more.",
        ),
        Misconception("loss", _loss, "That is the mean loss, not the share of wrong answers."),
        Misconception(
            "along-the-batch",
            _along_the_batch,
            "The highest score is taken over the images, for each class, not over the classes, for each "
            "image.",
        ),
    ),
    hints=(
        "Count wrong answers and images over all batches; divide once, at the end.",
        "Dropout and batch normalisation behave differently during training: a model has two modes.",
        "Call model.eval() before the loop, and run the loop under torch.no_grad().",
    ),
)
