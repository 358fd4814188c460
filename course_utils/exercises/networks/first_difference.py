"""Say where a network first differs from the expected one: which layer, and both shapes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from course_utils.exercises.compare import Difference, difference
from course_utils.exercises.networks.behaviour import with_article

Observed = Mapping[str, Any]
Layer = Mapping[str, Any]

_DECISIVE = ("problem", "stopped", "one", "several", "parameters", "learning")
_SHAPING = ("conv", "linear", "max-pool", "average-pool", "addition", "batch-norm")
_WITH_ACTIVATION = ("conv", "linear", "addition", "batch-norm")
_TRAIL = 3


def network_difference(expected: Observed, actual: Any) -> Difference | None:
    """Return how the behaviour of a network differs from the expected one, or None when it does not.

    Scores, parameters and gradients decide. The layers only explain a difference, so any way of writing a
    network is accepted.

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
    if actual["stopped"] and actual["problem"]:
        return Difference("type", "", "a network (nn.Module)", "an error while it is built")
    if actual["stopped"]:
        return _about_shapes(wanted, layers, stopped=True)
    return (
        _about_type(actual)
        or _about_batches(actual)
        or _about_registration(actual)
        or _about_use(actual)
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
    why = (
        "layers are made anew in each call of forward. Make them once, in __init__."
        if actual["remade"]
        else "are layers kept in a plain Python list? nn.ModuleList and nn.Sequential register theirs."
    )
    return Difference(
        "type",
        f"It uses {actual['unregistered']:,} parameters that model.parameters() does not list, so no "
        f"optimizer can change them: {why}",
        "every parameter listed",
        f"{actual['unregistered']:,} not listed",
    )


def _about_use(actual: Observed) -> Difference | None:
    if not actual["idle"]:
        return None
    sentence = f"{_named(actual['idle'])} never used"
    if actual["repeated"]:
        sentence += f"; {_named(actual['repeated'])} applied twice"
    return Difference(
        "values", f"{sentence}.", "every layer used", f"{actual['unused']:,} parameters not used"
    )


def _named(layers: Sequence[str]) -> str:
    """Return ``conv1 and conv2 are``; a number in place of a name is one of nn.Sequential: ``Layer 3 is``."""
    names = [f"Layer {name}" if name.isdigit() else name for name in layers]
    return f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'}"


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
    place = f"after {layers[at - 1]['name']}" if at else "first"
    if at == len(layers):
        sentence = _about_end(layers, wanted[at], stopped=stopped)
    elif at == len(wanted):
        sentence = f"There is an extra layer {place}: {_described(layers[at])}."
    elif layers[at]["kind"] != wanted[at]["kind"]:
        sentence = f"{_described(layers[at])} comes {place}; expected {_described(wanted[at])}."
    else:
        sentence = _about_layer(layers[at], wanted[at])
    return Difference("values", sentence, _trail(wanted, at), _trail(layers, at))


def _about_end(layers: Sequence[Layer], following: Layer, *, stopped: bool) -> str:
    verb = "stops" if stopped else "ends"
    if not layers:
        return f"It {verb} before its first layer; expected {_described(following)}."
    last = layers[-1]["name"]
    return f"Its layers are as expected up to {last}; it {verb} where {_described(following)} should follow."


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
        return f"{mine['name']} gives {_sizes(gives)}; expected {_sizes(should)}. {_question(mine, right)}"
    return (
        f"The weight of {mine['name']} is {_sizes(mine['weight'])}; expected {_sizes(right['weight'])}. "
        f"{_question(mine, right)}"
    )


def _question(mine: Layer, right: Layer) -> str:
    gives, should = mine["shape"], right["shape"]
    if len(gives) != len(should):
        return "Is a dimension lost or added before it?"
    if mine["kind"] == "linear":
        return f"Does it have the right number of {'inputs' if gives == should else 'outputs'}?"
    if mine["kind"] != "conv":
        return "Is its window 2×2 with stride 2?"
    if mine["weight"][2:] != right["weight"][2:]:
        return f"Is its kernel {_sizes(right['weight'][2:])}?"
    if mine["stride"] != right["stride"]:
        return f"Is its stride {right['stride'][0]}?"
    if mine["padding"] != right["padding"]:
        return f"Is its padding {right['padding'][0]}?"
    return "Does it have the right number of filters, and the right input?"


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
            sentence = f"After {name} comes {with_article(extra[0])}; expected {with_article(missing[0])}."
        elif missing:
            sentence = f"After {name} there is no {missing[0]}."
        else:
            last = ", the last layer," if name == mine[-1][0] else ""
            sentence = f"After {name}{last} comes {with_article(extra[0])}; no activation is expected there."
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


def _about_dropout(actual: Observed) -> Difference | None:
    if not any(layer["kind"] == "dropout" for layer in actual["layers"]):
        return None
    return Difference("values", "It drops values at random (dropout).", "no dropout", "dropout")


def _about_parameters(expected: Observed, actual: Observed) -> Difference | None:
    mine, right = actual["parameters"], expected["parameters"]
    if mine == right:
        return None
    sentence = f"It has {mine:,} parameters; expected {right:,}."
    again = next((layer["name"] for layer in actual["layers"] if layer["again"]), None)
    if again:
        sentence += f" The layer {again} uses the weights of an earlier layer again."
    elif mine < right:
        sentence += " Does every layer have a bias?"
    return Difference("values", sentence, f"{right:,} parameters", f"{mine:,} parameters")


def _about_gradients(actual: Observed) -> Difference | None:
    total, learning = actual["parameters"], actual["learning"]
    if total == learning:
        return None
    sentence = (
        f"{total - learning:,} of its {total:,} parameters get no gradient, so they cannot learn. Is a value "
        "detached on the way (detach, .data, no_grad), or is requires_grad switched off?"
    )
    return Difference("values", sentence, f"{total:,} that learn", f"{learning:,} that learn")


def _about_scores(expected: Observed, actual: Observed) -> Difference:
    for run in ("one", "several"):
        right, mine = np.asarray(expected[run]), np.asarray(actual[run])
        found = difference(right, mine)
        if found is None:
            continue
        if mine.dtype.kind not in "biuf":
            return Difference("type", "Its scores are not numbers.", right, "not numbers")
        if right.shape != mine.shape:
            where = "one image" if run == "one" else "several images"
            sentence = f"The shape for {where} is {_sizes(mine.shape)}; expected {_sizes(right.shape)}."
        elif run == "several":
            sentence = "It is right in evaluation mode, but gives other values in training mode."
        else:
            sentence = (
                "Its layers have the expected shapes, but with equal weights the values differ. Is each "
                "layer used once and in the right order, and is every result passed on?"
            )
        return Difference(found.kind, sentence, right, mine, found.mask)
    return Difference("values", "Its behaviour differs.", "", "")
