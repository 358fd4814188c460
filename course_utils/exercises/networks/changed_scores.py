"""What answers do to the scores before the loss, which takes them as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn

from course_utils.exercises.model import Misconception


def changed_scores(like: Callable[..., Any]) -> tuple[Misconception, ...]:
    """Return the wrong ideas about the end of a network; ``like(last=…)`` builds it with another end."""
    return (
        Misconception(
            "softmax-inside",
            like(last=lambda: nn.Softmax(dim=1)),
            "The network ends in a softmax, but the cross-entropy loss already applies one.",
            "Lab 03, Loss and error",
        ),
        Misconception(
            "log-softmax-inside",
            like(last=lambda: nn.LogSoftmax(dim=1)),
            "The network ends in a log-softmax, but the cross-entropy loss already applies one.",
            "Lab 03, Loss and error",
        ),
        Misconception(
            "relu-on-scores",
            like(last=nn.ReLU),
            "A ReLU is applied to the scores, so no score can be negative.",
        ),
    )


def listed(right: Callable[..., nn.Sequential]) -> tuple[Misconception, ...]:
    """Return the wrong ideas about putting a list of layers together."""
    return (
        Misconception(
            "list-in-sequential",
            lambda *sizes: nn.Sequential(list(right(*sizes))),  # type: ignore[call-overload]
            "nn.Sequential gets the list itself; it takes the layers one by one: nn.Sequential(*layers).",
        ),
        Misconception(
            "list-returned",
            lambda *sizes: list(right(*sizes)),
            "The layers are in a Python list, which is no network: wrap them with nn.Sequential(*layers).",
        ),
    )
