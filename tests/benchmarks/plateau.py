"""How long the lecture's VGG stays at the loss of guessing, and that batch normalisation ends this.

``python tests/benchmarks/plateau.py`` writes ``course_utils/training/plateau.json``, which Lab 04 draws.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import torch
from torch import nn

from course_utils import load_dataset
from course_utils.device import describe_device
from course_utils.training import fit, recipe
from course_utils.training.networks import lab_network

RESULT = Path(__file__).parents[2] / "course_utils" / "training" / "plateau.json"


def with_batch_norm(*layers: nn.Module) -> nn.Sequential:
    """Put batch normalisation after each convolution."""
    # As in Lab 04. `vgg_blocks` leaves out the biases, and so would start from other weights.
    normalised: list[nn.Module] = []
    for layer in layers:
        normalised.append(layer)
        if isinstance(layer, nn.Conv2d):
            normalised.append(nn.BatchNorm2d(layer.out_channels))
    return nn.Sequential(*normalised)


def main() -> None:
    """Train both for some epochs, print the losses, write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=2, help="without batch normalisation")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    dataset = load_dataset("cifar10")
    print(f"{describe_device()}\n{dataset.source}")
    plan = replace(recipe("vgg", "lecture"), seed=options.seed)
    runs = []
    for name, change, epochs in (
        ("as in the lecture", nn.Sequential, options.epochs),
        ("with batch normalisation", with_batch_norm, 0.5),
    ):
        torch.manual_seed(options.seed)
        model = change(*lab_network("vgg", channels=3, side=32))
        # The lecture's rate is the same up to epoch 10, so a shorter run has the same beginning.
        history = fit(model, dataset, replace(plan, name=name, epochs=epochs), checkpoint=False)
        losses = [round(loss, 4) for record in history for loss in record.losses]
        runs.append({"name": name, "parts": round(len(losses) / epochs), "losses": losses})
        print(name, losses, flush=True)
    found = {
        "date": date.today().isoformat(),
        "machine": history.machine,
        "command": " ".join(["python", "tests/benchmarks/plateau.py", *sys.argv[1:]]),
        "data": dataset.source.split(",")[0],
        "recipe": f"{plan.name}, seed {options.seed}",
        "classes": len(dataset.classes),
        "runs": runs,
    }
    RESULT.write_text(json.dumps(found) + "\n", encoding="utf-8")
    print(f"written: {RESULT}")


if __name__ == "__main__":
    main()
