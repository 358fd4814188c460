"""Training by several processes: real gloo ranks, compared with one process, and one of them killed."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
import time
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
import torch.distributed as dist
from forked import ended, torchrun
from training_data import net, tiny_dataset, tiny_recipe

from course_utils.errors import TrainingError
from course_utils.training import fit
from course_utils.training.__main__ import _terminate, main
from course_utils.training.distributed import (
    ONE_PROCESS,
    ProcessGroup,
    _listen_where_others_are,
    lost_peer,
    process_group,
)
from course_utils.training.loop import train_step

COMMAND = ["lenet5", "--profile=quick"]
TWO_PROCESSES = "--rdzv-backend=c10d --rdzv-endpoint=localhost:0 --nproc-per-node=2"


def command(*arguments: str) -> None:
    raise SystemExit(main([*COMMAND, *arguments]))


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
    assert error.why == "Connection closed by peer"
    assert "checkpoint" in error.left
    assert "--max-restarts" in error.next_step


def test_gloo_listens_where_the_first_machine_is_unless_it_was_told(monkeypatch) -> None:
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "told")
    _listen_where_others_are("127.0.0.1")
    assert os.environ["GLOO_SOCKET_IFNAME"] == "told"
    monkeypatch.delenv("GLOO_SOCKET_IFNAME")
    _listen_where_others_are("127.0.0.1")
    addresses = psutil.net_if_addrs()[os.environ["GLOO_SOCKET_IFNAME"]]
    assert "127.0.0.1" in [entry.address for entry in addresses]


@pytest.mark.slow
def test_two_processes_train_as_one_does(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setenv("COURSE_STATE_DIR", str(tmp_path / "two"))
    # In float32: bfloat16 rounds other shares of a batch differently, by more than a small epoch forgives.
    arguments = "--epochs=1", "--json", "--plain"
    job = torchrun(TWO_PROCESSES, command, *arguments, log=tmp_path / "log")
    code = ended(job)
    out, told = (tmp_path / "log.out").read_text(), (tmp_path / "log.err").read_text()
    assert code == 0, told
    assert out.count('"lab"') == 1  # one process reports
    assert told.count("1/1") == 1  # and shows its progress elsewhere
    assert len(list((tmp_path / "two").rglob("*.pt"))) == 1
    assert main([*COMMAND, *arguments, "--checkpoint", str(tmp_path / "one")]) == 0
    two, one = json.loads(out), json.loads(capsys.readouterr().out)
    assert (one["processes"], two["processes"]) == (1, 2)
    assert one["epochs"] == two["epochs"] == 1
    assert two["test_error"] == pytest.approx(one["test_error"], abs=0.02)
    assert two["train_error"] == pytest.approx(one["train_error"], abs=0.01)


def killed_once(folder: Path, *arguments: str) -> None:
    """Train; the second process is killed at its first start, after the first epoch."""

    def kill() -> None:
        while not list(folder.rglob("*.pt")):
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGKILL)

    if (os.environ["RANK"], os.environ["TORCHELASTIC_RESTART_COUNT"]) == ("1", "0"):
        threading.Thread(target=kill, daemon=True).start()
    command(*arguments)


@pytest.mark.slow
def test_a_killed_process_is_reported_and_the_job_resumes_from_the_last_checkpoint(
    tmp_path, monkeypatch
) -> None:
    monkeypatch.setenv("COURSE_STATE_DIR", str(tmp_path))
    job = torchrun(
        f"{TWO_PROCESSES} --max-restarts=1", killed_once, tmp_path, "--epochs=2", log=tmp_path / "log"
    )
    code = ended(job)
    out, told = (tmp_path / "log.out").read_text(), (tmp_path / "log.err").read_text()
    assert code == 0, told
    assert "Another process of this training job has ended." in told or "Ended from outside" in told
    assert "checkpoint of the last finished epoch" in told
    assert "resuming: 1 of 2 epochs" in out
    assert "2 of 2 epochs in" in out


def records(folder: Path) -> list[dict[str, Any]]:
    """Return the epochs in a folder's checkpoint."""
    return next((torch.load(file)["records"] for file in folder.glob("*.pt")), [])


def train_on_two_machines(folder: Path) -> None:
    """Train three epochs. The second machine dies in the second one; the third one waits for its return."""

    def step(*arguments: Any) -> torch.Tensor | float:
        done = len(records(folder))
        if dist.get_rank() == 1 and done == 1:
            os.kill(os.getppid(), signal.SIGKILL)
            os.kill(os.getpid(), signal.SIGKILL)
        while dist.get_world_size() == 1 and done != 1:  # until torchrun ends this process
            (folder / f"alone after {done}").touch()
            time.sleep(0.05)
        return train_step(*arguments)

    signal.signal(signal.SIGTERM, _terminate)
    with process_group() as (processes, device):
        fit(
            net(),
            tiny_dataset(),
            tiny_recipe(),
            train_step=step,
            device=device,
            checkpoint=folder,
            processes=processes,
        )


@pytest.mark.slow
@pytest.mark.allow_hosts(["127.0.0.1", "127.0.0.2"])
def test_of_two_machines_one_dies_and_joins_again(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("TORCH_DISABLE_SHARE_RDZV_TCP_STORE", "1")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = (
        "--nnodes=1:2 --nproc-per-node=1 --max-restarts=3 --rdzv-backend=c10d --rdzv-id=two "
        f"--rdzv-endpoint=127.0.0.1:{port} "
        "--rdzv-conf=last_call_timeout=3,keep_alive_interval=1,keep_alive_max_attempt=5"
    )

    def start(number: int) -> ForkProcess:
        there = f"{options} --local-addr=127.0.0.{number}"
        return torchrun(there, train_on_two_machines, tmp_path, log=tmp_path / f"machine {number}")

    first, second = start(1), start(2)
    try:
        assert ended(second) == -signal.SIGKILL
        deadline = time.monotonic() + 90
        while not (tmp_path / "alone after 2").exists():
            assert time.monotonic() < deadline, (tmp_path / "machine 1.err").read_text()
            time.sleep(0.05)
        second = start(2)
        assert ended(second) == 0, (tmp_path / "machine 2.err").read_text()
        assert ended(first) == 0, (tmp_path / "machine 1.err").read_text()
    finally:
        first.terminate()
        second.terminate()
    trained = [(record["epoch"], record["processes"]) for record in records(tmp_path)]
    assert trained == [(1, 2), (2, 1), (3, 2)]
    out, told = (tmp_path / "machine 1.out").read_text(), (tmp_path / "machine 1.err").read_text()
    assert "resuming: 1 of 3 epochs" in out
    assert "resuming: 2 of 3 epochs" in out
    assert "Another process of this training job has ended." in told
    assert "Ended from outside" in told
