"""What a lab measured, next to what the lecture reports."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from course_utils.figures.html_figure import HtmlFigure
from course_utils.figures.tables import aligned, table
from course_utils.training.history import History

MIME = "application/vnd.convnet-labs.result+json"
"""The type under which `Report` puts its figures into a notebook, for ``course run`` to find."""

LECTURE: dict[int, dict[str, float]] = {
    3: {
        "test_error": 0.0078,
        "train_error": 0.0,
        "epochs": 30,
        "seconds_per_epoch": 96,
        "parameters": 536_710,
    },
    4: {
        "test_error": 0.20,
        "train_error": 0.0,
        "epochs": 20,
        "seconds_per_epoch": 841,
        "parameters": 27_540_554,
    },
}
"""The lecture's own figures for labs 3 (LeNet5, MNIST) and 4 (VGG, CIFAR-10); its seconds are on a CPU."""


@dataclass(frozen=True)
class Report:
    """A result that shows itself as a table next to the lecture's, in text and in HTML.

    Attributes
    ----------
    figures : dict
        What was measured and on what; see `report`.
    lecture : dict
        The lecture's figures, under the same names.
    data : str
        Dataset and source in one phrase.
    meaning : str
        What training and test error say about this run; see `meaning_of`.
    """

    figures: dict[str, Any]
    lecture: dict[str, Any]
    data: str
    meaning: str = ""

    def notes(self) -> list[str]:
        """Say what the errors mean, and what they are based on: the data, what rules out a comparison."""
        run = self.figures
        notes = [self.meaning] * bool(self.meaning) + [f"Data: {self.data}"]
        if run["substitute"]:
            wanted = run["substitute_for"]
            notes.append(f"Not {wanted}: {run['dataset']} stood in for it, so the errors cannot be compared.")
        if run["epochs"] < run["epochs_planned"]:
            notes.append(f"Unfinished: {run['epochs']} of {run['epochs_planned']} epochs.")
        return notes

    def rows(self) -> list[tuple[str, str, str]]:
        """Return each label with this run's value and the lecture's, as text."""
        shown = [name for name in self.figures if name in _LABELS]
        return [(_LABELS[name], _text(name, self.figures), _text(name, self.lecture)) for name in shown]

    def __str__(self) -> str:
        return "\n".join([*aligned([_HEADS, *self.rows()], words=(True, False, False)), *self.notes()])

    __repr__ = __str__

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        notes = "<br>".join(map(escape, self.notes()))
        shown = f"{table(self.rows(), _HEADS, 'This run beside the lecture').html}<p>{notes}</p>"
        return HtmlFigure(
            shown, str(self), {MIME: {**self.figures, "lecture": self.lecture}}
        )._repr_mimebundle_()


def report(lab: int, history: History, lecture: Mapping[str, float] | None = None, **more: Any) -> Report:
    """Put a run's result next to the lecture's.

    Parameters
    ----------
    lab : int
        3 (LeNet5 on MNIST) or 4 (VGG on CIFAR-10).
    history : History
        Without a finished epoch, there are no errors to compare: they are None, shown as "–".
    lecture : mapping, optional
        The lecture's figures, named as in `Report.figures`; errors are shares. Defaults to `LECTURE`.
    **more
        Further figures for ``course run``, plain numbers or text.

    Returns
    -------
    Report
        Make it the last line of a cell.
    """
    begun = len(history) > 0
    figures = {
        "lab": lab,
        "dataset": history.dataset,
        "source": history.source,
        "substitute": history.substitute_for is not None,
        "substitute_for": history.substitute_for,
        "recipe": history.recipe.name,
        "test_error": history.test_error if begun else None,
        "train_error": history.train_error if begun else None,
        "epochs": round(history.epochs, 2),
        "epochs_planned": round(history.recipe.epochs, 2),
        "interrupted": history.interrupted,
        "seconds_per_epoch": round(history.seconds_per_epoch, 3) if begun else None,
        "estimated_over_actual": history.estimate_ratio and round(history.estimate_ratio, 3),
        "parameters": history.parameters,
        "device": history.device,
        **more,
    }
    beside = dict(LECTURE.get(lab, {}) if lecture is None else lecture)
    return Report(figures, beside, history.data, meaning_of(history))


def meaning_of(history: History) -> str:
    """Say in a sentence what the errors after the last epoch mean. Nothing, if no epoch was finished.

    Examples
    --------
    >>> from course_utils.training import EpochRecord, recipe
    >>> last = EpochRecord(30, 0.03, 0.0, 0.0, 0.0078, seconds=9, test_seconds=1)
    >>> meaning_of(History(recipe("lenet5", "lecture"), "mnist", "MNIST", classes=10, records=[last]))
    'The test error is far above the training error: most training images are known by heart.'
    """
    if not len(history):
        return ""
    training, test = history.train_error, history.test_error
    guessing = math.log(history.classes)
    if history.final.train_loss > 0.9 * guessing:
        close = f"The loss is still close to that of guessing, ln {history.classes} = {guessing:.3f}"
        return f"{close}: next to nothing was learned yet."
    if training < test / 3:
        return "The test error is far above the training error: most training images are known by heart."
    if training < 0.9 * test:
        return "The test error is above the training error: some training images are known by heart."
    if training <= test:
        return "Training and test error are about the same: more epochs might still help."
    return "The training error is above the test error: more epochs might still help."


_HEADS = ("", "this run", "the lecture")
_LABELS = {
    "test_error": "test error",
    "train_error": "training error (running)",
    "epochs": "epochs",
    "seconds_per_epoch": "time per epoch",
    "parameters": "parameters",
}


def _text(name: str, figures: Mapping[str, Any]) -> str:
    value = figures.get(name)
    if value is None:
        return "–"
    if name.endswith("_error"):
        return f"{100 * value:.2f} %"
    return f"{value:.3g} s" if name == "seconds_per_epoch" else f"{value:,}"
