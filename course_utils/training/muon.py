"""Muon: gradient descent with momentum that moves all directions of a weight matrix alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of a·σ + b·σ³ + c·σ⁵, which lifts small singular values fastest without losing the large ones."""

ITERATIONS = 5
"""Of Newton and Schulz's method, which only multiplies matrices."""


class Muon(torch.optim.Optimizer):
    """Momentum whose step for each matrix of weights is replaced by the nearest orthogonal matrix.

    A gradient points mostly in a few strong directions. Setting all singular values of the step to about one
    lets the weak directions learn as fast as the strong ones, so that fewer steps are needed. A convolution's
    kernels count as a matrix with one row for each filter. Biases and normalisation, which are vectors, are
    trained by SGD with the same (Nesterov) momentum.

    Parameters
    ----------
    weights : iterable of Tensor
        What to train.
    lr : float
        Learning rate, of matrices and vectors alike; the length of a step does not depend on the gradient's.
    momentum : float
        Share of the last step that is kept.
    weight_decay : float
        Share of each matrix that is removed at each step, times `lr`.

    Notes
    -----
    K. Jordan et al., *Muon: an optimizer for hidden layers in neural networks* (2024),
    https://kellerjordan.github.io/posts/muon/. ``torch.optim.Muon`` is the same for matrices alone: kernels
    would need a flattened copy and vectors a second optimiser. It always multiplies in bfloat16, which many
    processors emulate slowly; here `torch.autocast` around the step decides.
    """

    def __init__(
        self, weights: Iterable[Tensor], lr: float, *, momentum: float = 0.9, weight_decay: float = 0.0
    ) -> None:
        super().__init__(weights, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Take one step with the current gradients."""
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                state = self.state[weight]
                if not state:
                    state["velocity"] = torch.zeros_like(weight)
                velocity = state["velocity"].mul_(group["momentum"]).add_(weight.grad)
                step = weight.grad.add(velocity, alpha=group["momentum"])
                if weight.ndim > 1:
                    step = orthogonal(step.flatten(1)).view_as(step)
                    weight.mul_(1 - group["lr"] * group["weight_decay"])
                weight.sub_(step, alpha=group["lr"])


def orthogonal(matrix: Tensor) -> Tensor:
    """Bring all singular values near 1 and keep the singular vectors: for U·Σ·Vᵀ about U·Vᵀ.

    Parameters
    ----------
    matrix : Tensor
        Rows×columns.

    Returns
    -------
    Tensor
        Of the same shape, scaled by √(rows / columns) where there are more rows.
    """
    a, b, c = COEFFICIENTS
    rows, columns = matrix.shape
    x = matrix / (matrix.norm() + 1e-7)  # no singular value above 1: the iteration converges
    if torch.is_autocast_enabled(matrix.device.type):
        x = x.to(torch.get_autocast_dtype(matrix.device.type))
    x = x if rows <= columns else x.T
    for _ in range(ITERATIONS):
        square = x @ x.T
        x = torch.addmm(x, torch.addmm(square, square, square, beta=b, alpha=c), x, beta=a)
    return (x if rows <= columns else x.T * (rows / columns) ** 0.5).to(matrix.dtype)
