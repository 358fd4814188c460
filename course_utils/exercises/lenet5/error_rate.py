"""Exercise 3.4: the share of wrong answers in a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from course_utils.exercises.model import Exercise, Misconception, Probe
from course_utils.exercises.probes import Draw


def error_rate(scores: Tensor, labels: Tensor) -> float:
    """Return the share of images whose highest score is not that of their label.

    Parameters
    ----------
    scores : Tensor
        N×classes.
    labels : Tensor
        N, integers.
    """
    return (scores.argmax(dim=1) != labels).float().mean().item()


def _answering(answers: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Tensor], float]:
    """Return the share of labels that differ from `answers` of the scores."""
    return lambda scores, labels: (answers(scores) != labels).float().mean().item()


def _one_hot(scores: Tensor, labels: Tensor) -> float:
    right = functional.one_hot(labels, scores.shape[1]) == scores
    return 1 - right.all(dim=1).float().mean().item()


def scores_with(draw: Draw, wrong: Sequence[bool], classes: int) -> tuple[Tensor, Tensor]:
    """Draw scores and labels such that exactly the images marked in `wrong` get a wrong answer.

    A wrong answer is two classes away from the right one. The label has the lowest score only where the
    answer to the first image is wrong, so that taking the lowest score differs from counting right answers.
    Of the first right answer all scores are negative, of the first wrong one all are positive, and then the
    other way round: no threshold tells right from wrong.
    """
    rows, labels = [], []
    levels = {False: cycle((-classes, classes, 0)), True: cycle((classes, -classes, 0))}
    for index, is_wrong in enumerate(wrong):
        values = draw.distinct(classes, low=1).sort().values
        label = draw.between(0, classes - 1) if index else 1
        highest = (label + 2) % classes if is_wrong else label
        others = [c for c in draw.shuffled(*range(classes)) if c not in (highest, label)]
        if is_wrong:
            others.insert(0 if index == 0 else 1, label)
        row = torch.empty(classes)
        row[others], row[highest] = values[:-1], values[-1]
        rows.append(row - classes // 2 + next(levels[is_wrong]))
        labels.append(label)
    return torch.stack(rows), torch.tensor(labels)


def probes(seed: int) -> Sequence[Probe]:
    """Draw several images first, whose axes differ in length; then one image, and as many as classes."""
    draw = Draw(seed)
    labels = torch.tensor(draw.shuffled(*range(2, 9))[:4])
    answers = labels + torch.tensor([0, 0, 0, 1])
    scores, truth = scores_with(draw, [False, True, False], 10)
    return (
        Probe(scores_with(draw, [True, False, False], 10), note="one of three images is wrong"),
        Probe(scores_with(draw, [False], 10), note="one image, right"),
        Probe(scores_with(draw, [True], 10), note="one image, wrong"),
        Probe(scores_with(draw, [False, True, False, True, False], 10), note="two of five images are wrong"),
        Probe(
            scores_with(draw, [draw.between(0, 3) == 0 for _ in range(8)] + [True, False], 10),
            note="as many images as classes",
        ),
        Probe(
            (functional.one_hot(answers, 10).float(), labels), note="scores of 0 and 1, three images right"
        ),
        Probe((scores / 100, truth), note="small scores"),
    )


def _explain(probe: Probe, expected: Any, actual: Any) -> str | None:
    if isinstance(actual, (int, float)) and not isinstance(actual, bool):
        if actual < 0:
            return "A share of images cannot be negative."
        if actual > 1:
            return "A share lies between 0 and 1."
    return None


EXERCISE = Exercise(
    number="3.4",
    points=1,
    reference=error_rate,
    probes=probes,
    explain=_explain,
    section="Lab 03, Loss and error",
    misconceptions=(
        Misconception(
            "accuracy",
            lambda scores, labels: 1 - error_rate(scores, labels),
            "That is the share of right answers, the accuracy.",
        ),
        Misconception(
            "percent",
            lambda scores, labels: 100 * error_rate(scores, labels),
            "That is the error in percent; the lab uses shares from 0 to 1.",
        ),
        Misconception(
            "accuracy-in-percent",
            lambda scores, labels: 100 * (1 - error_rate(scores, labels)),
            "That is the accuracy, in percent.",
        ),
        Misconception(
            "count",
            lambda scores, labels: (scores.argmax(dim=1) != labels).sum().item(),
            "That is the number of wrong answers, not their share.",
        ),
        Misconception(
            "count-of-right",
            lambda scores, labels: (scores.argmax(dim=1) == labels).sum().item(),
            "That is the number of right answers.",
        ),
        Misconception(
            "lowest-score",
            lambda scores, labels: (scores.argmin(dim=1) != labels).float().mean().item(),
            "The class with the lowest score is taken as the answer.",
        ),
        Misconception(
            "along-the-batch",
            _answering(lambda scores: scores.argmax(dim=0)),
            "The highest score is taken over the images, for each class, not over the classes, for each "
            "image.",
        ),
        Misconception(
            "one-answer-for-all",
            _answering(torch.argmax),
            "argmax gets no axis, so there is one place in the whole table of scores, and it is compared "
            "with every label.",
        ),
        Misconception(
            "scores-for-answers",
            _answering(lambda scores: scores.max(dim=1).values),
            "The highest scores themselves are compared with the labels; the answer is the class, the place "
            "of the highest score.",
        ),
        Misconception(
            "softmax-over-the-images",
            _answering(lambda scores: scores.softmax(dim=0).argmax(dim=1)),
            "The softmax runs over the images, for each class; it changes which class is the highest of an "
            "image.",
        ),
        Misconception(
            "compared-with-one-hot",
            _one_hot,
            "The scores are compared with ones and zeros; the answer is the class with the highest score, "
            "whatever the scores are.",
        ),
        Misconception(
            "returned-in-the-loop",
            lambda scores, labels: (scores[0].argmax() != labels[0]).item() / len(labels),
            "Only the first image is looked at: the `return` is inside the loop.",
        ),
        Misconception(
            "first-image-only",
            lambda scores, labels: error_rate(scores[:1], labels[:1]),
            "Only the first image is looked at.",
        ),
        Misconception(
            "below-one-half",
            lambda scores, labels: (scores[range(len(labels)), labels] < 0.5).float().mean().item(),
            "The score of the label is compared with a fixed number; scores are no probabilities, and only "
            "the highest of an image counts.",
        ),
        Misconception(
            "negative",
            lambda scores, labels: (scores[range(len(labels)), labels] < 0).float().mean().item(),
            "The sign of the label's score is asked for; only the highest score of an image counts.",
        ),
        Misconception(
            "divided-by-classes",
            lambda scores, labels: (scores.argmax(dim=1) != labels).sum().item() / scores.shape[1],
            "The number of wrong answers is divided by the number of classes, not by the number of images.",
        ),
        Misconception(
            "divided-by-all-scores",
            lambda scores, labels: (scores.argmax(dim=1) != labels).sum().item() / scores.numel(),
            "The number of wrong answers is divided by the number of scores, images times classes, not by "
            "the number of images.",
        ),
        Misconception(
            "first-class-forgotten",
            lambda scores, labels: (scores[:, 1:].argmax(dim=1) != labels).float().mean().item(),
            "The classes are counted from 1: the first score never wins, and every answer is one class off.",
        ),
        Misconception(
            "distance-of-labels",
            lambda scores, labels: (scores.argmax(dim=1) - labels).abs().float().mean().item(),
            "The difference between the class numbers is averaged; an answer is right or wrong, never nearly "
            "right.",
        ),
        Misconception(
            "rounded",
            lambda scores, labels: float(round(error_rate(scores, labels))),
            "The share is rounded to 0 or 1.",
        ),
    ),
    hints=(
        "What does the network answer for one image? The class with the highest score.",
        "scores.argmax(dim=1) gives one answer for each image; compare them with the labels.",
        "Count a wrong answer as 1.0 and a right one as 0.0: the mean is the share.",
    ),
)
