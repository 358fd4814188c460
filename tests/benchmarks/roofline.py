"""Each kernel of a LeNet5 step beside what the processor could do: where the time of an epoch goes.

``python tests/benchmarks/roofline.py`` measures the fastest matrix product and copy, then each operation of a
training step at its shape, and prints its least possible time: the longer of its arithmetic and of reading
its inputs and writing its outputs once (S. Williams et al., *Roofline*, 2009, https://doi.org/10.1145/1498765.1498785).
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from statistics import median

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from course_utils.device import describe_device
from course_utils.training.benchmark.turns import PUBLISHED
from course_utils.training.benchmark.variants import matmul_peak
from course_utils.training.speed import default_speed, keep_heap

Run = Callable[[], Tensor | Sequence[Tensor | None]]
aten = torch.ops.aten


def kernels(batch: int, kind: torch.dtype) -> dict[str, tuple[Run, tuple[Tensor, ...]]]:
    """Return the operations of a step of LeNet5, and what each of them reads."""

    def maps(channels: int, side: int) -> Tensor:
        return torch.randn(batch, channels, side, side).to(kind).to(memory_format=torch.channels_last)

    found: dict[str, tuple[Run, tuple[Tensor, ...]]] = {}
    for number, (inputs, outputs, side) in enumerate(((1, 50, 28), (50, 100, 14)), start=1):
        x, y, pooled = maps(inputs, side), maps(outputs, side), maps(outputs, side // 2)
        weight, bias = torch.randn(outputs, inputs, 3, 3).to(kind), torch.zeros(outputs).to(kind)
        weight = weight.to(memory_format=torch.channels_last)
        _, indices = aten.max_pool2d_with_indices(y, [2, 2])

        def back(wanted: list[bool], x=x, y=y, weight=weight) -> Run:
            rest = [len(weight)], [1, 1], [1, 1], [1, 1], False, [0, 0], 1
            return lambda: aten.convolution_backward(y, x, weight, *rest, wanted)

        def convolve(x=x, weight=weight, bias=bias) -> Tensor:
            return aten.convolution(x, weight, bias, [1, 1], [1, 1], [1, 1], False, [0, 0], 1)

        def unpool(y=y, pooled=pooled, indices=indices) -> Tensor:
            return aten.max_pool2d_with_indices_backward(
                pooled, y, [2, 2], [2, 2], [0, 0], [1, 1], False, indices
            )

        found |= {
            f"convolution {number}": (convolve, (x, weight)),
            f"convolution {number}, gradient of its kernels": (back([False, True, True]), (x, y)),
            f"ReLU {number}": (lambda y=y: aten.relu(y), (y,)),
            f"pooling {number}": (lambda y=y: aten.max_pool2d_with_indices(y, [2, 2]), (y,)),
            f"ReLU {number} after the maximum": (lambda p=pooled: aten.relu(p), (pooled,)),
            f"ReLU {number}, gradient": (
                lambda p=pooled: aten.threshold_backward(p, p, 0),
                (pooled, pooled),
            ),
            f"pooling {number}, gradient": (unpool, (pooled, indices)),
        }
        if number == 2:
            found["convolution 2, gradient of its input"] = back([True, False, False]), (y, weight)
    x, weight = maps(100, 7).flatten(1).contiguous(), torch.randn(100, 4900).to(kind)
    y = torch.randn(batch, 100).to(kind)
    found["linear layer"] = lambda: x @ weight.T, (x, weight)
    found["linear layer, both gradients"] = lambda: (y.T @ x, y @ weight), (x, y, weight)
    return found


def seconds(run: Run, turns: int) -> float:
    """Return the median of `turns` runs."""
    run()
    times = []
    for _ in range(turns):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return median(times)


def size(tensors: Sequence[Tensor | None]) -> int:
    """Return the bytes of tensors."""
    return sum(tensor.nbytes for tensor in tensors if tensor is not None)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--turns", type=int, default=30)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--bf16", action=argparse.BooleanOptionalAction, help="default: where it pays")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    device = torch.device("cpu")
    speed = default_speed(device)
    keep_heap(speed)
    bf16 = speed.bf16 if options.bf16 is None else options.bf16
    kind = torch.bfloat16 if bf16 else torch.float32
    peak = matmul_peak(device, kind)
    large = torch.zeros(2**26, dtype=torch.uint8), torch.zeros(2**26, dtype=torch.uint8)
    bandwidth = 2 * 2**26 / seconds(lambda: large[0].copy_(large[1]), 20)
    print(describe_device())
    print(f"{kind}: {peak / 1e9:.0f} GFLOP/s, {bandwidth / 1e9:.1f} GB/s (reading and writing)")
    print(f"{'a batch of ' + str(options.batch):40} {'ms':>7} {'least':>7}  bound by")
    total = least = 0.0
    for name, (run, reads) in kernels(options.batch, kind).items():
        with FlopCounterMode(display=False) as counter:
            made = run()
        arithmetic = counter.get_total_flops() / peak
        memory = (size(reads) + size([made] if isinstance(made, Tensor) else made)) / bandwidth
        bound, taken = max(arithmetic, memory), seconds(run, options.turns)
        total, least = total + taken, least + bound
        by = "arithmetic" if arithmetic > memory else "memory"
        print(f"{name:40} {1e3 * taken:7.2f} {1e3 * bound:7.2f}  {by}", flush=True)
    steps = 60_000 / options.batch
    print(f"{'together':40} {1e3 * total:7.2f} {1e3 * least:7.2f}")
    print(
        f"An epoch of MNIST: {steps * total:.1f} s, at least {steps * least:.1f} s "
        f"(the lecture's, published: {PUBLISHED['lenet5']:.0f} s)"
    )


if __name__ == "__main__":
    main()
