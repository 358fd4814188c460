"""Gradescope's folder, and the rules for what it reads there."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

METADATA = {
    "id": 123456,
    "created_at": "2026-11-20T14:22:32.365935-08:00",
    "assignment": {"due_date": "2026-11-30T23:00:00.000000-08:00", "title": "Lab 1", "total_points": "16.0"},
    "submission_method": "upload",
    "users": [{"email": "ann@example.org", "id": 1234, "name": "Ann Example"}],
    "previous_submissions": [],
}


@cache
def _rules() -> jsonschema.Draft202012Validator:
    schema = json.loads(Path(__file__).with_name("gradescope_results.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def validated(text: str | bytes) -> dict[str, Any]:
    """What Gradescope reads in a results.json; it must keep the rules."""

    def refuse(constant: str) -> None:
        raise ValueError(f"{constant} is no JSON")

    found = json.loads(text, parse_constant=refuse)
    _rules().validate(found)
    for test in found.get("tests", ()):
        assert test.get("score", 0) <= test.get("max_score", test.get("score", 0)), test
    assert "\\u0000" not in json.dumps(found), "databases refuse zeros"
    json.dumps(found, ensure_ascii=False).encode()
    return found


def folder(path: Path, files: dict[str, bytes], metadata: Any = METADATA) -> Path:
    """Make Gradescope's folder with what a student uploads; return it."""
    for name in ("results", "submission"):
        (path / name).mkdir(parents=True)
    for name, content in files.items():
        (path / "submission" / name).parent.mkdir(parents=True, exist_ok=True)
        (path / "submission" / name).write_bytes(content)
    if metadata is not None:
        text = metadata if isinstance(metadata, bytes) else json.dumps(metadata).encode()
        (path / "submission_metadata.json").write_bytes(text)
    return path


def read(home: Path) -> dict[str, Any]:
    """What Gradescope reads in its folder."""
    return validated((home / "results" / "results.json").read_bytes())


def points(results: dict[str, Any]) -> dict[str, float]:
    """The points of each exercise by its number."""
    return {test["number"]: test["score"] for test in results["tests"] if "score" in test}
