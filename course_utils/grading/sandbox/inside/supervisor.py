"""The supervisor: the process that watches over one kernel and leaves nothing of it behind."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator

from course_utils.grading.sandbox.inside import syscalls, walls
from course_utils.grading.sandbox.inside.walls import Spec

_EVERY = 0.1
_PATIENCE = 10.0


def watch(spec: Spec, line: socket.socket, kernel: int) -> str:
    """Wait until the kernel ends, the grader hangs up, or a limit is reached; kill what is left.

    Returns
    -------
    str
        Why it ended, in words; empty when the grader hung up.
    """
    ended = None
    while ended is None:
        hung_up, _, _ = select.select([line], [], [], _EVERY)
        code = _reaped(kernel)
        if hung_up:
            ended = ""
        elif code is not None:
            ended = "it ended by itself" + (f" (code {code})" if code else "")
        else:
            ended = _over(spec)
    remaining = _clear(spec)
    return f"{ended}; {remaining} processes could not be ended" if remaining else ended


def main(spec: Spec, line: socket.socket, start: Callable[[Spec], int]) -> int:
    """Start the kernel behind its walls and watch it; tell the grader how it ended."""
    os.setsid()
    if sys.platform == "linux":
        syscalls.adopt_orphans()

    def outer() -> int:
        line.close()
        if sys.platform == "linux":
            # A process that acts on itself through /proc needs its memory open.
            syscalls.close_memory(closed=False)
        return walls.behind_walls(spec, lambda: start(spec))

    line.send(json.dumps(os.getpid()).encode())
    kernel = walls.child(outer)
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, 0, -10)
    reason = watch(spec, line, kernel)
    with contextlib.suppress(OSError):
        line.send(json.dumps(reason).encode())
    return 0


def _reaped(kernel: int) -> int | None:
    """Collect what has ended; return the kernel's exit code if it has."""
    code = None
    try:
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return code
            if pid == kernel:
                code = os.waitstatus_to_exitcode(status)
    except ChildProcessError:
        return 0 if code is None else code


def descendants(pid: int) -> Iterator[int]:
    """Yield every process below `pid`, from /proc."""
    parents: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    parent = int(file.read().rpartition(b")")[2].split()[1])
            except (OSError, IndexError, ValueError):
                continue
            parents.setdefault(parent, []).append(int(name))
    ahead = list(parents.get(pid, ()))
    while ahead:
        found = ahead.pop()
        yield found
        ahead += parents.get(found, ())


def _over(spec: Spec) -> str | None:
    """Return which limit all processes together are over."""
    if sys.platform == "linux":
        below = list(descendants(os.getpid()))
        if len(below) > spec.processes:
            return "it started more processes than allowed"
        # Shared memory counts once, but that is slow to determine: first a quick look.
        if all(sum(map(look, below)) > spec.memory for look in (_resident, _share)):
            return "it used more memory than allowed"
    if _written(spec) > spec.files:
        return "it wrote more files than allowed"
    return None


def _resident(pid: int) -> int:
    """Return how many bytes of a process are in memory."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def _share(pid: int) -> int:
    """Return the same, with what several processes share divided among them."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            rows = file.read().splitlines()
        return sum(int(row.split()[1]) for row in rows if row.startswith(b"Pss:")) * 1024
    except OSError:
        return _resident(pid)


def _written(spec: Spec) -> int:
    """Return how many files there are; more than are allowed when they are too large together."""
    count = size = 0
    ahead = [spec.home, spec.exchange]
    while ahead and count <= spec.files and size <= 4 * spec.file_bytes:
        try:
            with os.scandir(ahead.pop()) as entries:
                for entry in entries:
                    count += 1
                    if entry.is_dir(follow_symlinks=False):
                        ahead.append(entry.path)
                    else:
                        size += entry.stat(follow_symlinks=False).st_blocks * 512
                    if count > spec.files:
                        break
        except OSError:
            continue
    return spec.files + 1 if size > 4 * spec.file_bytes else count


def _clear(spec: Spec) -> int:
    """Kill every process that is left; return how many survive."""
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        below = list(descendants(os.getpid())) if sys.platform == "linux" else []
        # Stopped first, so that none starts another one while the list is processed.
        for sign in (signal.SIGSTOP, signal.SIGKILL):
            for pid in below:
                try:
                    os.kill(pid, sign)
                except ProcessLookupError:
                    continue
        if "uid" in spec.mechanisms:
            os.waitpid(walls.child(lambda: _kill_user(spec.uid)), 0)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                continue
        except ChildProcessError:
            return 0
        time.sleep(0.002)
    return len(list(descendants(os.getpid())))


def _kill_user(uid: int) -> int:
    os.setresuid(uid, uid, uid)
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
    return 0
