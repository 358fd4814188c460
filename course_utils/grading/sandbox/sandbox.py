"""One kernel in its sandbox, as the grader sees it."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import secrets
import select
import signal
import socket
import stat
import sys
import tempfile
import time
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

from course_utils.grading.records import Isolation, Limits
from course_utils.grading.redact import PACKAGE
from course_utils.grading.sandbox.copies import find_copies
from course_utils.grading.sandbox.inside import supervisor
from course_utils.grading.sandbox.inside.walls import SYSTEM, Spec
from course_utils.grading.sandbox.launch import launcher, own_folder, redacted_course_folder, remove_folder

_CHANNELS = ("shell", "iopub", "stdin", "control", "hb")
_END_SECONDS = 15.0
# Above what systems assign to people, services and containers; process ids have at most 22 bits.
_FIRST_USER = 0x7000_0000
_USERS = 64
_LIBRARIES = ("torch", "numpy", "ipykernel", "zmq")
_numbers = itertools.count()


class Sandbox:
    """Start a kernel; leaving the context ends all its processes and removes its private folder.

    Attributes
    ----------
    connection : dict
        How to reach the kernel, in the form of a Jupyter connection file.
    ended : str or None
        Why the kernel ended, as soon as that is known.
    """

    def __init__(self, isolation: Isolation, limits: Limits) -> None:
        self.spec = new_spec(isolation.mechanisms, limits)
        self.ended: str | None = None
        self.connection: dict[str, Any] = {
            "transport": "ipc",
            "ip": f"{self.spec.exchange}/k",
            "key": secrets.token_hex(16),
            "signature_scheme": "hmac-sha256",
            **{f"{name}_port": number for number, name in enumerate(_CHANNELS, 1)},
        }
        connection = Path(self.spec.connection)
        connection.write_text(json.dumps(self.connection), encoding="utf-8")
        if "uid" in isolation.mechanisms:
            os.chown(connection, self.spec.uid, self.spec.uid)
        self._exchange = os.open(self.spec.exchange, os.O_RDONLY | os.O_DIRECTORY)
        self._line: socket.socket | None = None
        self._supervisor = 0
        self._watched: psutil.Process | None = None
        self._used = 0.0

    def __enter__(self) -> Sandbox:
        try:
            self._line = launcher().fork(self.spec)
            self._line.settimeout(_END_SECONDS)
            self._supervisor = int(json.loads(self._line.recv(4096) or b"0"))
            with contextlib.suppress(psutil.Error):
                self._watched = psutil.Process(self._supervisor)
        except BaseException:
            self._forget()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    @property
    def alive(self) -> bool:
        """Whether the kernel runs."""
        if self.ended is None and self._line is not None and select.select([self._line], [], [], 0)[0]:
            self.ended = self._last_words()
        return self.ended is None and self._line is not None

    def cpu_seconds(self) -> float:
        """Return the CPU time that all processes of the kernel have used, also those that have ended."""
        if self._watched is None:
            return 0.0
        # It has ended where this fails, even if another process has its number now.
        with contextlib.suppress(psutil.Error):
            used = 0.0
            for process in (self._watched, *self._watched.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    used += sum(process.cpu_times()[:4])  # the last two are those of children that have ended
            self._used = max(self._used, used)
        return self._used

    def wait_for_sockets(self, seconds: float) -> bool:
        """Wait until the kernel can be reached; return whether it can."""
        wanted = [f"{self.connection['ip']}-{number}" for number in range(1, len(_CHANNELS) + 1)]
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.alive:
            if all(os.path.exists(path) for path in wanted):
                return True
            time.sleep(0.005)
        return False

    def read(self, name: str, most: int) -> bytes | None:
        """Return a plain file of the exchange folder, None if there is none or it is larger than `most`."""
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            handle = os.open(name, flags, dir_fd=self._exchange)
        except OSError:
            return None
        about = os.fstat(handle)
        if not stat.S_ISREG(about.st_mode) or about.st_size > most:
            os.close(handle)
            return None
        with open(handle, "rb") as file:
            content = file.read(most + 1)
        return content if len(content) <= most else None

    def path(self, name: str) -> str:
        """Return where the kernel writes a file that `read` finds."""
        return f"{self.spec.exchange}/{name}"

    def end(self) -> None:
        """End every process of the kernel and remove its folder."""
        if self._line is not None:
            with contextlib.suppress(OSError):
                self._line.shutdown(socket.SHUT_WR)
            if self.ended is None:
                select.select([self._line], [], [], _END_SECONDS)
                self.ended = self._last_words()
            # The supervisor is gone when its end of the connection is.
            try:
                while self._line.recv(4096):
                    continue
            except OSError:
                self._kill_supervisor()
            self._line.close()
            self._line = None
        self._forget()

    def _last_words(self) -> str:
        assert self._line is not None
        with contextlib.suppress(OSError, ValueError):
            self._line.settimeout(_END_SECONDS)
            return str(json.loads(self._line.recv(4096) or b'"its supervisor was ended"'))
        return "its supervisor was ended"

    def _kill_supervisor(self) -> None:
        """End a supervisor that does not answer, and what it should have ended."""
        if sys.platform == "linux" and self._supervisor:
            for pid in (self._supervisor, *list(supervisor.descendants(self._supervisor))):
                with contextlib.suppress(OSError):
                    os.kill(pid, signal.SIGKILL)

    def _forget(self) -> None:
        if self._exchange >= 0:
            os.close(self._exchange)
            self._exchange = -1
        remove_folder(Path(self.spec.folder))


def users() -> range:
    """Return the user ids of this process's kernels: one for each, so that limits by user count it alone."""
    first = _FIRST_USER + os.getpid() * _USERS
    return range(first, first + _USERS)


