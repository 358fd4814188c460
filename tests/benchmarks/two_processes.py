"""One process of two threads beside two processes of one thread each: time, gradients exchanged, test error.

``python tests/benchmarks/two_processes.py`` times steps of the labs' networks, all ways in turn. For each it
prints the seconds of an epoch, the processor time of its processes together, the share of it that exchanging
gradients takes (a step, less one in ``no_sync``), and the bytes that pass the loopback. ``--errors 3`` also
trains by the ``fast`` recipes, with three seeds each. It wants two cores with nothing else to do; beside
other work, processor times still compare.
"""

from __future__ import annotations

import argparse
import multiprocessing
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import psutil
import torch
import torch.distributed as dist
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import bf16_compress_hook

from course_utils import load_dataset
from course_utils.data import Dataset
from course_utils.device import describe_device
from course_utils.training import fit, recipe
from course_utils.training.distributed import DataParallel, ProcessGroup
from course_utils.training.loop import train_epoch, train_step
from course_utils.training.networks import NETWORKS, build
from course_utils.training.speed import default_speed, keep_heap

CPU = torch.device("cpu")
PROFILES = {"lenet5": "fast", "vgg": "lecture", "modern": "fast"}
STEPS = {"lenet5": 60, "vgg": 8, "modern": 30}
BF16 = "gradients in bf16"
WAYS: dict[str, dict[str, Any] | None] = {
    "one process of 2 threads": None,
    "two processes of 1 thread": {},
    "the same, nothing exchanged": {},
    BF16: {},
    "gradient_as_bucket_view": {"gradient_as_bucket_view": True},
    "static_graph": {"static_graph": True},
}
ONE, TWO, ALONE = list(WAYS)[:3]


class Cost(NamedTuple):
    """What a step takes: seconds, seconds of all processes' processors, bytes through the loopback."""

    wall: float
    processor: float
    sent: float


def run(function: Callable[[ProcessGroup], Any], size: int) -> Any:
    """Return what `function` returns in the first of `size` processes, which have two threads together."""

    def join(rank: int) -> None:
        torch.set_num_threads(2 // size)
        if size > 1:
            store = dist.FileStore(str(Path(folder) / "store"), size)
            dist.init_process_group("gloo", store=store, rank=rank, world_size=size)
        found = function(ProcessGroup(rank, size))
        if rank == 0:
            sender.send(found)
        if size > 1:
            dist.destroy_process_group()

    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    with TemporaryDirectory() as folder:
        processes = [context.Process(target=join, args=(rank,)) for rank in range(size)]
        for process in processes:
            process.start()
        sender.close()
        found = receiver.recv()
        for process in processes:
            process.join()
    return found


def step_cost(network: str, way: str, dataset: Dataset, steps: int) -> Cost:
    """Measure a training step."""
    options = WAYS[way]

    def measure(processes: ProcessGroup) -> Cost:
        torch.manual_seed(0)
        plan, speed = recipe(network, PROFILES[network]), default_speed(CPU)
        model = build(network, PROFILES[network], dataset).to(memory_format=torch.channels_last)
        keep_heap(speed)
        criterion, optimizer = plan.make_criterion(), plan.make_optimizer(model)
        batches = plan.batches(dataset.train, torch.Generator().manual_seed(0))
        trained = model if options is None else DataParallel(model, **options)
        if way == BF16:
            trained.register_comm_hook(None, bf16_compress_hook)

        def train(count: int) -> None:
            mine = processes.split(islice(batches, count))
            train_epoch(
                trained, mine, criterion, optimizer, step=train_step, rate=lambda _: plan.rate(0), speed=speed
            )
            if processes.size > 1:
                dist.barrier()

        train(4)  # DDP chooses its buckets after the first step
        with trained.no_sync() if way == ALONE else nullcontext():
            before = time.perf_counter(), time.process_time(), loopback()
            train(steps)
            after = time.perf_counter(), time.process_time(), loopback()
        wall, processor, sent = (b - a for a, b in zip(before, after, strict=True))
        together = processes.all_reduce(torch.tensor(processor, dtype=torch.float64)).item()
        return Cost(wall / steps, together / steps, sent / steps)

    return run(measure, 1 if options is None else 2)


def loopback() -> int:
    """Return the bytes that this machine has sent to itself so far."""
    return psutil.net_io_counters(pernic=True)["lo"].bytes_sent


def test_error(network: str, dataset: Dataset, size: int, seed: int) -> tuple[float, float]:
    """Train by the ``fast`` recipe; return the test error and the seconds of an epoch."""

    def train(processes: ProcessGroup) -> tuple[float, float]:
        torch.manual_seed(seed)
        plan = replace(recipe(network, "fast"), seed=seed)
        model = build(network, "fast", dataset)
        history = fit(model, dataset, plan, device=CPU, checkpoint=False, show=False, processes=processes)
        return history.test_error, history.seconds_per_epoch

    return run(train, size)


def main() -> None:
    """Print a table for each network."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--networks", nargs="*", default=["lenet5", "vgg"], choices=list(PROFILES))
    parser.add_argument("--turns", type=int, default=5, help="of each way; 0 leaves the times out")
    parser.add_argument("--steps", type=int, help="in a turn (default: 60 for LeNet5, 8 for VGG)")
    parser.add_argument("--all", action="store_true", help="other ways of exchanging gradients, too")
    parser.add_argument("--errors", type=int, default=0, metavar="SEEDS")
    options = parser.parse_args()
    torch.set_num_threads(1)  # a forked process could not use threads that were begun here
    print(describe_device())
    for network in options.networks:
        dataset = load_dataset(NETWORKS[network].dataset, offline=NETWORKS[network].substitute)
        if options.turns:
            print_times(network, dataset, options)
        for seed in range(options.errors):
            one, two = (test_error(network, dataset, size, seed) for size in (1, 2))
            print(
                f"{network}, fast, seed {seed}: test error {100 * one[0]:.2f} and {100 * two[0]:.2f} %, "
                f"epoch {one[1]:.1f} and {two[1]:.1f} s",
                flush=True,
            )


def print_times(network: str, dataset: Dataset, options: argparse.Namespace) -> None:
    """Time a network's steps, one turn of all ways after the other."""
    ways, steps = list(WAYS) if options.all else [ONE, TWO, ALONE], options.steps or STEPS[network]
    plan = recipe(network, PROFILES[network])
    epoch = len(plan.batches(dataset.train, torch.Generator()))
    print(f"\n{network}, {dataset.source}, batches of {plan.batch_size}: {steps} steps of {epoch} in a turn")
    turns: list[dict[str, Cost]] = []
    for _ in range(options.turns):
        turns.append({way: step_cost(network, way, dataset, steps) for way in ways})
        print(
            " ", *(f"{cost.wall * epoch:.1f} s ({cost.processor * epoch:.1f})" for cost in turns[-1].values())
        )
    print(f"{'':28}  epoch (least to most)  ratio  processor  exchange  bytes a step")
    for way in ways:
        costs = [turn[way] for turn in turns]
        walls = sorted(cost.wall * epoch for cost in costs)
        ratio = median(turn[way].wall / turn[ONE].wall for turn in turns)
        exchange = median(1 - turn[ALONE].processor / turn[way].processor for turn in turns)
        print(
            f"{way:28} {median(walls):6.1f} s ({walls[0]:.1f} to {walls[-1]:.1f}) {ratio:6.2f}"
            f" {median(cost.processor for cost in costs) * epoch:8.1f} s"
            f" {'' if way in (ONE, ALONE) else f'{100 * exchange:.0f} %':>9}"
            f" {median(cost.sent for cost in costs):13,.0f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
