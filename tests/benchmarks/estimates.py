"""How well `fit` estimates its time: estimate over actual, for the ``fast`` recipes and a lecture's epoch.

``python tests/benchmarks/estimates.py``; an epoch of the lecture's VGG takes minutes on a CPU:
``--vgg-epoch`` adds it.
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import torch
from three_seeds import TARGETS, run

from course_utils import load_dataset
from course_utils.device import describe_device
from course_utils.text import duration_text
from course_utils.training import recipe


def main() -> int:
    """Print the table; the exit code is 1 if an estimate is off by more than a quarter."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--vgg-epoch", action="store_true")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    print(f"{describe_device()}\n{'run':28} {'estimate':>11} {'actual':>11} {'ratio':>6}")
    off = False
    runs = [("lenet5", "fast", None), ("modern", "fast", None), ("lenet5", "lecture", 1)]
    runs += [("vgg", "lecture", 1)] * options.vgg_epoch
    for network, profile, epochs in runs:
        plan = recipe(network, profile)
        plan = plan if epochs is None else replace(plan, epochs=epochs)
        history, _, _ = run(network, profile, load_dataset(TARGETS[network][0]), plan)
        ratio = history.estimate_ratio or float("nan")
        off |= not 0.75 <= ratio <= 1.25
        name = f"{plan.name}, {history.epochs:.3g} epochs"
        times = duration_text(ratio * history.seconds), duration_text(history.seconds)
        print(f"{name:28} {times[0]:>11} {times[1]:>11} {ratio:6.2f}", flush=True)
    return int(off)


if __name__ == "__main__":
    raise SystemExit(main())
