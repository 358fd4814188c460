"""What Windows lacks or does in its own way, taken from the course; what Windows itself does is not shown."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from training_data import net, tiny_dataset, tiny_recipe

from course_utils import files
from course_utils.data import entry
from course_utils.exercises import guard
from course_utils.training.checkpoints import Checkpoint
from course_utils.training.display import Display

REPOSITORY = Path(__file__).parents[1]
SUPPORT = Path(__file__).with_name("support")
PATH_LIMIT = 260


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="what is in use is known from /proc")
def test_the_course_works_without_what_windows_lacks(tmp_path) -> None:
    # Kernels import it as well.
    (tmp_path / "sitecustomize.py").write_text("import without_unix", encoding="utf-8")
    environment = os.environ | {
        "COURSE_DATA_DIR": str(tmp_path / "cache"),
        "COURSE_DATA_SHARED": str(tmp_path / "shared"),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join((str(tmp_path), str(SUPPORT), str(REPOSITORY))),
        "TESTS_WINDOWS_FOLDER": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-X", "warn_default_encoding", str(SUPPORT / "windows_story.py"), str(tmp_path)],
        cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.endswith("done\n")


class TestRename:
    """Windows refuses to replace a file while somebody has it open."""

    @pytest.fixture
    def refusals(self, monkeypatch) -> list[int]:
        """How often the system refuses; a negative number: always."""
        left, replace = [0], os.replace

        def refuse(*paths):
            if left[0]:
                left[0] -= 1
                raise PermissionError(13, "Access is denied")
            replace(*paths)

        monkeypatch.setattr(files.os, "replace", refuse)
        monkeypatch.setattr(files.time, "sleep", lambda seconds: None)
        return left

    @staticmethod
    def write(path: Path) -> None:
        with files.published(path) as file:
            file.write(b"new")

    @pytest.mark.parametrize(("windows", "times"), [(True, 1), (True, 5), (False, 0)])
    def test_a_file_that_is_read_for_a_moment_is_replaced(
        self, windows, times, refusals, monkeypatch, tmp_path
    ) -> None:
        monkeypatch.setattr(files, "_WINDOWS", windows)
        refusals[0] = times
        self.write(tmp_path / "x")
        assert (tmp_path / "x").read_bytes() == b"new"

    @pytest.mark.parametrize(("windows", "tries"), [(True, 7), (False, 1)])
    def test_one_that_stays_open_is_left_as_it_was(
        self, windows, tries, refusals, monkeypatch, tmp_path
    ) -> None:
        (tmp_path / "x").write_bytes(b"old")
        monkeypatch.setattr(files, "_WINDOWS", windows)
        refusals[0] = -1
        with pytest.raises(PermissionError):
            self.write(tmp_path / "x")
        assert refusals[0] == -1 - tries
        assert [path.name for path in tmp_path.iterdir()] == ["x"] and (tmp_path / "x").read_bytes() == b"old"


def test_an_interruption_during_the_end_of_a_deadline_leaves_no_watcher(monkeypatch) -> None:
    class Late(threading.Event):
        rang = False

        def set(self) -> None:
            if not self.rang:
                self.rang = True
                raise guard.RunawayError
            super().set()

    before = threading.active_count()
    # Threads have events of their own.
    mine = SimpleNamespace(Event=Late, Thread=threading.Thread, get_ident=threading.get_ident)
    monkeypatch.setattr(guard, "threading", mine)
    with guard._watch(guard.TimeLimit(60)):
        pass
    assert threading.active_count() == before


@pytest.mark.slow
def test_ctrl_c_leaves_jupyterlab_the_time_to_end(tmp_path) -> None:
    """It reaches both; JupyterLab asks whether it is meant, and ends its kernels."""
    (tmp_path / "labs").mkdir()
    (tmp_path / "labs" / "01_small.ipynb").write_text("{}", encoding="utf-8")
    (tmp_path / "jupyterlab").mkdir()
    (tmp_path / "jupyterlab" / "__init__.py").write_text("", encoding="utf-8")
    (tmp_path / "jupyterlab" / "__main__.py").write_text(
        "import os, pathlib, signal, time\n"
        "def end(*_):\n    time.sleep(1)\n    pathlib.Path('ended').touch()\n    raise SystemExit(0)\n"
        "signal.signal(signal.SIGINT, end)\nos.killpg(0, signal.SIGINT)\ntime.sleep(60)\n",
        encoding="utf-8",
    )
    code = "import sys; from course_utils.command_line import main; sys.exit(main(['lab']))"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join((str(tmp_path), str(REPOSITORY)))}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, start_new_session=True, check=False
    )
    assert done.returncode == 0 and (tmp_path / "ended").exists()


def test_paths_stay_short(tmp_path) -> None:
    """Windows takes 260 characters; half of them are left for the folder of the course, or of its cache."""
    longest = "x" * 300
    partial = ".1234567890-12345678.new"
    cached = str(entry.path_of(Path("."), longest, "key")) + partial
    kept = Checkpoint.of(net(), tiny_recipe(name=longest), tiny_dataset(), Display(), tmp_path).path
    package = REPOSITORY / "course_utils"
    course = [str(path.relative_to(package.parent)) for path in package.rglob("*.py")]
    for path in (cached, f"checkpoints/{kept.name}{partial}", *course):
        assert len(path) <= PATH_LIMIT // 2, path


@pytest.mark.slow
def test_a_checkout_has_the_same_bytes_where_git_writes_windows_line_endings(tmp_path) -> None:
    if not shutil.which("git") or not (REPOSITORY / ".git").exists():
        pytest.skip("this copy of the course is no Git checkout")
    source, clone = REPOSITORY.as_uri(), tmp_path / "clone"
    git = ["git", "-c", "core.autocrlf=true", "-c", "safe.directory=*"]
    subprocess.run([*git, "clone", "-q", "--depth", "1", source, str(clone)], check=True)
    for name in ("labs/01_conv_layer.ipynb", "solutions/01_conv_layer.py", ".ci/run"):
        assert b"\r" not in (clone / name).read_bytes(), name
