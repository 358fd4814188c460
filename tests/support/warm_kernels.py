"""Kernels that are forked from a process which has imported the libraries that every notebook imports.

The imports take a kernel two seconds of a processor and say nothing about a notebook; each kernel still
imports the course itself. pyproject.toml loads this as a plugin of pytest. As a script, it runs the module
that it is given, whose kernels are then forked.
"""

from __future__ import annotations

import multiprocessing
import os
import runpy
import sys
import threading
from collections.abc import Iterator
from multiprocessing import forkserver, popen_forkserver
from multiprocessing.connection import Connection
from types import SimpleNamespace
from unittest.mock import patch

import pytest
from jupyter_client.provisioning import local_provisioner

IMPORTED = ["torch", "torchvision", "matplotlib.pyplot", "ipykernel.kernelapp", "ipykernel.ipkernel"]
_TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# Not the one that multiprocessing shares: whoever else forks from that wants fewer imports.
_server = forkserver.ForkServer()
_server.set_forkserver_preload(IMPORTED)
_as_module = SimpleNamespace(
    connect_to_new_process=_server.connect_to_new_process, read_signed=forkserver.read_signed
)
_cold = local_provisioner.launch_kernel


def warm() -> None:
    """On Linux, fork the kernels that Jupyter starts in this process."""
    if sys.platform == "linux":
        local_provisioner.launch_kernel = _Forked


pytest_configure = warm


@pytest.fixture
def cold_kernels(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Kernels are processes of their own from the start, as they are for readers."""
    monkeypatch.setattr(local_provisioner, "launch_kernel", _cold)


class _Forked:
    """As much of `subprocess.Popen` as Jupyter uses."""

    stdin = stdout = stderr = None

    def __init__(
        self, command: list[str], *, env: dict[str, str], cwd: str | None = None, **_: object
    ) -> None:
        context = multiprocessing.get_context("forkserver")
        ready, say_ready = context.Pipe(duplex=False)
        options = command[command.index("ipykernel_launcher") :]
        self._process = context.Process(target=_run, args=(options, cwd or os.getcwd(), env, say_ready))
        with patch.object(popen_forkserver, "forkserver", _as_module):
            self._process.start()
        say_ready.close()
        ready.recv()  # from here on it leads a group of its own
        self.pid, self.kill, self.terminate = self._process.pid, self._process.kill, self._process.terminate

    def send_signal(self, number: int) -> None:
        os.kill(self.pid, number)

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int | None:
        self._process.join(timeout)
        return self._process.exitcode


def _run(options: list[str], folder: str, environment: dict[str, str], say_ready: Connection) -> None:
    import matplotlib
    from ipykernel import kernelapp

    os.setsid()
    say_ready.send(None)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    # As in a new interpreter: without the tests' folders, and with the backend that ipykernel asks for.
    sys.path[:] = [place for place in sys.path if not place.startswith(_TESTS)]
    matplotlib.rcParams["backend"] = "module://matplotlib_inline.backend_inline"
    sys.argv = options
    kernelapp.launch_new_instance()


def _end_with_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)


if __name__ == "__main__":
    from warm_kernels import warm as warm_from_here  # the forked processes find what to run by this name

    del sys.argv[0]
    warm_from_here()
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
