"""Which walls this machine can build, found by building them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from course_utils.grading.records import Isolation, IsolationLevel, Limits
from course_utils.grading.sandbox.launch import MODULES, environment, remove_folder
from course_utils.grading.sandbox.sandbox import new_spec, other_copies

_SECONDS = 30.0
_ALWAYS = (
    "limits on memory, CPU time, processes, files and their size; deadlines for cells and notebook",
    "a session of its own, an empty environment, a private folder; no process outlives its kernel",
    "the kernel's memory and its copy of the course contain neither references nor misconceptions",
)
_HOLDS = {
    "namespaces": (
        "a root of its own: only Python, system libraries and a private folder are visible (no answers, no "
        "other submission, no home folder), and all but the private folder is read-only",
        "no network: a network namespace without any interface",
        "a process namespace: no other process is visible, and all of its own end with the kernel",
    ),
    "landlock": ("only Python, system libraries (read-only) and a private folder can be opened (Landlock)",),
    "seccomp": ("only local sockets, no access to other processes, no new namespaces (seccomp)",),
    "uid": ("a user of its own that owns nothing on this machine",),
    "reads": (),
}
_LACKS = {
    "namespaces": (
        "no process namespace: the processes to end are found by following parents to children",
        "the names of this machine's files and processes are visible, and local sockets can be reached",
    ),
    "landlock": (
        "files: the course's answers, other submissions and earlier grades can be read, and files written, "
        "wherever file permissions allow it",
    ),
    "seccomp": ("the network can be reached",),
    "uid": ("submissions run as the user who grades",),
}


def probe_isolation(*, at_most: IsolationLevel = "full") -> Isolation:
    """Return the best isolation that works here, found by trying.

    Parameters
    ----------
    at_most : str
        The highest level to try, for testing what a lesser machine would do.
    """
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    # Where Python is installed in root's own folder, another user needs the right to read it.
    users = [mechanisms for mechanisms in (("uid",), ("uid", "reads")) if root and _works(mechanisms)]
    user: tuple[str, ...] = users[0] if users else ()
    if sys.platform == "linux" and at_most != "none":
        filtered = ("seccomp",) if _works(("seccomp",)) else ()
        tried: list[tuple[IsolationLevel, tuple[str, ...]]]
        tried = [("full", ("namespaces",)), ("partial", ("landlock",)), ("partial", ())]
        for level, mechanisms in tried[0 if at_most == "full" else 1 :]:
            # With a root of its own, a user reaches Python in a closed folder unless Python's own is closed.
            owns = (("uid",), ("uid", "reads")) if root and level == "full" else (user,)
            for own in owns:
                together = (*mechanisms, *filtered, *own)
                if (mechanisms or filtered) and _works(together):
                    return _described(level, together)
    return _described("none", user)


def _works(mechanisms: tuple[str, ...]) -> bool:
    spec = new_spec(mechanisms, Limits())
    try:
        command = [sys.executable, "-P", "-S", "-m", f"{MODULES}.self_test", spec.to_json()]
        done = subprocess.run(
            command, env=environment(), stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS
        )
        return done.returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
    finally:
        remove_folder(Path(spec.folder))


def _described(level: IsolationLevel, mechanisms: tuple[str, ...]) -> Isolation:
    holds = [text for mechanism in mechanisms for text in _HOLDS[mechanism]]
    missing = [
        mechanism
        for mechanism in _LACKS
        if mechanism not in mechanisms and not _covered(mechanism, mechanisms)
    ]
    lacks = [text for mechanism in missing for text in _LACKS[mechanism]]
    if copies := other_copies():
        paths = ", ".join(copies)
        if {"namespaces", "landlock"} & set(mechanisms):
            holds.append(f"other copies of the course are hidden: {paths}")
        else:
            lacks.append(f"other copies of the course can be read: {paths}")
    return Isolation(level, (*holds, *_ALWAYS), tuple(lacks), mechanisms)


def _covered(mechanism: str, mechanisms: tuple[str, ...]) -> bool:
    """Whether another mechanism gives what this one would."""
    return "namespaces" in mechanisms and mechanism in ("landlock", "seccomp", "uid")
