"""Which accelerator to use, why, and what it is."""

from __future__ import annotations

import os
import platform
import subprocess
from contextlib import suppress
from pathlib import Path

import torch

from course_utils import settings
from course_utils.errors import DeviceError


def available_devices() -> list[str]:
    """Name every device that PyTorch can use here, best first, for example ``['cuda:0', 'cpu']``."""
    cuda = (
        [f"cuda:{index}" for index in range(torch.cuda.device_count())] if torch.cuda.is_available() else []
    )
    mps = ["mps"] if torch.backends.mps.is_available() else []
    xpu = [f"xpu:{index}" for index in range(torch.xpu.device_count())] if torch.xpu.is_available() else []
    return [*cuda, *mps, *xpu, "cpu"]


def pick_device(wish: str | torch.device | None = None) -> torch.device:
    """Pick the device to compute on.

    Parameters
    ----------
    wish : str or torch.device, optional
        The name of a device. Defaults to ``COURSE_DEVICE``; if that is not set either, the first of CUDA,
        MPS, XPU and CPU that exists.

    Returns
    -------
    torch.device
        With its index where the kind has one (``cuda:0``).

    Raises
    ------
    DeviceError
        If the device is unknown or missing; the message lists those that exist.

    Examples
    --------
    >>> pick_device("cpu")
    device(type='cpu')
    >>> str(pick_device()) in available_devices()
    True
    """
    asked = wish if wish is not None else settings.read().device
    present = available_devices()
    if asked is None:
        return torch.device(present[0])
    return _present(asked, present, "COURSE_DEVICE" if wish is None else "The call")


def describe_device(device: str | torch.device | None = None) -> str:
    """Say in one line which device is used, why, and what it is.

    Parameters
    ----------
    device : str or torch.device, optional
        Defaults to what `pick_device` picks.

    Returns
    -------
    str
        For example ``cuda:0 (the first of CUDA, MPS, XPU, CPU here): NVIDIA H200, 140 GiB``.

    Examples
    --------
    >>> print(describe_device("cpu"))
    cpu (...): ..., ... thread...
    """
    chosen = pick_device(device)
    if device is not None and chosen != pick_device():
        reason = "as asked"
    elif settings.read().device:
        reason = "COURSE_DEVICE asks for it"
    elif chosen.type == "cpu":
        reason = "no CUDA, MPS or XPU device here"
    else:
        reason = "the first of CUDA, MPS, XPU, CPU here"
    return f"{chosen} ({reason}): {_hardware(chosen)}"


def synchronize(device: str | torch.device) -> None:
    """Wait until the device has finished all queued work; a CPU always has."""
    kind = torch.device(device).type
    if kind == "cuda":
        torch.cuda.synchronize(device)
    elif kind == "mps":
        torch.mps.synchronize()
    elif kind == "xpu":
        torch.xpu.synchronize(device)


def _present(asked: str | torch.device, present: list[str], asker: str) -> torch.device:
    next_step = f"Use {' or '.join(present)}" + (
        ", or unset COURSE_DEVICE." if asker == "COURSE_DEVICE" else "."
    )
    try:
        device = torch.device(asked)
    except (RuntimeError, TypeError):
        raise DeviceError(
            f"There is no device {str(asked)!r}.",
            why=f"{asker} asks for it; this machine has {', '.join(present)}. "
            "PyTorch's name for a GPU is cuda (NVIDIA, AMD), mps (Apple) or xpu (Intel).",
            next_step=next_step,
        ) from None
    if device.type in ("cuda", "xpu") and device.index is None:
        device = torch.device(device.type, 0)
    elif device.type in ("cpu", "mps"):
        device = torch.device(device.type)
    if str(device) not in present:
        raise DeviceError(
            f"The device {device} cannot be used here.",
            why=f"{asker} asks for it; PyTorch {torch.__version__} finds {', '.join(present)}.",
            next_step=next_step,
        )
    return device


def _hardware(device: torch.device) -> str:
    if device.type in ("cuda", "xpu"):
        kind = torch.cuda if device.type == "cuda" else torch.xpu
        properties = kind.get_device_properties(device)
        return f"{properties.name}, {_gibibytes(properties.total_memory)}"
    # os.cpu_count() counts the host's cores inside a container; PyTorch's threads are what is actually used.
    threads = torch.get_num_threads()
    parts = [cpu_model(), f"{threads} thread{'s' * (threads != 1)}"]
    memory = main_memory()
    return ", ".join([*parts, f"{_gibibytes(memory)} memory"] if memory else parts)


def cpu_model() -> str:
    """Name the processor's model, as far as the operating system knows it."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    if platform.system() == "Darwin":
        asked = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
        answer = subprocess.run(asked, capture_output=True, encoding="utf-8", timeout=5, check=False)
        if answer.stdout.strip():
            return answer.stdout.strip()
    return platform.processor() or platform.machine() or "unknown processor"


def main_memory() -> int | None:
    """Bytes of memory that this process may use, or None where the system does not say."""
    sizes = []
    if hasattr(os, "sysconf"):
        with suppress(ValueError, OSError):
            sizes.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    # A container may use less than the machine has.
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            sizes.append(int(Path(limit).read_text(encoding="ascii")))
        except (OSError, ValueError):
            continue
    return min(sizes, default=None)


def _gibibytes(size: int) -> str:
    return f"{size / 2**30:.0f} GiB"
