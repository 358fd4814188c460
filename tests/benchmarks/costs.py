"""What the course costs apart from training time: peak memory, imports, and a notebook's kernel.

``python tests/benchmarks/costs.py`` starts each measurement in a fresh process; medians of ``--repeat``.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from statistics import median

from course_utils.training.benchmark.turns import worker

IMPORTS = {
    "import torch": "import torch",
    "import course_utils": "import course_utils",
    "import torch, course_utils": "import torch, course_utils",
    "what Lab 04 imports": "from course_utils import check, figures, fit, load_dataset, settings",
}


def seconds(code: str) -> float:
    """Time a fresh Python that runs `code`."""
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - begun


def kernel_seconds() -> float:
    """Time a notebook's kernel from its start to its first answer."""
    from jupyter_client.manager import start_new_kernel

    begun = time.perf_counter()
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        client.execute_interactive("1 + 1", timeout=120)
        return time.perf_counter() - begun
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def main() -> None:
    """Print three small tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    seconds("import torch, course_utils.training")  # so that no run is the first to read from the disk
    empty = median(seconds("pass") for _ in range(options.repeat))
    print(f"python starts in {empty:.2f} s; beyond that:")
    for name, code in IMPORTS.items():
        print(f"{median(seconds(code) for _ in range(options.repeat)) - empty:8.2f} s  {name}", flush=True)
    kernel = median(kernel_seconds() for _ in range(options.repeat))
    print(f"{kernel:8.2f} s  a notebook's kernel, from its start to its first answer")
    print("peak memory of the process that trains, batch 128, after 4 batches:")
    for network in ("lenet5", "vgg"):
        for variant in ("lecture", "course"):
            with worker(network, variant) as ask:
                ask(2)
                memory = ask(2)["memory"]
            print(f"{memory / 1e6:8,.0f} MB  {network}, {variant}", flush=True)


if __name__ == "__main__":
    main()
