"""Everything that a GPU can show, in one command: ``python tests/benchmarks/gpu.py``.

It measures the parts that are named, or all, each in a process of its own; writes each figure to ``--out`` as
soon as it has it; and prints rows for the README's table. A later call replaces the parts that it names.

bench   ``course bench``: an epoch of both labs beside the lecture's loop
seeds   the recipes of ``three_seeds.py``, with the default switches and without any
lenet5  an epoch of the lecture's LeNet5: through `fit`, and as CUDA graphs
vgg     the same for the lecture's VGG; its share of the peak by batch size, and with torch.compile
error   goals of ``time_to_error.py``, as they are and as CUDA graphs

``--tiny`` runs all of it on a few embedded images, also on a CPU. The exit code is 1 if a target is missed or
something fails.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import three_seeds
import time_to_error
import torch
from cuda_graphs import CapturedGoal, LectureTraining
from torch import nn

from course_utils import load_dataset
from course_utils.data import Dataset
from course_utils.device import describe_device, pick_device
from course_utils.files import published
from course_utils.text import duration_text
from course_utils.timing import Stopwatch
from course_utils.training import PLAIN, Speed, fit, recipe
from course_utils.training.benchmark import VARIANTS, measure
from course_utils.training.benchmark.turns import epoch_flops
from course_utils.training.benchmark.variants import matmul_peak
from course_utils.training.networks import LABS, lab_network
from course_utils.training.preparation import on_device
from course_utils.training.speed import default_speed, machine

PROFILE = {True: "quick", False: "lecture"}
TEXT: dict[str, Callable[[float], str]] = {
    "s": duration_text,
    "error": lambda share: f"{100 * share:.2f} %",
    "of peak": lambda share: f"{100 * share:.0f} % of the peak",
}


@dataclass(frozen=True)
class Figure:
    """What was measured, in a unit of `TEXT`; every repeat's value should reach the target."""

    what: str
    values: list[float]
    unit: str = "s"
    target: float | None = None
    more: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return everything as plain numbers and text, with the result as the README has it."""
        text = TEXT[self.unit]
        least, middle, most = min(self.values), median(self.values), max(self.values)
        found = f"{text(middle)} (median of {len(self.values)}; {text(least)} to {text(most)})"
        reached = None
        if self.target is not None:
            reached = least >= self.target if self.unit == "of peak" else most <= self.target
            found += f"; target {text(self.target)}: {'reached' if reached else 'missed'}"
        return {**asdict(self), "median": middle, "reached": reached, "text": found}


@dataclass(frozen=True)
class Setting:
    """Where is measured, and how much."""

    device: torch.device
    speed: Speed
    repeats: int
    tiny: bool

    def dataset(self, name: str) -> Dataset:
        """Load MNIST or CIFAR-10 onto the device; tiny, a few images of the embedded substitute."""
        if not self.tiny:
            return on_device(load_dataset(name), self.device)
        whole = load_dataset({lab.dataset: lab.substitute for lab in LABS.values()}[name])
        train, test = (
            replace(half, images=half.images[:count], labels=half.labels[:count])
            for half, count in ((whole.train, 24), (whole.test, 10))
        )
        return on_device(replace(whole, train=train, test=test), self.device)

    def network(self, name: str, dataset: Dataset) -> nn.Module:
        """Build a lab's network as the lecture has it, with weights that are the same each time."""
        torch.manual_seed(0)
        _, channels, side, _ = dataset.train.images.shape
        model = lab_network(name, PROFILE[self.tiny], channels=channels, side=side)
        form = torch.channels_last if self.speed.channels_last else torch.contiguous_format
        return model.to(self.device, memory_format=form)

    def times(self, work: Callable[[], object]) -> list[float]:
        """Time `work`, as often as there are repeats."""
        watch, found = Stopwatch(device=self.device), []
        for _ in range(self.repeats):
            with watch:
                work()
            found.append(watch.seconds)
        return found


