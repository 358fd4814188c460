"""What a model computes, operation by operation, found by running it without numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from course_utils.errors import FigureError
from course_utils.figures.live.recording import Recorder, Step
from course_utils.text import shape_text


@dataclass(frozen=True)
class Trace:
    """A model's steps, from the input on, and the weights that no step used.

    Attributes
    ----------
    name : str
        The model's class.
    steps : tuple of Step
    unused : mapping
        Names of the submodules that were not run, and how many weights they have.
    """

    name: str
    steps: tuple[Step, ...]
    unused: Mapping[str, int] = field(default_factory=dict)

    @property
    def parameters(self) -> int:
        """All weights, including those of parts that are not run."""
        return sum(step.parameters for step in self.steps) + sum(self.unused.values())

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of one image."""
        return sum(step.multiply_adds for step in self.steps)


def trace(model: nn.Module | Callable[[], nn.Module], input_shape: Sequence[int], *, figure: str) -> Trace:
    """Run a model once, in evaluation mode and without numbers: no weight is read, copied or changed.

    Parameters
    ----------
    model : torch.nn.Module or callable
        A model on any device, or a function or class that builds one; what it builds takes no memory.
    input_shape : sequence of int
        Channels, height and width of one image.
    figure : str
        Name of the figure, for errors.

    Raises
    ------
    FigureError
        If `model` is not a model, `input_shape` is not a shape, or the model cannot run on it.
    """
    shape = image_shape(input_shape, figure)
    module = _built(model, figure)
    state = {
        name: torch.empty_like(tensor, device="meta", requires_grad=False)
        for name, tensor in [*module.named_parameters(), *module.named_buffers()]
    }
    weights = {id(state[name]): name for name, _ in module.named_parameters()}
    image = torch.empty(1, *shape, device="meta")
    recorder = Recorder(image, weights)
    told = explained(
        f"{figure} cannot follow this model on an image of {shape_text(shape)}.",
        next_step="Call the model on one such image, and fix the error.",
    )
    with told, torch.no_grad(), evaluating(module), recorder.naming(module), recorder:
        torch.func.functional_call(module, state, (image,))
    used = recorder.counted
    unused: dict[str, int] = {}
    for name, tensor in module.named_parameters():
        if name not in used:
            part = name.split(".")[0]
            unused[part] = unused.get(part, 0) + tensor.numel()
    return Trace(type(module).__name__, tuple(recorder.steps), unused)


def image_shape(shape: Any, figure: str) -> tuple[int, int, int]:
    """Return (channels, height, width).

    Raises
    ------
    FigureError
        If `shape` is not three whole numbers above 0.
    """
    try:
        sizes = tuple(int(size) for size in shape)
    except (TypeError, ValueError):
        sizes = ()
    if len(sizes) != 3 or min(sizes) < 1 or math.prod(sizes) > 2**31:
        raise FigureError(
            f"{figure} takes the shape of one image: (channels, height, width).", why=f"It got {shape!r}."
        )
    return sizes[0], sizes[1], sizes[2]


def _built(model: Any, figure: str) -> nn.Module:
    if isinstance(model, nn.Module):
        return model
    sentence = f"{figure} takes a torch.nn.Module, or a function that builds one."
    if not callable(model):
        raise FigureError(sentence, why=f"It got {type(model).__name__}.")
    with explained(sentence, "Building it failed: "), torch.random.fork_rng(devices=[]), torch.device("meta"):
        module = model()
    if not isinstance(module, nn.Module):
        raise FigureError(sentence, why=f"The function returned {type(module).__name__}.")
    return module


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Put a model into evaluation mode, and afterwards each part back into its own mode."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


@contextmanager
def explained(sentence: str, why: str = "", *, next_step: str = "") -> Iterator[None]:
    """Turn errors of a model into a `FigureError` with this sentence.

    The error of an exercise that is not started passes through: notebooks show it as one calm line.
    """
    try:
        yield
    except Exception as error:
        # PyTorch's own errors of this class have a message.
        if isinstance(error, NotImplementedError) and not error.args:
            raise
        message = str(error).strip() or "no message"
        why += f"{type(error).__name__}: {message.splitlines()[0]}"
        raise FigureError(sentence, why=why, next_step=next_step) from error
