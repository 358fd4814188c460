"""Real processes that train together, forked from this one: they need not import PyTorch again."""

from __future__ import annotations

import multiprocessing
import os
import sys
import traceback
from collections.abc import Callable
from datetime import timedelta
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.launcher.api import elastic_launch
from torch.distributed.run import config_from_args, parse_args

FORK = multiprocessing.get_context("fork")


def together(function: Callable[[int], Any], folder: Path) -> list[Any]:
    """Return what `function` returns in either process of a gloo group, given its rank."""

    def join(rank: int) -> None:
        torch.set_num_threads(1)  # the threads of the forked process are not there
        store = dist.FileStore(str(folder / "store"), 2)
        dist.init_process_group("gloo", store=store, rank=rank, world_size=2, timeout=timedelta(seconds=60))
        try:
            torch.save(function(rank), folder / f"{rank}.pt")
        except BaseException:
            traceback.print_exc()
            raise
        dist.destroy_process_group()

    processes = [FORK.Process(target=join, args=(rank,)) for rank in range(2)]
    for process in processes:
        process.start()
    assert [ended(process) for process in processes] == [0, 0]
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


def torchrun(options: str, function: Callable[..., Any], *arguments: Any, log: Path) -> ForkProcess:
    """Start torchrun as its command line does, with a function in place of the script.

    What it and its processes print goes to `log`, with the endings ``.out`` and ``.err``.
    """

    def launch() -> None:
        torch.set_num_threads(1)
        for name, number in (("stdout", 1), ("stderr", 2)):
            file = log.with_suffix(f".{name[3:]}").open("a", buffering=1)
            os.dup2(file.fileno(), number)
            setattr(sys, name, file)
        config, *_ = config_from_args(parse_args([*options.split(), "--start-method=fork", "script"]))
        elastic_launch(config, function)(*arguments)

    process = FORK.Process(target=launch)
    process.start()
    return process


def ended(process: ForkProcess, seconds: float = 90) -> int | None:
    """Return the exit code of a process; one that takes longer is ended, and returns None."""
    process.join(seconds)
    code = process.exitcode
    process.terminate()
    return code
