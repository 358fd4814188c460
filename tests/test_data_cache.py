"""The cache: a later load is one memory map, damage heals, a read-only or full disk costs only time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import warnings
from dataclasses import replace
from pathlib import Path

import misbehaving_server as bad
import pytest
import tiny_data
import torch
from misbehaving_server import Server

from course_utils import load_dataset
from course_utils.data import entry, load
from course_utils.data.dataset import Arrays
from course_utils.errors import DataError


@pytest.fixture
def cache(course_environment: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COURSE_PROFILE", "fast")
    return course_environment


@pytest.fixture
def server(cache: Path, monkeypatch: pytest.MonkeyPatch):
    """A mirror that has the tiny MNIST, which is the catalogue's only one."""
    monkeypatch.delenv("COURSE_OFFLINE")
    dataset, files = tiny_data.mnist()
    with Server({f"/{name}": content for name, content in files.items()}) as running:
        monkeypatch.setitem(load.PUBLISHED, "mnist", replace(dataset, mirrors=(running.url,)))
        yield running


@pytest.fixture(autouse=True)
def warnings_are_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def decoded(cache: Path) -> Path:
    (path,) = (cache / "decoded").glob("*.safetensors")
    return path


def small() -> Arrays:
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)

    tensors = {
        "train.images": draw(7, 1, 5, 3),
        "train.labels": draw(7),
        "test.images": draw(3, 1, 5, 3),
        "test.labels": draw(3),
    }
    return Arrays.of(tensors, ("a", "ß", "Ω"))


class TestEntry:
    @pytest.fixture
    def path(self, tmp_path: Path) -> Path:
        with (tmp_path / "entry").open("wb") as file:
            entry.write(file, small(), "the origin", "the content")
        return tmp_path / "entry"

    def test_what_is_written_is_read(self, path: Path) -> None:
        arrays, origin, content = entry.read(path)
        assert (origin, content) == ("the origin", "the content")
        assert (arrays.classes, arrays.sha256) == (small().classes, small().sha256)
        assert (arrays.mean, arrays.std) == (small().mean, small().std)
        for name, tensor in small().tensors.items():
            assert torch.equal(arrays.tensors[name], tensor)
        entry.verify(path)

    def test_every_flipped_bit_is_noticed_at_the_next_load(self, path: Path) -> None:
        good = path.read_bytes()
        for position in range(len(good)):
            damaged = bytearray(good)
            damaged[position] ^= 1 << position % 8
            path.write_bytes(damaged)
            with pytest.raises(entry.DamagedError):
                entry.read(path)

    @pytest.mark.parametrize("change", [-1, 1, -100, 8])
    def test_another_length_is_noticed(self, path: Path, change: int) -> None:
        good = path.read_bytes()
        path.write_bytes(good[:change] if change < 0 else good + bytes(change))
        with pytest.raises(entry.DamagedError):
            entry.read(path)

    @pytest.mark.parametrize(
        "content", [b"", b"x", bytes(8), b"\xff" * 8, b"\x02" + bytes(7) + b"[]", b"{}" * 99]
    )
    def test_what_is_not_an_entry_is_noticed(self, path: Path, content: bytes) -> None:
        path.write_bytes(content)
        with pytest.raises(entry.DamagedError):
            entry.read(path)

    def test_two_changes_that_cancel_are_found_by_verifying(self, path: Path) -> None:
        good = bytearray(path.read_bytes())
        start = 8 + int.from_bytes(good[:8], "little")
        good[start : start + 8], good[start + 8 : start + 16] = (
            good[start + 8 : start + 16],
            good[start : start + 8],
        )
        path.write_bytes(good)
        entry.read(path)
        with pytest.raises(entry.DamagedError, match="SHA-256"):
            entry.verify(path)

    def test_the_layout_is_that_of_safetensors(self, path: Path) -> None:
        content = path.read_bytes()
        length = int.from_bytes(content[:8], "little")
        header = json.loads(content[8 : 8 + length])
        assert all(isinstance(value, str) for value in header.pop("__metadata__").values())
        first, last = header["test.labels"]["data_offsets"]
        assert header["test.labels"]["dtype"] == "U8" and header["test.labels"]["shape"] == [3]
        assert content[8 + length + first : 8 + length + last] == bytes(
            small().tensors["test.labels"].tolist()
        )
        assert 8 + length + last == len(content)


