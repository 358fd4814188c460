"""The folders of a sandbox: the edition, a private one for each kernel, what of the machine is shown."""

from __future__ import annotations

import atexit
import contextlib
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from course_utils.grading import redact
from course_utils.grading.records import Limits
from course_utils.grading.sandbox.inside.walls import Spec

# Above what systems give to people, services and containers; process ids have 22 bits at most.
_FIRST_USER = 0x7000_0000
_USERS = 64
_LIBRARIES = ("torch", "numpy", "ipykernel", "zmq")
_numbers = itertools.count()


@cache
def redacted_course_folder() -> Path:
    """Return the folder with the edition; it is written once by each process, and goes with it."""
    folder = Path(tempfile.mkdtemp(prefix="course-redacted-")).resolve()
    owner = os.getpid()
    atexit.register(lambda: remove(folder) if os.getpid() == owner else None)
    redact.write(folder)
    subprocess.run(
        [sys.executable, "-m", "compileall", "-q", str(folder)], check=True, stdin=subprocess.DEVNULL
    )
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return folder


def users() -> range:
    """Return the user ids of this process's kernels, one for each: limits by user then count it alone."""
    first = _FIRST_USER + os.getpid() * _USERS
    return range(first, first + _USERS)


def new_spec(means: tuple[str, ...], limits: Limits) -> Spec:
    """Make a private folder and return the spec of a sandbox in it."""
    folder = Path(tempfile.mkdtemp(prefix="course-grade-")).resolve()
    folder.chmod(0o711)
    user = users().start + next(_numbers) % _USERS
    for name in ("home", "exchange"):
        (folder / name).mkdir(mode=0o700)
        if "uid" in means:
            os.chown(folder / name, user, user)
    return Spec(
        means=means,
        folder=str(folder),
        home=str(folder / "home"),
        exchange=str(folder / "exchange"),
        visible=_visible(),
        hidden=_hidden(),
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
    course = redact.PACKAGE
    developed_in = course.parent if (course.parent / "pyproject.toml").exists() else None
    return tuple(str(path) for path in (course, developed_in) if path)


def remove(folder: Path) -> None:
    """Remove a folder whatever is in it: files without rights, folders nested a thousand deep."""
    with contextlib.suppress(RecursionError):
        shutil.rmtree(folder, ignore_errors=True)
    if folder.exists() and sys.platform != "win32":
        for command in (["chmod", "-R", "u+rwX"], ["rm", "-rf"]):
            subprocess.run([*command, "--", str(folder)], check=False, capture_output=True)
