"""The lecture's VGG, whole: how long each seed stays at the loss of guessing, and at which error it ends.

``python tests/benchmarks/lecture_vgg.py --seeds 0 1 2`` takes hours on a CPU. Each epoch leaves a checkpoint:
stop it when you like, and the same command goes on. Seeds that are done are only printed again.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch

from course_utils import load_dataset
from course_utils.device import describe_device, pick_device
from course_utils.training import History, fit, recipe
from course_utils.training.networks import lab_network
from course_utils.training.speed import default_speed

LEFT = 2.2
"""A loss below which a network no longer guesses: that of guessing is ln 10 = 2.303."""
STEPS = 50
"""Over how many steps, about, a mean of the loss is compared with it."""


def plateau(history: History) -> float:
    """Return after how many epochs the network no longer guesses; infinite if it always did."""
    losses = [loss for record in history for loss in record.losses]
    parts = len(losses) / len(history.records)
    window = round(STEPS * parts * history.recipe.batch_size / 50_000)
    for end in range(window, len(losses) + 1):
        if sum(losses[end - window : end]) / window < LEFT:
            return end / parts
    return float("inf")


def main() -> None:
    """Train, or find what was trained, and print a row for each seed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=float, help="fewer than the lecture's 20, for a trial")
    parser.add_argument("--bf16", action=argparse.BooleanOptionalAction, help="default: where it pays")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--folder", type=Path, default=True, help="for checkpoints; default: the course's")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    dataset = load_dataset("cifar10")
    speed = default_speed(pick_device())
    if options.bf16 is not None:
        speed = replace(speed, bf16=options.bf16)
    print(f"{describe_device()}\n{dataset.source}")
    rows = []
    for seed in options.seeds:
        plan = replace(recipe("vgg", "lecture"), seed=seed)
        plan = replace(plan, name=f"{plan.name}, {'bf16' if speed.bf16 else 'f32'} {seed}")
        plan = replace(plan, epochs=options.epochs) if options.epochs else plan
        torch.manual_seed(seed)
        model = lab_network("vgg", channels=3, side=32)
        history = fit(model, dataset, plan, speed=speed, checkpoint=options.folder)
        if history.interrupted:
            break
        last = history.records[-1]
        rows.append(
            f"{seed:4}  {plateau(history):7.2f}  {last.train_error:8.2%}  {last.test_error:8.2%}"
            f"  {sum(record.seconds for record in history) / 60:4.0f} min"
        )
    print("seed  plateau  training      test      time", *rows, sep="\n")


if __name__ == "__main__":
    main()
