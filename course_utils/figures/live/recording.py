"""A model's operations, noted one by one while it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

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
        Its name for people: ``conv``, ``max pool``, ``ReLU``.
    module : str
        Path of the submodule that ran it; empty for a function call in the model itself.
    inputs : tuple of int
        Indices of the steps it reads.
    shape : tuple of int
        Shape of its output, including the batch of one.
    settings : mapping
        What the rule needs: kernel, stride and padding as pairs, channels, sizes.
    parameters : int
        Number of weights used here for the first time.
    multiply_adds : int
        For one image; additions of a bias do not count.
    """

    kind: str
    label: str
    module: str
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    parameters: int = 0
    multiply_adds: int = 0


class Recorder(TorchDispatchMode):
    """Turns each operation that reads an image, or what was made from it, into a step.

    Attributes
    ----------
    steps : list of Step
        The first is the image itself.
    outputs : list of tensor
        One for each step.
    counted : set of str
        Names of the weights used so far.
    """

    def __init__(self, image: Tensor, weights: Mapping[int, str] | None = None) -> None:
        super().__init__()
        self.steps = [Step("input", "input", "", (), tuple(image.shape))]
        self.outputs = [image]
        self.counted: set[str] = set()
        self._running: list[str] = []
        self._sizes: list[int] | None = None
        self._step_of = {id(image): 0}
        self._weights = {key: {name} for key, name in (weights or {}).items()}
        # The id of a freed tensor may be given to a new one.
        self._kept: list[Any] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        run = _run_on_shapes if self.outputs[0].is_meta else _run
        result = run(func, args, kwargs or {})
        given = list(_tensors(args))
        reads = [tensor for tensor in given if id(tensor) in self._step_of]
        names = set().union(*(self._weights.get(id(tensor), set()) for tensor in given))
        made = next(_tensors([result]), None)
        if made is None:
            return result
        self._kept += [made, *given]
        if not reads:
            self._weights[id(made)] = names
        elif made.dim() and "detach" not in str(func):
            self._record(func, args, given, reads, names, made)
        return result

    def _record(self, func: Any, args: Any, given: Any, reads: Any, names: set[str], made: Tensor) -> None:
        shape = tuple(made.shape)
        inputs = tuple(self._step_of[id(tensor)] for tensor in reads)
        kind, label, settings = rule(func.overloadpacket.__name__, args, given, reads, shape, self._sizes)
        module = next((name for name in reversed(self._running) if name), "")
        fresh = names - self.counted
        self.counted |= fresh
        sizes = {name: t.numel() for t in given for name in self._weights.get(id(t), ())}
        self.steps.append(
            Step(
                kind, label, module, inputs, shape, settings,
                sum(sizes[name] for name in fresh), multiply_adds(kind, label, given, shape),
            )
        )  # fmt: skip
        self.outputs.append(made)
        self._step_of[id(made)] = len(self.steps) - 1

    @contextmanager
    def naming(self, module: nn.Module) -> Iterator[None]:
        """Note with each step the submodule that runs it, and the sizes that a view asks for."""
        names = {part: name for name, part in module.named_modules()}

        def enter(part: nn.Module, _: Any) -> None:
            self._running.append(names.get(part, ""))

        def leave(part: nn.Module, _: Any, __: Any) -> None:
            self._running.pop()

        hooks = [register_module_forward_pre_hook(enter), register_module_forward_hook(leave)]
        try:
            with _Sizes(self):
                yield
        finally:
            for hook in hooks:
                hook.remove()


class _Sizes(TorchFunctionMode):
    """Notes the sizes that a view asks for: one level below, -1 is already resolved."""

    def __init__(self, recorder: Recorder) -> None:
        super().__init__()
        self._recorder = recorder

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__name__", "") in ("view", "reshape") and not kwargs:
            sizes = args[1] if len(args) == 2 and not isinstance(args[1], int) else args[1:]
            if all(isinstance(size, int) for size in sizes):
                self._recorder._sizes = list(sizes)
        try:
            return func(*args, **(kwargs or {}))
        finally:
            self._recorder._sizes = None


def _run(func: Any, args: Any, kwargs: Any) -> Any:
    return func(*args, **kwargs)


def _run_on_shapes(func: Any, args: Any, kwargs: Any) -> Any:
    # On the meta device, PyTorch decomposes batch norm in Python, ten times slower than all the rest.
    if func is torch.ops.aten.native_batch_norm.default:
        return torch.empty_like(args[0]), args[0].new_empty(0), args[0].new_empty(0)
    _check(func.overloadpacket.__name__, args)
    return func(*args, **kwargs)


def _check(name: str, args: Any) -> None:
    """Refuse in the words that PyTorch uses on a CPU; on the meta device it says less."""
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
