"""Execute a notebook in a fresh kernel of the running interpreter and leave no process behind."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ipykernel.kernelspec import RESOURCES, get_kernel_dict
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode

from course_utils.errors import NotebookError

Progress = Callable[[int, int], None]
"""Called before each code cell with its number, from 1, and the number of all code cells."""

# Other programs set these for their own kernels; a notebook that the course runs must not see them.
_STRAY = (
    "MPLBACKEND",
    "NBGRADER_EXECUTION",
    "NBGRADER_VALIDATING",
    "PYTHONSTARTUP",
    "PYTHONINSPECT",
    "JPY_PARENT_PID",
)


class CellError(NotebookError):
    """A cell that did not run to its end.

    Attributes
    ----------
    cell : str
        The cell's id.
    number : int
        Its number among the code cells, from 1.
    source : str
        Its code.
    traceback : str
        What Python said, without colours, or what happened to the kernel.
    """

    def __init__(self, cell: str, number: int, source: str, traceback: str) -> None:
        self.cell, self.number, self.source, self.traceback = cell, number, source, traceback
        super().__init__(f"Cell {cell} (code cell {number}) failed.", why=traceback.strip().split("\n")[-1])

    def __str__(self) -> str:
        code = "\n".join(f"    {line}" for line in self.source.splitlines())
        return f"{self.what}\n\n{code}\n\n{self.traceback}"


class _RunningInterpreter(KernelSpecManager):
    """Offers the running interpreter as a kernel, whatever kernels are installed on the machine."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        return KernelSpec(resource_dir=RESOURCES, **get_kernel_dict())


def execute(
    notebook: NotebookNode,
    folder: Path,
    *,
    profile: str,
    timeout: float | None = None,
    progress: Progress | None = None,
    keep_going: bool = False,
) -> list[CellError]:
    """Execute the code cells of `notebook` in place, in a fresh kernel.

    Parameters
    ----------
    notebook : NotebookNode
        The notebook; its outputs are replaced as far as execution gets.
    folder : Path
        The kernel's working folder.
    profile : str
        The profile under which the course's code runs in it.
    timeout : float, optional
        Seconds that one cell may take; None for no limit.
    progress : callable, optional
        Called before each code cell.
    keep_going : bool
        Whether to continue after a cell that raises, and return the errors.

    Raises
    ------
    NotebookError
        If no kernel can be started.
    CellError
        If a cell raises (unless `keep_going`), takes too long, or the kernel dies. The notebook keeps the
        outputs up to there.
    """
    code = [(index, cell) for index, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    for _, cell in code:
        cell.outputs, cell.execution_count = [], None
    errors: list[CellError] = []
    with fresh_kernel(notebook, folder, profile=profile, timeout=timeout) as client:
        for number, (index, cell) in enumerate(code, start=1):
            if progress:
                progress(number, len(code))
            try:
                client.execute_cell(cell, index, execution_count=number)
            except CellExecutionError:
                errors.append(CellError(cell.id, number, cell.source, _traceback(cell)))
                if not keep_going:
                    raise errors[-1] from None
            except CellTimeoutError:
                raise CellError(cell.id, number, cell.source, f"It took longer than {timeout:g} s.") from None
            except DeadKernelError:
                why = "The kernel died: the code ended it, or the machine ran out of memory."
                raise CellError(cell.id, number, cell.source, why) from None
            cell.outputs = _joined(cell.outputs)
    return errors


def _joined(outputs: list[NotebookNode]) -> list[NotebookNode]:
    """Join what a busy machine sent in pieces: nbclient's own way would also move text past figures."""
    whole: list[NotebookNode] = []
    for output in outputs:
        before = whole[-1] if whole else {}
        if output.output_type == "stream" and before.get("name") == output.name:
            before["text"] += output.text
        else:
            whole.append(output)
    return whole


@contextlib.contextmanager
def fresh_kernel(
    notebook: NotebookNode,
    folder: Path,
    *,
    profile: str,
    timeout: float | None = None,
) -> Iterator[NotebookClient]:
    """Start a kernel for `notebook`; at the end kill it and every process that it started."""
    with tempfile.TemporaryDirectory(prefix="course-kernel-", ignore_cleanup_errors=True) as private:
        manager = AsyncKernelManager(kernel_spec_manager=_RunningInterpreter())
        client = NotebookClient(
            notebook,
            km=manager,
            timeout=timeout,
            resources={"metadata": {"path": str(folder)}},
            shutdown_kernel="immediate",
            record_timing=False,
            ipython_hist_file=":memory:",
        )
        client.owns_km = True  # so that it also shuts the kernel down
        environ = {key: value for key, value in os.environ.items() if key not in _STRAY}
        # Neither the user's IPython start-up files nor the checkpoints and progress of earlier work.
        environ |= {"IPYTHONDIR": private, "COURSE_STATE_DIR": private, "COURSE_PROFILE": profile}
        group: int | None = None
        below: list[Any] = []
        complaints = Path(private, "stderr.txt")
        try:
            with complaints.open("wb") as stderr:
                client.start_new_kernel(env=environ, stderr=stderr)
            group = getattr(manager.provisioner, "pgid", None)
            try:
                client.start_new_kernel_client()
            except RuntimeError as error:
                raise _no_kernel(complaints.read_text(encoding="utf-8", errors="replace")) from error
            with client.setup_kernel():
                try:
                    yield client
                finally:
                    below = _processes_below(manager)
        finally:
            _kill_group(group)
            for process in below:
                with contextlib.suppress(Exception):
                    process.kill()


def _no_kernel(complaints: str) -> NotebookError:
    return NotebookError(
        "No Jupyter kernel could be started.",
        why=" ".join(complaints.split()[-60:]) or f"{sys.executable} -m ipykernel_launcher ended at once.",
        next_step="Run course doctor. Reinstalling ipykernel usually helps.",
    )


def _processes_below(manager: AsyncKernelManager) -> list[Any]:
    """Return what the kernel has started, where no group holds it together: on Windows."""
    if sys.platform == "win32":
        import psutil

        with contextlib.suppress(psutil.Error, AttributeError):
            return psutil.Process(manager.provisioner.pid).children(recursive=True)
    return []


def _kill_group(group: int | None) -> None:
    # jupyter_client starts the kernel in a new session: it leads a group, and what it started is in there.
    if group is not None and sys.platform != "win32" and group != os.getpgrp():
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


def _traceback(cell: NotebookNode) -> str:
    lines = [line for output in cell.outputs for line in output.get("traceback", [])]
    return re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(lines))
