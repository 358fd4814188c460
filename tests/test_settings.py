"""The environment is read in one place, and a wrong value is one clear error."""

from __future__ import annotations

import os
import sys
import tempfile
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


PATHS = ("COURSE_DATA_DIR", "COURSE_DATA_SHARED", "COURSE_STATE_DIR")


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("~nobody-of-this-name/data", "There is no home folder ~nobody-of-this-name."),
        ("{here}/loop", "Its links lead in a circle."),
        ("{here}/loop/data", "Its links lead in a circle."),
        ("{here}/" + "x" * 300, "A name in it is longer than the system allows."),
        ("/x" * 3000, "A name in it is longer than the system allows."),
        ("a\0b", "It cannot be a path: embedded null byte."),
    ],
)
def test_a_path_that_is_impossible_is_refused_for_its_own_reason(
    tmp_path: Path, name: str, text: str, why: str
):
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(SettingsError) as caught:
        settings.read({name: text.format(here=tmp_path)})
    assert name in caught.value.what and caught.value.why == why and name in caught.value.next_step


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.parametrize(
    "text",
    [
        "{here}/none",
        "{here}/file",
        "{here}/file/x",
        "{here}/\udcff",
        "{here}/a\nb",
        "{here}/ß名",
        "{here}/x/..",
    ],
)
def test_a_path_where_nothing_is_yet_is_taken(tmp_path: Path, name: str, text: str):
    (tmp_path / "file").touch()
    read = settings.read({name: text.format(here=tmp_path)})
    assert str(getattr(read, name.removeprefix("COURSE_").lower())).startswith(str(tmp_path))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"], "nothing is made"


@pytest.mark.parametrize("name", PATHS)
def test_a_blank_path_is_none(name: str):
    assert settings.read({name: "  "}) == settings.read({})


@pytest.mark.skipif(os.name == "nt", reason="Windows knows its users in another way")
class TestHome:
    @pytest.fixture
    def temporary(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.delenv("COURSE_DATA_DIR")
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
        return tmp_path / "temporary" / f"convnet-labs-{os.getuid()}"

    def test_the_cache_is_in_the_home(self, temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setenv("HOME", str(tmp_path))
        assert settings.read().data_dir.is_relative_to(tmp_path / ".cache")

    @pytest.mark.parametrize(
        "home", ["{here}/file", "{here}/loop", "{here}/loop/x", "{here}/" + "x" * 300, "/proc/none"]
    )
    def test_a_home_that_cannot_be_used_is_replaced(
        self, temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str
    ):
        (tmp_path / "file").touch()
        (tmp_path / "loop").symlink_to("loop")
        monkeypatch.setenv("HOME", home.format(here=tmp_path))
        if home == "/proc/none" and os.geteuid() == 0:
            monkeypatch.setattr(os, "access", lambda *_: False)  # for root all folders seem writable
        assert settings.read().data_dir == temporary

    @pytest.mark.parametrize("home", [None, "", "~", "somewhere"])
    def test_without_a_home_the_cache_is_temporary(
        self, temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str | None
    ):
        """As in `docker run --user 12345`, whose image has no such user."""
        import pwd

        def unknown(user: int) -> None:
            raise KeyError(user)

        monkeypatch.setattr(pwd, "getpwuid", unknown)
        monkeypatch.delenv("HOME") if home is None else monkeypatch.setenv("HOME", home)
        assert settings.read().data_dir == temporary

    def test_without_platformdirs_as_well(
        self, temporary: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setitem(sys.modules, "platformdirs", None)
        self.test_without_a_home_the_cache_is_temporary(temporary, tmp_path, monkeypatch, None)
        self.test_the_cache_is_in_the_home(temporary, tmp_path, monkeypatch)


def test_a_password_in_the_mirrors_address_is_not_shown():
    assert "secret" not in repr(settings.read({"COURSE_DATA_MIRROR": "http://ada:secret@example.org"}))
