"""Recipes: everything that decides a training run, as data."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from numbers import Integral, Real
from typing import Any

import torch
from torch import Tensor, nn

from course_utils import settings
from course_utils.data.dataset import Batches, Dataset, Split
from course_utils.errors import TrainingError
from course_utils.figures.html_figure import HtmlFigure
from course_utils.figures.tables import table
from course_utils.text import number_text
from course_utils.training.augmentation import Augmentation
from course_utils.training.epochs import epoch_number
from course_utils.training.muon import Muon
from course_utils.training.own_code import explained
from course_utils.training.schedules import Constant, DivideAt, DivideEvery, Schedule, Squeezed, Triangle


def _number(value: Any) -> float | None:
    """Return a finite number as Python's, whole ones as int; None for anything else."""
    if isinstance(value, Tensor) and value.numel() == 1 and value.dtype != torch.bool:
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    if not math.isfinite(number):
        return None
    return int(value) if isinstance(value, Integral) else number


def _text(value: Any) -> str:
    return value if isinstance(value, str) else type(value).__name__


def _between(least: float, most: float, *, above: bool = False, below: bool = False) -> Callable[[Any], Any]:
    def read(value: Any) -> float | None:
        number = _number(value)
        if number is None or not least <= number <= most:
            return None
        return None if (above and number == least) or (below and number == most) else number

    return read


def _whole(least: int, most: int) -> Callable[[Any], Any]:
    def read(value: Any) -> int | None:
        number = None if isinstance(value, bool) else operator.index(value)
        return number if number is not None and least <= number <= most else None

    return read


def _one_of(*kinds: type) -> Callable[[Any], Any]:
    return lambda value: value if isinstance(value, kinds) else None


@dataclass(frozen=True)
class _Rule:
    words: str
    read: Callable[[Any], Any]


RULES = {
    "name": _Rule("a text", _one_of(str)),
    "epochs": _Rule("a number above 0, at most 1,000,000", _between(0, 1e6, above=True)),
    "batch_size": _Rule("a whole number from 1 to 1,000,000,000", _whole(1, 10**9)),
    "learning_rate": _Rule("a number above 0", _between(0, 1e38, above=True)),
    "schedule": _Rule(
        "a schedule, for example Constant(); for a function, call fit(…, learning_rate=function)",
        lambda value: (
            value if callable(getattr(value, "rate", None)) and not isinstance(value, type) else None
        ),
    ),
    "optimizer": _Rule("'sgd' or 'muon'", lambda value: {"sgd": "sgd", "muon": "muon"}.get(value)),
    "momentum": _Rule("a number from 0, below 1", _between(0, 1, below=True)),
    "nesterov": _Rule("True or False", _one_of(bool)),
    "weight_decay": _Rule("a number, 0 or above", _between(0, 1e38)),
    "label_smoothing": _Rule("a number from 0, below 1", _between(0, 1, below=True)),
    "augmentation": _Rule("an Augmentation, for example Augmentation(shift=1)", _one_of(Augmentation)),
    "least_steps": _Rule("a whole number from 0 to 1,000,000", _whole(0, 10**6)),
    "seed": _Rule("a whole number from 0 to 9,223,372,036,854,775,807", _whole(0, 2**63 - 1)),
}
"""What each value of a recipe may be."""


