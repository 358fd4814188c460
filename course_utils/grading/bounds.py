"""Read what students wrote in a process with limits of its own: if it dies, everything else is still read."""

from __future__ import annotations

import faulthandler
import gc
import os
import pickle
import signal
import sys
import time
import warnings
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, Generic, TypeVar

SECONDS = 10.0
"""CPU time for all that one student handed in."""
MEMORY = 2 * 2**30
_WAIT = 300.0
_DEPTH = 3_000

Item = TypeVar("Item")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class OutOfBounds:
    """What could not be read within the limits.

    Attributes
    ----------
    why : str
        A sentence for the student.
    """

    why: str


_BROKEN = OutOfBounds("It could not be read: that takes too much memory, or ends Python.")


def in_bounds(
    function: Callable[[Item], Answer], items: Iterable[Item], *, whose: Callable[[Item], Hashable]
) -> Iterator[tuple[Item, Answer | OutOfBounds]]:
    """Call a function for each item in another process, and yield both, in order.

    The process may use `SECONDS` of CPU time for each student, and `MEMORY` bytes more than this one. Where
    it dies, a new one goes on with the next item. It is forked: what `function` needs should be imported
    before. Windows cannot fork; there the function is called in this process, without these limits.

    Parameters
    ----------
    function : callable
        Takes an item, runs none of the student's code, and returns plain data.
    items : iterable
    whose : callable
        Returns whose an item is: all items of one student share one allowance of time.

    Examples
    --------
    >>> [answer for _, answer in in_bounds(len, ["a", "bc"], whose=lambda item: "alice")]
    [1, 2]
    >>> [answer for _, answer in in_bounds(int, ["1", "x"], whose=lambda item: "alice")]
    [1, OutOfBounds(why='It could not be read (ValueError).')]
    """
    if not hasattr(os, "fork"):
        yield from ((item, _answer(function, item)) for item in items)
        return
    bounds = _Bounds(function)
    try:
        for item in items:
            yield item, bounds.read(item, whose(item))
    finally:
        bounds.close()


class _Bounds(Generic[Item, Answer]):
    """Readers, one after another, and how much time each student has used."""

    def __init__(self, function: Callable[[Item], Answer]) -> None:
        self._function = function
        self._reader: _Reader[Item, Answer] | None = None
        self._spent: dict[Hashable, float] = defaultdict(float)

    def read(self, item: Item, student: Hashable) -> Answer | OutOfBounds:
        while (left := SECONDS - self._spent[student]) > 0:
            is_new = self._reader is None
            self._reader = self._reader or _Reader(self._function)
            answer, seconds = self._reader.read(item, left)
            self._spent[student] += seconds
            if not isinstance(answer, _Dead):
                return answer
            self._reader = None
            # What broke a process that had read others is tried once more, alone.
            if is_new and not answer.overdue:
                return _BROKEN
        return OutOfBounds(f"It could not be read: that takes more than {SECONDS:g} s.")

    def close(self) -> None:
        if self._reader is not None:
            self._reader.close()


@dataclass(frozen=True)
class _Dead:
    overdue: bool


class _Reader(Generic[Item, Answer]):
    """A process that calls a function for one item after another."""

    def __init__(self, function: Callable[[Item], Answer]) -> None:
        self._connection, theirs = Pipe()
        with warnings.catch_warnings():
            # Libraries may have started threads; the process uses none of these libraries.
            warnings.simplefilter("ignore", DeprecationWarning)
            self._process = os.fork()
        if self._process == 0:
            try:
                self._connection.close()
                _serve(function, theirs)
            finally:
                os._exit(1)
        theirs.close()

    def read(self, item: Item, seconds: float) -> tuple[Answer | OutOfBounds | _Dead, float]:
        """Return the answer and the CPU time that it took."""
        try:
            self._connection.send((item, seconds))
            if self._connection.poll(_WAIT):
                return self._connection.recv()  # from a process that ran no student's code
            overdue = True
        except (EOFError, OSError):
            overdue = False
        overdue |= self.close() == signal.SIGPROF
        return _Dead(overdue), seconds if overdue else 0.0

    def close(self) -> int:
        """End the process; return the number of the signal that ended it, or 0."""
        self._connection.close()
        with suppress(ProcessLookupError):
            os.kill(self._process, signal.SIGKILL)  # if it has ended, its status remains
        _, status = os.waitpid(self._process, 0)
        return os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0


def _serve(function: Callable[[Any], Any], connection: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in (signal.SIGTERM, signal.SIGPROF):
        signal.signal(number, signal.SIG_DFL)
    # What a dying interpreter prints is for nobody.
    faulthandler.disable()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    gc.freeze()  # what was there before is neither searched nor copied
    sys.setrecursionlimit(_DEPTH)
    _limit_memory()
    while True:
        item, seconds = connection.recv()
        # Counts CPU time, also inside the parser, and ends the process.
        signal.setitimer(signal.ITIMER_PROF, seconds)
        start = time.process_time()
        answer = _answer(function, item)
        if answer == _BROKEN:
            return
        content = pickle.dumps((answer, time.process_time() - start))
        signal.setitimer(signal.ITIMER_PROF, 0)
        connection.send_bytes(content)


def _answer(function: Callable[[Any], Any], item: Any) -> Any:
    try:
        return function(item)
    except MemoryError:
        return _BROKEN
    except Exception as error:  # whatever a file contains, it concerns its student alone
        return OutOfBounds(f"It could not be read ({type(error).__name__}).")


def _limit_memory() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Only Linux says in this way how much is in use; other systems do not hold this limit.
    with suppress(OSError, ValueError):
        with open("/proc/self/statm", encoding="ascii") as file:
            used = int(file.read().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
