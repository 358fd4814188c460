"""Takes from the course what Windows lacks; import it before the course.

Only the course's own modules miss it: the libraries have ways of their own for Windows, which cannot be
tried elsewhere. Files below the folder TESTS_WINDOWS_FOLDER keep to Windows' rule: what is open or mapped is
neither removed nor replaced.
"""

from __future__ import annotations

import builtins
import os
import pathlib
import platform
import signal
import socket
import sys
from types import ModuleType
from typing import Any

GONE_MODULES = {"fcntl", "grp", "pwd", "resource", "termios", "tty"}
GONE = {
    os: {"O_CLOEXEC", "O_DIRECTORY", "O_NOFOLLOW", "O_NONBLOCK", "PRIO_PROCESS", "WNOHANG", "chown", "fchmod",
         "fork", "getegid", "geteuid", "getgid", "getloadavg", "getpgid", "getpgrp", "getpriority", "getuid",
         "killpg", "mkfifo", "nice", "pread", "register_at_fork", "sched_getaffinity", "sched_setaffinity",
         "setpgid", "setpriority", "setsid", "setuid", "statvfs", "sysconf", "uname", "wait"},
    signal: {"ITIMER_REAL", "SIGALRM", "SIGCHLD", "SIGHUP", "SIGKILL", "SIGSTOP", "SIGUSR1", "alarm",
             "pthread_kill", "pthread_sigmask", "setitimer"},
    socket: {"AF_UNIX", "SOCK_SEQPACKET", "recv_fds", "send_fds"},
}  # fmt: skip
INSTEAD: dict[ModuleType, dict[str, Any]] = {
    os: {"name": "nt"},
    sys: {"platform": "win32"},
    platform: {"system": lambda: "Windows"},
}
FOLDER = os.path.realpath(os.environ["TESTS_WINDOWS_FOLDER"])


class _OnWindows(ModuleType):
    """A module as Windows has it."""

    def __init__(self, module: ModuleType) -> None:
        super().__init__(module.__name__)
        self.__dict__.update(_module=module)

    def __getattr__(self, name: str) -> Any:
        if name in GONE.get(self._module, ()):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r} on Windows")
        return INSTEAD.get(self._module, {}).get(name, getattr(self._module, name))


_MODULES = {module.__name__: _OnWindows(module) for module in {*GONE, *INSTEAD}}
_import = builtins.__import__


def _import_on_windows(name: str, globals: Any = None, *rest: Any, **named: Any) -> Any:
    if globals and str(globals.get("__name__")).startswith("course_utils"):
        if name in GONE_MODULES:
            raise ModuleNotFoundError(f"No module named {name!r} on Windows", name=name)
        if name in _MODULES:
            return _MODULES[name]
    return _import(name, globals, *rest, **named)


def in_use(path: str) -> bool:
    """Whether this process has the file open or mapped."""
    real = os.path.realpath(path)
    if not real.startswith(FOLDER):
        return False
    for number in os.listdir("/proc/self/fd"):
        try:
            if os.readlink(f"/proc/self/fd/{number}") == real:
                return True
        except OSError:
            continue
    return real in pathlib.Path("/proc/self/maps").read_text(encoding="utf-8")


def _refusing(change: Any, count: int) -> Any:
    def changed(*paths: Any, **options: Any) -> Any:
        for path in paths[:count]:
            if in_use(os.fspath(path)):
                raise PermissionError(13, "The process cannot access the file: it is in use", str(path))
        return change(*paths, **options)

    return changed


builtins.__import__ = _import_on_windows
os.replace, os.rename = _refusing(os.replace, 2), _refusing(os.rename, 2)
os.unlink, os.remove = _refusing(os.unlink, 1), _refusing(os.remove, 1)
