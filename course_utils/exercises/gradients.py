"""What a gradient reaches."""

from __future__ import annotations

from typing import Any

from torch import Tensor


def reached_from(result: Any) -> set[int]:
    """Return the ids of the leaves that ``result.backward`` would reach; it costs no arithmetic."""
    reached, seen, ahead = set(), set(), [result.grad_fn if isinstance(result, Tensor) else None]
    while ahead:
        node = ahead.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            reached.add(id(node.variable))
        ahead += [following for following, _ in node.next_functions]
    return reached
