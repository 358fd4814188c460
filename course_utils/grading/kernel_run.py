"""One run of a submission: its cells in a fresh kernel, then the probes; what comes back is not trusted."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import Empty
from typing import Any, cast

import zmq
import zmq.asyncio
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.channels import AsyncZMQSocketChannel
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionComplete, CellExecutionError
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook
from traitlets import Type

from course_utils.errors import NotebookError
from course_utils.grading.records import MIB, CodeCell, Isolation, Limits
from course_utils.grading.sandbox import Sandbox

_OBSERVER = "course_utils.grading.sandbox.inside.observer"
_LARGEST_MESSAGE = 4 * MIB
_MOST_MESSAGES = 100
_START_SECONDS = 60.0
_LOOK_EVERY = 0.02
_LOOK_AT_CPU_EVERY = 0.5
_MOST_TEXT = 400


@dataclass
class KernelRun:
    """What one run produced.

    Attributes
    ----------
    observed : dict of str to bytes
        By exercise id, what the kernel wrote about it.
    errors : dict of str to str
        By exercise id, the error that its cell ended with.
    culprit : int or None
        Index of the cell that the kernel did not survive.
    asked : str or None
        The exercise whose probes the kernel did not survive.
    why : str
        How it ended.
    overdue : bool
        Whether it was ended because it took too long.
    waited : bool
        Whether that was by the clock, while CPU time was left.
    cpu_seconds : float
        CPU time that it used.
    """

    observed: dict[str, bytes] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    culprit: int | None = None
    asked: str | None = None
    why: str = ""
    overdue: bool = False
    waited: bool = False
    cpu_seconds: float = 0.0


class _KernelEndedError(Exception):
    pass


class _OverdueError(_KernelEndedError):
    def __init__(self, seconds: float, *, waited: bool) -> None:
        super().__init__(f"it did not end within {max(seconds, 0):.0f} s")
        self.waited = waited


class _Channel(AsyncZMQSocketChannel):
    """Skips whatever is not a message: code in the kernel can write to its sockets."""

    async def get_msg(  # type: ignore[override]
        self, timeout: float | None = None
    ) -> dict[str, Any]:
        """Return the next message that can be read."""
        end = None if timeout is None else time.monotonic() + timeout
        while True:
            # A flood of messages must not starve everything else, above all the deadlines.
            await asyncio.sleep(0)
            try:
                left = None if end is None else max(end - time.monotonic(), 0)
                message = await super().get_msg(left)
                if all(isinstance(message[part], dict) for part in ("parent_header", "content")):
                    return message
            except Empty:
                raise
            except Exception:
                continue


class _Client(AsyncKernelClient):
    """Hears only that a kernel becomes busy or idle, so that floods of output are never sent."""

    sandbox: Sandbox
    iopub_channel_class = Type(_Channel)
    shell_channel_class = Type(_Channel)

    def connect_iopub(self, identity: bytes | None = None) -> Any:
        # With one prefix subscribed, streams and displays stay on the other side of the socket.
        socket = self._create_connected_socket("iopub", identity=identity)
        socket.setsockopt(zmq.SUBSCRIBE, b"kernel.")
        return socket

    async def _async_is_alive(self) -> bool:
        return self.sandbox.alive

    is_alive = _async_is_alive


class _CellRunner(NotebookClient):
    """Runs cells and keeps no output."""

    def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> None:
        """Notice that a cell has ended, and nothing else."""
        if msg.get("msg_type") == "status" and msg["content"].get("execution_state") == "idle":
            raise CellExecutionComplete


def probe_seed(seed: int, exercise_id: str) -> int:
    """Return the seed of one exercise's probes, a digest that does not reveal `seed`."""
    return int.from_bytes(hashlib.sha256(f"{seed} {exercise_id}".encode()).digest()[:4], "big")


def run(
    cells: Sequence[tuple[int, CodeCell]],
    asked: Sequence[str],
    *,
    isolation: Isolation,
    limits: Limits,
    seed: int,
    end: float,
    cpu_seconds: float,
    observed: Callable[[str, bytes], None] = lambda exercise, content: None,
) -> KernelRun:
    """Run `cells`, numbered, in a fresh kernel, then ask the probes of the exercises `asked`.

    Parameters
    ----------
    end : float
        When everything must be over, on the clock `time.monotonic`.
    cpu_seconds : float
        How much CPU time everything may use.
    observed : callable, optional
        Called with each exercise and what the kernel wrote about it, before the next one is asked.

    Raises
    ------
    NotebookError
        If no kernel can be started.
    """
    with Sandbox(isolation, limits) as sandbox:
        work = _Session(sandbox, limits, seed, end, cpu_seconds, observed).all(cells, asked)
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return asyncio.run(work)
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, work).result()


