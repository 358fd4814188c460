"""Batch normalisation over the images of all processes, as if one process had the whole batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.overrides import TorchFunctionMode


class SyncedStatistics(TorchFunctionMode):
    """Makes each batch normalisation in the block use the mean and variance of all processes' images.

    The model stays as it is. PyTorch's ``SyncBatchNorm`` would take the place of its layers, and runs on
    accelerators only.
    """

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        synced = _batch_norm if function is nn.functional.batch_norm else function
        return synced(*args, **(kwargs or {}))


def _batch_norm(
    x: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    if not training:
        return nn.functional.batch_norm(x, running_mean, running_var, weight, bias, False, momentum, eps)
    mean, var, count = _statistics(x.detach())
    if running_mean is not None and running_var is not None:
        running_mean.lerp_(mean.to(running_mean.dtype), momentum)
        running_var.lerp_((var * count / (count - 1)).to(running_var.dtype), momentum)
    return _Normalise.apply(x, weight, bias, mean, var, count, eps)


def _statistics(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return mean and (biased) variance of each channel over all processes, and the number of values."""
    exact = torch.promote_types(x.dtype, torch.float32)
    channels = x.shape[1]
    # Running statistics of this type, which nobody reads, make the sums as exact where x is not.
    mean, var = torch.batch_norm_update_stats(
        x, x.new_zeros(channels, dtype=exact), x.new_zeros(channels, dtype=exact), 0.0
    )
    mine = torch.cat([mean, var, mean.new_tensor([x.numel() / channels])])
    parts = [torch.empty_like(mine) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, mine)
    means, variances, counts = torch.stack(parts).split([channels, channels, 1], 1)
    count = counts.sum()
    mean = (means * counts).sum(0) / count
    return mean, ((variances + (means - mean) ** 2) * counts).sum(0) / count, count


class _Normalise(torch.autograd.Function):
    @staticmethod
    def forward(
        context: Any,
        x: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        mean: Tensor,
        var: Tensor,
        count: Tensor,
        eps: float,
    ) -> Tensor:
        context.save_for_backward(x, weight, mean, var, count)
        context.eps = eps
        return torch.batch_norm(x, weight, bias, mean, var, False, 0.0, eps, False)

    @staticmethod
    @once_differentiable
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, var, count = context.saved_tensors
        eps = context.eps
        of_x, of_weight, of_bias = torch.ops.aten.native_batch_norm_backward(
            gradient, x, weight, mean, var, None, None, False, eps, [True, True, True]
        )
        # So far with mean and variance held fixed. They depend on the images of all processes.
        sums = torch.stack([of_weight, of_bias])
        dist.all_reduce(sums)
        scale = (var + eps).rsqrt() / count
        slope, shift = sums * (scale if weight is None else scale * weight)
        of_x -= torch.batch_norm(x, slope, shift, mean, var, False, 0.0, eps, False)
        wanted = zip((of_x, of_weight, of_bias), context.needs_input_grad[:3], strict=True)
        return *(found if needed else None for found, needed in wanted), None, None, None, None
