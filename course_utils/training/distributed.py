"""Several processes that train one model: each takes its share of every batch, and all take the same step."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from course_utils.device import pick_device
from course_utils.errors import TrainingError
from course_utils.training.evaluation import Evaluate, count_wrong, evaluate, measured
from course_utils.training.sync_batch_norm import SyncedStatistics

PATIENCE = timedelta(minutes=10)
"""How long one process waits for the others before it gives up."""

Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class ProcessGroup:
    """The processes of a job, as one of them sees it. One process alone is a group, too, and costs nothing.

    Attributes
    ----------
    rank : int
        This process's number, from 0. The first one is the main process: it alone logs and writes.
    size : int
        Number of processes.
    """

    rank: int = 0
    size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this process logs and writes."""
        return self.rank == 0

    def split(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Take this process's part of each batch: every `size`-th image, from `rank` on.

        All processes draw the same batches, so their parts never overlap and together are the batch that one
        process would take. Up to `size` - 1 images of a batch that cannot be split evenly are left out.
        """
        for images, labels in batches:
            even = len(labels) - len(labels) % self.size
            if even:
                yield images[self.rank : even : self.size], labels[self.rank : even : self.size]

    def deal(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Take every `size`-th whole batch, from `rank` on."""
        return islice(batches, self.rank, None, self.size)

    def data_parallel(self, model: nn.Module, device: torch.device) -> nn.Module:
        """Wrap a model for training on shares of a batch; with one process it is returned as it is."""
        if self.size == 1:
            return model
        return DataParallel(model, device_ids=[device.index] if device.type == "cuda" else None)

    def all_reduce(self, values: Tensor) -> Tensor:
        """Add up a tensor over the processes."""
        if self.size == 1:
            return values
        summed = values.detach().clone()
        dist.all_reduce(summed)
        return summed

    def mean(self, *values: float) -> list[float]:
        """Average numbers over the processes, which saw equal shares."""
        return (self.all_reduce(torch.tensor(values, dtype=torch.float64)) / self.size).tolist()

    def evaluate(self, model: nn.Module, batches: Iterable[Batch], measure: Evaluate = evaluate) -> float:
        """Measure the share of wrong answers; each process scores some of the batches.

        One process alone calls `measure`.
        """
        if self.size == 1:
            return measured(measure, model, batches)
        wrong, seen = self.all_reduce(count_wrong(model, self.deal(batches))).tolist()
        return wrong / seen

    def check_equal(self, value: int, what: str) -> None:
        """Make sure that all processes have the same number.

        Raises
        ------
        TrainingError
            If they do not.
        """
        if self.size == 1:
            return
        values: list[int | None] = [None] * self.size
        dist.all_gather_object(values, value)
        if len(set(values)) > 1:
            raise TrainingError(
                f"The processes do not agree on {what}.",
                why=f"They have {', '.join(map(str, values))}: not all of them see the same files.",
                next_step="Set COURSE_STATE_DIR to a folder that every machine sees, or train with --fresh.",
            )


ONE_PROCESS = ProcessGroup()


class DataParallel(DistributedDataParallel):
    """A model that computes on a process's share of a batch what it would compute on the whole batch.

    Batch normalisation uses all processes' images, and gradients are averaged over the processes.
    """

    def forward(self, images: Tensor) -> Tensor:
        """Score this process's images."""
        with SyncedStatistics():
            return super().forward(images)


@contextmanager
def process_group() -> Iterator[tuple[ProcessGroup, torch.device]]:
    """Join the job that ``torchrun`` started; without ``torchrun``, train in one process.

    Yields
    ------
    ProcessGroup, torch.device
        NCCL and a GPU of its own for each process where there is CUDA, gloo and the CPU otherwise.

    Raises
    ------
    TrainingError
        If another process of the job ends early.
    """
    if not dist.is_torchelastic_launched():
        yield ONE_PROCESS, pick_device()
        return
    device = pick_device()
    if device.type == "cuda":
        device = pick_device(f"cuda:{dist.get_node_local_rank()}")
        torch.cuda.set_device(device)
    else:
        device = torch.device("cpu")  # gloo's only device
    if os.environ["GROUP_WORLD_SIZE"] != "1":  # torchrun's number of machines
        _listen_where_others_are(os.environ["MASTER_ADDR"])
    backend = "cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo"  # counts are added up on the CPU
    store, rank, size = next(dist.rendezvous("env://"))
    # After a restart, torchrun may hand out the previous store, with the addresses of processes that ended.
    store = dist.PrefixStore(f"start {store.add(f'starts of {rank}', 1)}", store)
    dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=PATIENCE)
    try:
        yield ProcessGroup(rank, size), device
    except RuntimeError as error:
        if (
            not isinstance(error, dist.DistError)
            and "Connection" not in str(error)
            and "peer" not in str(error)
        ):
            raise
        raise lost_peer(str(error)) from None
    finally:
        dist.destroy_process_group()


def _listen_where_others_are(first_machine: str) -> None:
    """Make gloo listen on the interface that leads to the first machine.

    By itself it takes that of this machine's own name, which many systems look up as 127.0.1.1.
    """
    import psutil

    with suppress(OSError):
        family, kind, *_, address = socket.getaddrinfo(first_machine, 9, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as probe:
            probe.connect(address)  # sends nothing
            own = probe.getsockname()[0]
        for name, addresses in psutil.net_if_addrs().items():
            if own in (entry.address for entry in addresses):
                os.environ.setdefault("GLOO_SOCKET_IFNAME", name)


def lost_peer(reason: str) -> TrainingError:
    """Say that the job cannot continue without one of its processes."""
    last = reason.strip().splitlines()[-1]
    return TrainingError(
        "Another process of this training job has ended.",
        why=re.sub(r"^\[\S+\] ", "", last).partition(". ")[0][:200],
        left="The checkpoint of the last finished epoch.",
        next_step="Run the same command again: it resumes there. torchrun --max-restarts=3 does it for you.",
    )
