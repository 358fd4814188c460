"""The ways to train that are compared, and the process that runs one of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from course_utils.data.dataset import Dataset
from course_utils.data.load import load_dataset
from course_utils.device import pick_device
from course_utils.timing import Stopwatch
from course_utils.training.loop import train_epoch, train_step
from course_utils.training.networks import LABS, lab_network
from course_utils.training.preparation import on_device
from course_utils.training.recipes import recipe
from course_utils.training.speed import PLAIN, Speed, default_speed, keep_heap


@dataclass(frozen=True)
class Variant:
    """One way to train.

    Attributes
    ----------
    describe : str
        What it does, in a few words.
    speed : callable
        The switches, for a device; None for the lecture's loop.
    input_gradients : bool
        Whether the lecture's loop also computes the gradients of the images, as its published labs do
        (``inputs.requires_grad_()``). Nothing uses them.
    """

    describe: str
    speed: Callable[[torch.device], Speed] | None
    input_gradients: bool = True


VARIANTS: dict[str, Variant] = {
    "lecture": Variant("the lecture's loop", None),
    "course": Variant("this course's fit", default_speed),
    "no-input-gradients": Variant("the lecture's loop, no image gradients", None, input_gradients=False),
    "plain": Variant("fit, all switches off", lambda device: PLAIN),
    "channels-last": Variant("fit, channels-last alone", lambda device: replace(PLAIN, channels_last=True)),
    "bf16": Variant("fit, bf16 alone", lambda device: replace(PLAIN, bf16=True)),
    "both": Variant("fit, both", lambda device: replace(default_speed(device), keep_heap=False)),
    "without-bf16": Variant("fit, all but bf16", lambda device: replace(default_speed(device), bf16=False)),
}
"""`lecture` and `course` are what ``course bench`` shows; the others show what each switch does."""


def lecture_epoch(
    model: nn.Module,
    dataset: Dataset,
    optimizer: torch.optim.Optimizer,
    batches: int,
    size: int,
    input_gradients: bool = True,
) -> None:
    """Train as the lecture does: float32, each batch normalised again, loss and error read at each step."""
    criterion = nn.CrossEntropyLoss()
    images, labels = dataset.train.images, dataset.train.labels
    running_loss = running_error = 0.0
    order = torch.randperm(len(labels))
    for step in range(batches):
        start = step * size % (len(labels) - size)
        indices = order[start : start + size].to(labels.device)
        optimizer.zero_grad()
        inputs = (images[indices].float() / 255 - dataset.mean) / dataset.std
        inputs.requires_grad_(input_gradients)
        scores = model(inputs)
        loss = criterion(scores, labels[indices])
        loss.backward()
        optimizer.step()
        running_loss += loss.detach().item()
        running_error += (scores.detach().argmax(dim=1) != labels[indices]).float().mean().item()


def some_batches(dataset: Dataset, size: int, count: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield full batches, from as many passes as are needed."""
    while True:
        for images, labels in dataset.train.batches(size, shuffle=True):
            if len(labels) < size:
                break
            if not count:
                return
            count -= 1
            yield images, labels


def trainer(network: str, variant: str, device: torch.device) -> Callable[[int], None]:
    """Load the data, build the network, and return a function that trains on a number of batches."""
    lab = LABS[network]
    dataset = on_device(load_dataset(lab.dataset, offline=lab.substitute), device)
    plan = recipe(network, "lecture")
    _, channels, side, _ = dataset.train.images.shape
    torch.manual_seed(0)
    model = lab_network(network, channels=channels, side=side).to(device)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    chosen = VARIANTS[variant]
    if chosen.speed is None:
        return lambda batches: lecture_epoch(
            model.train(), dataset, optimizer, batches, plan.batch_size, chosen.input_gradients
        )
    speed = chosen.speed(device)
    keep_heap(speed)
    if speed.channels_last:
        model.to(memory_format=torch.channels_last)

    def train(batches: int) -> None:
        train_epoch(
            model,
            some_batches(dataset, plan.batch_size, batches),
            nn.CrossEntropyLoss(),
            optimizer,
            step=train_step,
            rate=lambda step: 0.01,
            speed=speed,
        )

    return train


def matmul_peak(device: torch.device, kind: torch.dtype) -> float:
    """Measure the operations per second of multiplying two square matrices: the best of three runs."""
    size = 8192 if device.type == "cuda" else 2048
    a, b = (torch.randn(size, size, device=device).to(kind) for _ in range(2))
    times = []
    for _ in range(3):
        with Stopwatch(device=device) as watch:
            a @ b
        times.append(watch.seconds)
    return 2 * size**3 / min(times)


def peak_memory(device: torch.device) -> int | None:
    """Return this process's peak memory in bytes, on the accelerator if it uses one; None if unknown."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        import resource
    except ImportError:  # Windows
        return None
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used if sys.platform == "darwin" else used * 1024


def serve(network: str, variant: str, threads: int) -> None:
    """Read a number of batches from each line, train on that many, and answer with one line of JSON.

    It holds the seconds, the peak memory so far, and the speed of multiplying matrices of the same type right
    after them.
    """
    torch.set_num_threads(threads)
    device = pick_device()
    train = trainer(network, variant, device)
    make_speed = VARIANTS[variant].speed
    kind = torch.bfloat16 if make_speed and make_speed(device).bf16 else torch.float32
    for line in sys.stdin:
        with Stopwatch(device=device) as watch:
            train(int(line))
        memory = peak_memory(device)
        answer = {"seconds": watch.seconds, "memory": memory, "peak": matmul_peak(device, kind)}
        print(json.dumps(answer), flush=True)
