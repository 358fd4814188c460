"""Which part of a layer's parameter count is wrong: its weights or its biases, and in which usual way."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from course_utils.exercises.counts import explain_counts
from course_utils.exercises.model import Probe

LARGEST_MAP = 32


@dataclass(frozen=True)
class CountedConvolution:
    """A 3×3 convolution; `side` is that of the map it gives."""

    inputs: int
    outputs: int
    side: int

    name = "convolution"

    @property
    def activations(self) -> int:
        """How many numbers it gives for an image."""
        return self.outputs * self.side * self.side

    @property
    def count(self) -> int:
        """Its parameters."""
        return self.inputs * self.outputs * 3 * 3 + self.outputs

    def weights(self) -> Iterator[tuple[int, str]]:
        """Yield wrong numbers of weights, and what is wrong."""
        i, o = self.inputs, self.outputs
        yield i * o, "a kernel is counted as one number, not 3×3"
        yield i * o * 3, "a kernel is counted as 3 numbers, not 3×3"
        yield i * o * 5 * 5, "the kernels are counted as 5×5, not 3×3"
        yield o * 3 * 3, f"a filter is counted as 3×3 weights; it reaches through all {i} channels"
        yield i * 3 * 3, f"the weights of a single filter are counted, not those of {o}"
        yield 3 * o * 3 * 3, f"the input is counted with 3 channels; it has {i}"
        yield o * o * 3 * 3, f"the input is counted with {o} channels; it has {i}"
        for side in (self.side, 2 * self.side):
            yield (
                i * o * 9 * side * side,
                f"the weights are counted once for each of {side}×{side} positions, which all share them",
            )

    def biases(self) -> Iterator[tuple[int, str]]:
        """Yield wrong numbers of biases, and what is wrong."""
        filters = f"there is one for each of the {self.outputs} filters"
        kernels = (self.inputs * self.outputs, f"a bias is counted for each kernel; {filters}")
        yield from _wrong_biases(self.inputs, "input channel", self.outputs, "filters", kernels)


@dataclass(frozen=True)
class CountedLinear:
    """A linear layer that gets `maps` maps with `side` rows and columns; 1 where it gets plain numbers."""

    maps: int
    outputs: int
    side: int = 1

    name = "linear layer"

    @property
    def activations(self) -> int:
        """How many numbers it gives for an image."""
        return self.outputs

    @property
    def inputs(self) -> int:
        """How many numbers it gets."""
        return self.maps * self.side * self.side

    @property
    def count(self) -> int:
        """Its parameters."""
        return self.inputs * self.outputs + self.outputs

    def weights(self) -> Iterator[tuple[int, str]]:
        """Yield wrong numbers of weights, and what is wrong."""
        m, n, o = self.maps, self.side, self.outputs
        if n > 1:
            yield m * o, f"each of the {m} maps is counted as one number; it has {n}×{n}"
            yield m * n * o, f"{n} numbers are counted in each map; it has {n}×{n}"
            yield n * n * o, f"the input is counted as a single map; there are {m}"
            for other in range(2, LARGEST_MAP + 1):
                yield m * other * other * o, f"it is counted for {other}×{other} maps; they are {n}×{n} there"
            yield m // 2 * n * n * o, f"it is counted for {m // 2} maps; there are {m}"
        yield o * o, f"it is counted with {o} inputs; it has {self.inputs:,}"
        yield self.inputs, f"the weights of a single output are counted, not those of {o}"
        yield self.inputs + o, "inputs and outputs are added; each input has a weight for each output"

    def biases(self) -> Iterator[tuple[int, str]]:
        """Yield wrong numbers of biases, and what is wrong."""
        yield from _wrong_biases(self.inputs, "input", self.outputs, "outputs")


def _wrong_biases(
    inputs: int, each: str, outputs: int, units: str, *more: tuple[int, str]
) -> Iterator[tuple[int, str]]:
    yield 0, f"the biases are not counted, one for each of the {outputs} {units}"
    yield 1, f"a single bias is counted; there is one for each of the {outputs} {units}"
    yield inputs, f"a bias is counted for each {each}; there is one for each of the {outputs} {units}"
    yield from more
    yield 2 * outputs, "the biases are counted twice"


Layer = CountedConvolution | CountedLinear


def explain_layers(parts: Mapping[str, Sequence[Layer]]) -> Callable[[Probe, Any, Any], str | None]:
    """Return a function that says which named part is counted wrongly, and in which way.

    Parameters
    ----------
    parts : mapping
        The layers that are counted together, by the name of what they make up.
    """
    say_which = explain_counts(*parts)

    def explain(probe: Probe, expected: Sequence[int], actual: Any) -> str | None:
        which = say_which(probe, expected, actual)
        given = list(actual.values()) if isinstance(actual, dict) else actual
        if not isinstance(given, (list, tuple)) or len(given) != len(parts):
            return which
        for place, (right, mine) in enumerate(zip(expected, given, strict=True)):
            if isinstance(mine, (int, float)) and mine != right:
                (name, layers) = list(parts.items())[place]
                how = _so_far(name, expected, place, mine) or _miscounted(layers, mine)
                return " ".join(s for s in (which, how) if s) or None
        return which

    return explain


def _so_far(name: str, counts: Sequence[int], place: int, mine: float) -> str | None:
    if place and mine == sum(counts[: place + 1]):
        return f"It is the sum up to here: what comes before {name} is in it, too."
    return None


def _miscounted(layers: Sequence[Layer], mine: float) -> str | None:
    """Return how the count came about, if one change in one layer explains it, or the same in all."""
    total = sum(layer.count for layer in layers)
    numbered = list(zip(_names(layers), layers, strict=True))
    for name, layer in numbered:
        for count, said in _wrong_counts(layer):
            if total - layer.count + count == mine:
                # Layers with as many outputs have as many biases: which of them it is cannot be told.
                alike = "bias" in said and sum(other.outputs == layer.outputs for other in layers) > 1
                where = f"In one of its {layer.name}s, " if alike else name
                return f"{where}{said}." if where else f"{said[0].upper()}{said[1:]}."
    if len(layers) == 1:
        return _other_inputs(layers[0], mine)
    for name, layer in numbered:
        if total - layer.count == mine:
            return f"{name.removeprefix('In ').removesuffix(', ').capitalize()} is left out."
        if total + layer.count == mine:
            return f"{name.removeprefix('In ').removesuffix(', ').capitalize()} is counted twice."
    for changes in itertools.zip_longest(*(_wrong_counts(layer) for layer in layers)):
        if all(changes) and sum(count for count, _ in changes) == mine:
            return f"In each of its layers, {changes[0][1]}."
    return None


def _other_inputs(layer: Layer, mine: float) -> str | None:
    """Return with how many inputs a layer is counted, if the rest of the count is right."""
    inputs, rest = divmod(mine - layer.outputs, layer.outputs)
    if rest or inputs < 1 or isinstance(layer, CountedConvolution):
        return None
    return f"It is counted with {inputs:,.0f} inputs; it has {layer.inputs:,}."


def _wrong_counts(layer: Layer) -> Iterator[tuple[int, str]]:
    weights = layer.count - layer.outputs
    yield from ((weights + biases, said) for biases, said in layer.biases())
    yield from ((wrong + layer.outputs, said) for wrong, said in layer.weights())
    yield from (
        (wrong + biases, f"{said}, and {missing}")
        for wrong, said in layer.weights()
        for biases, missing in layer.biases()
    )
    yield layer.activations, "its outputs are counted, not the numbers that it learns"


def _names(layers: Sequence[Layer]) -> list[str]:
    if len(layers) == 1:
        return [""]
    numbers = itertools.cycle(("first", "second", "third"))
    return [f"In its {next(numbers)} {layer.name}, " for layer in layers]
