"""The state of every exercise, kept in one small file that several kernels may write at once.

The file is a journal: each check appends one line in one write, so that kernels never overwrite each other,
and the newest line of an exercise counts. If a line is cut short (a full disk), only that line is lost.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from course_utils import exercises, settings
from course_utils.errors import CourseError
from course_utils.figures import HtmlFigure, table

_WORDS = {
    "correct": "✓ correct",
    "wrong": "✗ not right yet",
    "error": "! error",
    "not started": "○ not started",
}
_unsaved: list[dict[str, Any]] = []


def record(exercise_id: str, status: str, earned: int) -> None:
    """Keep a verdict.

    A folder that cannot be written never breaks a check: the verdict is then kept in this kernel only.
    """
    entry = {"exercise": exercise_id, "status": status, "earned": earned}
    try:
        path = _path()
        path.parent.mkdir(parents=True, exist_ok=True)
        # The line break comes first, so that a line cut short by another writer does not swallow this one.
        data = ("\n" + json.dumps(entry)).encode()
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(handle, data)
        finally:
            os.close(handle)
    except (OSError, CourseError):
        _unsaved.append(entry)


def states() -> dict[str, dict[str, Any]]:
    """Return the newest verdict of each exercise that was checked: its ``status`` and points ``earned``."""
    return {entry["exercise"]: entry for entry in [*_entries(), *_unsaved]}


def _entries() -> Iterator[dict[str, Any]]:
    try:
        lines = _path().read_text(encoding="utf-8", errors="replace").splitlines()
    except (OSError, CourseError):
        return
    for text in lines:
        try:
            entry = json.loads(text)
        except ValueError:
            continue
        if (
            isinstance(entry, dict)
            and entry.get("status") in _WORDS
            and isinstance(entry.get("exercise"), str)
        ):
            yield {"earned": 0, **entry}


def _path() -> Path:
    return settings.read().progress_dir / "checks.jsonl"


def overview(labs: Mapping[int, str], lab: int | None = None) -> HtmlFigure:
    """Return a table: the state of one lab's exercises, or of all, and one row for every other lab.

    Optional exercises do not count.
    """
    known = states()
    rows: list[list[str]] = []
    for each, title in labs.items():
        mine = [exercises.get(name) for name in exercises.names() if exercises.get(name).lab == each]
        needed = [exercise for exercise in mine if not exercise.optional]
        done = [exercise for exercise in needed if known.get(exercise.id, {}).get("status") == "correct"]
        rows.append([f"Lab {each:02}", title, f"{len(done)} of {len(needed)} correct"])
        if lab in (None, each):
            rows += [
                [
                    exercise.number,
                    f"{exercise.id} (optional)" if exercise.optional else exercise.id,
                    _WORDS[known.get(exercise.id, {}).get("status", "not started")],
                ]
                for exercise in mine
            ]
    caption = "Your progress"
    if _unsaved:
        caption += f" (in this notebook only: {_where()} cannot be written)"
    return table(rows, ["", "Exercise", "State"], caption)


def _where() -> str:
    try:
        return str(_path())
    except CourseError as error:
        return error.what
