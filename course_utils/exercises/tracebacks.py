"""An answer's traceback, cut to its author's own lines."""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path
from types import FrameType
from typing import Any

MOST_FRAMES = 6
MOST_TEXT = 2_000
_PATHS = sysconfig.get_paths()
_LIBRARIES = tuple(
    {str(Path(_PATHS[name]).resolve()) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    | {str(Path(__file__).resolve().parents[1]), "<frozen", "<__array_function__"}
)


def _is_library(frame: FrameType) -> bool:
    name = frame.f_code.co_filename
    return name.startswith(_LIBRARIES) or str(Path(name).resolve()).startswith(_LIBRARIES)


def is_stub(error: BaseException) -> bool:
    """Whether the error is a stub's: a bare ``NotImplementedError`` that a line of the author's own raises.

    PyTorch's own errors of this class have a message, and those of its C++ code have no frame.
    """
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return type(error) is NotImplementedError and not error.args and not _is_library(frames[-1])


def other_function(error: BaseException, candidate: Any) -> str:
    """Return the function or class that raised, if it is neither `candidate` nor a part of it."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    named = candidate if hasattr(candidate, "__qualname__") else type(candidate)
    where = frames[-1].f_code.co_qualname if frames else named.__qualname__
    if f"{where}.".startswith(f"{named.__qualname__}."):
        return ""
    return where.rpartition("<locals>.")[2].partition(".")[0]


def own_lines(error: BaseException) -> str:
    """Return the answer's own lines of the traceback, then the error."""
    stack = [
        (frame, line) for frame, line in traceback.walk_tb(error.__traceback__) if not _is_library(frame)
    ]
    told: list[str] = []
    if len(stack) > MOST_FRAMES:
        told.append(f"  … {len(stack) - MOST_FRAMES} earlier calls")
    for entry in traceback.StackSummary.extract(iter(stack[-MOST_FRAMES:]), lookup_lines=True):
        told.append(f"  line {entry.lineno}, in {entry.name}")
        told += [f"    {entry.line}"] if entry.line else []
    said = "".join(traceback.format_exception_only(type(error), error)).strip()
    return "\n".join([*told, said if len(said) <= MOST_TEXT else said[:MOST_TEXT] + " …"])
