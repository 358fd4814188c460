"""Test whether given walls can be built on this machine, and whether they hold."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from pathlib import Path

from course_utils.grading.sandbox.inside import walls
from course_utils.grading.sandbox.inside.walls import Spec


def main(text: str) -> int:
    """Build the walls of a spec around a process that tests them; return 0 if they hold."""
    spec = Spec.from_json(text)
    return walls.behind_walls(spec, lambda: check_walls(spec))


def check_walls(spec: Spec) -> int:
    """Return 0 if nothing hidden can be read, no socket leaves the machine, and Python still works."""
    Path(spec.home, "self-test").write_text("own folder", encoding="utf-8")
    Path(spec.exchange, "self-test").write_text("exchange", encoding="utf-8")
    if not _readable(sys.executable) or not _readable(os.__file__):
        return 2
    if "uid" in spec.mechanisms and os.getuid() != spec.uid:
        return 3
    if {"namespaces", "landlock"} & set(spec.mechanisms) and any(_readable(path) for path in spec.hidden):
        return 4
    interfaces = (
        Path("/proc/net/dev").read_bytes().splitlines()[2:] if "namespaces" in spec.mechanisms else []
    )
    if any(line.partition(b":")[0].strip() != b"lo" for line in interfaces):
        return 5
    if "seccomp" in spec.mechanisms and _opens_socket():
        return 6
    return 0


def _readable(path: str) -> bool:
    try:
        with contextlib.nullcontext() if os.path.isdir(path) else open(path, "rb") as file:
            return bool(file.read(1) if file else os.listdir(path))
    except OSError:
        return False


def _opens_socket() -> bool:
    try:
        socket.socket(socket.AF_INET).close()
    except OSError:
        return False
    return True


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1]))
    except OSError as error:
        sys.exit(f"{error}")
