"""What every test shares: the quick profile, no network beyond loopback, folders of its own."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

# Set before any test module is imported, so that the kernels which nbval starts inherit it.
SHARED = os.environ.get("COURSE_DATA_SHARED") or str(Path(__file__).parents[2] / "shared" / "data")
# Processes that run a part of the suite are started from one in which that variable is gone already.
SHARED = os.environ.setdefault("TESTS_DATA_SHARED", SHARED)
for _name in [name for name in os.environ if name.startswith("COURSE_")]:
    del os.environ[_name]
os.environ["COURSE_PROFILE"] = "quick"
os.environ["COURSE_OFFLINE"] = "1"
os.environ["COURSE_DEVICE"] = "cpu"
os.environ["COURSE_DATA_DIR"] = tempfile.mkdtemp(prefix="course-tests-")
os.environ.setdefault("JUPYTER_PLATFORM_DIRS", "1")
if "PYTEST_XDIST_WORKER" in os.environ:
    # Workers side by side share the cores: threads that wait for one another would cost more than they bring.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
# Started in the background of a script this ignores Ctrl-C, and so would the processes that tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """The whole suite runs in two processes, or as many as the variable says; anything less in this one."""
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    return int(os.environ.get("PYTEST_XDIST_AUTO_NUM_WORKERS", 2)) if whole else 0


def pytest_configure(config: pytest.Config) -> None:
    # pytest-socket's own options, so that the rule holds for whoever calls pytest in whatever way.
    config.option.allow_hosts = "127.0.0.1,::1"
    config.option.allow_unix_socket = True


def pytest_unconfigure() -> None:
    import shutil

    shutil.rmtree(os.environ["COURSE_DATA_DIR"], ignore_errors=True)


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout's top folder."""
    return Path(__file__).parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with the real MNIST files; the test is skipped, with the reason, where there is none."""
    folder = Path(SHARED)
    if not (folder / "MNIST" / "raw" / "train-images-idx3-ubyte").exists():
        pytest.skip(f"the real MNIST is not in {folder}; set COURSE_DATA_SHARED to a folder that has it")
    return folder


@pytest.fixture
def course_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache of the test's own; returns its folder."""
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path / "cache"))
    yield tmp_path / "cache"
