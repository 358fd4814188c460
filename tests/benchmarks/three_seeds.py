"""Time to accuracy: the ``fast`` recipes with three seeds each, and the effect of the speed switches.

``python tests/benchmarks/three_seeds.py`` prints all tables. ``--holdout 5000`` replaces the test images by
that many training images: recipes are tuned on those, and the test images are looked at only once.
``time_to_error.py`` beside it has networks and recipes that are faster, and harder to explain.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from statistics import mean

import torch
from time_to_error import hold_out

from course_utils import load_dataset
from course_utils.data import Dataset
from course_utils.device import describe_device, pick_device
from course_utils.training import PLAIN, Recipe, Speed, fit, recipe
from course_utils.training.networks import build

TARGETS = {"lenet5": ("mnist", 0.0078), "modern": ("cifar10", 0.20)}


def run(network: str, profile: str, dataset: Dataset, plan: Recipe, speed: Speed | None = None):
    """Train once; return the history, and the wall and CPU seconds of making and training the model."""
    wall, processor = time.perf_counter(), time.process_time()
    torch.manual_seed(plan.seed)
    model = build(network, profile, dataset)
    history = fit(model, dataset, plan, speed=speed, checkpoint=False, show=False)
    return history, time.perf_counter() - wall, time.process_time() - processor


def compare(network: str, profile: str, plan: Recipe, options: argparse.Namespace) -> None:
    """Print each seed's error with all switches off, and with the default ones."""
    name, _ = TARGETS[network]
    dataset = load_dataset(name)
    dataset = hold_out(dataset, options.holdout) if options.holdout else dataset
    print(f"\n{plan.name}, {plan.epochs} epochs, with and without switches")
    print("seed      off   default    seconds off / default")
    for seed in range(options.seeds):
        off, wall_off, _ = run(network, profile, dataset, replace(plan, seed=seed), PLAIN)
        on, wall_on, _ = run(network, profile, dataset, replace(plan, seed=seed))
        errors = f"{100 * off.test_error:5.2f} %  {100 * on.test_error:5.2f} %"
        print(f"{seed:4}  {errors}  {wall_off:5.1f} / {wall_on:.1f}", flush=True)


def main() -> int:
    """Print the tables; the exit code is 1 if a seed misses its target."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--networks", nargs="*", default=list(TARGETS), choices=list(TARGETS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--holdout", type=int, default=0, metavar="IMAGES")
    parser.add_argument(
        "--lecture-epochs", type=int, default=2, help="for the lecture's LeNet5, with and without switches"
    )
    parser.add_argument(
        "--compare", action=argparse.BooleanOptionalAction, default=True, help="with and without switches"
    )
    parser.add_argument("--epochs", type=float, help="instead of each recipe's")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    print(describe_device())
    missed = False
    for network in options.networks:
        name, target = TARGETS[network]
        dataset = load_dataset(name)
        dataset = hold_out(dataset, options.holdout) if options.holdout else dataset
        where = f"{options.holdout} held-out training images" if options.holdout else "test images"
        plan = recipe(network, "fast")
        plan = replace(plan, epochs=options.epochs) if options.epochs else plan
        if pick_device().type != "cpu":
            # The first steps of a process load libraries and choose kernels, which is not the recipe's time.
            run(network, "fast", dataset, replace(plan, name="warm-up", epochs=0.1, least_steps=10))
        print(f"\n{plan.name}: {dataset.source}, {where}; target {100 * target:g} %\n{plan}")
        print("seed   error  training loss    wall    CPU   estimated/actual")
        errors, walls = [], []
        for seed in range(options.seeds):
            history, wall, processor = run(network, "fast", dataset, replace(plan, seed=seed))
            errors.append(history.test_error)
            walls.append(wall)
            missed |= history.test_error > target
            ratio, loss = history.estimate_ratio or float("nan"), history.records[-1].train_loss
            print(
                f"{seed:4}  {100 * errors[-1]:5.2f} %  {loss:13.5f}  {wall:5.1f} s  "
                f"{processor:5.1f} s  {ratio:.2f}",
                flush=True,
            )
        print(f"mean  {100 * mean(errors):5.2f} %  {mean(walls):5.1f} s, worst {100 * max(errors):.2f} %")
    if options.compare and "lenet5" in options.networks:
        plan = replace(recipe("lenet5", "lecture"), epochs=options.lecture_epochs)
        compare("lenet5", "lecture", plan, options)
    if options.compare and "modern" in options.networks:
        compare("modern", "fast", recipe("modern", "fast"), options)
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main())
