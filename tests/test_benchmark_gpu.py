"""The command that measures a GPU, on the CPU: each part in a tiny size, what fails, what a graph repeats."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from training_data import CLASSES, tiny_dataset

from course_utils.training import PLAIN, Speed
from course_utils.training.loop import train_epoch, train_step

sys.path.append(str(Path(__file__).parent / "benchmarks"))
import cuda_graphs
import gpu
import time_to_error

pytestmark = pytest.mark.slow

CUDA = torch.device("cuda")
GOAL = time_to_error.Goal("digits", 0.1, 1, (8, 8), 3.5, 12, patches=8)
FIGURES = {"bench": 2, "seeds": 4, "lenet5": 3, "vgg": 8, "error": 8}


@pytest.fixture(autouse=True, scope="module")
def once() -> Iterator[None]:
    """Make each embedded dataset once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gpu, "load_dataset", cache(gpu.load_dataset))
        yield


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "gpu.json"


def run(out: Path, *arguments: str) -> tuple[int, dict[str, Any]]:
    code = gpu.main([*arguments, "--tiny", "--out", str(out)])
    return code, json.loads(out.read_bytes())["parts"]


def value(setting: gpu.Setting, what: str = "a value") -> Iterator[gpu.Figure]:
    yield gpu.Figure(what, [1.0, 2.0, 3.0], target=2.5)


def broken(setting: gpu.Setting) -> Iterator[gpu.Figure]:
    yield from value(setting, "before it breaks")
    raise RuntimeError("out of memory")


def stopped(setting: gpu.Setting) -> Iterator[gpu.Figure]:
    yield from value(setting, "before it stops")
    raise KeyboardInterrupt


@pytest.mark.parametrize("part", gpu.PARTS)
def test_every_part_runs_on_a_cpu_and_its_file_is_complete(part: str, out: Path, monkeypatch, capsys) -> None:
    @contextmanager
    def worker(network: str, variant: str) -> Iterator[Callable[[int], dict]]:
        yield lambda batches: {"seconds": 0.1 * batches, "memory": 10**9, "peak": 1e12}

    monkeypatch.setattr("course_utils.training.benchmark.turns.worker", worker)
    # bfloat16 is slow for so few channels.
    for user in ("gpu", "course_utils.training.trainer"):
        monkeypatch.setattr(f"{user}.default_speed", lambda device: PLAIN)
    monkeypatch.setattr(gpu, "matmul_peak", lambda device, kind: 1e12)
    monkeypatch.setattr(torch, "compile", lambda model, backend: model)
    # One function serves them all: these two are Lab 04's network, and LeNet5 without switches.
    monkeypatch.setitem(gpu.PARTS, "seeds", gpu.PARTS["seeds"][1:3])
    code, parts = run(out, part)
    found = parts[part]
    assert (code, found["failures"]) == (0, [])
    assert len(found["figures"]) == FIGURES[part]
    for figure in found["figures"]:
        assert len(figure["values"]) == 3 and min(figure["values"]) <= figure["median"] <= max(
            figure["values"]
        )
    rows = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")][2:]
    assert len(rows) == FIGURES[part]
    assert all(row.count(" | ") == 2 and f"`python tests/benchmarks/gpu.py {part}`" in row for row in rows)
    stored = json.loads(out.read_bytes())
    assert stored["tiny"] and {"machine", "device", "system", "python", "torch"} <= set(stored["environment"])


@pytest.mark.parametrize(
    ("values", "unit", "target", "reached"),
    [
        ([0.3, 0.5, 0.35], "s", 0.4, False),
        ([0.3, 0.4, 0.35], "s", 0.4, True),
        ([0.49, 0.6, 0.55], "of peak", 0.5, False),
        ([0.51, 0.6, 0.55], "of peak", 0.5, True),
        ([0.3], "s", None, None),
    ],
)
def test_a_target_is_reached_if_every_repeat_reaches_it(values, unit, target, reached) -> None:
    found = gpu.Figure("a value", values, unit, target).as_json()
    assert found["reached"] is reached
    assert ("missed" in found["text"]) is (reached is False)


def test_a_missed_target_and_a_failure_are_told_and_stop_nothing(out: Path, monkeypatch, capsys) -> None:
    monkeypatch.setitem(gpu.PARTS, "lenet5", (broken, value))
    code, parts = run(out, "lenet5")
    assert code == 1
    assert [figure["what"] for figure in parts["lenet5"]["figures"]] == ["before it breaks", "a value"]
    assert parts["lenet5"]["failures"] == ["RuntimeError: out of memory"]
    assert "lenet5: RuntimeError: out of memory" in capsys.readouterr().out
    monkeypatch.setitem(gpu.PARTS, "lenet5", (value,))
    # Where there is a GPU the sizes are not tiny, and targets count.
    monkeypatch.setattr(gpu, "pick_device", lambda: torch.device("meta"))
    monkeypatch.setattr(gpu, "environment", lambda device: {"machine": "one", "torch": "2.15"})
    assert gpu.main(["lenet5", "--out", str(out.with_name("not tiny.json"))]) == 1
    assert "target 2.5 s: missed" in capsys.readouterr().out


