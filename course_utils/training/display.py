"""Progress and curves while training runs: in place in a notebook, as text in a terminal."""

from __future__ import annotations

import math
import sys
import time
import warnings
from html import escape
from typing import Any

from tqdm import tqdm

from course_utils.terminal import printable
from course_utils.text import duration_text
from course_utils.training.epochs import epoch_number
from course_utils.training.history import History


class Display:
    """What training shows. This one is silent; the others show the same events."""

    def say(self, line: str) -> None:
        """Show a line that stays."""

    def warn(self, line: str) -> None:
        """Show a line that must not be missed."""
        warnings.warn(line, stacklevel=2)

    def detail(self, heading: str, line: str) -> None:
        """Show a line that few people need."""

    def begin(self, history: History, steps: int) -> None:
        """Training starts or resumes; an epoch has `steps` batches."""

    def step(self, step: int, loss: float, error: float) -> None:
        """Some batches are done: `step` of this epoch's, with the running loss and error (0 to 1)."""

    def epoch(self, history: History) -> None:
        """An epoch is done and recorded."""

    def end(self, history: History) -> None:
        """Training has ended, finished or interrupted."""


class TerminalDisplay(Display):
    """One bar for the whole run and one line for each epoch."""

    def detail(self, heading: str, line: str) -> None:
        """See `Display.detail`."""
        self.say(line)

    def say(self, line: str) -> None:
        """See `Display.say`."""
        tqdm.write(printable(line))

    def warn(self, line: str) -> None:
        """See `Display.warn`."""
        self.say(line)

    def begin(self, history: History, steps: int) -> None:
        """See `Display.begin`."""
        self._steps, self._before = steps, round(history.epochs * steps)
        self._bar = tqdm(
            total=round(history.recipe.epochs * steps),
            initial=self._before,
            unit="batch",
            dynamic_ncols=True,
            leave=False,
            disable=None,  # a bar in a log file is a thousand lines; the epochs' lines are enough there
        )

    def step(self, step: int, loss: float, error: float) -> None:
        """See `Display.step`."""
        self._bar.set_postfix_str(f"loss {loss:.4f}, error {100 * error:.2f} %", refresh=False)
        self._bar.update(self._before + step - self._bar.n)

    def epoch(self, history: History) -> None:
        """See `Display.epoch`."""
        last = history.final
        self._before = round(history.epochs * self._steps)
        self._bar.update(self._before - self._bar.n)
        done, planned = epoch_number(last.epoch), epoch_number(history.recipe.epochs)
        together = f"  {last.processes} processes" * (last.processes > 1)
        self.say(
            f"epoch {done:>2}/{planned}  lr {last.learning_rate:.4f}  "
            f"loss {last.train_loss:.4f}  "
            f"error: training {100 * last.train_error:5.2f} %  test {100 * last.test_error:5.2f} %  "
            f"{duration_text(last.seconds)}{together}"
        )

    def end(self, history: History) -> None:
        """See `Display.end`."""
        if hasattr(self, "_bar"):
            self._bar.close()
        self.say(history.summary())


class NotebookDisplay(Display):
    """A line of progress and the curves, updated in place. Unlike a widget, they stay in the notebook."""

    share = 0.05
    """Largest share of the time to spend on drawing curves: not every short epoch is drawn."""

    def __init__(self) -> None:
        self._line: Any = None
        self._curves: Any = None
        self._next = 0.0

    def say(self, line: str) -> None:
        """See `Display.say`."""
        print(line, flush=True)

    def warn(self, line: str) -> None:
        """See `Display.warn`."""
        self.say(line)

    def detail(self, heading: str, line: str) -> None:
        """See `Display.detail`."""
        html_text = f"<details><summary>{escape(heading)}</summary>{escape(line)}</details>"
        _show(None, {"text/plain": line, "text/html": html_text})

    def begin(self, history: History, steps: int) -> None:
        """See `Display.begin`."""
        self._history, self._steps = history, steps
        self._show_line(history.summary(), round(history.epochs * steps))
        if len(history):
            self._show_curves(history)

    def step(self, step: int, loss: float, error: float) -> None:
        """See `Display.step`."""
        history = self._history
        planned, left = math.ceil(history.recipe.epochs), history.left(step / self._steps)
        self._show_line(
            f"epoch {len(history) + 1} of {planned} · batch {step} of {self._steps} · "
            f"loss {loss:.4f} · training error {100 * error:.2f} % · about {duration_text(left)} left",
            len(history) * self._steps + step,
        )

    def epoch(self, history: History) -> None:
        """See `Display.epoch`."""
        self._show_line(history.summary(), round(history.epochs * self._steps))
        if time.monotonic() >= self._next:
            self._show_curves(history)

    def end(self, history: History) -> None:
        """See `Display.end`."""
        self._show_line(history.summary(), None)
        if len(history):
            self._show_curves(history)

    def _show_line(self, text: str, done: int | None) -> None:
        bar = ""
        if done is not None:
            total = round(self._history.recipe.epochs * self._steps)
            bar = f'<progress value="{done}" max="{total}" aria-label="training"></progress> '
        self._line = _show(self._line, {"text/plain": text, "text/html": f"<div>{bar}{escape(text)}</div>"})

    def _show_curves(self, history: History) -> None:
        begun = time.monotonic()
        self._curves = _show(self._curves, history.plot()._repr_mimebundle_())
        ended = time.monotonic()
        self._next = ended + (ended - begun) / self.share


def _show(handle: Any, bundle: dict[str, str]) -> Any:
    from IPython.display import display

    if handle is None:
        return display(bundle, raw=True, display_id=True)
    handle.update(bundle, raw=True)
    return handle


def choose_display(show: bool) -> Display:
    """Choose the display for where the code runs."""
    if not show:
        return Display()
    return NotebookDisplay() if in_notebook() else TerminalDisplay()


def in_notebook() -> bool:
    """Return whether this process is a Jupyter kernel."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and hasattr(shell, "kernel")
