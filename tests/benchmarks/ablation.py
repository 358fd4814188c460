"""What each ingredient of Lab 04's ``fast`` recipe contributes: training without each of them.

``python tests/benchmarks/ablation.py`` prints a table and writes ``course_utils/training/ablation.json``,
which the lab draws. The numbers are test errors of finished runs; nothing is chosen by them.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path
from statistics import mean

import torch
from three_seeds import hold_out

from course_utils import load_dataset
from course_utils.device import describe_device
from course_utils.training import MODERN_ARCHS, Augmentation, SmallVGG, fit, recipe, vgg_blocks, whiten
from course_utils.training.schedules import Constant

RESULT = Path(__file__).parents[2] / "course_utils" / "training" / "ablation.json"
WHOLE = recipe("modern", "fast")
SGD = {"optimizer": "sgd", "learning_rate": 0.1, "nesterov": True}
VARIANTS: dict[str, tuple[dict, dict]] = {
    "the whole recipe": ({}, {}),
    "first layer learned, not whitened": ({"whitened": False}, {}),
    "without batch normalisation": ({"batch_norm": False}, {}),
    "constant learning rate": ({}, {"schedule": Constant()}),
    "without shift and flip": ({}, {"augmentation": Augmentation()}),
    "SGD in place of Muon": ({}, SGD),
    "without label smoothing": ({}, {"label_smoothing": 0.0}),
    "tested without the mirror image": ({"mirror": False}, {}),
}


def network(*, whitened: bool = True, batch_norm: bool = True, mirror: bool = True, dataset) -> SmallVGG:
    arch = MODERN_ARCHS["fast"]
    model = SmallVGG(vgg_blocks(arch, batch_norm=batch_norm), arch[-1][1], mirror=mirror)
    if whitened:
        whiten(model.patches, dataset.train)
    return model


def main() -> None:
    """Train every variant, print the table, write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--threads", type=int)
    parser.add_argument(
        "--holdout", type=int, default=0, metavar="IMAGES", help="see three_seeds.py; writes no file"
    )
    parser.add_argument("--epochs", type=float, default=WHOLE.epochs)
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    dataset = load_dataset("cifar10")
    dataset = hold_out(dataset, options.holdout) if options.holdout else dataset
    print(f"{describe_device()}\n{dataset.source}\n{'error':>9} {'seconds':>8}")
    rows = []
    for name, (structure, changes) in VARIANTS.items():
        errors, seconds = [], []
        for seed in range(options.seeds):
            torch.manual_seed(seed)
            plan = replace(WHOLE, name=name, epochs=options.epochs, seed=seed, **changes)
            history = fit(network(**structure, dataset=dataset), dataset, plan, checkpoint=False, show=False)
            errors.append(history.test_error)
            seconds.append(history.seconds)
        rows.append({"name": name, "test_error": mean(errors), "errors": errors})
        print(f"{100 * mean(errors):7.2f} % {mean(seconds):8.1f}  {name}", flush=True)
    if not options.holdout:
        found = {
            "date": date.today().isoformat(),
            "machine": history.machine,
            "command": " ".join(["python", "tests/benchmarks/ablation.py", *sys.argv[1:]]),
            "data": dataset.source.split(",")[0],
            "recipe": WHOLE.name,
            "rows": rows,
        }
        RESULT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        print(f"written: {RESULT}")


if __name__ == "__main__":
    main()
