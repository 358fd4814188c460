"""The student's kernel: IPython's own, told what little it needs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from course_utils.grading.isolation.inside.walls import Spec


def prepare() -> None:
    """Import what every kernel needs, once, before kernels are forked."""
    # Without these two the kernel starts faster, and nobody debugs or completes here.
    for name in ("debugpy", "jedi"):
        sys.modules[name] = None  # type: ignore[assignment]
    import ipykernel.kernelapp  # noqa: F401
    import numpy  # noqa: F401
    import torch
    import torch.nn.functional

    from course_utils import exercises
    from course_utils.grading.isolation.inside import observer  # noqa: F401

    torch.set_num_threads(1)
    for name in exercises.names():
        exercises.get(name)


def _without_pipe(thread: Callable[..., Any], socket: Any, **more: Any) -> Any:
    return thread(socket, **(more | {"pipe": False}))


def run(spec: Spec) -> int:
    """Be a kernel until the grader has enough."""
    for name in ("HOME", "TMPDIR", "IPYTHONDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR"):
        os.environ[name] = spec.home
    import tempfile

    tempfile.tempdir = spec.home
    os.chdir(spec.home)
    sys.argv = ["kernel"]
    from ipykernel import iostream, kernelapp

    # What child processes print would come through a TCP socket, which there is none of.
    kernelapp.IOPubThread = partial(_without_pipe, iostream.IOPubThread)  # type: ignore[misc, assignment]
    with open(spec.connection, encoding="utf-8") as file:
        connection: dict[str, Any] = json.load(file)
    options = {
        "IPKernelApp.transport": "ipc",
        "IPKernelApp.ip": connection["ip"],
        "Session.key": connection["key"],
        "HistoryManager.enabled": False,
        "InteractiveShell.cache_size": 0,
        "IPKernelApp.log_level": 50,
        "IPKernelApp.capture_fd_output": False,
    }
    arguments = [f"--{name}={value}" for name, value in options.items()]
    arguments += [f"--{name}={connection[f'{name}_port']}" for name in ("shell", "iopub", "stdin", "hb")]
    arguments.append(f"--control={connection['control_port']}")
    app = kernelapp.IPKernelApp.instance()
    app.initialize(arguments)
    app.start()
    return 0
