"""The benchmark: variants in processes of their own, in turns, and what their seconds say of an epoch."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from contextlib import contextmanager

import pytest
import torch
from training_data import tiny_dataset

from course_utils.command_line import main
from course_utils.errors import TrainingError
from course_utils.training import PLAIN
from course_utils.training.benchmark import VARIANTS, Benchmark, measure, variants
from course_utils.training.benchmark.plot import plot_benchmark
from course_utils.training.benchmark.turns import epoch_flops, worker

pytestmark = pytest.mark.slow

SECONDS = {"lecture": 0.4, "course": 0.1}


@pytest.fixture
def fake(monkeypatch) -> list[tuple[str, str, int]]:
    """Workers that take a known time for each batch, and the order in which they are asked."""
    asked: list[tuple[str, str, int]] = []

    @contextmanager
    def pretend(network: str, variant: str):
        def ask(batches: int) -> dict:
            asked.append((network, variant, batches))
            return {"seconds": SECONDS[variant] * batches, "memory": 10**9, "peak": 1e12}

        yield ask

    monkeypatch.setattr("course_utils.training.benchmark.turns.worker", pretend)
    return asked


def test_epochs_ratios_and_shares_follow_from_the_seconds_of_a_batch(fake) -> None:
    lecture, course = measure(["lenet5"], budget=10.0).rows
    assert lecture.seconds_per_epoch == pytest.approx(0.4 * 60_000 / 128)
    assert (lecture.ratio, course.ratio) == (1.0, pytest.approx(0.25))
    assert course.images_per_second == pytest.approx(1280)
    assert course.share_of_peak == pytest.approx(epoch_flops("lenet5") / course.seconds_per_epoch / 1e12)
    assert course.memory == 10**9


def test_the_variants_take_turns_of_about_the_same_length(fake) -> None:
    measure(["lenet5"], budget=10.0)
    turns = fake[4:]  # two to warm up, two to see how long a batch takes
    assert [variant for _, variant, _ in turns] == ["lecture", "course"] * 5
    assert {variant: batches for _, variant, batches in turns} == {"lecture": 2, "course": 10}


def test_the_time_is_announced_before_the_turns(fake) -> None:
    announced: list[str] = []
    measure(["lenet5", "vgg"], budget=10.0, announce=announced.append)
    first = next(line for line in announced if "about" in line)
    assert first == "lenet5: about 9 s (about 18 s left in total)"
    assert announced.index(first) < announced.index("lenet5: turn 1 of 5")


@pytest.mark.parametrize(("network", "flops"), [("lenet5", 3.4366e12), ("vgg", 58.877e12)])
def test_the_arithmetic_of_an_epoch_is_counted(network: str, flops: float) -> None:
    assert epoch_flops(network) == pytest.approx(flops, rel=1e-3)
    assert epoch_flops("vgg", "quick") < 0.1 * epoch_flops("vgg")


def test_the_lectures_loop_learns_as_fit_does() -> None:
    dataset = tiny_dataset()
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 4))
    torch.manual_seed(0)
    variants.lecture_epoch(model, dataset, torch.optim.SGD(model.parameters(), 0.05), batches=40, size=16)
    scores = model(dataset.test.normalised(dataset.test.images))
    assert (scores.argmax(1) == dataset.test.labels).float().mean() > 0.9


def test_every_batch_is_full_and_there_are_as_many_as_asked_for() -> None:
    batches = list(variants.some_batches(tiny_dataset(), 16, 10))
    assert [len(labels) for _, labels in batches] == [16] * 10


def test_only_the_lectures_loops_have_no_switches() -> None:
    cpu = torch.device("cpu")
    off = [name for name, variant in VARIANTS.items() if variant.speed is None]
    assert off == ["lecture", "no-input-gradients"]
    assert VARIANTS["plain"].speed(cpu) == PLAIN
    assert not VARIANTS["both"].speed(cpu).keep_heap


def test_a_process_answers_each_line_with_seconds_memory_and_peak(monkeypatch, capsys) -> None:
    monkeypatch.setattr(variants, "trainer", lambda *_: lambda batches: None)
    monkeypatch.setattr(variants, "matmul_peak", lambda device, kind: 5.0)
    monkeypatch.setattr("sys.stdin", io.StringIO("3\n4\n"))
    variants.serve("lenet5", "course", torch.get_num_threads())
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [set(answer) for answer in answers] == [{"seconds", "memory", "peak"}] * 2
    assert answers[0]["memory"] > 10**7


@pytest.fixture(params=["before it is asked", "while it is asked"])
def mortal(request, monkeypatch, tmp_path) -> None:
    """Put a program in Python's place that ends without an answer."""
    at_once = request.param == "before it is asked"
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\n{'' if at_once else 'read line'}\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    if at_once:

        class Ended(subprocess.Popen):
            def __init__(self, *arguments, **keywords) -> None:
                super().__init__(*arguments, **keywords)
                self.wait()

        monkeypatch.setattr(subprocess, "Popen", Ended)


def test_a_process_that_ends_is_reported(mortal) -> None:
    with worker("lenet5", "course") as ask, pytest.raises(TrainingError, match="exit code is 1"):
        ask(1)


def test_a_real_process_trains() -> None:
    with worker("lenet5", "course") as ask:
        answer = ask(1)
    assert answer["seconds"] > 0
    assert answer["peak"] > 1e8


def test_the_command_prints_a_table_or_json_and_saves_a_plot(fake, capsys, tmp_path) -> None:
    assert main(["bench", "--quick", "--output", str(tmp_path / "bench.png")]) == 0
    out = capsys.readouterr().out
    assert "the lecture's loop" in out
    assert "0.25" in out
    assert "lenet5 96 s, vgg 841 s" in out
    assert "extrapolated" in out
    assert (tmp_path / "bench.png").read_bytes().startswith(b"\x89PNG")
    assert main(["bench", "--quick", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["network"] for row in found["rows"]] == ["lenet5", "lenet5", "vgg", "vgg"]
    assert found["lecture_published_seconds"] == {"lenet5": 96, "vgg": 841}


def test_the_plot_shows_the_published_time_beside_the_measured_ones(fake) -> None:
    found = measure(["vgg"], budget=10.0)
    assert isinstance(found, Benchmark)
    axes = plot_benchmark(found).figure.axes[0]
    assert axes.patches[0].get_width() == 841
    assert len(axes.patches) == 3
    assert "seconds" in axes.get_xlabel()
