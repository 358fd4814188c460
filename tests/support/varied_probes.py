"""Probes varied at random: other sizes, other numbers, arguments of one probe in another.

They know nothing of the exercise, so some make no sense: whoever asks them keeps those on which all right
ways agree.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from course_utils.exercises.model import Exercise, Probe, call


def varied(exercise: Exercise, pool: Sequence[Probe], rng: np.random.Generator) -> Probe:
    """Return one of the probes, varied."""
    given = _by_name(exercise, _one_of(rng, pool))
    other = _by_name(exercise, _one_of(rng, pool))
    for name in other:
        if rng.random() < 0.2 and (name in given or exercise.observe is call):
            given[name] = other[name]
    given = copy.deepcopy(given)
    learned = [name for name, value in given.items() if isinstance(value, Tensor) and value.requires_grad]
    given |= {name: given[name].detach() for name in learned}
    if rng.random() < 0.7:
        slots = _slots(list(given.values()))
        chosen = (
            set(rng.choice(slots, min(slots, int(rng.integers(1, 5))), replace=False)) if slots else set()
        )
        marks = iter([slot in chosen for slot in range(slots)])
        by = int(_one_of(rng, (-2, -1, 1, 1, 2, 3)))
        given = {name: _resized(value, marks, by) for name, value in given.items()}
    given = {name: _redrawn(value, rng) if rng.random() < 0.5 else value for name, value in given.items()}
    given |= {name: given[name].requires_grad_() for name in learned}
    return Probe((), given) if exercise.observe is call else Probe(tuple(given.values()))


def _by_name(exercise: Exercise, probe: Probe) -> dict[Any, Any]:
    if exercise.observe is not call:
        return dict(enumerate(probe.arguments, -len(probe.arguments)))
    bound = inspect.signature(exercise.reference).bind(*probe.arguments, **probe.keywords)
    return dict(bound.arguments)


def _one_of(rng: np.random.Generator, choices: Sequence[Any]) -> Any:
    return choices[int(rng.integers(len(choices)))]


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _slots(value: Any) -> int:
    """Return how many sizes there are to change: the axes of tensors, and whole numbers."""
    if isinstance(value, (tuple, list)):
        return sum(_slots(item) for item in value)
    return value.dim() if isinstance(value, Tensor) else int(_is_whole(value))


def _resized(value: Any, marks: Iterator[bool], by: int) -> Any:
    """Change the sizes that are marked, all by as much, so that those that belong together stay so."""
    if isinstance(value, (tuple, list)):
        return type(value)(_resized(item, marks, by) for item in value)
    if isinstance(value, Tensor):
        for axis in range(value.dim()):
            if next(marks):
                size = max(value.shape[axis] + by, 1)
                value = value.index_select(axis, torch.arange(size) % max(value.shape[axis], 1))
        return value
    return max(value + by, min(value, 1)) if _is_whole(value) and next(marks) else value


def _redrawn(value: Any, rng: np.random.Generator) -> Any:
    """Return other values of the same type and shape."""
    if isinstance(value, Tensor):
        return _other_numbers(value, rng)
    if isinstance(value, nn.Module):
        with torch.no_grad():
            for parameter in value.parameters():
                parameter.add_(0.3 * torch.from_numpy(rng.standard_normal(parameter.shape)).float())
        return value
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        other = _one_of(rng, (value - 1, value + 1, 2 * value, rng.integers(13), rng.integers(60)))
        return max(int(other), min(value, 1))
    if isinstance(value, float):
        return float(_one_of(rng, (0.1, 1.0, 2 * value)))
    if isinstance(value, (tuple, list)):
        items = [_redrawn(item, rng) if rng.random() < 0.4 else item for item in value]
        if items and rng.random() < 0.5:
            at = int(rng.integers(len(items)))
            items = items[:at] + _one_of(rng, ([], [items[at]] * 2)) + items[at + 1 :]
        return type(value)(items)
    return value


def _other_numbers(tensor: Tensor, rng: np.random.Generator) -> Tensor:
    shape = tuple(tensor.shape)
    if not tensor.is_floating_point():
        low, high = (int(tensor.min()), int(tensor.max())) if tensor.numel() else (0, 0)
        return torch.from_numpy(np.asarray(rng.integers(low, high + 1, shape))).to(tensor.dtype)
    values = _one_of(
        rng,
        (
            rng.standard_normal(shape),
            10 * rng.standard_normal(shape),
            rng.integers(-2, 3, shape),
            rng.integers(-9, 10, shape),
            rng.integers(0, 2, shape),
            rng.integers(-5, 0, shape),
        ),
    )
    return torch.from_numpy(np.asarray(values)).to(tensor.dtype)
