"""Counts of parameters, layer by layer: in which forms they are accepted, and what a wrong one says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from course_utils.exercises.model import Misconception, Probe


def observe_counts(candidate: Callable[..., Any], probe: Probe) -> Any:
    """Call the candidate and bring its counts into one form.

    A dict stands for its values, pairs such as ``("conv1", 500)`` for their numbers, and a total at the end
    is left out when it is one.
    """
    found = candidate(*probe.arguments)
    if type(found) is dict:
        found = list(found.values())
    if type(found) not in (list, tuple):
        return found
    counts = [item[-1] if type(item) in (list, tuple) and item else item for item in found]
    if len(counts) > 2 and all(type(count) in (int, float) for count in counts):
        *parts, total = counts
        return parts if total == sum(parts) else counts
    return counts


def total_alone(counts: Callable[[], Sequence[int]]) -> Callable[[], int]:
    """Return the variant of an answer that gives only the total."""
    return lambda: sum(counts())


def miscounted(name: str, counts: Sequence[int], sentence: str) -> tuple[Misconception, ...]:
    """Return a misconception twice: with the counts of all layers, and with their total alone."""
    return (
        Misconception(name, lambda: list(counts), sentence),
        Misconception(f"{name}-in-total", lambda: sum(counts), sentence),
    )


def explain_counts(*layers: str) -> Callable[[Probe, Any, Any], str | None]:
    """Return what says which of the named layers is counted wrongly."""

    def explain(probe: Probe, expected: Sequence[int], actual: Any) -> str | None:
        if isinstance(actual, (int, float)):
            return f"As a total that is {abs(actual - sum(expected)):,.0f} {_side(actual, sum(expected))}."
        if not isinstance(actual, (list, tuple)):
            return None
        if len(actual) == len(expected) + 1:
            return "Is the last number the total? It is not the sum of the others."
        if len(actual) != len(expected):
            return f"One number is expected for each of {', '.join(layers)}; pooling and ReLU have none."
        for layer, right, mine in zip(layers, expected, actual, strict=True):
            if isinstance(mine, (int, float)) and mine != right:
                return f"The count of {layer} is {abs(mine - right):,.0f} {_side(mine, right)}."
        return None

    return explain


def _side(mine: float, right: float) -> str:
    return "too large" if mine > right else "too small"
