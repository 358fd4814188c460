"""The rule behind the output shape of each of PyTorch's operations, and what the operation costs."""

from __future__ import annotations

import math
from typing import Any

from torch import Tensor

_LABELS = {
    "relu": "ReLU", "gelu": "GELU", "silu": "SiLU", "elu": "ELU", "leaky_relu": "leaky ReLU",
    "native_batch_norm": "batch norm", "cudnn_batch_norm": "batch norm", "native_layer_norm": "layer norm",
    "native_group_norm": "group norm", "_softmax": "softmax", "_log_softmax": "log softmax",
    "_native_batch_norm_legit_no_training": "batch norm", "mul": "multiply", "sub": "subtract",
}  # fmt: skip
_MATRIX = ("addmm", "mm", "bmm", "baddbmm")


def rule(
    name: str, args: Any, given: Any, reads: Any, shape: tuple[int, ...], sizes: list[int] | None
) -> tuple[str, str, dict[str, Any]]:
    """Return kind, label and settings of an operation of PyTorch's core (names as in ``torch.ops.aten``)."""
    before = tuple(reads[0].shape)
    if name == "convolution" and len(shape) == 4 and not args[6]:
        return "conv", "conv", {
            "kernel": list(args[1].shape[2:]), "stride": _pair(args[3]), "padding": _pair(args[4]),
            "dilation": _pair(args[5]), "groups": args[8], "out": shape[1], "bias": args[2] is not None,
        }  # fmt: skip
    if name in ("max_pool2d_with_indices", "avg_pool2d") and len(shape) == 4:
        most = name.startswith("max")
        rest = dict(enumerate(args))
        return "pool", "max pool" if most else "average pool", {
            "kernel": _pair(args[1]), "stride": _pair(rest.get(2) or args[1]),
            "padding": _pair(rest.get(3, 0)), "dilation": _pair(rest.get(4, 1)) if most else [1, 1],
            "ceil": bool(rest.get(5 if most else 4, False)),
        }  # fmt: skip
    if name in ("_adaptive_avg_pool2d", "adaptive_max_pool2d") and len(shape) == 4:
        return "adaptive", "max pool" if "max" in name else "average pool", {"size": list(shape[2:])}
    if name == "mean" and len(args) > 1:
        dims = [dim % len(before) for dim in args[1]]
        return "reduce", "mean", {"dims": dims, "keep": len(shape) == len(before)}
    if name in ("addmm", "mm") and len(reads) == 1 and len(shape) == 2 and given[-1] is not reads[0]:
        return "linear", "linear", {"in": before[1], "out": shape[1], "bias": name == "addmm"}
    if name in ("view", "_unsafe_view", "reshape", "_reshape_alias"):
        if sizes is not None:
            return "view", "view", {"sizes": sizes}
        if len(shape) == 2 and shape[0] == before[0]:
            return "flatten", "flatten", {}
    if name == "constant_pad_nd":
        return "pad", "pad", {"pads": list(args[1])}
    if name in ("add", "add_", "mul", "mul_", "sub", "sub_") and len(reads) == 2:
        return "add", _label(name), {}
    if name == "cat":
        return "cat", "concatenate", {"dim": (args[1] if len(args) > 1 else 0) % len(shape)}
    if before == shape and len(reads) == 1 and name not in _MATRIX:
        return "same", _label(name), {}
    return "fixed", _label(name), {"in": [list(tensor.shape) for tensor in reads]}


def _label(name: str) -> str:
    return _LABELS.get(name.rstrip("_"), name.strip("_").replace("_", " "))


def _pair(value: Any) -> list[int]:
    values = [value] if isinstance(value, int) else list(value)
    return values * 2 if len(values) == 1 else values


def multiply_adds(kind: str, label: str, given: list[Tensor], shape: tuple[int, ...]) -> int:
    """Count one per weight and place of a convolution, and rows × inner × columns of a matrix product."""
    if kind == "conv" or label == "convolution":
        return given[1].numel() * math.prod(shape[2:]) * shape[0]
    if kind == "linear" or label in _MATRIX:
        return math.prod(shape) * given[-1].shape[-2]
    return 0