def test_ctrl_c_keeps_what_was_measured(out: Path, monkeypatch, capsys) -> None:
    monkeypatch.setitem(gpu.PARTS, "lenet5", (stopped, value))
    code, parts = run(out, "lenet5")
    assert code == 130
    assert [figure["what"] for figure in parts["lenet5"]["figures"]] == ["before it stops"]
    assert parts["lenet5"]["failures"] == ["interrupted"]
    assert "| before it stops (" in capsys.readouterr().out


def test_parts_run_in_processes_of_their_own_and_a_later_call_replaces_only_its_own(
    out: Path, monkeypatch
) -> None:
    ended = iter([0, -9])

    def call(command: list[str]) -> int:
        code = next(ended)
        return gpu.main(command[2:]) if code == 0 else code

    monkeypatch.setattr("subprocess.call", call)
    monkeypatch.setitem(gpu.PARTS, "bench", (value,))
    monkeypatch.setitem(gpu.PARTS, "vgg", (value,))
    code, parts = run(out, "bench", "vgg")
    assert code == 1
    assert (len(parts["bench"]["figures"]), parts["bench"]["failures"]) == (1, [])
    assert parts["vgg"]["failures"] == ["not measured", "its process ended with the exit code -9"]
    code, parts = run(out, "vgg")
    assert code == 0
    assert all(len(found["figures"]) == 1 and not found["failures"] for found in parts.values())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["lenet"], "no part lenet"), (["lenet5"], "no GPU here"), (["lenet5", "--tiny"], "another machine")],
)
def test_what_cannot_be_measured_is_refused(arguments: list[str], words: str, out: Path, capsys) -> None:
    out.write_text('{"tiny": true, "environment": {"machine": "another"}, "parts": {}}')
    with pytest.raises(SystemExit) as ended:
        gpu.main([*arguments, "--out", str(out)])
    assert ended.value.code == 2
    assert words in capsys.readouterr().err
    assert "another" in out.read_text()


def test_the_file_names_the_versions_that_figures_on_a_gpu_depend_on(monkeypatch) -> None:
    for name in ("machine", "describe_device"):
        monkeypatch.setattr(gpu, name, str)
    monkeypatch.setattr("subprocess.check_output", lambda *_, **__: "580.65.06\n580.65.06\n")
    found = gpu.environment(CUDA)
    assert found["driver"] == "580.65.06"
    assert {"cuda", "cudnn", "torch", "python"} <= set(found)

    def missing(*_: object, **__: object) -> str:
        raise FileNotFoundError

    monkeypatch.setattr("subprocess.check_output", missing)
    assert gpu.environment(CUDA)["driver"] == "unknown"


class Graph(TorchDispatchMode):
    """A CUDA graph on a CPU: it keeps operations with their tensors and numbers, and repeats just these."""

    def __init__(self) -> None:
        super().__init__()
        self.operations: list[tuple] = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if function is torch.ops.aten._local_scalar_dense.default:
            raise RuntimeError("A number is read while the graph is recorded.")
        result = function(*args, **(kwargs or {}))
        if function.namespace != "profiler":
            self.operations.append((function, args, kwargs or {}, result))
        return result

    @torch.no_grad()
    def replay(self) -> None:
        for function, args, kwargs, result in self.operations:
            for old, new in zip(tree_leaves(result), tree_leaves(function(*args, **kwargs)), strict=True):
                if isinstance(old, Tensor):
                    old.copy_(new)


@pytest.fixture
def simulated(monkeypatch) -> list[str]:
    """What is called of ``torch.cuda``, in order; graphs are simulated."""
    called: list[str] = []

    class Stream:
        def __init__(self, device: torch.device) -> None:
            self.device = device

        def wait_stream(self, other: Stream) -> None:
            called.append("wait")

    @contextmanager
    def stream(which: Stream) -> Iterator[None]:
        called.append("side stream")
        yield
        called.append("main stream")

    @contextmanager
    def graph(recorded: Graph, stream: Stream) -> Iterator[None]:
        called.append("record")
        with recorded:
            yield

    for name, fake in (("Stream", Stream), ("current_stream", Stream), ("stream", stream), ("graph", graph)):
        monkeypatch.setattr(torch.cuda, name, fake)
    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    return called


def on_cuda(monkeypatch) -> None:
    """Record as on a GPU, whatever the device."""
    real = cuda_graphs.captured
    monkeypatch.setattr(cuda_graphs, "captured", lambda work, begin, device: real(work, begin, CUDA))


def small() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 6, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(54, CLASSES))


