"""The face ``check`` outside a notebook, and the progress that it keeps."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import prepared
import pytest

from course_utils import check, exercises
from course_utils.checks import Check, progress
from course_utils.errors import ExerciseError


def right(n, f, p=0, s=1):
    return (n + 2 * p - f) // s + 1


def stub(n, f, p=0, s=1):
    raise NotImplementedError


@pytest.fixture(autouse=True)
def own_folder(course_environment: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(progress, "_unsaved", [])
    return course_environment / "progress"


def test_in_a_terminal_the_verdict_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert check.output_size(right) is None
    assert capsys.readouterr().out == "✓ Exercise 1.4 (output_size): correct.\n"
    check.output_size(stub)
    assert capsys.readouterr().out == "○ Exercise 1.4 (output_size) is not started.\n"
    check.output_size(lambda n, f, p=0, s=1: n)
    assert "not right yet" in capsys.readouterr().out


def test_dir_lists_the_exercises_for_tab_completion() -> None:
    assert set(exercises.names()) | {"begin", "progress"} == set(dir(check))


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("outputsize", "output_size"),
        ("LeNet5", "lenet5"),
        ("VGG", "vgg"),
        ("ResidualBlock", "residual_block"),
    ],
)
def test_an_unknown_exercise_names_close_ones(name: str, meant: str) -> None:
    with pytest.raises(ExerciseError, match=rf"There is no exercise '{name}'(.|\n)*check\.{meant}"):
        getattr(check, name)


def test_a_name_that_resembles_no_exercise_lists_all() -> None:
    with pytest.raises(ExerciseError, match="cross_correlate"):
        _ = check.qqqq


def test_hasattr_is_false_for_what_is_not_an_exercise() -> None:
    assert not hasattr(check, "qqqq")
    assert not hasattr(check, "_repr_html_")


def test_hints_come_one_at_a_time_and_the_last_stays(capsys: pytest.CaptureFixture[str]) -> None:
    fresh = Check()
    hints = exercises.get("output_size").hints
    for _ in range(len(hints) + 1):
        fresh.output_size.hint()
    told = capsys.readouterr().out.splitlines()
    count = len(hints)
    expected = [
        f"Hint {i + 1} of {count} for Exercise 1.4 (output_size): {hint}" for i, hint in enumerate(hints)
    ]
    assert told == [*expected, expected[-1]]


def test_an_unknown_lab_lists_the_labs() -> None:
    with pytest.raises(ExerciseError, match=r"no lab 9(.|\n)*1, 2, 3, 4"):
        check.begin(lab=9)


@pytest.mark.parametrize("how", ["validate", "autograde"])
def test_while_nbgrader_runs_only_correct_passes_and_nothing_is_kept(
    how: str, monkeypatch: pytest.MonkeyPatch, own_folder: Path
) -> None:
    monkeypatch.setenv("NBGRADER_EXECUTION", how)
    check.output_size(right)
    with pytest.raises(AssertionError, match=r"1\.4"):
        check.output_size(stub)
    with pytest.raises(AssertionError, match=r"1\.4"):
        check.output_size(lambda n, f, p=0, s=1: n)
    assert not own_folder.exists()


@pytest.mark.slow
def test_nbgrader_sets_the_variable_that_checks_look_at() -> None:
    import inspect

    from nbgrader import validator
    from nbgrader.converters import autograde

    assert "NBGRADER_EXECUTION='validate'" in inspect.getsource(validator)
    assert "NBGRADER_EXECUTION='autograde'" in inspect.getsource(autograde)


def test_the_newest_verdict_counts(capsys: pytest.CaptureFixture[str]) -> None:
    check.output_size(right)
    assert progress.states()["output_size"]["status"] == "correct"
    check.output_size(stub)
    assert progress.states()["output_size"]["status"] == "not started"


def test_progress_shows_a_lab_in_full_and_the_others_in_short(capsys: pytest.CaptureFixture[str]) -> None:
    check.output_size(right)
    capsys.readouterr()
    check.progress(lab=1)
    told = capsys.readouterr().out
    mine = [exercise for exercise in map(exercises.get, exercises.names()) if exercise.lab == 1]
    assert "output_size" in told and "zero_pad" in told and "max_pool" not in told
    assert told.count("✓ correct") == 1 and told.count("○ not started") == len(mine) - 1
    assert f"1 of {sum(not exercise.optional for exercise in mine)} correct" in told and "VGG" in told
    assert told.index("Lab 01") < told.index("cross_correlate") < told.index("Lab 02")


def test_an_optional_exercise_is_shown_in_its_place_and_not_waited_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    mine = [exercise for exercise in map(exercises.get, exercises.names()) if exercise.lab == 1]
    needed = [exercise.id for exercise in mine if not exercise.optional]
    Check().begin(lab=1)
    for name in needed:
        progress.record(name, "correct", 1)
    check.progress(lab=1)
    told = capsys.readouterr().out
    assert f"{len(needed)} exercises and {len(mine) - len(needed)} optional\n" in told
    assert f"{len(needed)} of {len(needed)} correct" in told
    assert re.findall(r"^1\.\d+", told, re.M) == [exercise.number for exercise in mine]
    assert "conv2d_gradient (optional)" in told
    assert told.count("○ not started") == len(mine) - len(needed) > 0


def test_while_nbgrader_runs_an_optional_exercise_may_be_left_out_but_not_be_wrong(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NBGRADER_EXECUTION", "validate")

    def conv2d_gradient(x, weight, grad_output):
        raise NotImplementedError

    check.conv2d_gradient(conv2d_gradient)
    assert "is optional and not started." in capsys.readouterr().out
    with pytest.raises(AssertionError, match=r"Exercise 1\.9"):
        check.conv2d_gradient(lambda x, weight, grad_output: (x, weight))


@pytest.mark.slow
def test_two_kernels_that_write_at_once_lose_nothing(own_folder: Path, tmp_path: Path) -> None:
    code = """
