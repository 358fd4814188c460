"""The device: which one is picked, and what the error says when it is missing."""

from __future__ import annotations

import pytest
import torch

from course_utils import device
from course_utils.errors import DeviceError


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch):
    """A function that makes this machine look as if it had so many CUDA and XPU devices, and MPS or not."""
    monkeypatch.delenv("COURSE_DEVICE")

    def pretend(cuda: int = 0, mps: bool = False, xpu: int = 0) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
        monkeypatch.setattr(torch.xpu, "is_available", lambda: xpu > 0)
        monkeypatch.setattr(torch.xpu, "device_count", lambda: xpu)

    return pretend


@pytest.mark.parametrize(
    ("there", "picked"),
    [
        ({"cuda": 2, "mps": True, "xpu": 1}, "cuda:0"),
        ({"mps": True, "xpu": 1}, "mps"),
        ({"xpu": 1}, "xpu:0"),
        ({}, "cpu"),
    ],
)
def test_the_best_device_is_picked(machine, there, picked) -> None:
    machine(**there)
    assert device.pick_device() == torch.device(picked)


def test_the_environment_overrides_the_order(machine, monkeypatch) -> None:
    machine(cuda=2)
    monkeypatch.setenv("COURSE_DEVICE", "cpu")
    assert device.pick_device() == torch.device("cpu")
    monkeypatch.setenv("COURSE_DEVICE", "cuda:1")
    assert device.pick_device() == torch.device("cuda:1")


def test_an_argument_overrides_the_environment(machine, monkeypatch) -> None:
    machine(cuda=1)
    monkeypatch.setenv("COURSE_DEVICE", "cpu")
    assert device.pick_device("cuda") == torch.device("cuda:0")


@pytest.mark.parametrize("wish", ["cuda:5", "xpu", "mps", "gpu", "cpu:x"])
def test_an_absent_or_unknown_device_is_refused_with_those_that_exist(machine, monkeypatch, wish) -> None:
    machine(cuda=2)
    monkeypatch.setenv("COURSE_DEVICE", wish)
    with pytest.raises(DeviceError, match="cuda:0, cuda:1, cpu") as caught:
        device.pick_device()
    assert "COURSE_DEVICE" in caught.value.why
    assert wish in caught.value.what


def test_the_description_says_what_and_why_in_one_line(machine, monkeypatch) -> None:
    machine()
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    monkeypatch.setattr("os.cpu_count", lambda: 64)
    monkeypatch.setattr(device, "main_memory", lambda: 8 * 2**30)
    monkeypatch.setattr(device, "cpu_model", lambda: "A Processor")
    assert (
        device.describe_device()
        == "cpu (no CUDA, MPS or XPU device here): A Processor, 3 threads, 8 GiB memory"
    )
    assert device.describe_device(device.pick_device()) == device.describe_device()
    machine(cuda=1)
    assert "as asked" in device.describe_device("cpu")
    monkeypatch.setenv("COURSE_DEVICE", "cpu")
    assert "COURSE_DEVICE asks for it" in device.describe_device()


def test_memory_is_what_the_container_allows(monkeypatch, tmp_path) -> None:
    real_path = device.Path
    limit = tmp_path / "memory.max"
    limit.write_text("1073741824\n")
    monkeypatch.setattr(device, "Path", lambda name: limit if "cgroup" in str(name) else real_path(name))
    assert device.main_memory() == 2**30


def test_memory_without_a_limit_is_the_machines(monkeypatch, tmp_path) -> None:
    limit = tmp_path / "memory.max"
    limit.write_text("max\n")
    monkeypatch.setattr(device, "Path", lambda name: limit)
    assert device.main_memory() is None or device.main_memory() > 2**28
