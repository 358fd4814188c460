"""The grader's end of the fork server: a process from which kernels are forked."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import threading
from typing import IO

from course_utils.errors import NotebookError
from course_utils.grading.sandbox import folders
from course_utils.grading.sandbox.inside.walls import Spec

MODULES = "course_utils.grading.sandbox.inside"
_START_SECONDS = 120.0
_LONGEST = 1 << 16


def environment() -> dict[str, str]:
    """Return the whole environment of what runs apart: nothing of the grader's own is in it."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "LOGNAME": "student",
        "PYTHONPATH": str(folders.redacted_course_folder()),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "MPLBACKEND": "agg",
        "JUPYTER_PLATFORM_DIRS": "1",
        **threads,
    }


class Launcher:
    """One process that has imported everything and forks supervisors with their kernels."""

    def __init__(self) -> None:
        self.owner = os.getpid()
        self._complaints: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            handle = theirs.fileno()
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", f"{MODULES}.fork_server", str(handle)],
                env=environment(),
                pass_fds=(handle,),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._complaints,
                start_new_session=True,
            )
        self._control.settimeout(_START_SECONDS)
        try:
            ready = self._control.recv(_LONGEST)
        except OSError:
            ready = b""
        if not ready:
            self.close()
            raise NotebookError(
                "No kernel could be started for grading.",
                why=self.complaints() or "The process that kernels are forked from ended at once.",
                next_step="Run course doctor.",
            )

    @property
    def alive(self) -> bool:
        """Whether kernels can be forked."""
        return self.owner == os.getpid() and self._process.poll() is None

    def fork(self, spec: Spec) -> socket.socket:
        """Fork a supervisor and its kernel; return the line to the supervisor. Closing it ends them."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            text = spec.to_json().encode()
            socket.send_fds(self._control, [text], [theirs.fileno()])
        return ours

    def complaints(self) -> str:
        """Return the end of what the fork server and its children wrote to standard error."""
        with contextlib.suppress(OSError, ValueError):
            self._complaints.seek(0)
            return self._complaints.read().decode(errors="replace")[-2000:]
        return ""

    def close(self) -> None:
        """End the process; kernels that run are ended by their supervisors when their lines are closed."""
        self._control.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()


_launcher: Launcher | None = None
_lock = threading.Lock()


def launcher() -> Launcher:
    """Return this process's fork server; it is started at the first call and whenever it has died."""
    global _launcher
    with _lock:
        if _launcher is None or not _launcher.alive:
            _launcher = Launcher()
        return _launcher