def bench(setting: Setting) -> Iterator[Figure]:
    """Do what ``course bench`` does, with a third of its budget for each repeat."""
    networks, budget = (("lenet5",), 1.0) if setting.tiny else (tuple(LABS), 20.0)
    runs = [measure(networks, budget=budget, announce=print).as_json() for _ in range(setting.repeats)]
    for rows in zip(*(run["rows"] for run in runs), strict=True):
        what = f"{rows[0]['network']}, an epoch of {VARIANTS[rows[0]['variant']].describe}"
        times = [row["seconds_per_epoch"] for row in rows]
        yield Figure(what, times, more={"rows": rows, "data": runs[0]["sources"]})


def seeds(network: str, speed: Speed | None, setting: Setting) -> Iterator[Figure]:
    """Train with a seed for each repeat, after a warm-up."""
    name, target = three_seeds.TARGETS[network]
    dataset = setting.dataset(name)
    plan = recipe(network, "fast")
    plan = replace(plan, epochs=1, least_steps=0) if setting.tiny else plan

    def train(**changes: Any) -> Any:
        return three_seeds.run(network, "fast", dataset, replace(plan, **changes), speed)

    train(name="warm-up", epochs=0.1, least_steps=1 if setting.tiny else 10)
    histories, walls, _ = zip(*(train(seed=seed) for seed in range(setting.repeats)), strict=True)
    what = f"{plan.name}{', all switches off' * (speed is not None)}, {dataset.source}"
    more = {"recipe": str(plan), "device": histories[0].device}
    yield Figure(f"{what}: test error", [run.test_error for run in histories], "error", target, more)
    yield Figure(f"{what}: training", list(walls), more=more)


def fit_epoch(network: str, target: float, setting: Setting) -> Iterator[Figure]:
    """Time epochs of the lecture's recipe through `fit`, from the second on."""
    dataset = setting.dataset(LABS[network].dataset)
    plan = replace(recipe(network, "lecture"), epochs=1 + setting.repeats)
    history = fit(setting.network(network, dataset), dataset, plan, checkpoint=False, show=False)
    first, *times = (record.seconds for record in history)
    more = {"first": first, "device": history.device, "data": dataset.source, "error": history.train_error}
    yield Figure(f"{network}, an epoch of the lecture's recipe through fit", times, "s", target, more)


def graph_epoch(network: str, target: float, whole: bool, setting: Setting) -> Iterator[Figure]:
    """Time epochs of the lecture's recipe as CUDA graphs; the order is drawn on the device."""
    dataset = setting.dataset(LABS[network].dataset)
    plan, count = recipe(network, "lecture"), len(dataset.train)
    model = setting.network(network, dataset)
    training = LectureTraining(model, dataset.train, plan.learning_rate, setting.speed, count)
    with Stopwatch(device=setting.device) as prepared:
        epoch = training.epoch(16 if setting.tiny else plan.batch_size, whole)

    def shuffled() -> None:
        training.rows.copy_(torch.randperm(count, device=setting.device))
        epoch()

    shuffled()
    times = setting.times(shuffled)
    more = {"prepared": prepared.seconds, "data": dataset.source, "error": training.wrong.item() / count}
    what = f"{network}, an epoch of the lecture's recipe, a CUDA graph of the {'epoch' if whole else 'step'}"
    yield Figure(what, times, "s", target, more)