def new_spec(mechanisms: tuple[str, ...], limits: Limits) -> Spec:
    """Make a private folder and return the spec of a sandbox in it."""
    folder = Path(tempfile.mkdtemp(dir=own_folder()))
    folder.chmod(0o711)
    user = users().start + next(_numbers) % _USERS
    for name in ("home", "exchange"):
        (folder / name).mkdir(mode=0o700)
        if "uid" in mechanisms:
            os.chown(folder / name, user, user)
    return Spec(
        mechanisms=mechanisms,
        folder=str(folder),
        home=str(folder / "home"),
        exchange=str(folder / "exchange"),
        visible=_visible(),
        hidden=(*_hidden(), *other_copies()),
        uid=user,
        memory=limits.memory_bytes,
        processes=limits.processes,
        file_bytes=limits.file_bytes,
        files=limits.files,
        seconds=int(limits.notebook_seconds) + 10,
        connection=str(folder / "exchange" / "connection.json"),
    )


@cache
def _visible() -> tuple[str, ...]:
    """Python and the libraries, wherever they are installed."""
    found = {Path(sys.prefix), Path(sys.base_prefix), Path(sys.exec_prefix), Path(sys.executable).resolve()}
    for name in _LIBRARIES:
        library = find_spec(name)
        if library and library.origin:
            found.add(Path(library.origin).parents[1])
    shown = [path for path in found if not any(other in path.parents for other in (*found, Path("/usr")))]
    return (
        *sorted(str(path) for path in shown if path not in (Path("/"), Path("/usr"))),
        str(redacted_course_folder()),
    )


@cache
def _hidden() -> tuple[str, ...]:
    """The course itself with its answers, and the folder that it is developed in."""
    course = PACKAGE
    developed_in = course.parent if (course.parent / "pyproject.toml").exists() else None
    return tuple(str(path) for path in (course, developed_in) if path)


def other_copies() -> tuple[str, ...]:
    """Return where else, among what kernels can read, the course's answers are."""
    return _copies(_visible(), _hidden())


@cache
def _copies(visible: tuple[str, ...], hidden: tuple[str, ...]) -> tuple[str, ...]:
    known = (*hidden, str(redacted_course_folder()))
    return tuple(sorted(find_copies((*SYSTEM, *visible), known)))
