"""Many processes in one cache, and processes that are killed: nothing corrupt, nothing lost, one download."""

from __future__ import annotations

import hashlib
import json
import os
import textwrap
from pathlib import Path

import misbehaving_server as bad
import prepared
import pytest
import tiny_data
from misbehaving_server import Server

from course_utils.data import entry

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="the processes are forked"),
]

DATASET, FILES = tiny_data.mnist()
DIGEST_OF = {file.name: file.sha256 for variants in DATASET.parts for file in variants}

PREAMBLE = """
import contextlib, hashlib, json, os, random, signal, sys, time, warnings
sys.path.insert(0, {support!r})
import filelock, requests, torch, tqdm.auto
import tiny_data
from pathlib import Path
from dataclasses import replace
from course_utils.data import acquire, load
torch.set_num_threads(1)
load.PUBLISHED["mnist"] = replace(tiny_data.mnist()[0], mirrors=({url!r},))
cache = Path(os.environ["COURSE_DATA_DIR"])

def child(work):
    pid = os.fork()
    if pid:
        return pid
    try:
        warnings.simplefilter("error")
        sys.stderr = open(os.devnull, "w")
        work()
    except BaseException as error:
        with open(os.environ["COURSE_DATA_DIR"] + ".failures", "a") as file:
            print(repr(error), file=file)
        os._exit(1)
    os._exit(0)

def load_it():
    dataset = load.load_dataset("mnist")
    assert len(dataset.train) == tiny_data.TRAIN
"""


def run(server: Server, cache: Path, script: str) -> dict[str, object]:
    """Run `script` in a process that may fork, since this one has threads."""
    text = PREAMBLE.format(
        support=str(Path(__file__).with_name("support")), url=server.url
    ) + textwrap.dedent(script)
    environment = {
        **os.environ,
        "COURSE_DATA_DIR": str(cache),
        "COURSE_OFFLINE": "0",
        "COURSE_PROFILE": "fast",
        "OMP_NUM_THREADS": "1",
    }
    ran = prepared.run(text, env=environment)
    assert ran.returncode == 0, ran.stderr
    failures = Path(f"{cache}.failures")
    assert not failures.exists(), failures.read_text()
    result: dict[str, object] = json.loads(ran.stdout.splitlines()[-1])
    return result


def server_of_mnist(always: bad.Behaviour | None = None) -> Server:
    return Server({f"/{name}": content for name, content in FILES.items()}, always=always)


def assert_nothing_corrupt(cache: Path) -> None:
    for path in (cache / "archives").iterdir():
        if path.suffix not in (".part", ".note", ".new"):
            assert hashlib.sha256(path.read_bytes()).hexdigest() == DIGEST_OF[path.name]
    for path in (cache / "decoded").glob("*.safetensors"):
        entry.verify(path)


ALL_AT_ONCE = """
    began = time.monotonic()
    children = [child(load_it) for _ in range(32)]
    codes = [os.waitpid(pid, 0)[1] for pid in children]
    print(json.dumps({"codes": codes, "seconds": time.monotonic() - began}))
"""
NO_LOCKS = """
    @contextlib.contextmanager
    def alone(path, watched):
        yield
    load.alone = alone
"""


class TestManyAtOnce:
    def test_32_cold_processes_download_once(self, tmp_path: Path) -> None:
        with server_of_mnist() as server:
            found = run(server, tmp_path / "cache", ALL_AT_ONCE)
            assert found["codes"] == [0] * 32
            assert len(server.requests) == 4
        assert_nothing_corrupt(tmp_path / "cache")

    def test_without_locks_nothing_is_corrupt_and_nobody_fails(self, tmp_path: Path) -> None:
        with server_of_mnist(bad.slow(4000)) as server:
            found = run(server, tmp_path / "cache", textwrap.dedent(NO_LOCKS) + textwrap.dedent(ALL_AT_ONCE))
            assert found["codes"] == [0] * 32
            assert len(server.requests) > 4, "the locks were not off"
        assert_nothing_corrupt(tmp_path / "cache")
        left = [path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()]
        assert len(left) == 5, left

    def test_a_holder_that_is_stuck_is_not_waited_for(self, tmp_path: Path) -> None:
        script = """
            acquire.STUCK = 0.5
            cache.mkdir()
            holder = filelock.FileLock(cache / "mnist.lock")
            holder.acquire()
            began = time.monotonic()
            code = os.waitpid(child(load_it), 0)[1]
            print(json.dumps({"code": code, "seconds": time.monotonic() - began}))
        """
        with server_of_mnist() as server:
            found = run(server, tmp_path / "cache", script)
        assert found["code"] == 0 and 0.5 < float(str(found["seconds"])) < 20


