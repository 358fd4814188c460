"""Shared code of the convolutional-network labs: data, devices, training, checks and figures.

Every public name is imported on first use, so that ``import course_utils`` stays cheap and a machine
without Jupyter or scikit-learn can still load data and train.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from course_utils.threads import share_cores

if TYPE_CHECKING:
    from course_utils import figures as figures
    from course_utils.checks import check as check
    from course_utils.data import Dataset as Dataset
    from course_utils.data import load_dataset as load_dataset
    from course_utils.device import describe_device as describe_device
    from course_utils.device import pick_device as pick_device
    from course_utils.timing import Stopwatch as Stopwatch
    from course_utils.training import Recipe as Recipe
    from course_utils.training import error_rate as error_rate
    from course_utils.training import evaluate as evaluate
    from course_utils.training import fit as fit

__version__ = "1.0.0"

_HOMES = {
    "load_dataset": "course_utils.data",
    "Dataset": "course_utils.data",
    "pick_device": "course_utils.device",
    "describe_device": "course_utils.device",
    "Stopwatch": "course_utils.timing",
    "fit": "course_utils.training",
    "evaluate": "course_utils.training",
    "error_rate": "course_utils.training",
    "Recipe": "course_utils.training",
    "check": "course_utils.checks",
}

__all__ = [*sorted(_HOMES), "figures"]

share_cores()


def __getattr__(name: str) -> Any:
    if name == "figures":
        return import_module("course_utils.figures")
    if name not in _HOMES:
        raise AttributeError(
            f"module 'course_utils' has no attribute {name!r}; it offers {', '.join(__all__)}"
        )
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
