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