@pytest.mark.parametrize("graph", [False, True], ids=["as it is", "recorded"])
@pytest.mark.parametrize("whole", [False, True], ids=["step", "epoch"])
@pytest.mark.parametrize("speed", [PLAIN, Speed(channels_last=True, bf16=True)], ids=["float32", "switches"])
def test_an_epoch_on_the_device_equals_that_of_fit(
    graph: bool, whole: bool, speed: Speed, monkeypatch, simulated: list[str]
) -> None:
    if graph:
        on_cuda(monkeypatch)
    dataset, ours, theirs = tiny_dataset(), small(), small()
    if speed.channels_last:
        ours.to(memory_format=torch.channels_last), theirs.to(memory_format=torch.channels_last)
    training = cuda_graphs.LectureTraining(ours, dataset.train, 0.05, speed, 100)
    epoch = training.epoch(16, whole)
    ours.load_state_dict(small().state_dict())
    optimizer = torch.optim.SGD(theirs.parameters())
    for rate in (0.05, 0.02):
        training.rate.fill_(rate)
        training.rows.copy_(torch.randperm(100))
        epoch()
        batches = [
            (dataset.train.normalised(dataset.train.images[chosen]), dataset.train.labels[chosen])
            for chosen in training.rows.split(16)
        ]
        plan = {"step": train_step, "rate": lambda _: training.rate.item(), "speed": speed}
        meter = train_epoch(theirs, batches, nn.CrossEntropyLoss(), optimizer, **plan)
        assert training.loss.item() / 100 == pytest.approx(meter.loss, rel=1e-4)
        assert training.wrong.item() / 100 == meter.error
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-4, atol=1e-6)
    assert ("record" in simulated) is graph


def test_libraries_warm_up_three_times_on_the_stream_that_records(simulated: list[str]) -> None:
    work = cuda_graphs.captured(lambda: simulated.append("work"), lambda: simulated.append("begin"), CUDA)
    assert simulated == [
        "wait",
        "side stream",
        *["begin", "work"] * 3,
        "main stream",
        "wait",
        "record",
        "work",
    ]
    work()
    assert simulated[-1] == "work" and len(simulated) == 12  # nothing of Python runs again


def test_what_waits_for_a_number_cannot_be_recorded(simulated: list[str]) -> None:
    number = torch.ones(())
    with pytest.raises(RuntimeError, match="A number is read"):
        cuda_graphs.captured(lambda: number.add_(number.item()) and None, number.zero_, CUDA)


@pytest.mark.parametrize("graph", [False, True], ids=["as it is", "recorded"])
@pytest.mark.parametrize("flip", [False, True], ids=["as drawn", "mirrored"])
def test_a_goal_on_the_device_equals_that_of_time_to_error(
    graph: bool, flip: bool, monkeypatch, simulated: list[str]
) -> None:
    if graph:
        on_cuda(monkeypatch)
    goal = replace(GOAL, flip=flip, shift=1)
    dataset = gpu.Setting(torch.device("cpu"), PLAIN, 1, tiny=True).dataset("mnist")
    captured = cuda_graphs.CapturedGoal(goal, dataset, PLAIN)
    captured.train(seed=5)
    mine = captured.train(seed=3)

    def epochs(goal, train, generator) -> Iterator[tuple[Tensor, Tensor]]:
        places = torch.arange(goal.batch_size)
        for start in range(0, len(captured.training.rows), goal.batch_size):
            rows = captured.training.rows[start + places]
            yield captured.change(train.normalised(train.images[rows]), start + places), train.labels[rows]

    models: list[nn.Module] = []
    monkeypatch.setattr(time_to_error, "epochs", epochs)
    monkeypatch.setattr(time_to_error, "error", lambda goal, model, *_: models.append(model) or 0.0)
    theirs = time_to_error.train(goal, dataset, 3, PLAIN, show=False)
    assert captured.steps == theirs["steps"] == 7
    for own, other in zip(captured.model.state_dict().values(), models[0].state_dict().values(), strict=True):
        torch.testing.assert_close(own, other, rtol=1e-3, atol=1e-4)
    assert 0 <= mine["error"] <= 1 and mine["seed"] == 3


def test_a_goal_draws_every_image_once_in_a_pass_and_mirrors_it_in_every_other() -> None:
    dataset = gpu.Setting(torch.device("cpu"), PLAIN, 1, tiny=True).dataset("cifar10")
    captured = cuda_graphs.CapturedGoal(GOAL, dataset, PLAIN)
    captured.draw(seed=0)
    first, second = captured.training.rows[:24], captured.training.rows[24:48]
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(24))
    assert first.tolist() != second.tolist()
    mirrored = torch.empty(2, 24, dtype=torch.bool)
    mirrored[0, first], mirrored[1, second] = captured.mirrored[:24], captured.mirrored[24:48]
    assert (mirrored[0] != mirrored[1]).all() and 0 < mirrored[0].sum() < 24
    assert captured.offsets.unique().tolist() == [0, 1, 2, 3, 4]
