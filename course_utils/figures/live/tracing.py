"""What a model computes, operation by operation, found by running it on shapes alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from course_utils.errors import FigureError
from course_utils.figures.live.rules import multiply_adds, rule


@dataclass(frozen=True)
class Step:
    """One operation on the way from the input to the scores.

    Attributes
    ----------
    kind : str
        The rule for its output shape: ``input``, ``conv``, ``pool``, ``adaptive``, ``linear``, ``view``,
        ``flatten``, ``pad``, ``reduce``, ``add``, ``cat``, ``same`` (the input's) or ``fixed`` (unknown).
    label : str
        What it is called: ``conv``, ``max pool``, ``ReLU``.
    module : str
        Path of the submodule that ran it; empty for a plain function call in the model itself.
    inputs : tuple of int
        Indices of the steps it reads.
    shape : tuple of int
        Of its output, batch of one included.
    settings : mapping
        What the rule needs: kernel, stride and padding as pairs, channels, sizes.
    parameters : int
        Weights that are used here for the first time.
    multiply_adds : int
        For one image; additions of a bias are not counted.
    """

    kind: str
    label: str
    module: str
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    parameters: int = 0
    multiply_adds: int = 0


@dataclass(frozen=True)
class Trace:
    """A model's steps, the input first, and what no step used.

    Attributes
    ----------
    name : str
        The model's class.
    steps : tuple of Step
    unused : mapping
        Name of a submodule that was not run to the number of its weights.
    """

    name: str
    steps: tuple[Step, ...]
    unused: Mapping[str, int] = field(default_factory=dict)

    @property
    def parameters(self) -> int:
        """All weights, those of parts that are not run included."""
        return sum(step.parameters for step in self.steps) + sum(self.unused.values())

    @property
    def multiply_adds(self) -> int:
        """Of one image."""
        return sum(step.multiply_adds for step in self.steps)


def trace(model: nn.Module | Callable[[], nn.Module], input_shape: Sequence[int], *, figure: str) -> Trace:
    """Run a model once in evaluation mode on shapes alone: no weight is read, copied or changed.

    Parameters
    ----------
    model : torch.nn.Module or callable
        A model on any device, or a function or class that builds one; what it builds has no memory.
    input_shape : sequence of int
        Channels, height and width of one image.
    figure : str
        Who asks, for the error.

    Raises
    ------
    FigureError
        If this is no model, no shape, or the model cannot run on this shape.
    """
    shape = image_shape(input_shape, figure)
    module = _built(model, figure)
    state = {
        name: torch.empty_like(tensor, device="meta", requires_grad=False)
        for name, tensor in [*module.named_parameters(), *module.named_buffers()]
    }
    weights = {id(state[name]): name for name, _ in module.named_parameters()}
    image = torch.empty(1, *shape, device="meta")
    recorder = _Recorder(image, weights)
    try:
        with torch.no_grad(), evaluating(module), _naming(module, recorder), _Sizes(recorder), recorder:
            torch.func.functional_call(module, state, (image,))
    except Exception as error:
        if is_unfinished(error):
            raise
        raise FigureError(
            f"{figure} cannot follow this model on an image of {'×'.join(map(str, shape))}.",
            why=f"{type(error).__name__}: {str(error).strip().split(chr(10))[0]}",
            next_step="Call the model on one such image and mend what it says.",
        ) from error
    used = recorder.counted
    unused: dict[str, int] = {}
    for name, tensor in module.named_parameters():
        if name not in used:
            part = name.split(".")[0]
            unused[part] = unused.get(part, 0) + tensor.numel()
    return Trace(type(module).__name__, tuple(recorder.steps), unused)


def image_shape(shape: Any, figure: str) -> tuple[int, int, int]:
    """Return (channels, height, width), or say what is wanted.

    Raises
    ------
    FigureError
        If it is not three whole numbers above 0.
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


def is_unfinished(error: Exception) -> bool:
    """Whether an error is an exercise's stub: a notebook tells it calmly, PyTorch's own have a message."""
    return isinstance(error, NotImplementedError) and not error.args


def _built(model: Any, figure: str) -> nn.Module:
    if isinstance(model, nn.Module):
        return model
    sentence = f"{figure} takes a torch.nn.Module, or a function that builds one."
    if not callable(model):
        raise FigureError(sentence, why=f"It got {type(model).__name__}.")
    try:
        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            module = model()
    except Exception as error:
        if is_unfinished(error):
            raise
        raise FigureError(sentence, why=f"Building it failed: {type(error).__name__}: {error}") from error
    if not isinstance(module, nn.Module):
        raise FigureError(sentence, why=f"The function returned {type(module).__name__}.")
    return module


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Put a model into evaluation mode, and each of its parts into its own mode afterwards."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training


@contextmanager
def _naming(module: nn.Module, recorder: _Recorder) -> Iterator[None]:
    """Tell the recorder which submodule is running."""
    names = {part: name for name, part in module.named_modules()}

    def enter(part: nn.Module, _: Any) -> None:
        recorder.running.append(names.get(part, ""))

    def leave(part: nn.Module, _: Any, __: Any) -> None:
        recorder.running.pop()

    hooks = [register_module_forward_pre_hook(enter), register_module_forward_hook(leave)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


class _Sizes(TorchFunctionMode):
    """Notes the sizes that were asked of a view: below, -1 is already resolved."""

    def __init__(self, recorder: _Recorder) -> None:
        super().__init__()
        self.recorder = recorder

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__name__", "") in ("view", "reshape") and not kwargs:
            sizes = args[1] if len(args) == 2 and not isinstance(args[1], int) else args[1:]
            if all(isinstance(size, int) for size in sizes):
                self.recorder.sizes = list(sizes)
        try:
            return func(*args, **(kwargs or {}))
        finally:
            self.recorder.sizes = None


class _Recorder(TorchDispatchMode):
    """Turns each operation that reads an activation into a step."""

    def __init__(self, image: Tensor, weights: Mapping[int, str]) -> None:
        super().__init__()
        self.steps = [Step("input", "input", "", (), tuple(image.shape))]
        self.running: list[str] = []
        self.sizes: list[int] | None = None
        self.counted: set[str] = set()
        self._step_of = {id(image): 0}
        self._weights = {key: {name} for key, name in weights.items()}
        # A tensor that is freed may hand its id to another one.
        self._kept: list[Any] = [image]

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = _run(func, args, kwargs or {})
        given = list(_tensors(args))
        reads = [tensor for tensor in given if id(tensor) in self._step_of]
        names = set().union(*(self._weights.get(id(tensor), set()) for tensor in given))
        made = next(_tensors([result]), None)
        if made is None:
            return result
        self._kept += [made, *given]
        if not reads:
            self._weights[id(made)] = names
        elif (shape := tuple(made.shape)) != () and "detach" not in str(func):
            self._record(func, args, given, reads, names, made, shape)
        return result

    def _record(
        self, func: Any, args: Any, given: Any, reads: Any, names: set[str], made: Tensor, shape: Any
    ) -> None:
        inputs = tuple(self._step_of[id(tensor)] for tensor in reads)
        kind, label, settings = rule(func.overloadpacket.__name__, args, given, reads, shape, self.sizes)
        module = next((name for name in reversed(self.running) if name), "")
        fresh = names - self.counted
        self.counted |= fresh
        sizes = {name: t.numel() for t in given for name in self._weights.get(id(t), ())}
        self.steps.append(
            Step(
                kind, label, module, inputs, shape, settings,
                sum(sizes[name] for name in fresh), multiply_adds(kind, label, given, shape),
            )
        )  # fmt: skip
        self._step_of[id(made)] = len(self.steps) - 1


def _run(func: Any, args: Any, kwargs: Any) -> Any:
    # On shapes alone PyTorch still takes batch norm apart in Python, ten times slower than all the rest.
    if func is torch.ops.aten.native_batch_norm.default:
        return torch.empty_like(args[0]), args[0].new_empty(0), args[0].new_empty(0)
    _check(func.overloadpacket.__name__, args)
    return func(*args, **kwargs)


def _check(name: str, args: Any) -> None:
    """Refuse in the words that PyTorch has for numbers; on shapes alone it says less."""
    if name == "convolution" and not args[6] and args[0].shape[1] != args[1].shape[1] * args[8]:
        raise RuntimeError(
            f"Given groups={args[8]}, weight of size {list(args[1].shape)}, "
            f"expected input{list(args[0].shape)} to have {args[1].shape[1] * args[8]} channels, "
            f"but got {args[0].shape[1]} channels instead"
        )
    if name in ("addmm", "mm") and args[-2].shape[1] != args[-1].shape[0]:
        sizes = " and ".join("x".join(map(str, each.shape)) for each in args[-2:])
        raise RuntimeError(f"mat1 and mat2 shapes cannot be multiplied ({sizes})")


def _tensors(values: Any) -> Iterator[Tensor]:
    for value in values:
        if isinstance(value, Tensor):
            yield value
        elif isinstance(value, (list, tuple)):
            yield from _tensors(value)