def share_of_peak(sizes: tuple[int, ...], compiled: bool, setting: Setting) -> Iterator[Figure]:
    """Measure the lecture's VGG for each size of a batch; the last figure is the best one."""
    dataset, plan = setting.dataset("cifar10"), recipe("vgg", "lecture")
    kind = torch.bfloat16 if setting.speed.bf16 else torch.float32
    operations = epoch_flops("vgg", PROFILE[setting.tiny]) / LABS["vgg"].images
    found: list[Figure] = []
    for size in (8, 16) if setting.tiny else sizes:
        model = setting.network("vgg", dataset)
        if compiled:
            model = torch.compile(model, backend="eager" if setting.tiny else "inductor")
        count = len(dataset.train) // size * size
        training = LectureTraining(model, dataset.train, plan.learning_rate, setting.speed, count)
        with Stopwatch(device=setting.device) as prepared:
            epoch = training.epoch(size, whole=False)
            epoch()
        times = setting.times(epoch)
        peak = max(matmul_peak(setting.device, kind) for _ in range(3))
        shares = [operations * count / seconds / peak for seconds in times]
        more = {"batch": size, "peak": peak, "prepared": prepared.seconds, "images/s": count / median(times)}
        what = f"vgg, the lecture's, a CUDA graph of the step{', torch.compile' * compiled}, batch {size}"
        found.append(Figure(what, shares, "of peak", more=more))
        yield found[-1]
    best = max(found, key=lambda figure: median(figure.values))
    yield replace(best, what=f"{best.what}, the best of {len(found)} sizes", target=0.5)


def goal_error(name: str, target: float, graph: bool, setting: Setting) -> Iterator[Figure]:
    """Train for a goal with a seed for each repeat, after a warm-up."""
    goal = replace(time_to_error.GOALS[name], parts=1)  # a GPU takes a batch whole
    goal = replace(goal, epochs=1, batch_size=8, widths=(8,)) if setting.tiny else goal
    dataset = setting.dataset(goal.dataset)
    with Stopwatch(device=setting.device) as prepared:
        if graph:
            train = CapturedGoal(goal, dataset, setting.speed).train
        else:
            train = partial(time_to_error.train, goal, dataset, speed=setting.speed, show=False)
        train(seed=setting.repeats)
    runs = [train(seed=seed) for seed in range(setting.repeats)]
    more = {"goal": str(goal), "prepared": prepared.seconds, "runs": runs}
    what = f"{name} of time_to_error.py{', a CUDA graph of the step' * graph}, {dataset.source}"
    yield Figure(f"{what}: test error", [run["error"] for run in runs], "error", goal.error, more)
    yield Figure(f"{what}: training and test", [run["seconds"] for run in runs], "s", target)


PARTS: dict[str, tuple[Callable[[Setting], Iterator[Figure]], ...]] = {
    "bench": (bench,),
    "seeds": tuple(
        partial(seeds, network, speed) for speed in (None, PLAIN) for network in three_seeds.TARGETS
    ),
    "lenet5": (
        partial(fit_epoch, "lenet5", 0.4),
        partial(graph_epoch, "lenet5", 0.15, False),
        partial(graph_epoch, "lenet5", 0.15, True),
    ),
    "vgg": (
        partial(fit_epoch, "vgg", 0.5),
        partial(graph_epoch, "vgg", 0.5, False),
        partial(share_of_peak, (128, 256, 512, 1024, 2048, 4096), False),
        partial(share_of_peak, (512, 2048), True),
    ),
    "error": tuple(
        partial(goal_error, name, seconds, graph)
        for name, seconds in (("mnist", 1.0), ("cifar6", 5.0))
        for graph in (False, True)
    ),
}


