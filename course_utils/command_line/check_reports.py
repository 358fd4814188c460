"""What ``course check`` hands on: to a page of GitHub, and to Classroom 50."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from course_utils.errors import SettingsError

_SIGNS = {"correct": "✓", "wrong": "✗", "error": "!"}
_GIVEN = ("CLASSROOM", "ASSIGNMENT", "SUBMISSION_TAG", "COMMIT_URL", "RELEASE_URL")


def that_count(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the exercises that are not optional."""
    return [row for row in rows if row["points"]]


def points_text(row: Mapping[str, Any]) -> str:
    """Return what an exercise earned, for a table."""
    return f"{row['earned']} of {row['points']}" if row["points"] else "optional"


def summary(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return how many exercises are right, and the points of all."""
    needed = that_count(rows)
    correct = sum(row["status"] == "correct" for row in needed)
    earned, most = (sum(row[key] for row in needed) for key in ("earned", "points"))
    return f"{correct} of {len(needed)} correct, {earned} of {most} points"


def as_markdown(title: str, rows: Sequence[Mapping[str, Any]], errors: Sequence[object] = ()) -> str:
    """Return the verdicts as Markdown: a table, and below it the cards to open.

    Parameters
    ----------
    title : str
    rows : sequence of mapping
        The exercises, as ``course check --json`` prints them.
    errors : sequence
        Cells that failed.
    """
    lines = [f"## {title}: {summary(rows)}", ""]
    lines += ["| | exercise | verdict | points |", "| --- | --- | --- | ---: |"]
    for row in rows:
        sign = _SIGNS.get(row["status"], "○")
        lines.append(f"| {row['number']} | `{row['title']}` | {sign} {row['status']} | {points_text(row)} |")
    for row in rows:
        if row["status"] in ("wrong", "error"):
            lines += ["", *_folded(f"Exercise {row['number']} ({row['id']})", row["message"])]
    for error in errors:
        lines += ["", *_folded("A cell failed", str(error))]
    return "\n".join([*lines, ""])


def _folded(title: str, text: str) -> list[str]:
    # What a student wrote stays text: the fence is longer than any in it.
    fence = "`" * max([3, *(len(ticks) + 1 for ticks in re.findall("`+", text))])
    return [f"<details><summary>{title}</summary>", "", f"{fence}text", text, fence, "", "</details>"]


def as_classroom50(rows: Sequence[Mapping[str, Any]], environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the verdicts in Classroom 50's form, ``classroom50/result/v1``.

    Parameters
    ----------
    rows : sequence of mapping
        The exercises, as ``course check --json`` prints them. Optional ones do not count.
    environ : mapping
        The variables that Classroom 50 sets.

    Raises
    ------
    SettingsError
        If one of them is missing.
    """
    if missing := [name for name in _GIVEN if not environ.get(name)]:
        raise SettingsError(
            f"Classroom 50 has not set {' and '.join(missing)}.",
            why="--classroom50 is for its autograder.py, which is started with these variables.",
            next_step="Leave --classroom50 out; --json prints the verdicts anywhere.",
        )
    classroom, assignment, tag, commit, release = (environ[name] for name in _GIVEN)
    tests = [
        {
            "test-name": f"{row['number']} {row['title']}",
            "passed": row["status"] == "correct",
            "score": row["earned"],
            "max-score": row["points"],
        }
        for row in that_count(rows)
    ]
    return {
        "schema": "classroom50/result/v1",
        "classroom": classroom,
        "assignment": assignment,
        "submission": tag,
        "commit": commit,
        "release": release,
        "review": environ.get("REVIEW_URL") or commit,
        "datetime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "score": sum(test["score"] for test in tests),
        "max-score": sum(test["max-score"] for test in tests),
        "tests": tests,
    }