@dataclass(frozen=True)
class Recipe:
    """How to train: a value that can be printed, compared, and changed with ``dataclasses.replace``.

    Attributes
    ----------
    name : str
        Shown in plots; it also keeps checkpoints apart, so give a variant its own name.
    epochs : float
        Passes over the training set; the last one may be partial.
    batch_size : int
        Images per step.
    learning_rate : float
        Largest learning rate of the schedule.
    schedule : Schedule
        How the learning rate changes from step to step.
    optimizer : {"sgd", "muon"}
        ``torch.optim.SGD`` or `Muon`, whose steps achieve more and cost a little more.
    momentum, nesterov, weight_decay
        Of the optimiser; Muon's momentum is always Nesterov's. No weight decay on biases and normalisation,
        which have one dimension.
    label_smoothing : float
        Share of the target that is spread evenly over all classes.
    augmentation : Augmentation
        Random changes of the training images.
    least_steps : int
        Fewest steps: a small training set is passed over more often than `epochs`, in whole epochs, to reach
        them.
    seed : int
        Of the order of the images and of the augmentation. The caller initialises the model.

    Raises
    ------
    TrainingError
        If a value is impossible, with what it may be.

    Examples
    --------
    >>> mine = Recipe("mine", epochs=3, learning_rate=0.1, schedule=Triangle(peak=0.5))
    >>> [round(mine.rate(epoch), 3) for epoch in (0, 1.5, 3)]
    [0.01, 0.1, 0.0]
    """

    name: str
    epochs: float
    batch_size: int = 128
    learning_rate: float = 0.25
    schedule: Schedule = field(default_factory=Constant)
    optimizer: str = "sgd"
    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    augmentation: Augmentation = field(default_factory=Augmentation)
    least_steps: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, rule in RULES.items():
            try:
                value = rule.read(getattr(self, name))
            except (TypeError, ValueError, OverflowError):
                value = None
            if value is None:
                raise self._refused(f"It has {name}={getattr(self, name)!r:.60}; {name} is {rule.words}.")
            # As plain numbers: checkpoints keep no others.
            object.__setattr__(self, name, value)
        if self.nesterov and not self.momentum:
            raise self._refused(
                "It has nesterov=True and momentum=0.0; Nesterov's momentum needs a momentum."
            )
        for part in range(0, 100, 5):
            self.rate(self.epochs * part / 100)

    def _refused(self, why: str) -> TrainingError:
        return TrainingError(
            f"The recipe {self.name!r:.80} cannot be followed.", why=why, next_step="Change this value."
        )

    def for_batches(self, batches: int) -> Recipe:
        """Adapt the recipe to the number of batches: whole steps, and at least `least_steps`."""
        steps = max(1, round(self.epochs * batches))
        if steps < self.least_steps:
            return replace(self, epochs=math.ceil(self.least_steps / batches))
        whole = steps // batches if steps % batches == 0 else steps / batches
        return replace(self, epochs=whole)

    def rate(self, epoch: float) -> float:
        """Return the learning rate after `epoch` passes over the data (from 0, fractions included)."""
        with explained(f"The schedule of the recipe {self.name!r} fails."):
            rate = self.schedule.rate(self.learning_rate, epoch, self.epochs)
        number = _number(rate)
        if number is None or number < 0:
            raise self._refused(
                f"After {number_text(epoch)} epochs its learning rate is {rate!r:.60}; "
                "it should be a number, 0 or above."
            )
        return number

    def augment(self, generator: torch.Generator) -> Callable[[Tensor], Tensor] | None:
        """Bind the augmentation to a source of randomness; None where there is nothing to do."""
        return partial(self.augmentation, generator=generator) if self.augmentation else None

    def batches(self, split: Split, generator: torch.Generator) -> Batches:
        """Cut a training set into batches; `generator` decides their order and the changes to the images."""
        transform = self.augment(generator)
        return split.batches(self.batch_size, shuffle=True, generator=generator, transform=transform)

    def make_criterion(self) -> nn.CrossEntropyLoss:
        """Make the loss of this recipe."""
        return nn.CrossEntropyLoss(label_smoothing=self.label_smoothing)

    def make_optimizer(self, model: nn.Module) -> torch.optim.Optimizer:
        """Make the optimiser of this recipe for the weights of `model`."""
        if self.optimizer == "muon":
            weights = [weight for weight in model.parameters() if weight.requires_grad]
            return Muon(weights, self.rate(0), momentum=self.momentum, weight_decay=self.weight_decay)
        decayed = [weight for weight in model.parameters() if weight.requires_grad and weight.ndim > 1]
        plain = [weight for weight in model.parameters() if weight.requires_grad and weight.ndim <= 1]
        groups = [
            {"params": decayed, "weight_decay": self.weight_decay},
            {"params": plain, "weight_decay": 0.0},
        ]
        return torch.optim.SGD(
            [group for group in groups if group["params"]],
            lr=self.rate(0),
            momentum=self.momentum,
            nesterov=self.nesterov,
        )

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return self.table()._repr_mimebundle_()

    def table(self) -> HtmlFigure:
        """Lay the recipe out as a table: what every recipe has, and the rest where it is used.

        Returns
        -------
        HtmlFigure
            A notebook shows it for a recipe at the end of a cell.

        Examples
        --------
        >>> Recipe("mine", epochs=3, momentum=0.9).table()
        mine
        setting        value  meaning
        ─────────────  ─────  ────────────────────────────────────────────────
        epochs             3  passes over the training images
        batch size       128  images in a step
        learning rate   0.25  the same at every step
        momentum         0.9  share of the last step that is added to the next
        """
        rows = [
            ("epochs", epoch_number(self.epochs), "passes over the training images"),
            ("batch size", f"{self.batch_size}", "images in a step"),
            ("learning rate", f"{self.learning_rate:g}", str(self.schedule)),
        ]
        if self.optimizer == "muon":
            rows.append(("optimiser", "Muon", "steps equally large in all directions of a weight matrix"))
        if self.momentum:
            rows.append(
                ("momentum", f"{self.momentum:g}", "share of the last step that is added to the next")
            )
        if self.weight_decay:
            rows.append(("weight decay", f"{self.weight_decay:g}", "pulls the weights towards 0"))
        if self.label_smoothing:
            rows.append(
                (
                    "label smoothing",
                    f"{self.label_smoothing:g}",
                    "share of the target spread over all classes",
                )
            )
        if self.augmentation:
            rows.append(("augmentation", "", str(self.augmentation)))
        return table(rows, columns=("setting", "value", "meaning"), caption=self.name)


