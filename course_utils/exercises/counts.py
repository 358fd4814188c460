"""Parameter counts, layer by layer: which forms are accepted, and what is said about a wrong count."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from course_utils.exercises.model import Misconception, Probe


def observe_counts(candidate: Callable[..., Any], probe: Probe) -> Any:
    """Call the candidate and bring its counts into one form.

    Of a dict only the values count, and of pairs such as ``("conv1", 500)`` only the numbers. A last number
    that is the sum of the others is left out.
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
    """Return an answer that gives only the total of `counts`."""
    return lambda: sum(counts())


def miscounted(name: str, counts: Sequence[int], sentence: str) -> tuple[Misconception, ...]:
    """Return a misconception twice: with the counts of all layers, and with their total alone."""
    return (
        Misconception(name, lambda: list(counts), sentence),
        Misconception(f"{name}-in-total", lambda: sum(counts), sentence),
    )


def explain_counts(*layers: str) -> Callable[[Probe, Any, Any], str | None]:
    """Return a function that says which of the named layers is counted wrongly."""

    def explain(probe: Probe, expected: Sequence[int], actual: Any) -> str | None:
        if isinstance(actual, (int, float)):
            return f"As a total, it is {abs(actual - sum(expected)):,.0f} {_side(actual, sum(expected))}."
        if not isinstance(actual, (list, tuple)):
            return None
        if len(actual) == len(expected) + 1:
            return "Is the last number the total? It is not the sum of the others."
        if len(actual) != len(expected):
            each = ", ".join(layers)
            return f"One number is expected for each of {each}; pooling and ReLU have no parameters."
        for layer, right, mine in zip(layers, expected, actual, strict=True):
            if isinstance(mine, (int, float)) and mine != right:
                return f"The count for {layer} is {abs(mine - right):,.0f} {_side(mine, right)}."
        return None

    return explain


def _side(mine: float, right: float) -> str:
    return "too large" if mine > right else "too small"
