"""How fast a network can get to an error: three goals, each with a network and a recipe made for it.

``python tests/benchmarks/time_to_error.py`` trains each three times and prints a table; ``--json FILE``
keeps it. These are not the labs' recipes: what makes them fast takes a paper to explain. They follow
airbench (K. Jordan, *94 % on CIFAR-10 in 3.29 seconds on a single GPU*, https://arxiv.org/abs/2404.00498, and
its later version with Muon, https://github.com/KellerJordan/cifar10-airbench): whitened patches, Muon for the
kernels and a rate of its own for each kind of parameter, mirrored images in every other epoch, and a test
that averages the scores of shifted and mirrored images.

``--holdout 5000`` replaces the test images by that many training images: recipes are tuned on those.
"""

from __future__ import annotations

import argparse
import ast
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from itertools import repeat
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from course_utils import load_dataset
from course_utils.data import Dataset
from course_utils.data.dataset import Split
from course_utils.device import describe_device, pick_device
from course_utils.timing import Stopwatch
from course_utils.training.augmentation import Augmentation
from course_utils.training.muon import orthogonal
from course_utils.training.preparation import on_device
from course_utils.training.speed import Speed, default_speed, keep_heap
from course_utils.training.whitening import whiten


@dataclass(frozen=True)
class Goal:
    """A test error to reach, and how.

    Attributes
    ----------
    dataset : str
        What to learn.
    error : float
        Share of wrong answers to reach, 0 to 1.
    seconds : float
        In how much time on two cores.
    widths : tuple of int
        Channels of each block of two convolutions.
    epochs : float
        Passes over the training images; the learning rates fall linearly to 0.
    batch_size : int
        Images per step.
    parts : int
        In how many parts a batch is scored one after the other, each with its own batch normalisation: less
        memory, which a processor's cache likes. A GPU takes the batch whole.
    norm_eps : float
        What batch normalisation adds to a variance. On MNIST some channels hardly vary, and in bfloat16 a
        smaller number would divide by mere rounding.
    kernel_rate, bias_rate, head_rate : float
        Learning rates of the kernels (Muon), of the biases, and of the linear layer.
    patches : int
        Filters of the whitened layer, two for each direction of its patches of 2×2 pixels: at most 8 on
        MNIST, 24 on CIFAR-10.
    shift : int
        Largest shift of a training image, in pixels.
    flip : bool
        Whether to mirror images, each in every other epoch.
    views : tuple of (int, int)
        Shifts of a test image whose scores are averaged.
    """

    dataset: str
    error: float
    seconds: float
    widths: tuple[int, ...]
    epochs: float
    batch_size: int
    parts: int = 1
    kernel_rate: float = 0.24
    bias_rate: float = 0.053
    head_rate: float = 0.67
    weight_decay: float = 2e-6
    label_smoothing: float = 0.2
    norm_eps: float = 1e-3
    patches: int = 24
    shift: int = 2
    flip: bool = True
    views: tuple[tuple[int, int], ...] = ((0, 0), (-1, -1), (1, 1))


GOALS = {
    "mnist": Goal("mnist", 0.0078, 12, (16, 32, 64), 0.4, 250, patches=8, shift=1, flip=False),
    "cifar20": Goal("cifar10", 0.20, 35, (24, 64, 128), 0.7, 320, kernel_rate=0.18, shift=1, views=((0, 0),)),
    "cifar6": Goal("cifar10", 0.06, 1800, (64, 256, 256), 8, 2000, parts=8, norm_eps=1e-12),
}
"""On two cores. ``cifar6`` is airbench's network and recipe, as published.

``cifar20`` is for the original images; for their JPEG copy it takes ``--set epochs=1.3``, and more time.
"""


class Block(nn.Sequential):
    """Two convolutions, each with batch normalisation and GELU; the map is halved after the first one."""

    def __init__(self, channels: int, width: int, eps: float) -> None:
        layers: list[nn.Module] = []
        for inputs, pool in ((channels, [nn.MaxPool2d(2)]), (width, [])):
            conv = nn.Conv2d(inputs, width, 3, padding=1, bias=False)
            # The first filters pass the input on as it is.
            nn.init.dirac_(conv.weight.data[: min(inputs, width)])
            norm = nn.BatchNorm2d(width, eps=eps)
            norm.weight.requires_grad_(False)
            layers += [conv, *pool, norm, nn.GELU()]
        super().__init__(*layers)