KILLS = """
    random.seed(5242)
    whole = time.monotonic()
    os.waitpid(child(load_it), 0)
    whole = time.monotonic() - whole
    def wipe():
        for path in [path for path in cache.rglob("*") if path.is_file()]:
            path.unlink()
    wipe()
    killed = finished = 0
    while killed < {kills}:
        pid = child(load_it)
        time.sleep(random.uniform(0, whole))
        os.kill(pid, signal.SIGKILL)
        if os.waitpid(pid, 0)[1]:
            killed += 1
        else:
            finished += 1
            wipe()
        for path in (cache / "archives").glob("*-ubyte.gz"):
            assert hashlib.sha256(path.read_bytes()).hexdigest() == tiny_digests[path.name], path
        for path in (cache / "decoded").glob("*.safetensors"):
            load.entry.verify(path)
    assert os.waitpid(child(load_it), 0)[1] == 0
    print(json.dumps({{"killed": killed, "finished": finished, "seconds": whole}}))
"""


def test_kill_9_at_200_random_moments(tmp_path: Path) -> None:
    digests = f"tiny_digests = {DIGEST_OF!r}\n"
    with server_of_mnist(bad.slow(20_000)) as server:
        found = run(server, tmp_path / "cache", digests + textwrap.dedent(KILLS).format(kills=200))
    assert found["killed"] == 200
    assert_nothing_corrupt(tmp_path / "cache")


POINTS = """
    def dying(module, name, nth, before):
        real, count = getattr(module, name), [0]
        def wrapped(*arguments, **keywords):
            count[0] += 1
            if count[0] == nth and before:
                os.kill(os.getpid(), signal.SIGKILL)
            result = real(*arguments, **keywords)
            if count[0] == nth:
                os.kill(os.getpid(), signal.SIGKILL)
            return result
        setattr(module, name, wrapped)

    deaths = []
    for name in ("fsync", "replace"):
        for nth in range(1, {calls}):
            for before in (True, False):
                def work():
                    dying(os, name, nth, before)
                    load_it()
                died = os.waitpid(child(work), 0)[1]
                again = os.waitpid(child(load_it), 0)[1]
                deaths.append([name, nth, before, died, again])
                for path in [path for path in cache.rglob("*") if path.is_file()]:
                    path.unlink()
    print(json.dumps(deaths))
"""


def test_kill_9_around_each_publication(tmp_path: Path) -> None:
    """Four archives and one entry are published: each `fsync` and `replace`, just before and just after."""
    with server_of_mnist() as server:
        deaths = run(server, tmp_path / "cache", textwrap.dedent(POINTS).format(calls=6))
    assert len(deaths) == 20
    assert all(died == 9 and again == 0 for *_, died, again in deaths), deaths


def test_what_a_killed_run_had_is_not_fetched_again(tmp_path: Path) -> None:
    script = """
        pid = child(load_it)
        while not any(path.stat().st_size > 100_000 for path in cache.rglob("train-images*.part")):
            time.sleep(0.002)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        had = max(path.stat().st_size for path in cache.rglob("train-images*.part"))
        code = os.waitpid(child(load_it), 0)[1]
        print(json.dumps({"had": had, "code": code}))
    """
    with server_of_mnist() as server:
        server.script = [bad.slow(400)]
        found = run(server, tmp_path / "cache", script)
        assert found["code"] == 0
        resumed = server.requests[1]
        assert resumed.range == f"bytes={found['had']}-" and resumed.if_range == '"v1"'
    assert_nothing_corrupt(tmp_path / "cache")
