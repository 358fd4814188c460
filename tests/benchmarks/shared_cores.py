"""Several kernels that train LeNet5 on one machine at once, compared with the same work in sequence.

``python tests/benchmarks/shared_cores.py`` takes 20 minutes on two cores, most of it with PyTorch's defaults;
``--only ours`` leaves those out. On MNIST where ``COURSE_DATA_SHARED`` leads to it, else on embedded digits.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import time
from contextlib import ExitStack
from queue import Empty
from statistics import median

from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

from course_utils import load_dataset
from course_utils.device import describe_device
from course_utils.threads import usable_cores

# The course leaves this alone where it is set; the value is the library's default.
DEFAULTS = {"GOMP_SPINCOUNT": "300000"}
STARTS = {
    "PyTorch's defaults": ("import torch", DEFAULTS),
    "course_utils first": ("import course_utils; import torch", {}),
    "torch first": ("import torch; import course_utils", {}),
}
TRAIN = """
from dataclasses import replace
from course_utils import fit, load_dataset
from course_utils.training import recipe
from course_utils.training.networks import build
torch.manual_seed(0)
data = load_dataset("mnist")
plan = replace(recipe("lenet5", "quick"), epochs={epochs})
history = fit(build("lenet5", "quick", data), data, plan, checkpoint=False, show=False)
"""


def wait(client: BlockingKernelClient, message: str) -> None:
    """Wait until a kernel has answered a message."""
    while True:
        try:
            answer = client.get_shell_msg(timeout=10)
        except Empty:
            continue
        if answer["parent_header"].get("msg_id") == message:
            assert answer["content"]["status"] == "ok", answer["content"]
            return


def seconds(kernels: int, start: str, epochs: float) -> float:
    """Time `kernels` notebooks that run a cell at the same moment, until the last one is done."""
    imports, environ = STARTS[start]
    bare = {name: value for name, value in os.environ.items() if name not in DEFAULTS}
    with ExitStack() as stack:
        clients = []
        for _ in range(kernels):
            manager, client = start_new_kernel(env=bare | environ, stderr=subprocess.DEVNULL)
            stack.callback(manager.shutdown_kernel, now=True)
            stack.callback(client.stop_channels)
            wait(client, client.execute(imports))
            clients.append(client)
        begun = time.perf_counter()
        messages = [client.execute(TRAIN.format(epochs=epochs)) for client in clients]
        for client, message in zip(clients, messages, strict=True):
            wait(client, message)
        return time.perf_counter() - begun


def main() -> None:
    """Print one line for each number of kernels."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kernels", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--epochs", type=float, default=0.25, help="for each kernel (default: a quarter)")
    parser.add_argument("--turns", type=int, default=3, help="runs per line; the median is shown")
    parser.add_argument(
        "--only", choices=["ours"], help="leave out PyTorch's defaults with more than one kernel"
    )
    options = parser.parse_args()
    print(f"{describe_device()}; {usable_cores()} cores to use; {load_dataset('mnist').source}")
    print(f"{'kernels':>8} {'in turn':>8}  " + "  ".join(f"{start:>19}" for start in STARTS), flush=True)
    alone = 0.0
    for kernels in options.kernels:
        cells = []
        for start in STARTS:
            if options.only and kernels > 1 and start == "PyTorch's defaults":
                cells.append("–")
                continue
            # What takes many times longer is measured only once.
            turns = options.turns if kernels < 4 or start != "PyTorch's defaults" else 1
            took = median(seconds(kernels, start, options.epochs) for _ in range(turns))
            alone = alone or took
            cells.append(f"{took:.1f} s: {took / (kernels * alone):.2f}")
        print(
            f"{kernels:8} {kernels * alone:6.1f} s  " + "  ".join(f"{cell:>19}" for cell in cells), flush=True
        )
    print(
        "In turn: one kernel alone with PyTorch's defaults, times the number of kernels. Ratios are to that."
    )


if __name__ == "__main__":
    main()
