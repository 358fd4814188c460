"""Batch normalisation in two real processes, compared with one process that has the whole batch."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import torch
from forked import together
from torch import Tensor, nn

from course_utils.training.distributed import DataParallel
from course_utils.training.sync_batch_norm import SyncedStatistics

IMAGES = torch.randn(7, 2, 6, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 3 + 1
LABELS = torch.arange(7) % 3
SHARES = [slice(0, 4), slice(4, 7)]
TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-4, torch.bfloat16: 3e-2}


def network() -> nn.Module:
    torch.manual_seed(1)
    layers = [
        nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(),
        nn.Linear(48, 5, bias=False), nn.BatchNorm1d(5, momentum=None), nn.ReLU(), nn.Linear(5, 3),
    ]  # fmt: skip
    return nn.Sequential(*layers).double()


def trained(model: nn.Module, called: nn.Module, share: slice, scale: float) -> dict[str, Any]:
    """Take two steps on a share of the batch; `scale` makes up for the gradients' average."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        scores = called(IMAGES[share])
        (scale * nn.functional.cross_entropy(scores, LABELS[share], reduction="sum") / len(IMAGES)).backward()
        optimizer.step()
    gradients = {name: weight.grad for name, weight in model.named_parameters()}
    after = model.eval()(IMAGES)
    return {
        "scores": scores,
        "gradients": gradients,
        "state": dict(model.state_dict()),
        "after": after.detach(),
    }


def test_two_processes_compute_what_one_does_on_the_whole_batch(tmp_path: Path) -> None:
    def train(rank: int) -> dict[str, Any]:
        model = network()
        found = trained(model, DataParallel(model), SHARES[rank], scale=2)
        return found | {"layers": repr(model)}

    model = network()
    whole = trained(model, model, slice(0, 7), scale=1)
    parts = together(train, tmp_path)
    torch.testing.assert_close(torch.cat([part.pop("scores") for part in parts]), whole.pop("scores"))
    for part in parts:
        assert part.pop("layers") == repr(model)
        torch.testing.assert_close(part, whole, rtol=1e-10, atol=1e-12)


VARIANTS = list(product(TOLERANCE, (torch.contiguous_format, torch.channels_last), (True, False)))


def normalised(x: Tensor, affine: bool) -> list[Tensor]:
    """Return outputs and all gradients of a normalisation with or without weights."""
    x = x.clone(memory_format=torch.preserve_format).requires_grad_()
    exact = torch.promote_types(x.dtype, torch.float32)
    weight, bias = (torch.arange(2.0, dtype=exact).add(shift).requires_grad_() for shift in (0.5, -1))
    running = torch.zeros(2, dtype=exact), torch.ones(2, dtype=exact)
    y = nn.functional.batch_norm(
        x, *running, *((weight, bias) if affine else ()), training=True, momentum=0.3
    )
    (y * torch.linspace(0, 1, 5, dtype=y.dtype).sin() * x).sum().backward()
    return [y.detach(), x.grad, *running, *((weight.grad, bias.grad) if affine else ())]


def test_every_type_and_layout_is_normalised_as_pytorch_does(tmp_path: Path) -> None:
    def batch(dtype: torch.dtype, layout: torch.memory_format) -> Tensor:
        return IMAGES.to(dtype).contiguous(memory_format=layout)

    def share(rank: int) -> list[list[Tensor]]:
        with SyncedStatistics():
            return [
                normalised(batch(dtype, layout)[SHARES[rank]], affine) for dtype, layout, affine in VARIANTS
            ]

    for (dtype, layout, affine), first, second in zip(VARIANTS, *together(share, tmp_path), strict=True):
        y, gradient, mean, var, *of_weights = normalised(batch(dtype, layout), affine)
        close = {"rtol": TOLERANCE[dtype], "atol": TOLERANCE[dtype]}
        torch.testing.assert_close(torch.cat([first[0], second[0]]), y, **close)
        torch.testing.assert_close(torch.cat([first[1], second[1]]), gradient, **close)
        assert all(map(torch.equal, first[2:4], second[2:4]))
        torch.testing.assert_close(first[2:4], [mean, var], **close)
        torch.testing.assert_close(
            [a + b for a, b in zip(first[4:], second[4:], strict=True)], of_weights, **close
        )


def test_a_layer_that_is_evaluated_asks_no_other_process() -> None:
    layer = nn.BatchNorm2d(2).double().eval()
    with SyncedStatistics():
        assert torch.equal(
            layer(IMAGES), nn.functional.batch_norm(IMAGES, layer.running_mean, layer.running_var)
        )