class _Session:
    def __init__(
        self,
        sandbox: Sandbox,
        limits: Limits,
        seed: int,
        end: float,
        cpu_seconds: float,
        observed: Callable[[str, bytes], None],
    ) -> None:
        self.sandbox, self.limits, self.seed = sandbox, limits, seed
        self.end, self.cpu_seconds, self.observed = end, cpu_seconds, observed
        self.outcome = KernelRun()

    async def all(self, cells: Sequence[tuple[int, CodeCell]], asked: Sequence[str]) -> KernelRun:
        context = zmq.asyncio.Context()
        context.MAXMSGSIZE = _LARGEST_MESSAGE
        context.RCVHWM = _MOST_MESSAGES
        client = _Client(context=context)
        client.sandbox = self.sandbox
        try:
            await self._start(client)
            self.notebook = _CellRunner(
                new_notebook(cells=[new_code_cell()]),
                timeout_func=lambda cell: None,
                record_timing=False,
                store_widget_state=False,
                iopub_timeout=1,
            )
            self.notebook.kc = client
            await self._cells(cells)
            if self.outcome.culprit is None:
                await self._probes(asked)
        finally:
            self.outcome.cpu_seconds = self.sandbox.cpu_seconds()
            with contextlib.suppress(Exception):
                client.stop_channels()
            context.destroy(linger=0)
        return self.outcome

    async def _start(self, client: _Client) -> None:
        client.load_connection_info(cast(Any, self.sandbox.connection))
        if not self.sandbox.wait_for_sockets(_START_SECONDS):
            raise NotebookError("No kernel could be started for grading.", why=self.sandbox.ended or "")
        client.start_channels(hb=False, stdin=False, control=False)
        client.allow_stdin = False
        try:
            await client.wait_for_ready(timeout=_START_SECONDS)
        except RuntimeError as error:
            raise NotebookError("No kernel could be started for grading.", why=str(error)) from None

    async def _cells(self, cells: Sequence[tuple[int, CodeCell]]) -> None:
        for index, cell in cells:
            try:
                await self._cell(cell)
            except _KernelEndedError as error:
                self._ended(error)
                self.outcome.culprit = index
                return

    async def _cell(self, cell: CodeCell) -> None:
        try:
            await self._execute(cell.source, self.limits.cell_seconds)
        except CellExecutionError as error:
            if cell.exercise is not None:
                self.outcome.errors[cell.exercise] = _short(f"{error.ename}: {error.evalue}")
        if cell.exercise is not None:
            await self._observer(f"take({cell.exercise!r}, globals())", self.limits.cell_seconds)

    async def _probes(self, asked: Sequence[str]) -> None:
        for exercise in asked:
            # The name is new for each question, so that no answer can be waiting there.
            name = hashlib.sha256(f"{self.sandbox.connection['key']} {exercise}".encode()).hexdigest()[:16]
            seconds = self.limits.call_seconds
            probes = probe_seed(self.seed, exercise)
            question = (exercise, probes, self.sandbox.path(name), seconds, self.limits.patience)
            try:
                await self._observer(f"ask{question!r}", seconds + 3)
            except _KernelEndedError as error:
                self._ended(error)
                self.outcome.asked = exercise
            found = self.sandbox.read(name, self.limits.output_bytes)
            if found is not None:
                self.outcome.observed[exercise] = found
                self.observed(exercise, found)
            if self.outcome.asked is not None:
                return

    def _ended(self, error: _KernelEndedError) -> None:
        self.outcome.why, self.outcome.overdue = str(error), isinstance(error, _OverdueError)
        self.outcome.waited = isinstance(error, _OverdueError) and error.waited

    async def _observer(self, call: str, seconds: float) -> None:
        with contextlib.suppress(CellExecutionError):
            await self._execute(f"__import__('sys').modules[{_OBSERVER!r}].{call}", seconds)

    async def _execute(self, source: str, seconds: float) -> None:
        cell = new_code_cell(source)
        await self._unless_ended(self.notebook.async_execute_cell(cell, 0, store_history=False), seconds)

    async def _unless_ended(self, work: Awaitable[Any], seconds: float) -> None:
        start, look = time.monotonic(), _LOOK_AT_CPU_EVERY
        longest = min(seconds * self.limits.patience, self.end - start)
        before = None
        task = asyncio.ensure_future(work)
        try:
            while not (await asyncio.wait({task}, timeout=_LOOK_EVERY))[0]:
                if not self.sandbox.alive:
                    raise _KernelEndedError(self.sandbox.ended)
                passed = time.monotonic() - start
                if passed > longest:
                    raise _OverdueError(longest, waited=True)
                if passed > look:
                    look = passed + _LOOK_AT_CPU_EVERY
                    used = self.sandbox.cpu_seconds()
                    before = used if before is None else before
                    # Processes side by side use it up faster than time goes by, but the words are of seconds.
                    if used > self.cpu_seconds or min(used - before, passed) > seconds:
                        raise _OverdueError(seconds, waited=False)
            error = task.exception()
        finally:
            task.cancel()
            # How it ends is known or does not matter; asyncio complains if nobody asks.
            await asyncio.wait({task}, timeout=1)
            _ = task.done() and (task.cancelled() or task.exception())
        if isinstance(error, CellExecutionError):
            raise error
        if error is not None:
            raise _KernelEndedError("what the kernel sent cannot be read") from error


def _short(text: str) -> str:
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    printable = "".join(c if c.isprintable() else " " for c in plain)
    return printable if len(printable) <= _MOST_TEXT else printable[:_MOST_TEXT] + " …"
