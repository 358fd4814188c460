"""Saying where a network differs from the expected one: the first layer that does, with both shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from course_utils.exercises.compare import Difference, difference

Observed = Mapping[str, Any]
Layer = Mapping[str, Any]

_DECISIVE = ("problem", "stopped", "one", "several", "parameters", "learning")
_SHAPING = ("conv", "linear", "max-pool", "average-pool", "addition", "batch-norm")
_WITH_ACTIVATION = ("conv", "linear", "addition", "batch-norm")
_TRAIL = 3
_WHOSE = "the expected network"


def network_difference(expected: Observed, actual: Any) -> Difference | None:
    """Return how the behaviour of a network differs from the expected one, or None when it does not.

    Scores, parameters and gradients decide; the layers on the way only serve the explanation, so that any
    way of writing a network is accepted.

    Parameters
    ----------
    expected, actual : mapping
        From `observe_network`.
    """
    if not isinstance(actual, Mapping) or set(actual) != set(expected):
        return difference(expected, actual)
    found = difference(_behaviour(expected), _behaviour(actual))
    if found is None:
        return None
    return _explained(expected, actual) or found


def _explained(expected: Observed, actual: Observed) -> Difference | None:
    wanted, layers = _layers(expected), _layers(actual)
    if actual["stopped"]:
        return _about_shapes(wanted, layers, stopped=True)
    return (
        _about_type(actual)
        or _about_batches(actual)
        or _about_registration(actual)
        or _about_shapes(wanted, layers)
        or _about_activations(wanted, layers)
        or _about_dropout(actual)
        or _about_parameters(expected, actual)
        or _about_gradients(actual)
        or _about_scores(expected, actual)
    )


def _behaviour(observed: Observed) -> dict[str, Any]:
    kept = {key: observed[key] for key in _DECISIVE}
    if isinstance(kept["several"], str):
        kept["several"] = "an error"
    if observed["stopped"]:
        kept["layers"] = [
            f"{layer['name']} {layer['shape']} {layer['weight']}" for layer in _layers(observed)
        ]
    return kept


def _layers(observed: Observed) -> list[Layer]:
    return [layer for layer in observed["layers"] if layer["kind"] != "dropout"]


def _about_type(actual: Observed) -> Difference | None:
    if not actual["problem"]:
        return None
    return Difference(
        "type", actual["problem"], "a network (nn.Module) that gives a tensor", "something else"
    )


def _sizes(shape: Any) -> str:
    return "×".join(str(int(size)) for size in shape) or "one number"


def _about_batches(actual: Observed) -> Difference | None:
    if not isinstance(actual["several"], str):
        return None
    return Difference(
        "type",
        f"It works for one image and fails for several ({actual['several'].rstrip('.')}): "
        "is the batch mixed into the features?",
        "scores for each image",
        "an error",
    )


def _about_registration(actual: Observed) -> Difference | None:
    if not actual["unregistered"]:
        return None
    return Difference(
        "type",
        f"It uses {actual['unregistered']:,} parameters that model.parameters() does not list, so no "
        "optimizer "
        "can change them: are layers kept in a plain Python list?",
        0,
        actual["unregistered"],
    )


def _about_shapes(
    wanted: Sequence[Layer], layers: Sequence[Layer], *, stopped: bool = False
) -> Difference | None:
    wanted = [layer for layer in wanted if layer["kind"] in _SHAPING]
    layers = [layer for layer in layers if layer["kind"] in _SHAPING]
    pairs = zip(layers, wanted, strict=False)
    same = [all(mine[key] == right[key] for key in ("kind", "shape", "weight")) for mine, right in pairs]
    at = same.index(False) if False in same else len(same)
    if at == len(layers) == len(wanted):
        return None
    before = f"after {layers[at - 1]['name']}" if at else "first"
    if at == len(layers) and stopped:
        until = f"Until {layers[-1]['name']} its layers are" if layers else "It is"
        sentence = f"{until} as expected; it stops where {_described(wanted[at])} should follow."
    elif at == len(layers):
        sentence = f"It ends {before}; in {_WHOSE} {_described(wanted[at])} follows."
    elif at == len(wanted):
        sentence = f"One layer more than expected comes {before}: {_described(layers[at])}."
    elif layers[at]["kind"] != wanted[at]["kind"]:
        sentence = (
            f"In this network {_described(layers[at])} comes {before}, in {_WHOSE} {_described(wanted[at])}."
        )
    else:
        sentence = _about_layer(layers[at], wanted[at])
    return Difference("values", sentence, _trail(wanted, at), _trail(layers, at))


def _described(layer: Layer) -> str:
    return f"{layer['name']} ({_sizes(layer['shape'])})"


def _trail(layers: Sequence[Layer], at: int) -> tuple[str, ...]:
    steps = [
        f"{layer['name']} {_sizes(layer['shape'])}" for layer in layers[max(0, at + 1 - _TRAIL) : at + 1]
    ]
    return tuple(steps if at < len(layers) else [*steps, "nothing more"])


def _about_layer(mine: Layer, right: Layer) -> str:
    gives, should = mine["shape"], right["shape"]
    if gives != should:
        return f"{mine['name']} gives {_sizes(gives)}, {_WHOSE} {_sizes(should)}: {_question(mine, right)}"
    return (
        f"{mine['name']} has a weight of {_sizes(mine['weight'])}, {_WHOSE} one of "
        f"{_sizes(right['weight'])}: "
        f"{'is its kernel the right size?' if mine['kind'] == 'conv' else 'are its inputs the right ones?'}"
    )


def _question(mine: Layer, right: Layer) -> str:
    gives, should = mine["shape"], right["shape"]
    if len(gives) != len(should):
        return "is a dimension lost or added before it?"
    if mine["kind"] == "linear":
        return "has it the right number of outputs?"
    if mine["kind"] != "conv":
        return "is its window 2×2 with stride 2?"
    if mine["weight"][2:] != right["weight"][2:]:
        return f"is its kernel {_sizes(right['weight'][2:])}?"
    if mine["stride"] != right["stride"]:
        return f"is its stride {right['stride'][0]}?"
    if mine["padding"] != right["padding"]:
        return f"is its padding {right['padding'][0]}?"
    return "has it the right number of filters, and the right input?"


def _about_activations(wanted: Sequence[Layer], layers: Sequence[Layer]) -> Difference | None:
    """Compare what follows each layer with weights; pooling before or after an activation is the same."""
    mine, right = _after_each_layer(layers), _after_each_layer(wanted)
    if len(mine) != len(right):
        return None
    for (name, found), (_, due) in zip(mine, right, strict=True):
        if found == due:
            continue
        missing = [kind for kind in due if kind not in found]
        extra = [kind for kind in found if kind not in due]
        if missing and extra:
            sentence = f"After {name} comes {_a(extra[0])}, in {_WHOSE} {_a(missing[0])}."
        elif missing:
            sentence = f"After {name} there is no {missing[0]}."
        elif extra and name == mine[-1][0]:
            sentence = f"After {name}, the last layer, comes {_a(extra[0])}; {_WHOSE} ends without."
        else:
            sentence = f"After {name} comes {_a(extra[0])}, in {_WHOSE} none."
        return Difference("values", sentence, (name, *due), (name, *found))
    return None


def _after_each_layer(layers: Sequence[Layer]) -> list[tuple[str, list[str]]]:
    found: list[tuple[str, list[str]]] = [("the input", [])]
    for layer in layers:
        if layer["kind"] in _WITH_ACTIVATION:
            found.append((layer["name"], []))
        elif layer["kind"] not in _SHAPING and layer["kind"] not in found[-1][1]:
            found[-1][1].append(layer["kind"])
    return found


def _a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiouAEIOU' else 'a'} {noun}"


def _about_dropout(actual: Observed) -> Difference | None:
    if not any(layer["kind"] == "dropout" for layer in actual["layers"]):
        return None
    return Difference("values", "It drops values at random (dropout).", "no dropout", "dropout")


def _about_parameters(expected: Observed, actual: Observed) -> Difference | None:
    mine, right = actual["parameters"], expected["parameters"]
    if mine == right:
        return None
    sentence = f"It has {mine:,} parameters, {_WHOSE} {right:,}"
    again = next((layer["name"] for layer in actual["layers"] if layer["again"]), None)
    if actual["unused"]:
        sentence += f"; {actual['unused']:,} of them are never used in forward"
    elif again:
        sentence += f": {again} uses the weights of an earlier layer again"
    elif mine < right:
        sentence += ": has every layer its bias?"
    return Difference("values", sentence.rstrip(".") + ("" if sentence.endswith("?") else "."), right, mine)


def _about_gradients(actual: Observed) -> Difference | None:
    total, learning = actual["parameters"], actual["learning"]
    if total == learning:
        return None
    sentence = (
        f"{total - learning:,} of its {total:,} parameters get no gradient, so they cannot learn: is a value "
        "detached on the way, or taken with .data or under no_grad?"
    )
    return Difference("values", sentence, total, learning)


def _about_scores(expected: Observed, actual: Observed) -> Difference:
    for run in ("one", "several"):
        right, mine = np.asarray(expected[run]), np.asarray(actual[run])
        found = difference(right, mine)
        if found is None:
            continue
        if mine.dtype.kind not in "biuf":
            return Difference("type", "Its scores are no numbers.", right, "no numbers")
        if right.shape != mine.shape:
            where = "one image" if run == "one" else "several images"
            sentence = f"The shape for {where} is {_sizes(mine.shape)}; expected {_sizes(right.shape)}."
        elif run == "several":
            sentence = "It is right in evaluation mode and gives other values in training mode."
        else:
            sentence = (
                "Its layers have the expected shapes, but with equal weights the values differ: is each "
                "layer used once, in the right order, and is every result passed on?"
            )
        return Difference(found.kind, sentence, right, mine, found.mask)
    return Difference("values", "Its behaviour differs.", "", "")
