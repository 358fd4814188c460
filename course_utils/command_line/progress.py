"""Progress on the error stream: live on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from course_utils.command_line.output import console

_SECONDS_BETWEEN_LINES = 15.0


class _Progress:
    def __init__(self, *columns: ProgressColumn) -> None:
        self._console = console(stderr=True)
        self._live = self._console.is_interactive
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            *columns,
            console=self._console,
            disable=not self._live,
        )
        self._told = time.monotonic()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def say(self, line: str) -> None:
        """Print a line above the progress."""
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _due(self) -> bool:
        """Whether it is time for another line; the answer yes starts the next wait."""
        due = not self._live and time.monotonic() - self._told > _SECONDS_BETWEEN_LINES
        if due:
            self._told = time.monotonic()
        return due


class CellProgress(_Progress):
    """Shows which cell of which notebook is running, and for how long."""

    def __init__(self) -> None:
        super().__init__(TextColumn("cell {task.completed:.0f} of {task.total:.0f}"), TimeElapsedColumn())
        self._task: TaskID | None = None
        self._name, self._started = "", 0.0

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
        if self._task is not None:
            self._bar.update(self._task, completed=number, total=total)
        elif self._due():
            self.say(f"{self._name}: cell {number} of {total}, {self._told - self._started:.0f} s")

    def finish(self, outcome: str) -> None:
        """End the line of one notebook with its result."""
        if self._task is not None:
            self._bar.update(self._task, description=f"{self._name}: {outcome}")
            self._bar.stop_task(self._task)
        else:
            self.say(f"{self._name}: {outcome}, {time.monotonic() - self._started:.0f} s")


class GradingProgress(_Progress):
    """Shows how many submissions are done and how long the rest will take."""

    def __init__(self) -> None:
        super().__init__(MofNCompleteColumn(), TimeRemainingColumn())
        self._task = self._bar.add_task("Grading", total=None)
        self._todo = self._done = 0
        self._first = 0.0

    def start(self, todo: int, kept: int) -> None:
        """Note how many submissions are to be graded, and how many already have a result."""
        self._todo, self._told = todo, time.monotonic()
        self._bar.update(self._task, total=todo)
        self.say(f"{todo} to grade" + (f", {kept} graded before" if kept else ""))

    def advance(self) -> None:
        """Note that one more is done."""
        self._done += 1
        self._bar.update(self._task, completed=self._done)
        if self._done == 1:
            self._first = time.monotonic()  # before this, workers were starting
        elif self._done < self._todo and self._due():
            left = (self._told - self._first) / (self._done - 1) * (self._todo - self._done)
            self.say(f"{self._done} of {self._todo} graded, about {left:.0f} s left")

    def stopping(self, running: int) -> None:
        """Say what Ctrl-C does."""
        if running:
            self.say(f"Stopping after the {running} submissions that are running. Ctrl-C again drops them.")
