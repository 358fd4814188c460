"""training_panel: the curves of a training run, its confusion matrix, and the images behind each number."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from course_utils.errors import FigureError
from course_utils.figures.arrays import array_text, as_array, softmax
from course_utils.figures.live.live_figure import LiveFigure
from course_utils.figures.live.sprites import sheet
from course_utils.figures.live.still import Still

_TAKES = "training_panel takes what fit returns: a history of at least one epoch."
_MOST_CLASSES = 20
_MOST_EPOCHS = 150
_MOST_IN_CELL = 12


def training_panel(
    history: Any,
    scores: Any = None,
    labels: Any = None,
    images: Any = None,
    classes: Sequence[str] | None = None,
) -> LiveFigure:
    """Show loss and error epoch by epoch and, given a test set's scores, the images behind each confusion.

    Parameters
    ----------
    history : History
        What `fit` returns, or anything with the same records, dataset, source and number of classes.
    scores : tensor, optional
        N×K scores before softmax; the confidence is the softmax of the predicted class.
    labels : tensor, optional
        N class numbers; required with `scores`.
    images : tensor, optional
        N×C×H×W with one or three channels, in 8 bits or in 0…1. The figure holds small copies of those
        with wrong answers, as many as it has room for, the most confident of each confusion first.
    classes : sequence of str, optional
        The K names; numbers by default.

    Raises
    ------
    FigureError
        If there are no epochs, or the shapes do not match.

    Examples
    --------
    >>> from torch import nn
    >>> from course_utils import Recipe, fit, load_dataset
    >>> model, recipe = nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), Recipe("one layer", epochs=2)
    >>> history = fit(model, load_dataset("digits"), recipe, checkpoint=False, show=False)
    >>> training_panel(history)
    one layer on digits (...): 2 epochs, last loss ..., training error ... %, test error ... %
    """
    epochs = _epochs(history)
    data: dict[str, Any] = {
        "title": str(getattr(getattr(history, "recipe", None), "name", "training")),
        "place": _place(history),
        "plateau": math.log(max(2, int(history.classes))),
        "classes": [],
        "epochs": epochs,
    }
    _, _, loss, train, test = epochs[-1]
    text = (
        f"{data['title']} on {data['place']}: {len(epochs)} epoch{'s' * (len(epochs) != 1)}, last loss "
        f"{'not a number' if loss is None else f'{loss:g}'}, training error {100 * train:.2f} %, "
        f"test error {100 * test:.2f} %"
    )
    answers = _answers(scores, labels, images, classes)
    if answers is not None:
        data |= answers
        wrong = int(np.sum(answers["matrix"]) - np.trace(answers["matrix"]))
        text += f"; {wrong:,} wrong of {int(np.sum(answers['matrix'])):,} test answers"
    return LiveFigure("training_panel", "A training run", data, _still(data), text)


def _epochs(history: Any) -> list[list[Any]]:
    """Return epoch, learning rate, loss, training error, test error of each record, in five digits."""
    names = ("epoch", "learning_rate", "train_loss", "train_error", "test_error")
    try:
        rows = [[float(getattr(record, name)) for name in names] for record in history.records]
        int(history.classes)
    except (AttributeError, TypeError, ValueError) as error:
        raise FigureError(_TAKES, why=f"It got {type(history).__name__}: {error}.") from error
    if not 0 < len(rows) <= _MOST_EPOCHS:
        raise FigureError(
            _TAKES, why=f"This one has {len(rows)} epochs; the figure shows 1 to {_MOST_EPOCHS}."
        )
    if not all(math.isfinite(value) for row in rows for value in (row[0], row[1], row[3], row[4])):
        raise FigureError(_TAKES, why="This one has a learning rate or an error that is not a number.")
    # A loss that diverged is not a number: the curve has a gap.
    return [[float(f"{value:.5g}") if math.isfinite(value) else None for value in row] for row in rows]


def _place(history: Any) -> str:
    dataset, source = str(getattr(history, "dataset", "")), str(getattr(history, "source", ""))
    place = source if dataset in source else f"{dataset} · {source}"
    asked = getattr(history, "substitute_for", None)
    return f"{place}, instead of {asked}" if asked and asked not in place else place


def _answers(scores: Any, labels: Any, images: Any, classes: Sequence[str] | None) -> dict[str, Any] | None:
    if scores is None and labels is None and images is None:
        return None
    values, truth = as_array(scores), as_array(labels)
    takes = "training_panel takes scores N×K, labels N and images N×C×H×W of the same N images."
    if (
        values is None
        or truth is None
        or values.ndim != 2
        or truth.shape != values.shape[:1]
        or not len(truth)
    ):
        raise FigureError(takes, why=f"It got scores {array_text(values)} and labels {array_text(truth)}.")
    names = [str(k) for k in range(values.shape[1])] if classes is None else [str(name) for name in classes]
    if values.shape[1] != len(names) or not 1 < len(names) <= _MOST_CLASSES:
        raise FigureError(
            f"training_panel takes a score and a name for each of 2 to {_MOST_CLASSES} classes.",
            why=f"There are {values.shape[1]} scores and {len(names)} names.",
        )
    if truth.dtype.kind not in "iu" or truth.min() < 0 or truth.max() >= len(names):
        raise FigureError(f"training_panel takes labels that are class numbers from 0 to {len(names) - 1}.")
    if not np.isfinite(values).all():
        raise FigureError("training_panel takes scores that are numbers; these hold nan or infinity.")
    if images is not None and tuple(getattr(images, "shape", ()))[:1] != truth.shape:
        raise FigureError(takes, why=f"It got {len(truth)} labels and images {array_text(as_array(images))}.")
    taken, sure = values.argmax(1), softmax(values).max(1)
    matrix = np.zeros((len(names),) * 2, int)
    np.add.at(matrix, (truth, taken), 1)
    answers: dict[str, Any] = {"classes": names, "matrix": matrix.tolist(), "tiles": []}
    if images is not None:
        drawn = sheet(images, _order(truth, taken, sure), "training_panel")
        answers["sheet"] = {
            "source": drawn.source,
            "columns": drawn.columns,
            "width": drawn.width,
            "height": drawn.height,
        }
        answers["tiles"] = [
            [int(truth[i]), int(taken[i]), i, round(float(sure[i]), 4)] for i in drawn.indices
        ]
    return answers


def _order(truth: np.ndarray, taken: np.ndarray, sure: np.ndarray) -> list[int]:
    """Return the wrong answers, the surest of each confusion first; frequent confusions get more places."""
    wrong = np.flatnonzero(truth != taken)
    found: dict[tuple[int, int], list[int]] = {}
    for index in wrong[np.argsort(-sure[wrong], kind="stable")].tolist():
        found.setdefault((int(truth[index]), int(taken[index])), []).append(index)
    seats = [
        (rank / len(group), index)
        for group in found.values()
        for rank, index in enumerate(group[:_MOST_IN_CELL], 1)
    ]
    return [index for _, index in sorted(seats)]


def _still(data: dict[str, Any]) -> bytes:
    wide, high = 250, 120
    still = Still(2 * wide + 60, high + 44)
    still.text(2, 4, f"{data['title']}, {data['place']}"[:88], size=11)
    curves = (("loss", (2,)), ("error: training and test, %", (3, 4)))
    for column, (name, keys) in enumerate(curves):
        left, top = 4 + column * (wide + 40), 40
        still.text(left, 22, name, size=11)
        still.box(left, top, wide, high)
        shown = [row[key] for row in data["epochs"] for key in keys if row[key] is not None]
        most = max([*shown, 1e-9]) * 1.05
        for key in keys:
            for index, row in enumerate(data["epochs"]):
                if row[key] is not None:
                    x = left + 6 + (wide - 14) * index / max(1, len(data["epochs"]) - 1)
                    colour = "#0072B2" if key < 4 else "#b34700"
                    still.box(x, top + high - 5 - (high - 8) * row[key] / most, 2, 2, fill=colour)
        still.text(
            left + wide - 60, top + 4, f"to {most:.3g}" if column == 0 else f"to {100 * most:.3g} %", size=10
        )
    return still.png()
