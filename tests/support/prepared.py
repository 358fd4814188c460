"""Code in a process of its own, forked from one that has imported PyTorch: a new Python needs two seconds.

What is tested there starts with PyTorch imported and the course not. What a Python does as it starts, reading
its variables and options, needs a Python of its own.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

_FORKS = "forkserver" in multiprocessing.get_all_start_methods()
_context = multiprocessing.get_context("forkserver" if _FORKS else "spawn")
if _FORKS:
    _context.set_forkserver_preload(["torch"])


def run(
    code: str,
    *arguments: str,
    env: Mapping[str, str] | None = None,
    given: str = "",
    encoding: str = "utf-8",
    seconds: float = 300,
) -> subprocess.CompletedProcess[str]:
    """Run `code` with arguments, an environment and standard input; return what `subprocess.run` would."""
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, name) for name in ("in", "out", "err")]
        files[0].write_text(given, encoding=encoding)
        variables = dict(os.environ if env is None else env)
        process = _context.Process(target=_main, args=(code, arguments, variables, files, encoding))
        process.start()
        process.join(seconds)
        if process.is_alive():
            process.kill()
            process.join()
        out, err = (file.read_text(encoding=encoding) if file.exists() else "" for file in files[1:])
        return subprocess.CompletedProcess(code, process.exitcode, out, err)


def _main(
    code: str, arguments: tuple[str, ...], env: dict[str, str], files: list[Path], encoding: str
) -> None:
    for number, file in enumerate(files):
        handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        os.dup2(handle, number)
        os.close(handle)
    sys.stdin = open(0, encoding=encoding, closefd=False)  # noqa: SIM115
    sys.stdout.reconfigure(encoding=encoding)
    sys.stderr.reconfigure(encoding=encoding, errors="backslashreplace")
    os.environ.clear()
    os.environ.update(env)
    sys.path[:0] = filter(None, env.get("PYTHONPATH", "").split(os.pathsep))
    sys.argv = ["-c", *arguments]
    try:
        exec(compile(code, "<code>", "exec"), {"__name__": "__main__"})
    finally:
        atexit._run_exitfuncs()
