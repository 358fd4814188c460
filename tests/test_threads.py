"""Threads: as many as there are usable cores, and those that wait give up their core."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from course_utils import threads

UNSET = ("OMP_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "MKL_NUM_THREADS")


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Lay out control-group files as Linux shows them on a machine of 16 cores; returns the root."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)), raising=False)

    def lay_out(mine: str, **files: str) -> Path:
        (tmp_path / "proc/self").mkdir(parents=True)
        (tmp_path / "proc/self/cgroup").write_text(mine)
        for name, text in files.items():
            file = tmp_path / "sys/fs/cgroup" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return tmp_path

    return lay_out


@pytest.mark.parametrize(
    ("quota", "cores"), [("200000 100000", 2), ("150000 100000", 2), ("50000 100000", 1), ("max 100000", 16)]
)
def test_a_containers_quota_is_counted_in_cores(groups, quota, cores) -> None:
    assert threads.usable_cores(groups("0::/\n", **{"cpu.max": quota})) == cores


def test_the_quota_of_a_group_above_counts(groups) -> None:
    root = groups(
        "0::/system.slice/jupyter-ada.service\n",
        **{"system.slice/cpu.max": "300000 100000", "system.slice/jupyter-ada.service/cpu.max": "max 100000"},
    )
    assert threads.usable_cores(root) == 3


def test_a_path_of_the_hosts_falls_back_to_the_containers_own_files(groups) -> None:
    assert threads.usable_cores(groups("0::/docker/4711\n", **{"cpu.max": "400000 100000"})) == 4


def test_quotas_of_the_first_version_count(groups) -> None:
    files = {"cpu/docker/cpu.cfs_quota_us": "250000\n", "cpu/docker/cpu.cfs_period_us": "100000\n"}
    files |= {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}
    assert threads.usable_cores(groups("5:cpu,cpuacct:/docker\n4:memory:/docker\n", **files)) == 3


@pytest.mark.parametrize("text", ["", "100000", "a b", "100000 0 0"])
def test_a_quota_that_cannot_be_read_is_none(groups, text) -> None:
    assert threads.usable_cores(groups("0::/\n", **{"cpu.max": text})) == 16


def test_fewer_bound_cores_count(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5}, raising=False)
    assert threads.usable_cores(tmp_path) == 2


def test_without_affinity_the_processors_count(tmp_path, monkeypatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert threads.usable_cores(tmp_path) == 1


@pytest.fixture(scope="module")
def fresh():
    """Run code in a process whose environment says nothing about threads; returns the words it prints."""

    def run(code: str, **environ: str) -> list[str]:
        bare = {name: value for name, value in os.environ.items() if name not in UNSET} | environ
        done = subprocess.run(
            [sys.executable, "-c", code], env=bare, capture_output=True, text=True, check=True, timeout=120
        )
        return done.stdout.split()

    return run


SHOW = "import course_utils, os; print(os.environ.get('GOMP_SPINCOUNT'))"


def test_the_environment_asks_for_short_waiting(fresh) -> None:
    assert fresh(SHOW) == [threads.SPINS]


@pytest.mark.parametrize(
    ("name", "value", "spins"), [("OMP_WAIT_POLICY", "ACTIVE", "None"), ("GOMP_SPINCOUNT", "7", "7")]
)
def test_what_an_administrator_set_stays(fresh, name, value, spins) -> None:
    assert fresh(SHOW, **{name: value}) == [spins]


QUOTA = "import os; os.sched_getaffinity = lambda _: {0, 1}; os.cpu_count = lambda: 2; import sys; "
QUOTA += "from course_utils import threads; threads._quotas = lambda _: [0.5]; "


@pytest.mark.slow
@pytest.mark.parametrize("first", ["", "import torch; "])
def test_a_kernel_takes_the_cores_of_its_quota(fresh, first) -> None:
    code = QUOTA + first + "threads.share_cores(); import torch; print(torch.get_num_threads())"
    assert fresh(code) == ["1"]


@pytest.mark.slow
def test_threads_that_were_asked_for_stay(fresh) -> None:
    code = "import torch; " + QUOTA + "threads.share_cores(); print(torch.get_num_threads())"
    assert fresh(code, OMP_NUM_THREADS="2") == ["2"]


# Short regions with pauses between them: a thread that spins is busy in each pause.
SPINNING = """
{first}
import time, torch
torch.set_num_threads(2)
work = torch.zeros(1 << 17)
before = time.process_time()
for _ in range(100):
    work.add_(1)
    time.sleep(0.005)
print(time.process_time() - before)
"""


@pytest.fixture(scope="module")
def spinning(fresh) -> float:
    """Seconds of processor time where nobody asks for short waiting."""
    return float(fresh(SPINNING.format(first=""))[0])


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="PyTorch uses GNU's OpenMP library only on Linux")
@pytest.mark.skipif(len(getattr(os, "sched_getaffinity", list)(0)) < 2, reason="one core: no thread waits")
@pytest.mark.parametrize("before", ["", "import torch; ", "import torch; torch.zeros(1 << 17).add_(1); "])
def test_waiting_costs_little_whatever_was_imported_first(fresh, spinning, before) -> None:
    short = float(fresh(SPINNING.format(first=f"{before}import course_utils"))[0])
    assert short < spinning / 2, f"{short:.2f} s of processor time, {spinning:.2f} s without"
