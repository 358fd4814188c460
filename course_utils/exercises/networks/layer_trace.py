"""Watch a forward pass in PyTorch's dispatcher: which layers run, their outputs, their parameters.

The dispatcher sees ``nn.Conv2d``, ``F.conv2d`` and ``torch.conv2d`` as one operation, so a network is read
the same way however it is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from math import sqrt
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

WIDE = 2_000_000
INPUTS_OF_A_WIDE_UNIT = 8

_KINDS = {
    "convolution": "conv",
    **dict.fromkeys(("addmm", "mm"), "linear"),
    **dict.fromkeys(
        ("relu", "relu_", "clamp_min", "clamp_min_", "threshold", "maximum", "where", "gt"), "ReLU"
    ),
    **dict.fromkeys(("leaky_relu", "leaky_relu_"), "leaky ReLU"),
    **dict.fromkeys(("hardtanh", "hardtanh_"), "ReLU6"),
    **dict.fromkeys(("elu", "elu_"), "ELU"),
    "gelu": "GELU",
    **dict.fromkeys(("silu", "silu_"), "SiLU"),
    **dict.fromkeys(("sigmoid", "sigmoid_"), "sigmoid"),
    **dict.fromkeys(("tanh", "tanh_"), "tanh"),
    "_softmax": "softmax",
    "_log_softmax": "log-softmax",
    "max_pool2d_with_indices": "max-pool",
    **dict.fromkeys(("avg_pool2d", "_adaptive_avg_pool2d"), "average-pool"),
    **dict.fromkeys(("bernoulli_", "native_dropout"), "dropout"),
    **dict.fromkeys(
        ("native_batch_norm", "_native_batch_norm_legit", "_native_batch_norm_legit_no_training"),
        "batch-norm",
    ),
}


class WithoutRandomInit(TorchFunctionMode):
    """A context in which ``torch.nn.init`` leaves memory as it is.

    The parameters get fixed values afterwards. Drawing 27 million random ones first would take most of a
    second.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if getattr(func, "__module__", None) == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)


class LayerTrace(TorchDispatchMode):
    """Records the layers of a forward pass as they run, and gives the parameters fixed values.

    A parameter gets its value when it is first used, numbered in order of use; matrices and vectors are
    numbered separately. So two networks that compute the same have the same weights, in whatever order they
    registered them.

    Attributes
    ----------
    layers : list of dict
        For example ``{"name": "conv1", "kind": "conv", "shape": [50, 28, 28], "weight": [50, 1, 3, 3],
        "stride": [1, 1], "padding": [1, 1], "again": False}``. The shape is for one image; ``weight``,
        ``stride`` and ``padding`` are empty for layers without them; ``again`` says whether an earlier layer
        used the same weights.
    used : dict
        ``id`` to each parameter that has been used.
    uses : Counter
        How often the weights at each address have been used as those of a layer.
    """

    def __init__(self) -> None:
        super().__init__()
        self.layers: list[dict[str, Any]] = []
        self.used: dict[int, nn.Parameter] = {}
        self._counts: Counter[str] = Counter()
        self._features = 0
        self.uses: Counter[int] = Counter()

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Otherwise PyTorch imports its compiler at the first operation, which takes more than a second.
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        operation = func.overloadpacket.__name__
        for argument in args:
            if isinstance(argument, nn.Parameter) and id(argument) not in self.used:
                self.used[id(argument)] = argument
                self._give_value(argument, right_factor=operation in ("mm", "addmm") and argument is args[-1])
        result = func(*args, **(kwargs or {}))
        self._record(operation, args, result[0] if isinstance(result, (tuple, list)) and result else result)
        return result

    def _give_value(self, parameter: nn.Parameter, *, right_factor: bool) -> None:
        shape = parameter.shape
        kind = "vector" if parameter.numel() == max(shape, default=1) else "matrix"
        self._counts[kind] += 1
        if kind == "vector":
            values = _uniform(self._counts[kind], parameter.numel(), 0.3).reshape(tuple(shape)).copy()
        else:
            # `x @ weight` keeps the matrix transposed, compared with nn.Linear.
            turned = len(shape) == 2 and shape[0] == self._features and (shape[1] != shape[0] or right_factor)
            values = _matrix(self._counts[kind], *(shape[::-1] if turned else (shape[0], shape[1:].numel())))
            values = values.T if turned else values.reshape(tuple(shape))
        parameter.data = torch.from_numpy(np.ascontiguousarray(values))

    def _record(self, operation: str, args: Sequence[Any], out: Any) -> None:
        if not isinstance(out, Tensor):
            return
        kind = _KINDS.get(operation)
        if operation == "clamp":
            kind = "ReLU" if args[1] == 0 and (len(args) < 3 or args[2] is None) else "clamp"
        elif operation in ("add", "add_") and isinstance(args[1], Tensor) and args[0].shape == args[1].shape:
            kind = "addition" if out.dim() > 1 and not isinstance(args[0], nn.Parameter) else None
        if kind:
            self._counts[kind] += 1
            layer = {"name": f"{kind}{self._counts[kind]}", "kind": kind, "shape": list(out.shape[1:])}
            self.layers.append(layer | self._weights(kind, args))
        if out.dim() > 1 and not any(isinstance(argument, nn.Parameter) for argument in args[:1]):
            self._features = out.shape[1:].numel()

    def _weights(self, kind: str, args: Sequence[Any]) -> dict[str, Any]:
        if kind not in ("conv", "linear"):
            return {"weight": [], "stride": [], "padding": [], "again": False}
        weight = args[1] if kind == "conv" else args[-1].t()
        stride, padding = (list(args[3]), list(args[4])) if kind == "conv" else ([], [])
        place = weight.untyped_storage().data_ptr()
        again = place in self.uses
        self.uses[place] += 1
        return {"weight": list(weight.shape), "stride": stride, "padding": padding, "again": again}


def _matrix(index: int, out: int, inputs: int) -> np.ndarray:
    """Draw weights of the size that He et al. (2015) recommend, so that no values vanish or explode."""
    if out * inputs <= WIDE:
        return _uniform(index, out * inputs, sqrt(6 / inputs)).reshape(out, inputs).copy()
    # Writing 100 MB would take longer than the forward pass, but zeros cost nothing until they are touched:
    # each unit of a wide layer uses only a few inputs.
    weights = np.zeros((out, inputs), dtype=np.float32)
    columns = (7 * np.arange(out)[:, None] + 13 * np.arange(INPUTS_OF_A_WIDE_UNIT)) % inputs
    values = _uniform(index, columns.size, sqrt(6 / INPUTS_OF_A_WIDE_UNIT)).reshape(columns.shape)
    np.put_along_axis(weights, columns, values, axis=1)
    return weights


@lru_cache(maxsize=128)
def _uniform(index: int, count: int, bound: float) -> np.ndarray:
    # RandomState's streams are the same in every NumPy version: an answer and the reference may be observed
    # on two machines.
    return np.random.RandomState(index).uniform(-bound, bound, count).astype(np.float32)
