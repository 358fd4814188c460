"""Run somebody else's code and leave no trace: deadline, no keyboard, captured prints, restored states."""

from __future__ import annotations

import builtins
import ctypes
import io
import random
import signal
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from contextvars import ContextVar

import numpy as np
import torch

MOST_PRINTED = 2_000
PATIENCE = 6.0
_restored = ContextVar("_restored", default=False)
_AGAIN = 0.2  # an answer may swallow the first interruption with a bare `except:`


class RunawayError(BaseException):
    """Raised inside an answer that takes too long; not an `Exception`, so `except Exception` lets it pass."""


class TimeLimit:
    """A limit of CPU time, which other programs do not use up; and one of the clock's, for what waits.

    Parameters
    ----------
    seconds : float
        How much CPU time this process may use from now on. Nothing is over earlier by the clock, either:
        several threads use up CPU time faster than time goes by.
    patience : float
        How many times as long everything may take by the clock.

    Examples
    --------
    >>> limit = TimeLimit(10)
    >>> limit.left() > 9, limit.reached
    (True, 60.0)
    """

    def __init__(self, seconds: float, patience: float = PATIENCE) -> None:
        self.seconds, self.longest = seconds, seconds * patience
        self._clock, self._cpu = time.monotonic(), time.process_time()

    def left(self) -> float:
        """Return for how many seconds it is not over, if one thread computes all the time."""
        passed, used = time.monotonic() - self._clock, time.process_time() - self._cpu
        return min(self.seconds - min(passed, used), self.longest - passed)

    @property
    def reached(self) -> float:
        """The seconds after which it is over: of CPU time, or by the clock while CPU time is left."""
        return self.seconds if time.process_time() - self._cpu >= self.seconds else self.longest


class _Printed(io.TextIOBase):
    """Keeps the beginning of what is printed, so that a flood of prints costs no memory."""

    def __init__(self) -> None:
        self.kept = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        self.kept += str(text)[: MOST_PRINTED - len(self.kept)]
        return len(text)


@contextmanager
def guarded(limit: TimeLimit | float) -> Iterator[_Printed]:
    """Run the body with fixed random states, gradients, float32 and one thread; then restore everything.

    Raises
    ------
    RunawayError
        In the body, when the limit is reached.
    """
    printed = _Printed()
    with (
        same_random_state(),
        _same_torch_modes(),
        warnings.catch_warnings(),
        redirect_stdout(printed),
        redirect_stderr(printed),
        _no_keyboard(),
        deadline(limit),
    ):
        warnings.simplefilter("ignore")
        torch.default_generator.manual_seed(0)
        random.seed(0)
        np.random.seed(0)
        yield printed


@contextmanager
def _no_keyboard() -> Iterator[None]:
    """Let `input` fail at once: a kernel that waits for the keyboard runs no other cell."""

    def refuse(*_: object) -> str:
        raise EOFError("input() waits for the keyboard; use the function's arguments.")

    before, builtins.input = builtins.input, refuse
    try:
        yield
    finally:
        builtins.input = before


@contextmanager
def same_random_state() -> Iterator[None]:
    """Restore all random states afterwards; inside another one this is left to it, since it takes long."""
    if _restored.get():
        yield
        return
    of_random, of_numpy = random.getstate(), np.random.get_state()
    devices = range(torch.cuda.device_count()) if torch.cuda.is_initialized() else ()
    with torch.random.fork_rng(devices=list(devices)):
        outermost = _restored.set(True)
        try:
            yield
        finally:
            _restored.reset(outermost)
            random.setstate(of_random)
            np.random.set_state(of_numpy)


@contextmanager
def _same_torch_modes() -> Iterator[None]:
    grad, dtype, threads = torch.is_grad_enabled(), torch.get_default_dtype(), torch.get_num_threads()
    # On small inputs, threads that wait for one another cost more than they save, mostly on a busy machine.
    torch.set_num_threads(1)
    torch.set_grad_enabled(True)
    torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        torch.set_grad_enabled(grad)
        torch.set_default_dtype(dtype)
        torch.set_num_threads(threads)


@contextmanager
def deadline(limit: TimeLimit | float) -> Iterator[None]:
    """Raise `RunawayError` in the body when the limit is reached; a number is seconds of CPU time.

    On Unix, in the main thread, an alarm signal ends it. Elsewhere (Windows, other threads) a watching thread
    asks the interpreter to raise, which reaches Python code but waits for a long call into C to return.
    """
    in_main_thread = threading.current_thread() is threading.main_thread()
    ends = _alarm if in_main_thread and hasattr(signal, "setitimer") else _watch
    with ends(limit if isinstance(limit, TimeLimit) else TimeLimit(limit)):
        yield


@contextmanager
def _alarm(limit: TimeLimit) -> Iterator[None]:
    def ring(*_: object) -> None:
        if limit.left() <= 0:
            raise RunawayError

    started = time.monotonic()
    handler = signal.signal(signal.SIGALRM, ring)
    left, interval = signal.setitimer(signal.ITIMER_REAL, max(limit.left(), 0.001), _AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, handler)
        if left:
            signal.setitimer(signal.ITIMER_REAL, max(left - (time.monotonic() - started), 0.001), interval)


@contextmanager
def _watch(limit: TimeLimit) -> Iterator[None]:
    raise_in = ctypes.pythonapi.PyThreadState_SetAsyncExc
    thread = ctypes.c_ulong(threading.get_ident())
    over = threading.Event()

    def watch() -> None:
        wait = max(limit.left(), 0.001)
        while not over.wait(wait):
            if limit.left() <= 0:
                raise_in(thread, ctypes.py_object(RunawayError))
            wait = _AGAIN

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        while True:
            try:
                over.set()
                watcher.join()
                raise_in(thread, None)
                break
            except RunawayError:  # it came meanwhile; uncaught, it would end whatever runs next
                continue
