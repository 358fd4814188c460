"""Whose code it is: Python's and its packages', the course's, or the reader's own; and where that failed."""

from __future__ import annotations

import os
import re
import site
import sys
import sysconfig
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import torch.distributed as dist

from course_utils.errors import CourseError, TrainingError

_COURSE = str(Path(__file__).resolve().parents[1])
_LIBRARIES = tuple(
    os.path.realpath(path)
    for path in (
        *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
        site.getusersitepackages(),
    )
)

_ADVICE = (
    (r"mat1 and mat2 shapes cannot be multiplied \(\d+x(\d+) and (\d+)x",
     "The linear layer expects {1} values for each image and gets {0}: make it nn.Linear({0}, …)."),
    (r"does not require grad",
     "The loss must depend on the weights: no detach(), .data, item() or no_grad() in forward()."),
    (r"more than 1 value per channel",
     "The last batch has a single image: choose another batch_size."),
    (r"on the same device|device mismatch|different devices",
     "A tensor that forward() makes or keeps must be where the images are: self.register_buffer(…) keeps it "
     "with the model."),
    (r"out of memory|not enough memory", "Choose a smaller batch_size."),
    (r"same dtype|expected scalar type|Input type",
     "The images are float32, so should be the weights: model.float()."),
    (r"bfloat16|BFloat16", "Train in float32: fit(…, speed=PLAIN)."),
)  # fmt: skip
"""What PyTorch says, and what helps."""


@cache
def owner(filename: str) -> str:
    """Return whose a file of code is: ``"library"``, ``"course"`` or ``"own"``.

    Examples
    --------
    >>> owner(os.__file__), owner(__file__), owner("<ipython-input-3>")
    ('library', 'course', 'own')
    """
    if filename.startswith("<"):
        return "library" if filename.startswith("<frozen") else "own"
    path = os.path.realpath(filename)
    if path.startswith(_COURSE + os.sep):
        return "course"
    in_packages = {"site-packages", "dist-packages"} & set(Path(path).parts)
    return "library" if in_packages or path.startswith(_LIBRARIES) else "own"


def owner_of_module(name: str) -> str:
    """Return whose a module is; one that is not known is the reader's own.

    Examples
    --------
    >>> owner_of_module("builtins"), owner_of_module("torch.nn"), owner_of_module("__main__")
    ('library', 'library', 'own')
    """
    package = name.partition(".")[0]
    if package == "__main__":
        return "own"
    if package in sys.builtin_module_names or package in sys.stdlib_module_names:
        return "library"
    file = getattr(sys.modules.get(package), "__file__", None)
    return owner(file) if file else "own"


@contextmanager
def explained(what: str, *, left: str = "", next_step: str = "") -> Iterator[None]:
    """Turn an error of the code in the block into the course's words, with the reader's line that failed.

    Raises
    ------
    TrainingError
        If the block raises; the course's own errors pass.
    """
    try:
        yield
    except CourseError:
        raise
    except Exception as error:
        if dist.is_available() and dist.is_initialized():
            raise  # it may be that of a lost process, which `process_group` explains
        raise TrainingError(
            what, why=_reason(error), left=left, next_step=_advice(str(error)) or next_step
        ) from error


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    said = f"{type(error).__name__}: {lines[0][:300]}" if lines else type(error).__name__
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if owner(frame.filename) == "own"]
    if not frames:
        return said
    last = frames[-1]
    code = f": {last.line}" if last.line else ""
    return f"{said} (line {last.lineno} of {last.name}{code})"


def _advice(said: str) -> str:
    for pattern, advice in _ADVICE:
        if found := re.search(pattern, said):
            return advice.format(*found.groups())
    return ""
