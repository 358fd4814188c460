"""The grader's end of the fork server: a process from which kernels are forked."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from functools import cache
from pathlib import Path
from typing import IO

from course_utils.errors import NotebookError
from course_utils.grading.redact import write_redacted
from course_utils.grading.sandbox.inside.walls import Spec

MODULES = "course_utils.grading.sandbox.inside"
_PREFIX = "course-grade-"
_LOCKED_SECONDS = 60.0
_START_SECONDS = 120.0
_LONGEST = 1 << 16


def environment() -> dict[str, str]:
    """Return the complete environment of sandboxed processes: it contains nothing of the grader's own."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "LOGNAME": "student",
        "PYTHONPATH": str(redacted_course_folder()),
        "PYTHONHASHSEED": "0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "MPLBACKEND": "agg",
        "JUPYTER_PLATFORM_DIRS": "1",
        **threads,
    }


@cache
def own_folder() -> Path:
    """Return this process's temporary folder, which is removed at exit; and remove those of killed ones."""
    for other in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        if _is_left_behind(other):
            remove_folder(other)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX)).resolve()
    folder.chmod(0o711)
    _hold(folder)
    owner = os.getpid()
    atexit.register(lambda: remove_folder(folder) if os.getpid() == owner else None)
    return folder


def _is_left_behind(folder: Path) -> bool:
    """Whether a folder is this user's, and the process that made it has ended."""
    try:
        about = folder.lstat()
        is_new = time.time() - about.st_mtime < _LOCKED_SECONDS
        if about.st_uid != os.geteuid() or is_new or not stat.S_ISDIR(about.st_mode):
            return False
        os.close(_hold(folder))
    except OSError:
        return False
    return True


def _hold(folder: Path) -> int:
    """Lock a folder for as long as this process lives, or until what is returned is closed."""
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise
    return handle


@cache
def redacted_course_folder() -> Path:
    """Return the folder with the redacted course; each process writes one."""
    folder = own_folder() / "course"
    folder.mkdir()
    write_redacted(folder)
    subprocess.run(
        [sys.executable, "-m", "compileall", "-q", str(folder)], check=True, stdin=subprocess.DEVNULL
    )
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder


def remove_folder(folder: Path) -> None:
    """Remove a folder whatever it contains: files without permissions, folders nested a thousand deep."""
    with contextlib.suppress(RecursionError):
        shutil.rmtree(folder, ignore_errors=True)
    if folder.exists() and sys.platform != "win32":
        for command in (["chmod", "-R", "u+rwX"], ["rm", "-rf"]):
            subprocess.run([*command, "--", str(folder)], check=False, capture_output=True)


class Launcher:
    """The fork server: it has imported everything, and forks supervisors with their kernels."""

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
                why=self.complaints() or "The process from which kernels are forked ended at once.",
                next_step="Run course doctor.",
            )

    @property
    def alive(self) -> bool:
        """Whether kernels can be forked."""
        return self.owner == os.getpid() and self._process.poll() is None

    def fork(self, spec: Spec) -> socket.socket:
        """Fork a supervisor and its kernel; return the connection to the supervisor. Closing it ends them."""
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
        """End the process. Supervisors end running kernels when their connections are closed."""
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
