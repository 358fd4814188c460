"""What a network does, as plain numbers: scores, parameters, gradients, and the layers on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from course_utils.exercises.networks.trace import Trace, WithoutRandomInit


def observe_network(build: Callable[[], Any], images: Tensor) -> dict[str, Any]:
    """Build a network, give it fixed weights and look at what it does.

    Parameters
    ----------
    build : callable
        Returns the module to look at. What it raises is passed on.
    images : Tensor
        Two or more images, N×C×H×W.

    Returns
    -------
    dict
        ``problem`` (a sentence, or empty), ``one`` (scores of the first image), ``several`` (scores of all,
        or the error that they gave), ``training`` (the same in training mode), ``parameters`` (how many
        numbers are registered), ``learning`` (how many of them get a gradient), ``unused`` and
        ``unregistered`` (how many), ``layers`` (see `Trace`).
    """
    with WithoutRandomInit():
        model = build()
    if problem := _problem(model):
        return _nothing(problem)
    model = model.to("cpu", torch.float32).eval()
    trace = Trace()
    with torch.no_grad(), torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        try:
            with trace:
                one = model(images[:1].clone())
        except Exception as error:
            error.add_note(_so_far(trace))
            raise
        if type(one) is not Tensor:
            return _nothing(f"It returns {_a(one)} where a tensor is expected.")
        several = _try(model, images)
    registered = {id(parameter): parameter for parameter in model.parameters()}
    in_training, learning, dropout = _in_training(model, images)
    return {
        "problem": "",
        "one": _plain(one),
        "several": several if isinstance(several, str) else _plain(several),
        "training": in_training,
        "parameters": _count(registered.values()),
        "learning": learning,
        "unused": _count(value for key, value in registered.items() if key not in trace.used),
        "unregistered": _count(value for key, value in trace.used.items() if key not in registered),
        "layers": trace.layers + dropout,
    }


def _problem(model: Any) -> str:
    if isinstance(model, type) and issubclass(model, nn.Module):
        return f"It returns the class {model.__name__}, not a network made from it."
    if not isinstance(model, nn.Module):
        return f"It returns {_a(model)} where a module (nn.Module) is expected."
    if type(model).forward is nn.Module.forward:
        return f"{type(model).__name__} has no method named forward."
    return ""


def _nothing(problem: str) -> dict[str, Any]:
    return {
        "problem": problem,
        "one": [],
        "several": [],
        "training": [],
        "parameters": 0,
        "learning": 0,
        "unused": 0,
        "unregistered": 0,
        "layers": [],
    }


def _a(value: Any) -> str:
    name = type(value).__name__
    return "nothing (None)" if value is None else f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"


def _try(model: nn.Module, images: Tensor) -> Any:
    try:
        scores = model(images.clone())
    except NotImplementedError:
        raise
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return scores if type(scores) is Tensor else f"It returned {_a(scores)}."


def _in_training(model: nn.Module, images: Tensor) -> tuple[Any, int, list[dict[str, Any]]]:
    model.train()
    trace = Trace()
    trace.used.update({id(parameter): parameter for parameter in model.parameters()})
    with torch.enable_grad(), torch.random.fork_rng(devices=()):
        torch.manual_seed(0)
        with trace:
            scores = _try(model, images)
    dropout = [layer for layer in trace.layers if layer["kind"] == "dropout"]
    if isinstance(scores, str):
        return scores, 0, dropout
    reached = _reached(scores)
    learning = _count(parameter for parameter in model.parameters() if id(parameter) in reached)
    return _plain(scores), learning, dropout


def _reached(scores: Tensor) -> set[int]:
    """Return the ids of the leaves that backward would reach; walking the graph costs no arithmetic."""
    reached, seen, ahead = set(), set(), [scores.grad_fn]
    while ahead:
        node = ahead.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        if hasattr(node, "variable"):
            reached.add(id(node.variable))
        ahead += [following for following, _ in node.next_functions]
    return reached


def _plain(scores: Tensor) -> np.ndarray:
    return scores.detach().cpu().float().numpy().copy()


def _count(parameters: Any) -> int:
    return sum(parameter.numel() for parameter in parameters)


def _so_far(trace: Trace) -> str:
    steps = [f"{layer['name']} gave {'×'.join(map(str, layer['shape']))}" for layer in trace.layers]
    return f"Until then {', '.join(steps)}." if steps else "No layer had run until then."
