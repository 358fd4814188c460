"""What `course check` writes for GitHub and Classroom 50."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest
from nbformat.v4 import new_code_cell, new_notebook
from submissions import write

from course_utils import exercises
from course_utils.command_line import main
from course_utils.command_line.check_reports import as_classroom50, as_markdown
from course_utils.errors import SettingsError

ROW = {"number": "1.4", "id": "output_size", "title": "output_size", "points": 1}
RIGHT = ROW | {"status": "correct", "earned": 1, "message": "✓"}
WRONG = ROW | {"status": "wrong", "earned": 0, "message": "not right\n```\n<b>x</b>\n````"}
OPTIONAL = {
    "number": "1.9",
    "id": "x",
    "title": "x",
    "points": 0,
    "earned": 0,
    "status": "correct",
    "message": "",
}
GIVEN = {
    "CLASSROOM": "cs5242",
    "ASSIGNMENT": "lab-1",
    "SUBMISSION_TAG": "submit/3",
    "COMMIT_URL": "https://example.org/commit",
    "RELEASE_URL": "https://example.org/release",
    "REVIEW_URL": "",
}


def collected(text: str | bytes) -> dict[str, Any]:
    """A result.json as Classroom 50's collector reads it, by its own rules."""

    def count(value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and value >= 0

    assert len(text) <= 10 * 2**20
    found = json.loads(text)
    assert found["schema"] == "classroom50/result/v1"
    for name in ("classroom", "assignment", "submission", "commit", "release", "review", "datetime"):
        assert isinstance(found[name], str) and found[name], name
    datetime.strptime(found["datetime"], "%Y-%m-%dT%H:%M:%SZ")
    for one in (found, *found["tests"]):
        assert count(one["score"]) and count(one["max-score"]) and one["score"] <= one["max-score"]
    for test in found["tests"]:
        assert isinstance(test["test-name"], str) and test["test-name"]
        assert isinstance(test["passed"], bool)
    return found


def test_classroom_50_gets_points_of_what_counts():
    found = collected(json.dumps(as_classroom50([RIGHT, WRONG, OPTIONAL], GIVEN)))
    assert (found["score"], found["max-score"]) == (1, 2)
    assert [test["passed"] for test in found["tests"]] == [True, False]
    assert found["review"] == GIVEN["COMMIT_URL"] and found["submission"] == "submit/3"


def test_outside_classroom_50_it_says_what_is_missing():
    with pytest.raises(SettingsError, match="has not set ASSIGNMENT and COMMIT_URL"):
        as_classroom50([], GIVEN | {"ASSIGNMENT": "", "COMMIT_URL": ""})


def test_a_summary_has_a_table_and_the_cards_as_text():
    lines = as_markdown("lab.ipynb", [RIGHT, WRONG, OPTIONAL]).splitlines()
    assert lines[0] == "## lab.ipynb: 1 of 2 correct, 1 of 2 points"
    assert "| 1.4 | `output_size` | ✗ wrong | 0 of 1 |" in lines
    assert "| 1.9 | `x` | ✓ correct | optional |" in lines
    start = lines.index("`````text")
    assert lines[start:-2] == ["`````text", *WRONG["message"].split("\n"), "`````"], "no fence ends early"


@pytest.fixture
def classroom(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in GIVEN.items():
        monkeypatch.setenv(name, value)


@pytest.mark.slow
def test_one_run_writes_summary_page_and_result(classroom, tmp_path, capsys):
    source = "from course_utils import check\n\ndef output_size(n, f, p=0, s=1):\n    return n\n"
    cells = [new_code_cell(source), new_code_cell("check.output_size(output_size)")]
    notebook = write(new_notebook(cells=cells), tmp_path / "01_mine.ipynb")
    page, result = tmp_path / "page.html", tmp_path / "result.json"
    command = ["check", str(notebook), "--markdown", "--page", str(page), "--classroom50", str(result)]
    assert main(command) == 0, "a wrong answer is no failure of the grader"
    assert "✗ wrong" in (shown := capsys.readouterr().out) and "not right yet" in shown
    assert "not right yet" in page.read_text("utf-8")
    found = collected(result.read_bytes())
    assert found["score"] == 0
    assert found["max-score"] == sum(e.points for e in map(exercises.get, exercises.names()) if e.lab == 1)


def test_a_notebook_that_cannot_be_read_gets_no_points_and_no_failure(classroom, tmp_path, capsys):
    (tmp_path / "01_mine.ipynb").write_text("{")
    result = tmp_path / "result.json"
    assert main(["check", str(tmp_path / "01_mine.ipynb"), "--classroom50", str(result)]) == 0
    assert collected(result.read_bytes())["score"] == 0 and "cannot be read" in capsys.readouterr().err


def test_without_its_variables_nothing_is_run(tmp_path, capsys):
    result = tmp_path / "result.json"
    assert main(["check", str(tmp_path / "missing.ipynb"), "--classroom50", str(result)]) == 2
    assert "Classroom 50 has not set CLASSROOM" in capsys.readouterr().err and not result.exists()
