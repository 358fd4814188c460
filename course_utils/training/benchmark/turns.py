"""Run the variants in turns, each in its own process, and work out what an epoch costs."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from course_utils.data.load import load_dataset
from course_utils.device import describe_device
from course_utils.errors import TrainingError
from course_utils.training.benchmark.variants import VARIANTS
from course_utils.training.networks import LABS, lab_network
from course_utils.training.recipes import recipe
from course_utils.training.results import LECTURE

PUBLISHED = {name: LECTURE[network.lab]["seconds_per_epoch"] for name, network in LABS.items()}


@dataclass(frozen=True)
class Measurement:
    """What an epoch of one lab costs in one variant.

    Attributes
    ----------
    network, variant : str
        Keys of `LABS` and `VARIANTS`.
    seconds_per_epoch : float
        Extrapolated from the median of the turns to a full epoch.
    ratio : float
        To the lecture's loop: the median over the turns, each of which times both.
    images_per_second : float
        Training images.
    peak : float
        Operations per second when multiplying two large matrices of the same type, measured between turns.
    share_of_peak : float
        Operations that an epoch needs, over those that `peak` allows in the same time.
    memory : int or None
        Peak memory of its process in bytes (on CUDA: of the card).
    batches : int
        Batches timed.
    """

    network: str
    variant: str
    seconds_per_epoch: float
    ratio: float
    images_per_second: float
    peak: float
    share_of_peak: float
    memory: int | None
    batches: int


@dataclass(frozen=True)
class Benchmark:
    """All measurements, and what they are based on.

    Attributes
    ----------
    rows : list of Measurement
        In the order of measurement.
    machine : str
        Device and threads.
    sources : dict
        Where each network's images came from.
    flops : dict
        Floating-point operations of an epoch, by network.
    """

    rows: list[Measurement]
    machine: str
    sources: dict[str, str]
    flops: dict[str, float]

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain numbers and text, with the lecture's published seconds."""
        return {**asdict(self), "lecture_published_seconds": PUBLISHED}


def measure(
    networks: Sequence[str] = tuple(LABS),
    variants: Sequence[str] = ("lecture", "course"),
    *,
    budget: float = 60.0,
    announce: Callable[[str], None] = lambda line: None,
) -> Benchmark:
    """Time an epoch of each network; its variants take turns.

    Parameters
    ----------
    networks, variants : sequence of str
        Keys of `LABS` and of `VARIANTS`; the others are compared with the first variant.
    budget : float
        Seconds to measure each network, without start and warm-up.
    announce : callable
        Called with each line about the time it will take and its progress.

    Raises
    ------
    TrainingError
        If one of the processes fails.
    """
    announce(f"{describe_device()}; {len(networks) * len(variants)} processes start and warm up")
    labs = {name: LABS[name] for name in networks}
    sources = {name: load_dataset(lab.dataset, offline=lab.substitute).source for name, lab in labs.items()}
    flops = {name: epoch_flops(name) for name in networks}
    rows: list[Measurement] = []
    for number, network in enumerate(networks):
        with ExitStack() as stack:
            workers = {name: stack.enter_context(worker(network, name)) for name in variants}
            # The first steps allocate memory and choose algorithms.
            memory: dict[str, int | None] = {name: ask(2)["memory"] for name, ask in workers.items()}
            once = {name: ask(2)["seconds"] / 2 for name, ask in workers.items()}
            # In a turn, each variant gets about the same time.
            turns = 5
            share = budget / turns / len(variants)
            sizes = {name: max(1, round(share / seconds)) for name, seconds in once.items()}
            each = turns * sum(sizes[name] * seconds for name, seconds in once.items())
            total = each * (len(networks) - number)
            announce(f"{network}: about {each:.0f} s (about {total:.0f} s left in total)")
            seconds: dict[str, list[float]] = {name: [] for name in variants}
            peaks = dict.fromkeys(variants, 0.0)
            for turn in range(turns):
                for name, ask in workers.items():
                    answer = ask(sizes[name])
                    seconds[name].append(answer["seconds"] / sizes[name])
                    peaks[name] = max(peaks[name], answer["peak"])
                announce(f"{network}: turn {turn + 1} of {turns}")
        size, images = recipe(network, "lecture").batch_size, LABS[network].images
        epochs = {name: median(times) * images / size for name, times in seconds.items()}
        for name in variants:
            rows.append(
                Measurement(
                    network=network,
                    variant=name,
                    seconds_per_epoch=epochs[name],
                    ratio=median(
                        mine / lecture
                        for mine, lecture in zip(seconds[name], seconds[variants[0]], strict=True)
                    ),
                    images_per_second=images / epochs[name],
                    peak=peaks[name],
                    share_of_peak=flops[network] / epochs[name] / peaks[name],
                    memory=memory[name],
                    batches=turns * sizes[name],
                )
            )
    return Benchmark(rows, describe_device(), sources, flops)


@contextmanager
def worker(network: str, variant: str) -> Iterator[Callable[[int], dict[str, Any]]]:
    """Start the process of one variant, and yield a function that trains there on a number of batches."""
    call = f"serve({network!r}, {variant!r}, {torch.get_num_threads()})"
    with subprocess.Popen(
        [sys.executable, "-c", f"from course_utils.training.benchmark.variants import serve; {call}"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        assert process.stdin and process.stdout
        asked, answers = process.stdin, process.stdout

        def ask(batches: int) -> dict[str, Any]:
            try:
                print(batches, file=asked, flush=True)
                return json.loads(answers.readline())
            except (BrokenPipeError, json.JSONDecodeError):
                # The end of the process would write the rest again, and fail again.
                with suppress(BrokenPipeError):
                    asked.close()
                raise TrainingError(
                    f"The process that trains {network} ({VARIANTS[variant].describe}) has ended.",
                    why=f"Its exit code is {process.wait()}; its output is above.",
                    next_step="If the memory is full, close other programs and try again.",
                ) from None

        try:
            yield ask
        finally:
            process.kill()


def epoch_flops(network: str, profile: str = "lecture") -> float:
    """Count the floating-point operations of an epoch, forward and backward; a multiply-add is two."""
    lab = LABS[network]
    channels, side = lab.channels, lab.side
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        model = lab_network(network, profile, channels=channels, side=side)
        scores = model(torch.zeros(2, channels, side, side))
        nn.functional.cross_entropy(scores, torch.zeros(2, dtype=torch.int64)).backward()
    return counter.get_total_flops() / 2 * lab.images
