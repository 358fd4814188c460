"""The environment is read in one place, and a wrong value is one clear error."""

from __future__ import annotations

from pathlib import Path

import pytest

from course_utils import settings
from course_utils.errors import SettingsError


def test_what_is_not_set_has_a_sensible_default():
    read = settings.read({})
    assert (read.profile, read.offline, read.device) == ("fast", False, None)
    assert (read.data_shared, read.data_mirror) == (None, None)
    assert read.data_dir.is_absolute()


def test_every_variable_is_read(tmp_path: Path):
    read = settings.read(
        {
            "COURSE_DATA_DIR": str(tmp_path / "cache"),
            "COURSE_DATA_SHARED": str(tmp_path / "shared"),
            "COURSE_DATA_MIRROR": "http://127.0.0.1:8000",
            "COURSE_OFFLINE": "1",
            "COURSE_PROFILE": "lecture",
            "COURSE_DEVICE": "cuda:1",
        }
    )
    assert (read.data_dir, read.data_shared) == (tmp_path / "cache", tmp_path / "shared")
    assert (read.data_mirror, read.offline) == ("http://127.0.0.1:8000", True)
    assert (read.profile, read.device) == ("lecture", "cuda:1")
    assert read.checkpoints_dir.parent == tmp_path / "cache"


def test_a_state_folder_holds_progress_and_checkpoints_but_no_data(tmp_path: Path):
    own = settings.read({"COURSE_DATA_DIR": str(tmp_path)})
    of_a_run = settings.read({"COURSE_DATA_DIR": str(tmp_path), "COURSE_STATE_DIR": str(tmp_path / "run")})
    assert own.progress_dir == tmp_path / "progress"
    assert of_a_run.progress_dir == tmp_path / "run" / "progress"
    assert own.checkpoints_dir == tmp_path / "checkpoints"
    assert of_a_run.checkpoints_dir == tmp_path / "run" / "checkpoints"
    assert of_a_run.data_dir == own.data_dir


def test_the_variables_are_read_afresh(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("COURSE_PROFILE", "lecture")
    assert settings.read().profile == "lecture"
    monkeypatch.setenv("COURSE_PROFILE", "fast")
    assert settings.read().profile == "fast"


@pytest.mark.parametrize(("name", "value"), [("COURSE_PROFILE", "slow"), ("COURSE_OFFLINE", "maybe")])
def test_an_unknown_value_names_the_variable_and_the_known_ones(name: str, value: str):
    with pytest.raises(SettingsError) as caught:
        settings.read({name: value})
    assert value in str(caught.value)
    assert name in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"), [("", False), ("0", False), ("no", False), ("1", True), ("TRUE", True)]
)
def test_a_switch_takes_the_usual_words(text: str, expected: bool):
    assert settings.read({"COURSE_OFFLINE": text}).offline is expected


def test_an_error_keeps_its_parts_when_it_crosses_a_process():
    import pickle

    error = SettingsError("What.", why="Why.", left="Left.", next_step="Next.")
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again)) == (SettingsError, str(error))
    assert [line.split(":")[0].strip() for line in str(error).splitlines()[1:]] == ["why", "kept", "next"]