class Network(nn.Module):
    """Whitened patches of 2×2 pixels, blocks, one linear layer."""

    def __init__(self, goal: Goal, train: Split, classes: int) -> None:
        super().__init__()
        self.patches = nn.Conv2d(train.images.shape[1], goal.patches, 2)
        whiten(self.patches, train, floor=5e-4)
        self.patches.bias.requires_grad_(True)
        inputs = (len(self.patches.weight), *goal.widths)
        self.blocks = nn.Sequential(
            *map(Block, inputs, goal.widths, repeat(goal.norm_eps)), nn.AdaptiveMaxPool2d(1)
        )
        self.head = nn.Linear(goal.widths[-1], classes, bias=False)
        self.head.weight.data.div_(self.head.weight.data.std())

    def forward(self, images: Tensor) -> Tensor:
        """Map N×C×H×W images to N×classes scores."""
        features = self.blocks(functional.gelu(self.patches(images))).flatten(1)
        return self.head(features) / features.shape[1]


def hold_out(dataset: Dataset, count: int) -> Dataset:
    """Replace the test images by `count` training images, always the same ones."""
    order = torch.randperm(len(dataset.train), generator=torch.Generator().manual_seed(123))
    held, kept = order[:count], order[count:]

    def part(rows: torch.Tensor):
        return replace(dataset.train, images=dataset.train.images[rows], labels=dataset.train.labels[rows])

    return replace(dataset, train=part(kept), test=part(held), digest=f"{dataset.digest}-{count}")


def direction(kernel: Tensor, velocity: Tensor) -> Tensor:
    """Add a kernel's gradient to its velocity, set its length, and return the step to subtract, at rate 1."""
    velocity.mul_(0.6).add_(kernel.grad)
    step = orthogonal(kernel.grad.add(velocity, alpha=0.6).flatten(1)).view_as(kernel)
    kernel.mul_(len(kernel) ** 0.5 / kernel.norm())
    return step


class Optimizer:
    """Muon for the kernels, which keep their length; SGD with Nesterov's momentum for the rest."""

    def __init__(self, goal: Goal, model: Network) -> None:
        self.goal, self.model = goal, model
        self.kernels = [weight for weight in model.blocks.parameters() if weight.ndim == 4]
        self.velocities = [torch.zeros_like(kernel) for kernel in self.kernels]
        biases = [weight for weight in model.blocks.parameters() if weight.ndim == 1 and weight.requires_grad]
        # The patches' bias is learned in the first three epochs only.
        self.ends = (min(1, 3 / goal.epochs), 1, 1)
        self.rates = (goal.bias_rate, goal.bias_rate, goal.head_rate)
        groups = ([model.patches.bias], biases, [model.head.weight])
        self.rest = torch.optim.SGD(
            [
                {"params": group, "weight_decay": goal.weight_decay / rate}
                for group, rate in zip(groups, self.rates, strict=True)
            ],
            lr=0,
            momentum=0.85,
            nesterov=True,
        )

    @torch.no_grad()
    def step(self, done: float) -> None:
        """Take one step when a share `done` of the training is over."""
        for group, rate, end in zip(self.rest.param_groups, self.rates, self.ends, strict=True):
            # airbench adds the loss up over the batch; here it is the mean.
            group["lr"] = rate * self.goal.batch_size * max(0.0, 1 - done / end)
        self.rest.step()
        for kernel, velocity in zip(self.kernels, self.velocities, strict=True):
            kernel.sub_(direction(kernel, velocity), alpha=self.goal.kernel_rate * (1 - done))
        self.rest.zero_grad()
        for kernel in self.kernels:
            kernel.grad = None
        self.model.patches.bias.requires_grad_(done < self.ends[0])


