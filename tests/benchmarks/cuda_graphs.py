"""Training whose steps a CUDA graph can replay: without Python, without a wait, without a copy from the CPU.

A graph repeats kernels with the addresses and numbers of its recording. So the images, their order and all
that is random lie on the device before the first step, the place in the order is counted there, and learning
rates are tensors. On a CPU the same steps run one by one, as they are: that is what the tests compare.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Callable
from typing import Any

import time_to_error
import torch
from torch import Tensor, nn
from torch.nn import functional

from course_utils.data import Dataset
from course_utils.data.dataset import Split
from course_utils.timing import Stopwatch
from course_utils.training import Speed
from course_utils.training.augmentation import shifted

Work = Callable[[], None]


def captured(work: Work, begin: Work, device: torch.device) -> Work:
    """Record what `work` does on a GPU as a CUDA graph, and return what replays it; elsewhere, `work` itself.

    Before the recording, `begin` and `work` run three times on the same stream: libraries load and choose
    their algorithms then, which a recording must not contain.
    """
    if device.type != "cuda":
        return work
    gc.collect()  # an older graph that is destroyed during the recording could spoil it
    stream = torch.cuda.Stream(device)
    graph = torch.cuda.CUDAGraph()
    # All sizes stay the same, so that trying every algorithm pays.
    with torch.backends.cudnn.flags(enabled=True, benchmark=True):
        stream.wait_stream(torch.cuda.current_stream(device))
        with torch.cuda.stream(stream):
            for _ in range(3):
                begin()
                work()
        torch.cuda.current_stream(device).wait_stream(stream)
        with torch.cuda.graph(graph, stream=stream):
            work()
    return graph.replay


class Resident:
    """A training that reads and writes the same memory at every step.

    Parameters
    ----------
    model : nn.Module
        On the device.
    train : Split
        The training images, on the device.
    update : callable
        Takes the optimiser's step; it is given the number of images seen before.
    speed : Speed
        Whether to multiply in bfloat16.
    rows : Tensor
        Which images the steps take, one after the other.
    smoothing : float
        Of the labels.
    change : callable
        Augmentation: it is given normalised images, and where their rows stand in `rows`.

    Attributes
    ----------
    loss, wrong : Tensor
        Sums over the images since `begin`.
    """

    def __init__(
        self,
        model: nn.Module,
        train: Split,
        update: Callable[[Tensor], object],
        speed: Speed,
        rows: Tensor,
        *,
        smoothing: float = 0.0,
        change: Callable[[Tensor, Tensor], Tensor] = lambda images, places: images,
    ) -> None:
        self.model, self.train, self.update, self.speed = model, train, update, speed
        self.rows, self.smoothing, self.change = rows, smoothing, change
        self.seen, self.wrong = (torch.zeros((), dtype=torch.int64, device=rows.device) for _ in range(2))
        self.loss = torch.zeros((), device=rows.device)

    def begin(self) -> None:
        """Start at the first row."""
        for total in (self.seen, self.wrong, self.loss):
            total.zero_()

    def step(self, size: int) -> Work:
        """Return a step of `size` images."""
        device = self.rows.device
        count = torch.arange(size, device=device)

        def step() -> None:
            places = self.seen + count
            rows = self.rows.index_select(0, places)
            images = self.train.normalised(self.train.images.index_select(0, rows))
            labels = self.train.labels.index_select(0, rows)
            # Where there is no gradient yet, the backward pass of a recording makes it in the graph's memory.
            self.model.zero_grad(set_to_none=True)
            with torch.autocast(device.type, torch.bfloat16, enabled=self.speed.bf16, cache_enabled=False):
                scores = self.model(self.change(images, places)).float()
                loss = functional.cross_entropy(scores, labels, label_smoothing=self.smoothing)
                loss.backward()
                self.update(self.seen)
            self.loss.add_(loss.detach(), alpha=size)
            self.wrong.add_((scores.argmax(1) != labels).sum())
            self.seen.add_(size)

        return step

    def epoch(self, size: int, whole: bool) -> Work:
        """Return a pass over all rows: one graph for the whole, or one for each size of a batch."""
        device = self.rows.device
        batches, rest = divmod(len(self.rows), size)
        sizes = [size] * batches + [rest] * (rest > 0)
        made = {size: self.step(size) for size in sizes}
        if not whole:
            made = {size: captured(step, self.begin, device) for size, step in made.items()}

        def epoch() -> None:
            self.begin()
            for size in sizes:
                made[size]()

        return captured(epoch, self.begin, device) if whole else epoch


class LectureTraining(Resident):
    """The lecture's training on the first `count` images; `rate` and `rows` can be changed between epochs."""

    def __init__(self, model: nn.Module, train: Split, rate: float, speed: Speed, count: int) -> None:
        device = train.images.device
        self.rate = torch.tensor(rate, device=device)
        # Of SGD's steps only the fused one reads the rate on the device.
        optimizer = torch.optim.SGD(model.parameters(), lr=self.rate, fused=True)
        rows = torch.arange(count, device=device)
        super().__init__(model, train, lambda seen: optimizer.step(), speed, rows)


