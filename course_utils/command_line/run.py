"""``course run``: the four solution notebooks, in order, in fresh kernels."""

from __future__ import annotations


def run() -> None:
    """Execute the solution notebooks."""
    raise NotImplementedError
