"""What a network does, as plain numbers: scores, parameters, gradients, and the layers on the way."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from course_utils.exercises.gradients import reached_from
from course_utils.exercises.model import Probe
from course_utils.exercises.networks.layer_trace import LayerTrace, WithoutRandomInit
from course_utils.exercises.stubs import is_stub

MOST_PARAMETERS = 200_000_000
_LAZY = (
    "A lazy layer has no weights before its first batch, so the next cells and `fit` cannot count those of a "
    "new network: say how many numbers or channels come in, as in nn.Linear(inputs, outputs)."
)


def observe_network(candidate: Callable[..., Any], probe: Probe) -> dict[str, Any]:
    """Build a network, give it fixed weights and observe what it does.

    Parameters
    ----------
    candidate : callable
        Returns the module to look at, from all arguments of the probe but the last. What it raises is passed
        on.
    probe : Probe
        Its last argument is a batch of two or more images, N×C×H×W.

    Returns
    -------
    dict
        ``problem`` (a sentence, or empty), ``one`` (scores of the first image in evaluation mode),
        ``several`` (scores of all images in training mode, or the error they raised), ``parameters`` (how
        many numbers are registered), ``learning`` (how many of them get a gradient), ``unused`` and
        ``unregistered`` (how many), ``remade`` (how many of these are new in a second forward pass), ``idle``
        and ``repeated`` (names of the student's layers that are never used, and used twice),
        ``stopped`` (whether an error ended it), ``layers`` (see `LayerTrace`).

    Raises
    ------
    Exception
        What the network raises for one image; its ``observed`` holds as much of the dict as is known.
    """
    *sizes, images = probe.arguments
    with WithoutRandomInit():
        try:
            model = candidate(*sizes)
        except Exception as error:
            told = f"It cannot be built: {type(error).__name__}: {error}"
            error.observed = _nothing() | {"problem": told, "stopped": True}  # type: ignore[attr-defined]
            raise
    if problem := _problem(model):
        return _nothing() | {"problem": problem}
    if any(map(is_lazy, model.parameters())):
        return _nothing() | {"problem": _LAZY}
    if (count := _count(model.parameters())) > MOST_PARAMETERS:
        told = (
            f"It has {count:,} parameters, too many to run: how large is the map that enters a linear layer?"
        )
        return _nothing() | {"problem": told, "parameters": count}
    model = model.to("cpu", torch.float32).eval()
    trace = LayerTrace()
    with torch.no_grad(), WithoutRandomInit():
        try:
            given = images[:1].clone()
            with trace:
                one = model(given)
        except Exception as error:
            error.observed = _nothing() | {  # type: ignore[attr-defined]
                "parameters": _count(model.parameters()),
                "stopped": True,
                "layers": trace.layers,
            }
            raise
    if type(one) is not Tensor:
        why = ": is a `return` missing in forward?" if one is None else " where a tensor is expected."
        return _nothing() | {"problem": f"It returns {_a(one)}{why}"}
    if not torch.equal(given, images[:1]):
        told = "Its forward changes its input in place: write x = x + …, which makes a new tensor, not x += …"
        return _nothing() | {"problem": told}
    again = LayerTrace()
    again.used = dict(trace.used)
    several, learning, dropout = _in_training(model, images, again)
    registered = {id(parameter): parameter for parameter in model.parameters()}
    made = [value for key, value in again.used.items() if key not in trace.used and key not in registered]
    return {
        "problem": "",
        "one": _plain(one),
        "several": several,
        "parameters": _count(registered.values()),
        "learning": learning,
        "unused": _count(value for key, value in registered.items() if key not in trace.used),
        "unregistered": _count(value for key, value in trace.used.items() if key not in registered),
        "remade": _count(made),
        "idle": _owners(model, lambda parameter: id(parameter) not in trace.used),
        "repeated": _owners(model, lambda parameter: trace.uses[parameter.untyped_storage().data_ptr()] == 2),
        "stopped": False,
        "layers": trace.layers + dropout,
    }


def _in_training(
    model: nn.Module, images: Tensor, trace: LayerTrace
) -> tuple[Any, int, list[dict[str, Any]]]:
    """Return the scores or the error, how many parameters get a gradient, and the dropout layers."""
    model.train()
    try:
        with torch.enable_grad(), trace:
            scores = model(images.clone())
    except Exception as error:
        if is_stub(error):
            raise
        return f"{type(error).__name__}: {error}", 0, []
    dropout = [layer for layer in trace.layers if layer["kind"] == "dropout"]
    if type(scores) is not Tensor:
        return f"it returns {_a(scores)}", 0, dropout
    reached = reached_from(scores)
    learning = _count(parameter for parameter in model.parameters() if id(parameter) in reached)
    return _plain(scores), learning, dropout


def _problem(model: Any) -> str:
    if isinstance(model, type) and issubclass(model, nn.Module):
        return f"It returns the class {model.__name__}, not a network made from it."
    if not isinstance(model, nn.Module):
        return f"It returns {_a(model)} where a module (nn.Module) is expected."
    if isinstance(model, nn.ModuleList | nn.ModuleDict):
        kind = type(model).__name__
        return f"A {kind} only holds layers, it does not apply them: nn.Sequential(*layers) does."
    if type(model).forward is nn.Module.forward:
        return f"{type(model).__name__} has no method named forward{_where_forward_is(type(model))}."
    return ""


def _where_forward_is(kind: type) -> str:
    if kind is nn.Module:
        return ""
    for name, method in vars(kind).items():
        inside = getattr(getattr(method, "__code__", None), "co_consts", ())
        if any(getattr(part, "co_name", "") == "forward" for part in inside):
            return f": it is indented too far, so that it is inside {name}"
    methods = [name for name, value in vars(kind).items() if callable(value)]
    near = get_close_matches("forward", methods, n=1)
    return f", but one named {near[0]}" if near else ""


def _nothing() -> dict[str, Any]:
    counts = dict.fromkeys(("parameters", "learning", "unused", "unregistered", "remade"), 0)
    lists: dict[str, list[Any]] = {key: [] for key in ("one", "several", "idle", "repeated", "layers")}
    return {"problem": "", **counts, **lists, "stopped": False}


def _a(value: Any) -> str:
    return "nothing (None)" if value is None else with_article(type(value).__name__)


def with_article(noun: str) -> str:
    """Return ``a ReLU``, ``an ELU``."""
    return f"{'an' if noun[0] in 'aeiouAEIOU' else 'a'} {noun}"


def _owners(model: nn.Module, chosen: Callable[[Tensor], bool]) -> list[str]:
    """Return the names of the layers of which every parameter is chosen."""
    by_layer: dict[str, list[bool]] = {}
    for name, parameter in model.named_parameters():
        # A bias is no factor of a product, so only weights tell how often a layer is used.
        owner, _, last = name.rpartition(".")
        by_layer.setdefault(owner or name, [])
        if last != "bias":
            by_layer[owner or name].append(chosen(parameter))
    return [name for name, found in by_layer.items() if found and all(found)]


def _plain(scores: Tensor) -> np.ndarray:
    return scores.detach().cpu().float().numpy().copy()


def _count(parameters: Any) -> int:
    return sum(parameter.numel() for parameter in parameters)


def has_other_count(wrong: Callable[..., Any], probe: Probe, observed: Any) -> bool:
    """Whether the network that `wrong` builds has another number of parameters than observed."""
    with WithoutRandomInit():
        try:
            model = wrong(*probe.arguments[:-1])
        except Exception:
            model = None
    count = _count(model.parameters()) if isinstance(model, nn.Module) else 0
    return not isinstance(observed, Mapping) or observed.get("parameters") != count
