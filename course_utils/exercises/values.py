"""Plain values: what an answer returned, without any of its own types, and how to say it in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch

MOST_CELLS = 4_000_000
MOST_ITEMS = 10_000
MOST_TEXT = 2_000
MOST_BITS = 256
DEEPEST = 8


@dataclass(frozen=True)
class Unreadable:
    """Stands for a value that is no number, array, text, sequence or mapping; `kind` says what it was."""

    kind: str


def plain(value: Any, depth: int = 0) -> Any:
    """Return `value` as plain arrays, numbers, strings, tuples, lists and dicts.

    Nothing of the value's own class survives, so that an object with an ``__eq__`` of its own cannot take
    part in the comparison: it becomes `Unreadable`, and the data of an array's subclass is copied out of it.
    """
    kind = type(value)
    if value is None or kind in (bool, float):
        return value
    if kind is int:
        return value if value.bit_length() <= MOST_BITS else Unreadable("a gigantic integer")
    if kind is str:
        return value[:MOST_TEXT]
    if isinstance(value, torch.Tensor):
        return _plain_tensor(value)
    if isinstance(value, np.ndarray):
        return _plain_array(value)
    if isinstance(value, np.generic):
        return plain(np.array(value)[()].item(), depth + 1) if value.dtype.kind in "biuf" else _foreign(value)
    if depth > DEEPEST:
        return Unreadable("containers nested very deep")
    if isinstance(value, (tuple, list)):
        return _plain_sequence(value, depth)
    if isinstance(value, dict) and kind.__module__ in ("builtins", "collections"):
        return _plain_dict(value, depth)
    return _foreign(value)


def _plain_tensor(value: torch.Tensor) -> Any:
    with torch.no_grad(), torch._C.DisableTorchFunctionSubclass():
        if type(value) not in (torch.Tensor, torch.nn.Parameter):
            value = torch.Tensor.as_subclass(value, torch.Tensor)
        tensor = value.detach()
        if tensor.is_meta or tensor.is_quantized:
            return Unreadable("a tensor without plain values")
        if tensor.numel() > MOST_CELLS:
            return Unreadable(f"a gigantic tensor of shape {shape_text(tensor.shape)}")
        if tensor.layout is not torch.strided:
            tensor = tensor.to_dense()
        if tensor.dtype in (torch.bfloat16, torch.float16):
            tensor = tensor.float()
        array = tensor.cpu().resolve_conj().resolve_neg().numpy()
    return array.copy()


def _plain_array(value: np.ndarray) -> Any:
    if value.size > MOST_CELLS:
        return Unreadable(f"a gigantic array of shape {shape_text(value.shape)}")
    array = np.array(value, copy=True, subok=False, order="C")
    if array.dtype.kind not in "biufc":
        return Unreadable("an array that holds no numbers")
    return array.astype(np.float32) if array.dtype == np.float16 else array


def _plain_sequence(value: tuple | list, depth: int) -> Any:
    # The base class's own iterator: a subclass cannot show one thing here and another elsewhere.
    contents = tuple.__iter__(value) if isinstance(value, tuple) else list.__iter__(value)
    items = list(islice(contents, MOST_ITEMS + 1))
    if len(items) > MOST_ITEMS:
        return Unreadable("a gigantic sequence")
    found = [plain(item, depth + 1) for item in items]
    return tuple(found) if isinstance(value, tuple) else found


def _plain_dict(value: dict, depth: int) -> Any:
    if dict.__len__(value) > MOST_ITEMS or any(type(key) not in (str, int) for key in dict.keys(value)):
        return Unreadable("a dict that is too large or has odd keys")
    return {key: plain(item, depth + 1) for key, item in dict.items(value)}


def _foreign(value: Any) -> Unreadable:
    if isinstance(value, torch.nn.Module):
        return Unreadable(f"a module ({type(value).__name__})")
    if callable(value):
        return Unreadable("a function")
    return Unreadable(f"an object of type {type(value).__name__[:80]}")


def shape_text(shape: tuple[int, ...] | torch.Size) -> str:
    """Return a shape as ``4×3``; one axis as ``5 values``, none as ``a single number``."""
    if len(shape) == 0:
        return "a single number"
    if len(shape) == 1:
        return "1 value" if shape[0] == 1 else f"{shape[0]} values"
    return "×".join(str(int(size)) for size in shape)


def axis_names(axes: int) -> tuple[str, ...]:
    """Return what the axes of an array are called: rows and columns last, channels and items before."""
    known = ("item", "channel", "row", "column")
    if axes == 1:
        return ("position",)
    return known[len(known) - axes :] if axes <= len(known) else tuple(f"axis {i}:" for i in range(axes))


def number_text(value: Any, digits: int = 4) -> str:
    """Return a number as short as it is exact to the eye: ``7``, ``-0.5``, ``0.03292``."""
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if isinstance(value, (int, np.integer)):
        return str(int(value))
    if isinstance(value, (complex, np.complexfloating)):
        return f"{complex(value):.{digits}g}"
    value = float(value)
    if not np.isfinite(value):
        return str(value)
    return str(int(value)) if value == round(value) and abs(value) < 1e9 else f"{value:.{digits}g}"


def told_apart(one: Any, other: Any) -> tuple[str, str]:
    """Return two different numbers with as many digits as it takes to see that they differ."""
    for digits in (4, 6, 9):
        texts = number_text(one, digits), number_text(other, digits)
        if texts[0] != texts[1]:
            break
    return texts


def describe(value: Any) -> str:
    """Return what a plain value is, in a few words."""
    if isinstance(value, Unreadable):
        return value.kind
    if value is None:
        return "None"
    if isinstance(value, str):
        return f"the text {value[:40]!r}"
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, (int, float)):
        return f"the number {number_text(value)}"
    if isinstance(value, np.ndarray):
        return (
            "a tensor with a single number" if value.ndim == 0 else f"a tensor of shape {_tuple(value.shape)}"
        )
    if isinstance(value, (tuple, list)):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, Mapping):
        return f"a dict of {len(value)}"
    return type(value).__name__


def _tuple(shape: tuple[int, ...]) -> str:
    return shape_text(shape) if len(shape) > 1 else f"({shape[0]},)"
