"""An answer's traceback, cut to its author's own lines."""

from __future__ import annotations

import sysconfig
import traceback
from difflib import get_close_matches
from pathlib import Path
from types import FrameType

MOST_FRAMES = 6
MOST_TEXT = 2_000
_PATHS = sysconfig.get_paths()
_LIBRARIES = tuple(
    {str(Path(_PATHS[name]).resolve()) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    | {str(Path(__file__).resolve().parents[1]), "<frozen", "<__array_function__"}
)


def is_library(frame: FrameType) -> bool:
    """Whether a frame is Python's, PyTorch's or the course's own."""
    name = frame.f_code.co_filename
    return name.startswith(_LIBRARIES) or str(Path(name).resolve()).startswith(_LIBRARIES)


def own_lines(error: BaseException) -> str:
    """Return the answer's own lines of the traceback, then the error."""
    said = "".join(traceback.format_exception_only(type(error), error)).strip() + _meant(error)
    return "\n".join([*own_calls(error), said if len(said) <= MOST_TEXT else said[:MOST_TEXT] + " …"])


def _meant(error: BaseException) -> str:
    """Return what Python adds where it prints the error of a misspelt name itself."""
    if type(error) is not NameError:
        return ""
    *_, (last, _) = traceback.walk_tb(error.__traceback__)
    names = {name.lower(): name for name in last.f_locals}
    near = get_close_matches(str(error.name).lower(), names, n=1)
    return f". Did you mean: '{names[near[0]]}'?" if near else ""


def own_calls(error: BaseException) -> list[str]:
    """Return the answer's own lines of the traceback."""
    stack = [(frame, line) for frame, line in traceback.walk_tb(error.__traceback__) if not is_library(frame)]
    told: list[str] = []
    if len(stack) > MOST_FRAMES:
        told.append(f"  … {len(stack) - MOST_FRAMES} earlier calls")
    for entry in traceback.StackSummary.extract(iter(stack[-MOST_FRAMES:]), lookup_lines=True):
        told.append(f"  line {entry.lineno}, in {entry.name}")
        told += [f"    {entry.line}"] if entry.line else []
    return told