_LENET5 = DivideEvery(1.5, epochs=5)
_VGG = DivideAt(2, epochs=(10, 14, 18))
_MODERN = Recipe(
    "modern, fast",
    epochs=2,
    batch_size=256,
    learning_rate=0.07,
    schedule=Triangle(peak=0.2),
    optimizer="muon",
    momentum=0.9,
    label_smoothing=0.2,
    augmentation=Augmentation(shift=1, flip=True),
    least_steps=40,
)

RECIPES: dict[tuple[str, str], Recipe] = {
    ("lenet5", "lecture"): Recipe("lenet5, lecture", epochs=30, schedule=_LENET5),
    ("lenet5", "fast"): Recipe(
        "lenet5, fast",
        epochs=2,
        batch_size=96,
        learning_rate=0.06,
        schedule=Squeezed(_LENET5, epochs=30),
        momentum=0.9,
        nesterov=True,
        augmentation=Augmentation(shift=1),
        least_steps=180,
    ),
    ("lenet5", "quick"): Recipe(
        "lenet5, quick", epochs=4, batch_size=32, schedule=Squeezed(_LENET5, epochs=30)
    ),
    ("vgg", "lecture"): Recipe("vgg, lecture", epochs=20, schedule=_VGG),
    ("vgg", "fast"): Recipe(
        "vgg, fast",
        epochs=3,
        learning_rate=0.05,
        schedule=Squeezed(_VGG, epochs=20),
        momentum=0.9,
        nesterov=True,
        least_steps=400,
    ),
    ("vgg", "quick"): Recipe(
        "vgg, quick",
        epochs=4,
        batch_size=32,
        learning_rate=0.02,
        schedule=Squeezed(_VGG, epochs=20),
        momentum=0.9,
        nesterov=True,
    ),
    ("mlp", "lecture"): Recipe("mlp, lecture", epochs=20, learning_rate=0.05, schedule=_VGG),
    ("mlp", "fast"): Recipe("mlp, fast", epochs=2, learning_rate=0.05, schedule=Squeezed(_VGG, epochs=20)),
    ("mlp", "quick"): Recipe(
        "mlp, quick", epochs=4, batch_size=64, learning_rate=0.05, schedule=Squeezed(_VGG, epochs=20)
    ),
    ("modern", "lecture"): replace(_MODERN, name="modern, lecture"),
    ("modern", "fast"): _MODERN,
    ("modern", "quick"): replace(_MODERN, name="modern, quick", batch_size=64),
}
"""The course's recipes, by network and profile.

``lecture`` is the lecture's own: SGD without momentum, batch 128, learning rate 0.25, divided by 1.5 every
5 epochs (LeNet5) or halved at epochs 10, 14 and 18 counted from 1 (VGG). ``fast`` squeezes its learning rates
into few epochs, ``quick`` into seconds on embedded data. ``modern`` is what Lab 04 adds at its end: for
`SmallVGG`, the same in ``lecture`` and ``fast``.
"""


def recipe(network: str, profile: str | None = None, *, dataset: Dataset | None = None) -> Recipe:
    """Look up a recipe.

    Parameters
    ----------
    network : str
        ``lenet5``, ``vgg``, ``mlp`` or ``modern``.
    profile : str, optional
        ``lecture``, ``fast`` or ``quick``; defaults to ``COURSE_PROFILE``.
    dataset : Dataset, optional
        What will be trained on: with few images, the recipe gets more epochs.

    Raises
    ------
    TrainingError
        If the network is unknown, with those that are known.
    SettingsError
        If the profile is unknown.

    Examples
    --------
    >>> lecture = recipe("lenet5", "lecture")
    >>> lecture.epochs, lecture.batch_size, lecture.rate(epoch=5)
    (30, 128, 0.16666666666666666)
    >>> replace(lecture, name="lenet5, shorter", epochs=6).epochs
    6
    """
    chosen = settings.read().profile if profile is None else settings.check_profile(_text(profile))
    try:
        found = RECIPES[network, chosen]
    except (KeyError, TypeError):
        known = ", ".join(dict.fromkeys(name for name, _ in RECIPES))
        raise TrainingError(
            f"There is no recipe for {network!r:.60}.",
            why=f"The recipes are for {known}.",
            next_step="Use one of these names, or make your own: Recipe('mine', epochs=3).",
        ) from None
    if dataset is None:
        return found
    if not isinstance(dataset, Dataset):
        raise TrainingError(
            f"The argument dataset of recipe is no dataset: {dataset!r:.60}.",
            next_step=f'Write recipe("{network}", dataset=dataset).',
        )
    return found.for_batches(math.ceil(len(dataset.train) / found.batch_size))
