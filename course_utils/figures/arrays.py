"""Whatever holds numbers, as arrays."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from course_utils.text import shape_text


def as_array(value: Any) -> np.ndarray | None:
    """Return `value` as an array of numbers, or None if it is not one.

    `value` may be a tensor on any device, an array, a number, or a list or tuple of them.
    """
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError):
        return None
    return array if array.dtype.kind in "biuf" else None


def array_text(array: np.ndarray | None) -> str:
    """Return an array's shape for people, or that there is none."""
    return "no numbers" if array is None else shape_text(array.shape)


def softmax(scores: np.ndarray) -> np.ndarray:
    """Return the softmax of each row."""
    raised = np.exp(scores - scores.max(1, keepdims=True).astype(np.float64))
    shares: np.ndarray = raised / raised.sum(1, keepdims=True)
    return shares


def digest(array: np.ndarray) -> str:
    """Return a short stable id of an array's numbers and shape, for tests that compare outputs."""
    plain = np.ascontiguousarray(array)
    return hashlib.sha256(f"{plain.shape}{plain.dtype.kind}".encode() + plain.tobytes()).hexdigest()[:8]