def environment(device: torch.device) -> dict[str, Any]:
    """Say what the figures depend on."""
    found = {"machine": machine(device), "device": describe_device(device), "system": platform.platform()}
    found |= {"python": platform.python_version(), "torch": torch.__version__}
    if device.type == "cuda":
        found |= {"cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version(), "driver": "unknown"}
        with suppress(OSError, subprocess.CalledProcessError):
            asked = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
            found["driver"] = subprocess.check_output(asked, text=True).splitlines()[0]
    return found


def measured(part: str, setting: Setting, found: dict[str, Any], save: Callable[[], None]) -> None:
    """Measure a part into `found`; what fails is told and does not stop the rest."""
    found["failures"].clear()
    begun, count = time.monotonic(), len(PARTS[part])
    for done, measurement in enumerate(PARTS[part], 1):
        try:
            for figure in measurement(setting):
                shown = (replace(figure, target=None) if setting.tiny else figure).as_json()
                print(f"{shown['what']}: {shown['text']}", flush=True)
                found["figures"].append(shown)
                save()
        except KeyboardInterrupt:
            found["failures"].append("interrupted")
            save()
            raise
        except Exception as error:
            traceback.print_exc()
            found["failures"].append(f"{type(error).__name__}: {error}")
        found["seconds"] = time.monotonic() - begun
        save()
        left = duration_text(found["seconds"] / done * (count - done))
        print(f"{part}: {done} of {count} measurements, about {left} left", flush=True)


def table(record: dict[str, Any], parts: list[str]) -> str:
    """Write rows for the README's section Measured, and below them what failed."""
    where = f"{record['environment']['machine']}, torch {record['environment']['torch']}"
    where += ", tiny" * record["tiny"]
    rows, failed = ["| what | command | result |", "| --- | --- | --- |"], []
    for part in parts:
        found, command = record["parts"][part], f"`python tests/benchmarks/gpu.py {part}`"
        for figure in found["figures"]:
            rows.append(f"| {figure['what']} ({where}, {found['date']}) | {command} | {figure['text']} |")
        failed += [f"{part}: {failure}" for failure in found["failures"]]
    return "\n".join([*rows, "", *failed])


def main(arguments: list[str] | None = None) -> int:
    """Measure, write, print. A part that is measured alone runs in this process."""
    layout = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=layout)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--tiny", action="store_true", help="a few embedded images")
    parser.add_argument("--repeats", type=int, default=3, help="epochs, runs or seeds of each figure")
    parser.add_argument("--out", type=Path, default=Path("build/gpu.json"), metavar="FILE")
    options = parser.parse_args(arguments)
    parts, device = options.parts or list(PARTS), pick_device()
    setting = Setting(device, default_speed(device), options.repeats, options.tiny)
    if unknown := [part for part in parts if part not in PARTS]:
        parser.error(f"there is no part {unknown[0]}: there are {', '.join(PARTS)}")
    if device.type == "cpu" and not options.tiny:
        parser.error("there is no GPU here; --tiny shows that everything works")
    here = {"tiny": options.tiny, "environment": environment(device)}

    def stored() -> dict[str, Any]:
        return json.loads(options.out.read_bytes()) if options.out.exists() else {**here, "parts": {}}

    record = stored()
    if {name: record[name] for name in here} != here:
        parser.error(f"{options.out} is of another machine, of other versions, or tiny: name another file")

    def save() -> None:
        with published(options.out) as file:
            file.write(json.dumps(record, indent=1).encode())

    begun, code, today = time.monotonic(), 0, date.today().isoformat()
    for part in parts:
        record["parts"][part] = {"date": today, "figures": [], "failures": ["not measured"]}
    save()
    try:
        for done, part in enumerate(parts, 1):
            if len(parts) == 1:
                measured(part, setting, record["parts"][part], save)
                continue
            # What fails on a GPU can spoil the rest of its process.
            same = ["--repeats", str(options.repeats), "--out", str(options.out), *["--tiny"] * options.tiny]
            ended = subprocess.call([sys.executable, __file__, part, *same])
            record = stored()
            if ended not in (0, 1):
                record["parts"][part]["failures"].append(f"its process ended with the exit code {ended}")
                save()
            spent = time.monotonic() - begun
            left = duration_text(spent / done * (len(parts) - done))
            print(f"{done} of {len(parts)} parts in {duration_text(spent)}, about {left} left", flush=True)
    except KeyboardInterrupt:
        record, code = stored(), 130
    print(f"\n{table(record, parts)}\n{options.out}")
    chosen = [record["parts"][part] for part in parts]
    missed = any(figure["reached"] is False for found in chosen for figure in found["figures"])
    return code or int(missed or any(found["failures"] for found in chosen))


if __name__ == "__main__":
    raise SystemExit(main())