class DeviceRates(time_to_error.Optimizer):
    """The same steps, with rates that are computed on the device."""

    def __init__(self, goal: time_to_error.Goal, model: time_to_error.Network) -> None:
        super().__init__(goal, model)
        for group in self.rest.param_groups:
            group.update(lr=torch.zeros((), device=model.head.weight.device), fused=True)

    def restart(self) -> None:
        """Forget the steps so far."""
        for velocity in (*self.velocities, *(state["momentum_buffer"] for state in self.rest.state.values())):
            velocity.zero_()

    @torch.no_grad()
    def step(self, done: Tensor) -> None:
        """Take one step when a share `done` of the training is over."""
        for group, rate, end in zip(self.rest.param_groups, self.rates, self.ends, strict=True):
            group["lr"].copy_((1 - done / end).clamp(min=0) * (rate * self.goal.batch_size))
        self.rest.step()
        for kernel, velocity in zip(self.kernels, self.velocities, strict=True):
            kernel.sub_(time_to_error.direction(kernel, velocity) * (self.goal.kernel_rate * (1 - done)))


class CapturedGoal:
    """A goal of ``time_to_error.py``; its step is recorded once and serves every seed."""

    def __init__(self, goal: time_to_error.Goal, dataset: Dataset, speed: Speed) -> None:
        self.goal, self.dataset, self.speed = goal, dataset, speed
        self.device = dataset.train.images.device
        self.batches = len(dataset.train) // goal.batch_size
        self.steps = round(goal.epochs * self.batches)
        rows = torch.zeros(self.steps * goal.batch_size, dtype=torch.int64, device=self.device)
        self.offsets, self.mirrored = rows.repeat(2, 1), rows.bool()
        form = torch.channels_last if speed.channels_last else torch.contiguous_format
        self.model = self.network(seed=0).to(self.device, memory_format=form)
        self.optimizer = DeviceRates(goal, self.model)
        self.training = Resident(
            self.model,
            dataset.train,
            lambda seen: self.optimizer.step(seen / len(rows)),
            speed,
            rows,
            smoothing=goal.label_smoothing,
            change=self.change,
        )
        self.step = captured(self.training.step(goal.batch_size), self.training.begin, self.device)

    def network(self, seed: int) -> time_to_error.Network:
        """Make a network."""
        torch.manual_seed(seed)
        return time_to_error.Network(self.goal, self.dataset.train, len(self.dataset.classes))

    def change(self, images: Tensor, places: Tensor) -> Tensor:
        """Shift and mirror images as it was drawn."""
        images = shifted(images, self.offsets.index_select(1, places), self.goal.shift)
        if not self.goal.flip:
            return images
        return torch.where(
            self.mirrored.index_select(0, places)[:, None, None, None], images.flip(-1), images
        )

    def draw(self, seed: int) -> None:
        """Draw the order of the images and how each is changed."""
        place: dict[str, Any] = {"device": self.device}
        place["generator"] = torch.Generator(self.device).manual_seed(seed)
        count, kept = len(self.dataset.train), self.batches * self.goal.batch_size
        passes = math.ceil(self.steps / self.batches)
        rows = torch.cat([torch.randperm(count, **place)[:kept] for _ in range(passes)])
        odd = torch.arange(len(rows), device=self.device) // kept % 2 == 1
        mirrored = (torch.rand(count, **place) < 0.5)[rows] ^ odd
        self.training.rows.copy_(rows[: len(self.training.rows)])
        self.mirrored.copy_(mirrored[: len(self.mirrored)])
        self.offsets.copy_(torch.randint(2 * self.goal.shift + 1, self.offsets.shape, **place))

    def train(self, seed: int) -> dict[str, Any]:
        """Train once, and test; as `time_to_error.train`."""
        with Stopwatch(device=self.device) as watch:
            self.model.load_state_dict(self.network(seed).state_dict())
            self.optimizer.restart()
            self.draw(seed)
            self.training.begin()
            for _ in range(self.steps):
                self.step()
            error = time_to_error.error(self.goal, self.model, self.dataset.test, self.speed)
        return {"seed": seed, "error": error, "seconds": watch.seconds}