def epochs(goal: Goal, train: Split, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
    """Draw the training's batches, whole ones only."""
    mirrored = torch.rand(len(train), generator=generator).to(train.images.device) < 0.5
    shift = Augmentation(shift=goal.shift)
    while True:
        order = torch.randperm(len(train), generator=generator).to(train.images.device)
        for rows in order.split(goal.batch_size)[: len(train) // goal.batch_size]:
            images = shift(train.normalised(train.images[rows]), generator)
            if goal.flip:
                images = torch.where(mirrored[rows][:, None, None, None], images.flip(-1), images)
            yield images, train.labels[rows]
        mirrored = ~mirrored


@torch.no_grad()
def scores(goal: Goal, model: Network, images: Tensor) -> Tensor:
    """Average the scores of shifted and, where the network was trained on them, mirrored images."""
    padded = functional.pad(images, [1] * 4, mode="reflect")
    height, width = images.shape[2:]
    total = torch.zeros(())
    for down, right in goal.views:
        view = padded[:, :, 1 + down : 1 + down + height, 1 + right : 1 + right + width]
        for seen in (view, view.flip(-1)) if goal.flip else (view,):
            total = total + model(seen).float() * (2 if (down, right) == (0, 0) else 1)
    return total


@torch.no_grad()
def error(goal: Goal, model: Network, test: Split, speed: Speed) -> float:
    """Return the share of wrong answers."""
    model.eval()
    wrong = torch.zeros((), device=test.labels.device)
    with speed.autocast(test.images.device):
        for images, labels in test.batches(500 if test.images.device.type == "cpu" else 2000):
            wrong += (scores(goal, model, images).argmax(1) != labels).sum()
    model.train()
    return wrong.item() / len(test)


def train(goal: Goal, dataset: Dataset, seed: int, speed: Speed, *, show: bool = False) -> dict[str, Any]:
    """Make a network and train it; return its error, its seconds and what they were spent on."""
    device = dataset.train.images.device
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    keep_heap(speed)
    processor = time.process_time()
    with Stopwatch(device=device) as watch:
        model = Network(goal, dataset.train, len(dataset.classes)).to(device)
        form = torch.channels_last if speed.channels_last else torch.contiguous_format
        model.to(memory_format=form)
        optimizer = Optimizer(goal, model)
        steps = round(goal.epochs * (len(dataset.train) // goal.batch_size))
        losses = []
        for step, (images, labels) in zip(range(steps), epochs(goal, dataset.train, generator), strict=False):
            for part, answers in zip(images.chunk(goal.parts), labels.chunk(goal.parts), strict=True):
                with speed.autocast(device):
                    found = model(part.contiguous(memory_format=form)).float()
                loss = functional.cross_entropy(found, answers, label_smoothing=goal.label_smoothing)
                (loss * len(part) / len(images)).backward()
            with speed.autocast(device):
                optimizer.step(step / steps)
            losses.append(loss.detach())
            if show and step % max(1, steps // 20) == 0:
                print(f"  step {step} of {steps}, {watch.seconds:.0f} s, loss {loss.item():.3f}", flush=True)
        training = watch.seconds
        wrong = error(goal, model, dataset.test, speed)
    return {
        "seed": seed,
        "error": wrong,
        "seconds": round(watch.seconds, 2),
        "testing": round(watch.seconds - training, 2),
        "processor": round(time.process_time() - processor, 2),
        "steps": steps,
        "loss": round(torch.stack(losses[-10:]).mean().item(), 4),
    }


def operations(goal: Goal, dataset: Dataset) -> float:
    """Count the additions and multiplications of a training, without its tests."""
    model = Network(goal, dataset.train, len(dataset.classes)).to(dataset.train.images.device)
    images, _ = next(iter(dataset.train.batches(2)))
    with FlopCounterMode(display=False) as counter:
        model(images).sum().backward()
    return counter.get_total_flops() / 2 * goal.epochs * len(dataset.train)


def main() -> int:
    """Train, print, write; the exit code is 1 if a seed misses its error."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("goals", nargs="*", default=list(GOALS), help=f"of {', '.join(GOALS)}")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--holdout", type=int, default=0, metavar="IMAGES")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="change a goal's recipe")
    parser.add_argument("--bf16", action=argparse.BooleanOptionalAction, help="default: where it pays")
    parser.add_argument("--show", action="store_true", help="the loss during the training")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    device = pick_device()
    speed = default_speed(device)
    if options.bf16 is not None:
        speed = replace(speed, bf16=options.bf16)
    print(describe_device(), speed.describe(device), sep="\n")
    found, missed = [], False
    for name in options.goals:
        changes = dict(change.split("=", 1) for change in options.set)
        goal = replace(GOALS[name], **{key: ast.literal_eval(value) for key, value in changes.items()})
        dataset = on_device(load_dataset(goal.dataset), device)
        dataset = hold_out(dataset, options.holdout) if options.holdout else dataset
        cost = operations(goal, dataset)
        print(f"\n{name}: {dataset.source}\n{goal}\n{cost:.2e} operations", flush=True)
        for seed in range(options.first_seed, options.first_seed + options.seeds):
            run = train(goal, dataset, seed, speed, show=options.show)
            found.append({"goal": name, "operations": cost, **run})
            missed |= run["error"] > goal.error
            print(
                f"{name}, seed {seed}: {100 * run['error']:.2f} % in {run['seconds']} s "
                f"({run['testing']} s of it for the test, {run['processor']} s of processor time); "
                f"training loss {run['loss']}",
                flush=True,
            )
    if options.json:
        text = {"date": str(date.today()), "machine": describe_device(), "speed": speed.describe(device)}
        options.json.write_text(json.dumps({**text, "runs": found}, indent=1))
    return int(missed)


if __name__ == "__main__":
    raise SystemExit(main())
