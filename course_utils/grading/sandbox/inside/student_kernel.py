"""The student's kernel: IPython's own, with the few settings that it needs."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from typing import Any

from course_utils.grading.sandbox.inside.walls import Spec


def prepare() -> None:
    """Import what every kernel needs, once, before kernels are forked."""
    # The kernel starts faster without these two, and nobody debugs or completes code here.
    for name in ("debugpy", "jedi"):
        sys.modules[name] = None  # type: ignore[assignment]
    import ipykernel.kernelapp  # noqa: F401
    import numpy  # noqa: F401
    import torch
    import torch.nn.functional

    from course_utils import exercises
    from course_utils.grading.sandbox.inside import observer  # noqa: F401

    torch.set_num_threads(1)
    for name in exercises.names():
        exercises.get(name)


def run(spec: Spec) -> int:
    """Run a kernel until the grader ends it."""
    for name in ("HOME", "TMPDIR", "IPYTHONDIR", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR"):
        os.environ[name] = spec.home
    tempfile.tempdir = spec.home
    os.chdir(spec.home)
    sys.argv = ["kernel"]
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
    ports = ("shell", "iopub", "stdin", "hb", "control")
    app = _application()
    app.initialize(arguments + [f"--{name}={connection[f'{name}_port']}" for name in ports])
    # A line such as "!pip install" has no place in an answer, and there is no terminal to run it in.
    app.shell.system = app.shell.getoutput = lambda *_, **__: None
    app.start()
    return 0


def _application() -> Any:
    from ipykernel import iostream, kernelapp

    def without_pipe(socket: Any, **more: Any) -> iostream.IOPubThread:
        return iostream.IOPubThread(socket, **(more | {"pipe": False}))

    class Application(kernelapp.IPKernelApp):
        def init_iopub(self, context: Any) -> None:
            # What child processes print would come through a TCP socket, but there is no network.
            kernelapp.IOPubThread = without_pipe  # type: ignore[misc, assignment]
            super().init_iopub(context)

        def init_io(self) -> None:
            super().init_io()
            # Nobody reads what a submission prints, so a flood costs nothing. Nor does it keep the error
            # stream that it would share with others.
            for handle in range(3):
                os.dup2(self.nothing, handle)
            sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115

        nothing = os.open(os.devnull, os.O_RDWR)

    return Application.instance()
