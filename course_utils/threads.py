"""How many threads compute, and how they wait for one another where many people share a machine.

On Linux, PyTorch's CPU threads come from GNU's OpenMP library and synchronise several times in every layer. A
waiting thread spins: it keeps its core busy so that it can continue at once. That pays off while each thread
has its own core. With four kernels on two cores, a thread spins while the one it waits for has no core to run
on, and everything takes many times longer. With this module a waiting thread spins for a moment and then
sleeps, as in LLVM's and Intel's libraries.

Importing `course_utils` calls `share_cores`. Variables that are already set are left alone.
"""

from __future__ import annotations

import math
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

SPINS = "1000"
"""How often a waiting thread spins; the library's default is 300,000."""

_THREADS = "OMP_NUM_THREADS"
_MOST_IDLE = 32


def usable_cores(root: Path = Path("/")) -> int:
    """Count the cores that this process may keep busy.

    They are the cores that it is bound to, and no more than the quota of its control group (a container's
    ``--cpus``, a hub's limit). A fraction of a core counts as one.

    Parameters
    ----------
    root : Path
        Where ``proc`` and ``sys`` are found.
    """
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([bound, *(math.ceil(quota) for quota in _quotas(root))]))


def share_cores() -> None:
    """Use no more threads than cores, and let waiting threads sleep.

    Before PyTorch is imported, environment variables ask for both, and child processes inherit them.
    Afterwards, PyTorch is told the number of threads, and `_outnumber_the_cores` makes them wait briefly.
    """
    asked = not os.environ.keys().isdisjoint({"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"})
    if not asked:
        os.environ["GOMP_SPINCOUNT"] = SPINS
    cores = usable_cores()
    if "torch" not in sys.modules:
        if cores < (os.cpu_count() or 1):
            os.environ.setdefault(_THREADS, str(cores))
        return

    import torch

    if _THREADS not in os.environ and torch.get_num_threads() > cores:
        torch.set_num_threads(cores)
    if not asked and sys.platform == "linux":
        _outnumber_the_cores()


def _outnumber_the_cores() -> None:
    """Keep idle threads: GNU's OpenMP library cuts spinning short when it has more threads than cores.

    See ``gomp_throttled_spin_count_var`` in GCC's ``libgomp/env.c``.
    """
    import torch

    mine = torch.get_num_threads()
    idle = len(os.sched_getaffinity(0)) - mine + 2
    if mine == 1 or idle > _MOST_IDLE:
        return
    started = threading.Event()

    def start_and_stay() -> None:
        # The library's threads belong to the thread that first computes with them, and end with it.
        torch.set_num_threads(idle)
        torch.zeros(idle << 15).add_(1)
        started.set()
        threading.Event().wait()

    try:
        threading.Thread(target=start_and_stay, name="idle-openmp", daemon=True).start()
    except RuntimeError:  # no further thread is allowed here
        return
    started.wait()
    torch.set_num_threads(mine)


def _quotas(root: Path) -> Iterator[float]:
    """Yield the quotas, in cores, of the control groups that this process is in."""
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:  # version 2
            top = root / "sys/fs/cgroup"
        elif "cpu" in controllers.split(","):
            top = root / "sys/fs/cgroup/cpu"
        else:
            continue
        # Parent groups limit it, too. In a container the path may be the host's, and only the top exists.
        group = top / path.lstrip("/")
        for folder in (group, *group.parents):
            yield from _quota(folder)
            if folder == top:
                break


def _quota(group: Path) -> list[float]:
    with suppress(OSError, ValueError):
        if (group / "cpu.max").exists():
            quota, period = (group / "cpu.max").read_text(encoding="ascii").split()
        else:
            quota = (group / "cpu.cfs_quota_us").read_text(encoding="ascii")
            period = (group / "cpu.cfs_period_us").read_text(encoding="ascii")
        return [int(quota) / int(period)] if int(quota) > 0 else []
    return []