import sys
from pathlib import Path
from course_utils.checks import progress
Path(sys.argv[1]).touch()
while not Path(sys.argv[2]).exists():
    pass
for i in range(300):
    progress.record(f"exercise_{sys.argv[1]}_{i}", "correct", 1)
assert not progress._unsaved
"""
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    with ThreadPoolExecutor() as writers:
        ended = [writers.submit(prepared.run, code, *names) for names in ((one, two), (two, one))]
    assert [writer.result().returncode for writer in ended] == [0, 0]
    assert len(progress.states()) == 600


def test_a_line_cut_short_loses_nothing_else(own_folder: Path) -> None:
    progress.record("zero_pad", "wrong", 0)
    with (own_folder / "checks.jsonl").open("a") as file:
        file.write('\n{"exercise": "same_pad')
    progress.record("output_size", "correct", 1)
    assert {name: entry["status"] for name, entry in progress.states().items()} == {
        "zero_pad": "wrong",
        "output_size": "correct",
    }


@pytest.mark.parametrize(
    "text", ["[]", "{}", '{"exercise": 3, "status": "correct"}', '{"exercise": "a", "status": 1}']
)
def test_what_is_not_a_verdict_is_skipped(own_folder: Path, text: str) -> None:
    own_folder.mkdir(parents=True)
    (own_folder / "checks.jsonl").write_text(text)
    assert progress.states() == {}


def test_a_folder_that_cannot_be_written_breaks_no_check(
    own_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own_folder.parent.mkdir(parents=True)
    own_folder.write_text("a file is where the folder should be")
    check.output_size(right)
    check.progress(lab=1)
    told = capsys.readouterr().out
    assert told.startswith("✓ Exercise 1.4 (output_size): correct.")
    assert "✓ correct" in told.split("Your progress")[1] and "cannot be written" in told


def test_a_wrong_setting_breaks_no_check(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COURSE_PROFILE", "bogus")
    check.output_size(right)
    assert "correct" in capsys.readouterr().out


def test_a_record_is_one_line_of_json(own_folder: Path) -> None:
    progress.record("zero_pad", "correct", 2)
    lines = (own_folder / "checks.jsonl").read_text().split()
    assert json.loads(" ".join(lines)) == {"exercise": "zero_pad", "status": "correct", "earned": 2}
