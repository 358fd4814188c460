"""Honest clocks: accelerators work behind Python's back, so a clock must wait for them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from contextlib import ContextDecorator
from itertools import islice
from types import TracebackType
from typing import Any

import torch

from course_utils.device import pick_device, synchronize
from course_utils.text import duration_text


class Stopwatch(ContextDecorator):
    """Measure wall time, waiting for the accelerator to finish its work.

    Use it around a block or as a decorator; it can be reused and nested.

    Parameters
    ----------
    label : str, optional
        If given, ``label: 3.2 s`` is printed at each stop.
    device : str or torch.device, optional
        The device to wait for. Defaults to what `pick_device` picks.

    Examples
    --------
    >>> with Stopwatch(device="cpu") as watch:
    ...     total = sum(range(1000))
    >>> watch.seconds > 0
    True
    """

    def __init__(self, label: str | None = None, *, device: str | torch.device | None = None) -> None:
        self.label = label
        self.device = pick_device(device)
        self._starts: list[float] = []
        self._seconds: float | None = None

    @property
    def seconds(self) -> float:
        """Seconds of the last measurement; while running, seconds so far.

        Raises
        ------
        RuntimeError
            If the stopwatch was never started.
        """
        if self._starts:
            return time.perf_counter() - self._starts[-1]
        if self._seconds is None:
            raise RuntimeError("This stopwatch was never started: use it as `with Stopwatch() as watch:`.")
        return self._seconds

    def __enter__(self) -> Stopwatch:
        synchronize(self.device)
        self._starts.append(time.perf_counter())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:  # a failed accelerator would raise again here and hide the first error
            synchronize(self.device)
        self._seconds = time.perf_counter() - self._starts.pop()
        if self.label is not None:
            print(f"{self.label}: {duration_text(self._seconds)}")

    def __repr__(self) -> str:
        if self._starts:
            return f"Stopwatch(running, {duration_text(self.seconds)} so far)"
        return (
            "Stopwatch(not started)"
            if self._seconds is None
            else f"Stopwatch({duration_text(self._seconds)})"
        )


def estimate_epoch(
    step: Callable[..., Any],
    batches: Iterable[tuple[Any, ...]],
    steps: float,
    *,
    device: str | torch.device | None = None,
    at_most: int = 30,
    budget: float = 1.0,
) -> float:
    """Estimate the seconds of one epoch from a few warm batches.

    Parameters
    ----------
    step : callable
        Does the work of one batch, ``step(*batch)``.
    batches : iterable of tuple
        Three are needed for more than a first guess.
    steps : float
        Batches in an epoch.
    device : str or torch.device, optional
        The device to wait for. Defaults to what `pick_device` picks.
    at_most : int
        The most batches that are counted.
    budget : float
        Seconds after which no further batch is counted; at least three are.

    Returns
    -------
    float
        Seconds per epoch; 0 if there are no batches.

    Examples
    --------
    >>> batches = [(number, number + 1) for number in range(20)]
    >>> estimate_epoch(lambda first, second: first * second, batches, 20, device="cpu") < 1
    True
    """
    source = iter(batches)
    warm = counted = 0
    with Stopwatch(device=device) as cold:
        # The first batches allocate memory and choose algorithms: they are run but not counted.
        for batch in islice(source, 2):
            step(*batch)
            warm += 1
    with Stopwatch(device=device) as watch:
        for batch in islice(source, at_most):
            step(*batch)
            counted += 1
            if counted >= 3 and watch.seconds > budget:
                break
    if counted:
        return watch.seconds / counted * steps
    return cold.seconds / warm * steps if warm else 0.0
