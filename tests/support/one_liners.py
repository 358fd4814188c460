"""One-line functions drawn from a small grammar: rules that somebody might try without the right idea.

`one_liners(exercise_id, count)` yields them with their text, which is Python: sums and quotients of the
parameters, the reference with changed arguments or a changed result, a network with changed layers. The same
exercise and count give the same functions.
"""

from __future__ import annotations

import copy
import inspect
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from proof import all_right
from torch import Tensor, nn

from course_utils import exercises
from course_utils.exercises.model import Exercise
from course_utils.exercises.networks import observe_network

TENSOR = (
    "-{}", "{}.abs()", "{}.sign()", "{}.round()", "{}.floor()", "{}.square()", "{} + 1", "{} - 1", "2 * {}",
    "{} / 2", "{}.clamp(min=0)", "{}.clamp(max=0)", "{}.clamp(max=1)", "{}.clamp(-1, 1)", "({} > 0).float()",
    "({} > 0.5).float()", "{}.mT", "{}.T", "{}.transpose(0, 1)", "{}.flip(-1)", "{}.flip(-2)", "{}.flip(0)",
    "{}.roll(1, -1)", "{}.roll(1, -2)", "{}.roll(1, 0)", "{}.cumsum(-1)", "{}.cumsum(0)", "{}.sort().values",
    "{}.sort(0).values", "{0}.flatten().sort().values.reshape({0}.shape)", "{}[:1]", "{}[1:]", "{}[:-1]",
    "{}[..., 1:]", "{}[..., :-1]", "{}[..., ::2]", "{0}[:1].expand_as({0})", "{0}[..., -1:].expand_as({0})",
    "{0}.mean(-1, keepdim=True).expand_as({0})", "{0}.mean().expand_as({0})", "{0} - {0}.mean()",
    "torch.zeros_like({})", "torch.ones_like({})", "{}.softmax(-1)", "{}.flatten()", "{}.mean()", "{}.sum()",
)  # fmt: skip
WHOLE = (
    "0", "1", "2", "3", "{} + 1", "{} - 1", "2 * {}", "{} // 2", "{} ** 2", "min({}, 1)", "min({}, 2)",
    "min({}, 3)", "max({}, 1)", "max({}, 2)", "max({}, 3)", "{} // 2 * 2", "{} // 2 * 2 + 1", "{} % 2",
)  # fmt: skip
FRACTION = (
    "0.0", "0.5", "1.0", "1 - {}", "2 * {}", "{} / 2", "{} + 1", "-{}", "{} ** 2", "{} ** 0.5", "round({})",
    "round({}, 1)", "min({}, 0.5)", "max({}, 0.5)", "float({} > 0)", "float({} > 0.5)", "float({} >= 1)",
)  # fmt: skip
TRUTH = ("not {}", "True", "False")
SEQUENCE = (
    "{}[::-1]", "{}[:1]", "{}[1:]", "{}[:-1]", "{}[-1:]", "[*{0}, *{0}]", "[{0}[0]] * len({0})",
    "[{0}[-1]] * len({0})", "sorted({})",
)  # fmt: skip
LAYERS = (
    "nn.Identity()", "nn.ReLU()", "nn.LeakyReLU()", "nn.Tanh()", "nn.Sigmoid()", "nn.GELU()", "nn.ELU()",
    "nn.MaxPool2d(2)", "nn.AvgPool2d(2)", "nn.Dropout()", "nn.Flatten()", "nn.Softmax(1)",
)  # fmt: skip


@dataclass(frozen=True)
class OneLiner:
    """A function; `name` is its text."""

    name: str
    call: Callable[..., Any]


def one_liners(exercise_id: str, count: int) -> Iterator[OneLiner]:
    """Yield `count` functions, or as many as differ in their text."""
    exercise, draw = exercises.get(exercise_id), random.Random(exercise_id)
    known = {"right": exercise.reference, "ways": all_right(exercise_id), "torch": torch, "nn": nn}
    known |= {f.__name__: f for f in (without, swapped, twice, replaced, between)}
    write = _network if exercise.observe is observe_network else _function
    seen: set[str] = set()
    for _ in range(20 * count):
        text = write(exercise, draw)
        if text not in seen and len(seen) < count:
            seen.add(text)
            yield OneLiner(text, eval(text, known))


def _function(exercise: Exercise, draw: random.Random) -> str:
    parameters = inspect.signature(exercise.reference).parameters.values()
    values, result = _examples(exercise.id)
    start = f"lambda {', '.join(str(p.replace(annotation=p.empty)) for p in parameters)}: "
    numbers = [name for name, value in values.items() if _is_number(value)]
    if draw.random() < (0.5 if _is_number(result) and numbers else 0.1):
        return start + _alone(values, result, draw)
    given = {p.name: p.name for p in parameters}
    places = [name for name, value in values.items() if _rules(value)]
    chosen = draw.choices(["result", *places], k=draw.choice((1, 1, 2, 2, 3)))
    for name in chosen:
        if name != "result":
            given[name] = _changed(given[name], values[name], draw)
    if draw.random() < 0.15 and len(values) > 1:
        one, other = draw.sample(list(values), 2)
        if type(values[one]) is type(values[other]):
            given[one], given[other] = given[other], given[one]
    needed = [given[p.name] for p in parameters if p.default is p.empty]
    asked = [p.name for p in parameters if p.default is not p.empty and draw.random() < 0.9]
    text = f"right({', '.join([*needed, *(f'{name}={given[name]}' for name in asked)])})"
    for _ in range(chosen.count("result")):
        text = _changed(text, result, draw)
    return start + text


