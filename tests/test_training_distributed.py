"""Training by several processes: real gloo ranks, compared with one process, and one of them killed."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from training_data import net, tiny_dataset, tiny_recipe

from course_utils.errors import TrainingError
from course_utils.training import fit
from course_utils.training.__main__ import main
from course_utils.training.distributed import ONE_PROCESS, ProcessGroup, lost_peer

COMMAND = ["-m", "course_utils.training", "lenet5", "--profile=quick"]


def torchrun() -> list[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    return [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", f"--master-port={port}"]


def environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "COURSE_STATE_DIR": str(folder), "OMP_NUM_THREADS": "1", "COURSE_OFFLINE": "1"}


def test_the_parts_of_a_batch_do_not_overlap_and_together_are_the_batch() -> None:
    batch = torch.arange(10.0), torch.arange(10)
    parts = [next(ProcessGroup(rank, 2).split([batch])) for rank in range(2)]
    assert sorted(torch.cat([labels for _, labels in parts]).tolist()) == list(range(10))
    assert all(torch.equal(images, labels.float()) for images, labels in parts)


def test_every_part_has_the_same_size_and_an_empty_one_is_left_out() -> None:
    batches = [(torch.zeros(7), torch.arange(7)), (torch.zeros(2), torch.arange(2))]
    parts = [[(len(x), len(y)) for x, y in ProcessGroup(rank, 3).split(batches)] for rank in range(3)]
    assert parts == [[(2, 2)]] * 3


def test_every_test_batch_is_scored_by_one_process() -> None:
    batches = [(torch.tensor(number), torch.tensor(number)) for number in range(5)]
    dealt = [[labels.item() for _, labels in ProcessGroup(rank, 2).deal(batches)] for rank in range(2)]
    assert dealt == [[0, 2, 4], [1, 3]]


def test_one_process_needs_no_job() -> None:
    model = net()
    assert ONE_PROCESS.is_main
    assert ONE_PROCESS.data_parallel(model, torch.device("cpu")) is model
    assert ONE_PROCESS.mean(1.0, 3.0) == [1.0, 3.0]
    ONE_PROCESS.check_equal(3, "nothing")


def test_a_process_that_is_not_the_main_one_is_silent_and_writes_nothing(
    tmp_path, capsys, monkeypatch
) -> None:
    monkeypatch.setattr(ProcessGroup, "data_parallel", lambda self, model, device: model)
    monkeypatch.setattr(ProcessGroup, "all_reduce", lambda self, values: values)
    monkeypatch.setattr(ProcessGroup, "check_equal", lambda self, value, what: None)
    fit(
        net(),
        tiny_dataset(test=600),
        tiny_recipe(epochs=1),
        checkpoint=tmp_path,
        processes=ProcessGroup(1, 2),
    )
    assert capsys.readouterr().out == ""
    assert not list(tmp_path.iterdir())


def test_processes_that_see_different_checkpoints_are_reported(monkeypatch) -> None:
    def gather(values: list, value: int) -> None:
        values[:] = [value, 0]

    monkeypatch.setattr("torch.distributed.all_gather_object", gather)
    with pytest.raises(TrainingError, match="They have 3, 0"):
        ProcessGroup(0, 2).check_equal(3, "the epochs that are done")


def test_a_lost_process_is_reported_with_what_is_kept() -> None:
    error = lost_peer("gloo:\n[pair.cc] Connection closed by peer")
    assert "Connection closed by peer" in error.why
    assert "checkpoint" in error.left
    assert "--max-restarts" in error.next_step


@pytest.mark.slow
def test_two_processes_train_as_one_does(tmp_path, capsys) -> None:
    # In float32: bfloat16 rounds other shares of a batch differently, by more than two small epochs forgive.
    together = subprocess.run(
        [*torchrun(), *COMMAND, "--epochs=2", "--json", "--plain"],
        env=environment(tmp_path / "two"), capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert together.stdout.count('"lab"') == 1  # one process reports
    assert together.stderr.count("2/2") == 1  # and shows its progress elsewhere
    assert len(list((tmp_path / "two").rglob("*.pt"))) == 1
    alone = [*COMMAND[2:], "--epochs=2", "--json", "--plain", "--checkpoint", str(tmp_path / "one")]
    assert main(alone) == 0
    two, one = json.loads(together.stdout), json.loads(capsys.readouterr().out)
    assert (one["processes"], two["processes"]) == (1, 2)
    assert one["epochs"] == two["epochs"] == 2
    assert two["test_error"] == pytest.approx(one["test_error"], abs=0.02)
    assert two["train_error"] == pytest.approx(one["train_error"], abs=0.01)


@pytest.mark.slow
def test_a_killed_process_is_reported_and_the_job_resumes_from_the_last_checkpoint(tmp_path) -> None:
    with subprocess.Popen(
        [*torchrun(), "--max-restarts=1", *COMMAND, "--epochs=3"],
        env=environment(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as job:  # fmt: skip
        kill_second_rank(job.pid, tmp_path)
        out, told = job.communicate(timeout=120)
    assert job.returncode == 0, told
    assert "Another process of this training job has ended." in told or "Ended from outside" in told
    assert "checkpoint of the last finished epoch" in told
    assert re.search(r"resuming: [12] of 3 epochs", out)
    assert "3 of 3 epochs in" in out


def kill_second_rank(launcher: int, folder: Path) -> None:
    deadline = time.monotonic() + 60
    while not list(folder.rglob("*.pt")):
        assert time.monotonic() < deadline, "no checkpoint was written"
        time.sleep(0.02)
    children = Path(f"/proc/{launcher}/task/{launcher}/children")
    ranks = {
        Path(f"/proc/{child}/environ").read_bytes().partition(b"\0RANK=")[2][:1]: int(child)
        for child in children.read_text().split()
    }
    os.kill(ranks[b"1"], signal.SIGKILL)
