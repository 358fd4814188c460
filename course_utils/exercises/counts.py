"""Parameter counts, layer by layer: how they are compared, and what is said about a wrong count."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from course_utils.exercises.compare import Difference, difference
from course_utils.exercises.model import Misconception, Probe


def compare_counts(expected: Sequence[int], actual: Any) -> Difference | None:
    """Compare the numbers alone, so that a right count in another form is not called wrong."""
    return difference(expected, _numbers(actual))


def _numbers(found: Any) -> Any:
    """Return the counts without names, as in a dict or in pairs, and without their sum at the end."""
    if type(found) is dict:
        found = list(found.values())
    if type(found) not in (list, tuple):
        return found
    counts = [item[-1] if type(item) in (list, tuple) and item else item for item in found]
    if len(counts) > 2 and all(type(count) in (int, float) for count in counts):
        *parts, total = counts
        return parts if total == sum(parts) else counts
    return counts


def miscounted(name: str, counts: Sequence[int], sentence: str) -> tuple[Misconception, ...]:
    """Return a misconception twice: with the counts of all layers, and with their total alone."""
    return (
        Misconception(name, lambda: list(counts), sentence),
        Misconception(f"{name}-in-total", lambda: sum(counts), sentence),
    )


def explain_counts(*layers: str) -> Callable[[Probe, Any, Any], str | None]:
    """Return a function that says which of the named layers is counted wrongly."""

    def explain(probe: Probe, expected: Sequence[int], actual: Any) -> str | None:
        actual = _numbers(actual)
        if isinstance(actual, (int, float)) and actual == sum(expected):
            return f"The total is right. Return the counts of {', '.join(layers)}: the next cells use them."
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