class TestLoading:
    def test_a_download_is_decoded_cached_and_never_repeated(self, server: Server, cache: Path) -> None:
        first = load_dataset("mnist")
        assert first.source == f"MNIST, {server.url}" and len(server.requests) == 4
        second = load_dataset("mnist")
        assert second.source == f"MNIST, user cache (read from {server.url})"
        assert second.digest == first.digest and len(server.requests) == 4
        assert torch.equal(second.train.images, first.train.images)

    def test_a_shared_folder_comes_before_the_cache(
        self, server: Server, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name, content in server.files.items():
            (tmp_path / name[1:]).write_bytes(content)
        monkeypatch.setenv("COURSE_DATA_SHARED", str(tmp_path))
        assert load_dataset("mnist").source == "MNIST, shared folder"
        assert server.requests == []

    def test_parts_from_different_places_are_all_named(
        self, server: Server, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        name = "train-labels-idx1-ubyte"
        (tmp_path / name).write_bytes(server.files[f"/{name}"])
        monkeypatch.setenv("COURSE_DATA_SHARED", str(tmp_path))
        assert load_dataset("mnist").source == f"MNIST, {server.url} and shared folder"
        assert len(server.requests) == 3

    def test_a_root_replaces_the_cache(self, server: Server, cache: Path, tmp_path: Path) -> None:
        load_dataset("mnist", root=tmp_path / "mine")
        assert decoded(tmp_path / "mine") and not cache.exists()

    def test_without_requests_the_message_says_what_to_install(
        self, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "requests", None)
        monkeypatch.delitem(sys.modules, "course_utils.data.exchange", raising=False)
        with pytest.raises(DataError, match="pip install requests"):
            load_dataset("mnist")

    def test_when_every_mirror_fails_the_substitute_says_so(self, server: Server, cache: Path) -> None:
        server.always = bad.status(403)
        dataset = load_dataset("mnist", offline="digits")
        assert dataset.source.endswith("instead of mnist: MNIST is out of reach")

    def test_the_error_names_each_mirror_and_what_is_kept(self, server: Server, cache: Path) -> None:
        server.script, server.always = [bad.reset_after(200_000)], bad.status(403)
        with pytest.raises(DataError) as caught:
            load_dataset("mnist")
        assert f"{server.url}/train-images-idx3-ubyte.gz: HTTP 403 Forbidden" in str(caught.value)
        assert "kept: 0.2 MB downloaded so far; the next run continues from there." in str(caught.value)
        server.always = None
        load_dataset("mnist")
        assert [request.range for request in server.requests[:3]] == [None, "bytes=200000-", "bytes=200000-"]


class TestDamage:
    @pytest.mark.parametrize("damage", ["flip", "cut", "empty", "rubbish"])
    def test_a_damaged_entry_heals_from_the_archives(self, server: Server, cache: Path, damage: str) -> None:
        first = load_dataset("mnist")
        path = decoded(cache)
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 4
        changed = {"flip": content, "cut": content[:5000], "empty": b"", "rubbish": b"x" * 9999}[damage]
        path.write_bytes(changed)
        with pytest.warns(UserWarning, match="cannot be used and will be rebuilt"):
            healed = load_dataset("mnist")
        assert healed.digest == first.digest and len(server.requests) == 4
        load_dataset("mnist")

    def test_a_damaged_archive_is_fetched_again(self, server: Server, cache: Path) -> None:
        load_dataset("mnist")
        decoded(cache).unlink()
        archive = cache / "archives" / "train-images-idx3-ubyte.gz"
        content = bytearray(archive.read_bytes())
        content[1000] ^= 1
        archive.write_bytes(content)
        load_dataset("mnist")
        assert len(server.requests) == 5

    def test_offline_a_damaged_archive_is_named(
        self, server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        load_dataset("mnist")
        decoded(cache).unlink()
        (cache / "archives" / "train-images-idx3-ubyte.gz").write_bytes(b"rubbish")
        monkeypatch.setenv("COURSE_OFFLINE", "1")
        with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz differs from the published file"):
            load_dataset("mnist")

    def test_an_entry_of_other_images_under_this_name_is_made_again(
        self, server: Server, cache: Path
    ) -> None:
        first = load_dataset("mnist")
        with decoded(cache).open("wb") as file:
            entry.write(file, small(), "elsewhere", "another content")
        assert load_dataset("mnist").digest == first.digest

    def test_two_versions_of_the_package_share_a_cache(
        self, server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = load_dataset("mnist")
        monkeypatch.setattr(entry, "FORMAT", 2)
        assert load_dataset("mnist").digest == first.digest
        assert len(list((cache / "decoded").iterdir())) == 2 and len(server.requests) == 4

    def test_a_wrong_clock_does_no_harm(self, server: Server, cache: Path) -> None:
        load_dataset("mnist")
        for path in cache.rglob("*"):
            os.utime(path, (4e9, 4e9))
        load_dataset("mnist")
        for path in cache.rglob("*"):
            os.utime(path, (0, 0))
        load_dataset("mnist")
        assert len(server.requests) == 4

    def test_a_stale_lock_does_no_harm(self, server: Server, cache: Path) -> None:
        cache.mkdir()
        (cache / "mnist.lock").write_text("12345\n")
        load_dataset("mnist")

    def test_what_a_killed_process_left_half_written_is_removed_in_time(
        self, server: Server, cache: Path
    ) -> None:
        folder = entry.path_of_published(cache, load.PUBLISHED["mnist"]).parent
        folder.mkdir(parents=True)
        name = entry.path_of_published(cache, load.PUBLISHED["mnist"]).name
        old, fresh = folder / f"{name}.1-aa.new", folder / f"{name}.2-bb.new"
        old.write_bytes(b"half")
        fresh.write_bytes(b"half")
        os.utime(old, (0, 0))
        load_dataset("mnist")
        assert not old.exists() and fresh.exists()


SCRIPT = """
import json, sys, warnings
sys.path.insert(0, {support!r})
import tiny_data
from dataclasses import replace
from course_utils.data import load
from course_utils.errors import CourseError
load.PUBLISHED["mnist"] = replace(tiny_data.mnist()[0], mirrors=({url!r},))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    try:
        found = load.load_dataset("mnist").digest
    except CourseError as error:
        found = str(error)
print(json.dumps([found, [str(warning.message) for warning in caught]]))
"""


def elsewhere(server: Server, cache: Path, *prefix: str, **options: object) -> tuple[str, list[str]]:
    """Load the tiny MNIST in another process."""
    script = textwrap.dedent(SCRIPT).format(support=str(Path(__file__).with_name("support")), url=server.url)
    environment = {**os.environ, "COURSE_DATA_DIR": str(cache), "OMP_NUM_THREADS": "1", "HOME": "/"}
    command = [*prefix, sys.executable, "-c", script]
    ran = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, **options)
    assert ran.returncode == 0, ran.stderr
    found, caught = json.loads(ran.stdout.splitlines()[-1])
    return found, caught


@pytest.fixture(scope="module")
def prefix() -> list[str]:
    """What makes a command obey permissions: root must first give up its privileges."""
    if os.geteuid() != 0:
        return []
    command = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    try:
        subprocess.run([*command, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("root may write anywhere, and cannot give that up here")
    return command


class TestPermissions:
    def test_a_second_user_reads_what_the_first_one_fetched(
        self, server: Server, cache: Path, prefix: list[str]
    ) -> None:
        if os.geteuid() != 0:
            pytest.skip("only root can give files to another user")
        old = os.umask(0o022)
        try:
            digest = load_dataset("mnist").digest
        finally:
            os.umask(old)
        for path in (cache, *cache.rglob("*")):
            os.chown(path, 65534, 65534)
        assert elsewhere(server, cache, *prefix) == (digest, [])
        assert len(server.requests) == 4

    def test_a_read_only_cache_with_the_archives_still_loads(
        self, server: Server, cache: Path, prefix: list[str]
    ) -> None:
        digest = load_dataset("mnist").digest
        decoded(cache).unlink()
        for path in (*cache.rglob("*"), cache):
            path.chmod(0o555 if path.is_dir() else 0o444)
        found, caught = elsewhere(server, cache, *prefix)
        for path in (cache, *cache.rglob("*")):
            path.chmod(0o755)
        assert found == digest and len(server.requests) == 4
        assert len(caught) == 1 and "cannot be cached. No permission" in caught[0]

    def test_a_cold_read_only_cache_is_one_clear_error(
        self, server: Server, cache: Path, prefix: list[str]
    ) -> None:
        cache.mkdir()
        cache.chmod(0o555)
        found, _ = elsewhere(server, cache, *prefix)
        cache.chmod(0o755)
        assert found.startswith("MNIST cannot be stored.") and "No permission" in found
        assert "COURSE_DATA_DIR" in found
        assert list(cache.iterdir()) == []


@pytest.fixture(scope="module")
def own_mounts() -> list[str]:
    """What lets a command mount a small file system of its own."""
    command = ["unshare", "--user", "--map-root-user", "--mount"]
    try:
        subprocess.run([*command, "mount", "-t", "tmpfs", "none", "/mnt"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this system does not allow mounting a small file system")
    return command


class TestFullDisk:
    @pytest.mark.parametrize("kilobytes", [100, 200, 260])
    def test_while_downloading(
        self, server: Server, cache: Path, own_mounts: list[str], kilobytes: int, tmp_path: Path
    ) -> None:
        cache.mkdir()
        script = f'mount -t tmpfs -o size={kilobytes}k none {cache} && "$@" && ls -R {cache} >{tmp_path}/left'
        found, _ = elsewhere(server, cache, *own_mounts, "sh", "-c", script, "sh")
        assert found.startswith("MNIST cannot be stored.") and "The disk is full" in found
        left = (tmp_path / "left").read_text()
        assert ".new" not in left and ".part" not in left

    def test_while_decoding(self, server: Server, cache: Path, own_mounts: list[str], tmp_path: Path) -> None:
        digest = load_dataset("mnist", root=tmp_path / "elsewhere").digest
        cache.mkdir()
        script = f'mount -t tmpfs -o size=350k none {cache} && "$@" && ls -R {cache} >{tmp_path}/left'
        found, caught = elsewhere(server, cache, *own_mounts, "sh", "-c", script, "sh")
        assert found == digest
        assert len(caught) == 1 and "cannot be cached. The disk is full" in caught[0]
        assert "decoded" in (tmp_path / "left").read_text() and ".new" not in (tmp_path / "left").read_text()


def test_a_limit_on_the_size_of_files_is_reported(server: Server, cache: Path) -> None:
    import resource

    found, _ = elsewhere(
        server,
        cache,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
    )
    assert found.startswith("MNIST cannot be stored.") and "File too large" in found
    assert [path.name for path in cache.rglob("*") if path.is_file()] == ["mnist.lock"]


@pytest.mark.real_data
@pytest.mark.slow
def test_warm_loads_in_a_fresh_process_are_quick(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MNIST within 100 ms and 75 MB of memory beyond `import torch`, all imports of the course included.

    It takes 30 ms where nothing else runs, 60 ms of CPU time beside another process on the same core.
    """
    script = """
        import json, resource, time, torch
        torch.set_num_threads(1)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.thread_time()
        from course_utils import load_dataset
        source = load_dataset("mnist").source
        seconds = time.thread_time() - began
        print(json.dumps([source, seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before]))
    """
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "MNIST").symlink_to(real_data / "MNIST")
    environment = {
        **os.environ,
        "COURSE_DATA_SHARED": str(shared),
        "COURSE_DATA_DIR": str(tmp_path / "cache"),
        "COURSE_PROFILE": "fast",
    }
    results = []
    for _ in range(3):
        command = [sys.executable, "-c", textwrap.dedent(script)]
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        results.append(json.loads(ran.stdout))
    assert "user cache" in results[1][0]
    assert min(seconds for _, seconds, _ in results[1:]) < 0.1
    assert results[1][2] / 1024 < 75