def _alone(values: dict[str, Any], result: Any, draw: random.Random) -> str:
    """Return an expression of parameters alone."""
    if _is_number(result):
        numbers = [name for name, value in values.items() if _is_number(value)]
        return _sum(numbers, draw, depth=draw.choice((0, 1, 2, 2, 3)))
    kinds = [name for name, value in values.items() if isinstance(value, type(result))]
    name = draw.choice(kinds or list(values) or ["None"])
    other = draw.choice(kinds or ["1"])
    if isinstance(result, Tensor):
        text = draw.choice((name, f"{name} {draw.choice('+-*')} {other}", f"{name} * {other}.sum()"))
        return _changed(text, result, draw)
    return _changed(name, values.get(name), draw)


def _sum(names: list[str], draw: random.Random, depth: int) -> str:
    if not depth:
        return draw.choice([*names, *names, *"0123"])
    left, right = (_sum(names, draw, depth - draw.choice((1, depth))) for _ in "12")
    return f"({left} {draw.choice(('+', '-', '*', '//', '//', '%', '/'))} {right})"


@cache
def _examples(exercise_id: str) -> tuple[dict[str, Any], Any]:
    """Return a value of each parameter, of the first probe that has one, and what is returned."""
    exercise = exercises.get(exercise_id)
    signature = inspect.signature(exercise.reference)
    found: dict[str, Any] = {}
    for probe in exercise.probes(0):
        for name, value in signature.bind(*probe.arguments, **probe.keywords).arguments.items():
            if value is not None:
                found.setdefault(name, value)
    result = exercise.reference(*copy.deepcopy(exercise.probes(0)[0].arguments))
    return {name: found[name] for name in signature.parameters if name in found}, result


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float))


def _rules(value: Any) -> tuple[str, ...]:
    match value:
        case Tensor():
            return TENSOR
        case bool():
            return TRUTH
        case int():
            return WHOLE
        case float():
            return FRACTION
        case tuple() | list():
            return SEQUENCE
    return ()


def _changed(text: str, value: Any, draw: random.Random) -> str:
    if isinstance(value, (tuple, list)) and value and _rules(value[0]) and draw.random() < 0.6:
        if isinstance(value, tuple) and len(value) <= 4:
            at = draw.randrange(len(value))
            parts = [f"t[{i}]" if i != at else _changed(f"t[{i}]", value[i], draw) for i in range(len(value))]
            return f"(lambda t: ({', '.join(parts)},))({text})"
        return f"[{_changed('t', value[0], draw)} for t in {text}]"
    rules = _rules(value)
    return draw.choice(rules).format(text if text.isidentifier() else f"({text})") if rules else text


def _network(exercise: Exercise, draw: random.Random) -> str:
    """Return a network that is built in a right way and then changed."""
    text = f"ways[{draw.randrange(len(all_right(exercise.id)))}](*sizes)"
    for _ in range(draw.choice((1, 1, 2))):
        one, other = draw.randrange(8), draw.randrange(8)
        rule = draw.choice(TENSOR).format("x")
        text = draw.choice(
            (
                f"without({text}, {one})",
                f"swapped({text}, {one}, {other})",
                f"twice({text}, {one})",
                f"replaced({text}, {one}, {draw.choice(LAYERS)})",
                f"between({text}, {one}, lambda x: {rule})",
                f"nn.Sequential({text}, {draw.choice(LAYERS)})",
            )
        )
    return f"lambda *sizes: {text}"


class Applied(nn.Module):
    """A function as a layer."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def _layers(net: nn.Module) -> list[str]:
    """Return the names of the layers that have none inside."""
    return [name for name, module in net.named_modules() if name and not list(module.children())]


def _exchange(net: nn.Module, at: int, new: Callable[[nn.Module], nn.Module]) -> nn.Module:
    names = _layers(net)
    if not names:
        return nn.Sequential(net, new(nn.Identity()))
    name = names[at % len(names)]
    owner, _, last = name.rpartition(".")
    setattr(net.get_submodule(owner), last, new(net.get_submodule(name)))
    return net


def without(net: nn.Module, at: int) -> nn.Module:
    return _exchange(net, at, lambda layer: nn.Identity())


def replaced(net: nn.Module, at: int, other: nn.Module) -> nn.Module:
    return _exchange(net, at, lambda layer: other)


def twice(net: nn.Module, at: int) -> nn.Module:
    return _exchange(net, at, lambda layer: nn.Sequential(layer, copy.deepcopy(layer)))


def between(net: nn.Module, at: int, function: Callable[[Tensor], Tensor]) -> nn.Module:
    return _exchange(net, at, lambda layer: nn.Sequential(Applied(function), layer))


def swapped(net: nn.Module, at: int, other: int) -> nn.Module:
    names = _layers(net)
    if not names:
        return net
    one, two = (net.get_submodule(names[k % len(names)]) for k in (at, other))
    _exchange(net, at, lambda _: two)
    return _exchange(net, other, lambda _: one)
