"""Plain values: what an answer returned, without any of its own types."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import torch

from course_utils.text import shape_text

MOST_CELLS = 4_000_000
MOST_ITEMS = 10_000
MOST_TEXT = 2_000
MOST_BITS = 256
DEEPEST = 8


@dataclass(frozen=True)
class Unreadable:
    """Stands for a value that is not a number, array, text, sequence or mapping; `kind` says what it was."""

    kind: str


def plain(value: Any, depth: int = 0) -> Any:
    """Return `value` as plain arrays, numbers, strings, tuples, lists and dicts.

    Nothing of the value's own class survives: an object with its own ``__eq__`` has no say in the comparison
    and becomes `Unreadable`; from a subclass of an array, only the data is copied.
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


def holds_numpy(value: Any) -> bool:
    """Whether `value` is a NumPy array, or a tuple or list with one."""
    items = value if type(value) in (tuple, list) else (value,)
    return any(isinstance(item, np.ndarray) for item in items)


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
