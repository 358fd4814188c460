"""A process with everything imported, from which kernels are forked, so that they start at once."""

from __future__ import annotations

import signal
import socket
import sys

from course_utils.grading.sandbox.inside import student_kernel, supervisor, syscalls, walls
from course_utils.grading.sandbox.inside.walls import Spec

LONGEST = 1 << 16


def main(control: socket.socket) -> None:
    """Fork a supervisor for every request, until the grader hangs up."""
    import gc

    student_kernel.prepare()
    gc.collect()
    gc.freeze()
    if sys.platform == "linux":
        syscalls.close_memory()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    control.send(b"ready")
    while True:
        message, handles, _, _ = socket.recv_fds(control, LONGEST, 1)
        if not message:
            return
        line = socket.socket(fileno=handles[0])
        walls.child(lambda message=message, line=line: _supervisor(message, line, control))  # type: ignore[misc]
        line.close()


def _supervisor(message: bytes, line: socket.socket, control: socket.socket) -> int:
    control.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return supervisor.main(Spec.from_json(message.decode()), line, student_kernel.run)


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
