"""No simple rule passes for an answer: a right one with changed arguments or a changed result is rejected."""

import inspect

import pytest
import torch
from proof import is_accepted

from course_utils import exercises
from course_utils.exercises.altered import altered
from course_utils.exercises.model import call

TENSORS = {
    "negated": lambda t: -t,
    "absolute": lambda t: t.abs(),
    "not negative": lambda t: t.clamp(min=0),
    "not positive": lambda t: t.clamp(max=0),
    "at most 1": lambda t: t.clamp(max=1),
    "sign": lambda t: t.sign(),
    "rounded": lambda t: t.round(),
    "above 0.5": lambda t: (t > 0.5).to(t.dtype),
    "sorted": lambda t: t.flatten().sort().values.reshape(t.shape) if t.numel() else t,
    "reversed": lambda t: t.flip(-1) if t.dim() else t,
    "upside down": lambda t: t.flip(-2) if t.dim() > 1 else t,
    "first of the batch reversed": lambda t: t.flip(0) if t.dim() else t,
    "transposed": lambda t: t.transpose(-1, -2).reshape(t.shape) if t.dim() > 1 else t,
    "first for all": lambda t: t.flatten()[:1].expand(t.numel()).reshape(t.shape),
    "last for all": lambda t: t.flatten()[-1:].expand(t.numel()).reshape(t.shape),
    "mean for all": lambda t: t.float().mean().expand(t.shape).to(t.dtype),
    "first slice for all": lambda t: t[:1].expand(t.shape) if t.dim() else t,
}
NUMBERS = {
    "always 1": lambda n: 1,
    "always 2": lambda n: 2,
    "always 3": lambda n: 3,
    "one more": lambda n: n + 1,
    "one less": lambda n: n - 1,
    "at most 1": lambda n: min(n, 1),
    "at most 2": lambda n: min(n, 2),
    "at most 3": lambda n: min(n, 3),
    "odd": lambda n: n // 2 * 2 + 1,
    "even": lambda n: n // 2 * 2,
}
FRACTIONS = {
    "rounded": round,
    "at most a half": lambda n: min(n, 0.5),
    "at least a half": lambda n: max(n, 0.5),
    "0 or 1": lambda n: float(n > 0.5),
    "0 unless 1": lambda n: float(n >= 1),
    "1 unless 0": lambda n: float(n > 0),
}

EQUIVALENT = {
    "same_padding": {"f: one more"},  # (f − 1) // 2 is f // 2 for odd f
    "shift_agreement": {"x: first of the batch reversed"},  # a share has no order
    "shift_equivariance": {"x: first of the batch reversed"},
    "pixel_statistics": {
        f"images: {name}"
        for name in ("reversed", "upside down", "sorted", "transposed", "first of the batch reversed")
    },
    "vgg_learning_rate": {"epoch: even", "epoch: odd"},  # every step comes in an even epoch
    "pointwise_head": {"x: reversed", "x: upside down", "x: transposed"},  # nor does a mean
}


def changed(value, name):
    """Return `value`, or each part of a tuple or list, changed by the rule called `name` if it fits."""
    if isinstance(value, torch.Tensor):
        return TENSORS[name](value).clone() if name in TENSORS and value.dtype != torch.bool else value
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return NUMBERS[name](value) if name in NUMBERS else value
    if isinstance(value, float):
        return FRACTIONS[name](value) if name in FRACTIONS else value
    if isinstance(value, (tuple, list)):
        return type(value)(changed(item, name) for item in value)
    return value


def same(one, other):
    if isinstance(one, torch.Tensor):
        return one.shape == other.shape and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, (tuple, list)):
        return len(one) == len(other) and all(map(same, one, other))
    return one is other or (type(one) is type(other) and one == other)


def rules(exercise):
    """Yield each rule: where it changes the reference, how, and the reference changed."""
    probes = [probe for seed in range(3) for probe in exercise.probes(seed)]
    given = [inspect.signature(exercise.reference).bind(*p.arguments, **p.keywords).arguments for p in probes]
    results = [call(exercise.reference, probe) for probe in probes]
    for place in ["result", *inspect.signature(exercise.reference).parameters]:
        values = results if place == "result" else [each[place] for each in given if place in each]
        for name in {**TENSORS, **NUMBERS, **FRACTIONS}:
            if not all(same(value, changed(value, name)) for value in values):
                change = {place: lambda value, name=name: changed(value, name)}
                yield f"{place}: {name}", altered(exercise.reference, **change)


CALLED = [name for name in exercises.names() if exercises.get(name).observe is call]


@pytest.mark.slow
@pytest.mark.parametrize("exercise_id", CALLED)
def test_a_simple_rule_is_rejected(exercise_id):
    survivors = [
        rule
        for rule, wrong in rules(exercises.get(exercise_id))
        if all(is_accepted(exercise_id, wrong, seed) for seed in range(3))
    ]
    assert set(survivors) == EQUIVALENT.get(exercise_id, set())
