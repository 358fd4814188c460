"""A progress line per notebook: live on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

_SECONDS_BETWEEN_LINES = 15.0


class CellProgress:
    """Tells on the error stream which cell of which notebook runs, and for how long."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._live = self._console.is_terminal
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("cell {task.completed:.0f} of {task.total:.0f}"),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._live,
        )
        self._task: TaskID | None = None
        self._name, self._started, self._told = "", 0.0, 0.0

    def __enter__(self) -> CellProgress:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self, name: str) -> None:
        """Begin the line of one notebook."""
        self._name, self._started = name, time.monotonic()
        self._told = self._started
        if self._live:
            self._task = self._bar.add_task(name, total=1)
        else:
            self.say(f"{name}: started")

    def cell(self, number: int, total: int) -> None:
        """Note that code cell `number` of `total` starts now."""
        if self._live and self._task is not None:
            self._bar.update(self._task, completed=number, total=total)
        elif time.monotonic() - self._told > _SECONDS_BETWEEN_LINES:
            self._told = time.monotonic()
            self.say(f"{self._name}: cell {number} of {total}, {self._told - self._started:.0f} s")

    def finish(self, outcome: str) -> None:
        """End the line of one notebook with what came of it."""
        if self._live and self._task is not None:
            self._bar.update(self._task, description=f"{self._name}: {outcome}")
            self._bar.stop_task(self._task)
        else:
            self.say(f"{self._name}: {outcome}, {time.monotonic() - self._started:.0f} s")

    def stop(self) -> None:
        """Give the terminal back."""
        self._bar.stop()

    def say(self, line: str) -> None:
        """Print a line above the progress."""
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)
