"""What ``course data`` does: status, fetch, verify, clear, export, and a server for the classroom."""

from __future__ import annotations

import http.client
import os
import socket
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import tiny_data
from misbehaving_server import Server
from odd_images import THINGS, folder_of

from course_utils import load_dataset
from course_utils.command_line import main
from course_utils.data import entry, load, manage
from course_utils.data.serve import FolderServer, serve
from course_utils.errors import DataError, SettingsError, UnknownDatasetError


@pytest.fixture
def cache(course_environment: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COURSE_PROFILE", "fast")
    monkeypatch.delenv("COURSE_OFFLINE")
    return course_environment


@pytest.fixture
def server(cache: Path, monkeypatch: pytest.MonkeyPatch):
    """The catalogue holds only the tiny MNIST, and one mirror has it."""
    dataset, files = tiny_data.mnist()
    with Server({f"/{name}": content for name, content in files.items()}) as running:
        monkeypatch.setitem(load.PUBLISHED, "mnist", replace(dataset, mirrors=(running.url,)))
        monkeypatch.delitem(load.PUBLISHED, "cifar10")
        yield running


def kinds() -> list[tuple[str, str, str]]:
    return [(item.dataset, item.kind, item.place) for item in manage.status()]


class TestStatus:
    def test_nothing_is_there_at_first(self, cache: Path) -> None:
        assert manage.status() == [] and not cache.exists()

    def test_archives_and_the_decoded_copy_are_listed(self, server: Server, cache: Path) -> None:
        load_dataset("mnist")
        items = manage.status()
        assert kinds() == [("mnist", "archive", "user cache")] * 4 + [("mnist", "decoded", "user cache")]
        assert items[-1].source == server.url
        assert all(item.size == item.path.stat().st_size and item.verified for item in items)

    def test_the_shared_folder_is_listed_in_whatever_layout(
        self, server: Server, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "MNIST" / "raw").mkdir(parents=True)
        (tmp_path / "MNIST" / "raw" / "train-labels-idx1-ubyte").write_bytes(b"x")
        (tmp_path / "train-labels-idx1-ubyte.gz").write_bytes(b"x")
        monkeypatch.setenv("COURSE_DATA_SHARED", str(tmp_path))
        assert kinds() == [("mnist", "archive", "shared folder")] * 2

    def test_a_damaged_entry_says_so(self, server: Server, cache: Path) -> None:
        load_dataset("mnist")
        manage.status()[-1].path.write_bytes(b"rubbish")
        assert manage.status()[-1].source.startswith("damaged: ")


class TestFetch:
    def test_it_makes_a_dataset_ready(self, server: Server, cache: Path) -> None:
        assert manage.fetch(["mnist"]) == [("mnist", f"MNIST, {server.url}")]
        assert manage.fetch() == [("mnist", f"MNIST, user cache (read from {server.url})")]
        assert len(server.requests) == 4

    @pytest.mark.parametrize("name", ["mnits", "digits"])
    def test_only_published_datasets_can_be_fetched(self, server: Server, name: str) -> None:
        with pytest.raises(DataError, match="no published dataset"):
            manage.fetch([name])


class TestNames:
    @pytest.mark.parametrize("command", ["fetch", "verify", "clear", "export"])
    @pytest.mark.parametrize("name", ["minst", "MNIST", "mnist "])
    def test_a_wrong_name_is_one_clear_error(
        self,
        server: Server,
        cache: Path,
        tmp_path: Path,
        capsys: pytest.CaptureFixture[str],
        command: str,
        name: str,
    ) -> None:
        load_dataset("mnist")
        before = sorted(cache.rglob("*"))
        folder = [str(tmp_path / "export")] if command == "export" else []
        assert main(["data", command, *folder, "mnist", name]) == 2
        said = capsys.readouterr().err
        assert repr(name) in said and "Did you mean mnist?" in said and "Nothing was changed." in said
        assert sorted(cache.rglob("*")) == before and not (tmp_path / "export").exists()

    @pytest.mark.parametrize("name", ["", "*", "../mnist", "x" * 300, "\udcff"])
    @pytest.mark.parametrize("command", [manage.fetch, manage.verify, manage.clear])
    def test_no_name_is_a_pattern_or_a_path(self, server: Server, cache: Path, command, name: str) -> None:
        load_dataset("mnist")
        with pytest.raises(UnknownDatasetError):
            command([name])
        assert len(manage.status()) == 5

    def test_what_is_never_stored_is_nothing_to_verify(
        self, server: Server, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["data", "verify", "digits"]) == 0
        assert "nothing to verify" in capsys.readouterr().out

    def test_the_copy_of_a_folder_has_the_folders_name(
        self, server: Server, tmp_path: Path, cache: Path
    ) -> None:
        folder = folder_of(tmp_path / "pets")
        load_dataset(folder)
        with pytest.raises(UnknownDatasetError, match="Did you mean pets"):
            manage.clear(["petz"])
        (item,) = manage.clear(["pets"])
        assert item.dataset == "pets" and manage.status() == []


@pytest.mark.skipif(os.name == "nt", reason="Windows has neither pipes nor such devices in folders")
@pytest.mark.parametrize("kind", sorted(THINGS))
@pytest.mark.parametrize(
    "part", ["archives/train-labels-idx1-ubyte.gz", "decoded/mnist-v1-0123456789ab.safetensors"]
)
def test_what_is_no_file_stops_no_command(
    server: Server, cache: Path, capsys: pytest.CaptureFixture[str], kind: str, part: str
) -> None:
    load_dataset("mnist")
    (cache / part).unlink(missing_ok=True)
    THINGS[kind](cache / part)
    for command in ("status", "verify", "clear"):
        code = main(["data", command])
        said = capsys.readouterr()
        assert code in (0, 1) and "Traceback" not in said.err
        assert kind == "a folder" or command != "clear" or code == 0
    if kind == "a folder":
        assert "Not removed" in said.err and "Is a directory" in said.err
    else:
        assert manage.status() == []


@pytest.mark.parametrize("name", ["[red]", "[bold]", "a\nb", "\udce9"])
def test_a_folder_of_any_name_is_shown(
    cache: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
) -> None:
    try:
        folder = folder_of(tmp_path / name)
    except OSError:
        pytest.skip("this system takes no such name")
    # In a path, the end of something that never began.
    monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path / "[" / "x]"))
    load_dataset(folder)
    monkeypatch.setenv("COLUMNS", "200")
    assert main(["data", "status"]) == 0
    said = capsys.readouterr().out
    assert "[" not in name or name in said


@pytest.mark.parametrize("target", ["~nobody-of-this-name/x", "{here}/loop", "x" * 300, "a\0b"])
def test_an_impossible_target_of_an_export_is_refused(server: Server, tmp_path: Path, target: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(SettingsError, match="FOLDER is "):
        manage.export(target.format(here=tmp_path))


class TestVerify:
    def test_all_is_well(self, server: Server, cache: Path) -> None:
        load_dataset("mnist")
        before = manage.status()
        for item in before:
            os.utime(item.path, (1e9, 1e9))
        assert all(not check.problem and not check.mended for check in manage.verify())
        assert all(new.verified >= old.verified for old, new in zip(before, manage.status(), strict=True)), (
            "the time of the check is noted"
        )

    def test_what_is_damaged_is_removed_and_comes_back(self, server: Server, cache: Path) -> None:
        digest = load_dataset("mnist").digest
        items = manage.status()
        for item in (items[0], items[-1]):
            content = bytearray(item.path.read_bytes())
            content[-3] ^= 1
            item.path.write_bytes(content)
        problems = [check for check in manage.verify() if check.problem]
        assert [check.item.kind for check in problems] == ["archive", "decoded"]
        assert all(check.mended and not check.item.path.exists() for check in problems)
        assert load_dataset("mnist").digest == digest
        assert not any(check.problem for check in manage.verify(["mnist"]))

    def test_the_shared_folder_is_only_read(
        self, server: Server, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        wrong = tmp_path / "train-labels-idx1-ubyte"
        wrong.write_bytes(b"x")
        monkeypatch.setenv("COURSE_DATA_SHARED", str(tmp_path))
        (check,) = manage.verify()
        assert "differs from the published file" in check.problem and not check.mended
        assert wrong.exists()


class TestClear:
    def test_the_cache_is_emptied_of_datasets_alone(self, server: Server, cache: Path) -> None:
        load_dataset("mnist")
        (cache / "archives" / "train-labels-idx1-ubyte.gz.1-aa.part").write_bytes(b"half")
        (cache / "archives" / "train-labels-idx1-ubyte.gz.1-aa.part.note").write_text("x\ny\n")
        (cache / "checkpoints").mkdir()
        (cache / "checkpoints" / "lenet5.pt").write_bytes(b"precious")
        assert len(manage.clear()) == 5
        left = [path.name for path in cache.rglob("*") if path.is_file()]
        assert left == ["lenet5.pt"]
        assert manage.clear() == []

    def test_other_names_stay(self, server: Server, cache: Path) -> None:
        load_dataset("mnist")
        assert manage.clear(["digits"]) == []
        assert len(manage.status()) == 5

    def test_another_versions_entries_stay(
        self, server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        load_dataset("mnist")
        monkeypatch.setattr(entry, "FORMAT", 2)
        manage.clear()
        manage.verify()
        assert len(list((cache / "decoded").iterdir())) == 1

    def test_the_shared_folder_stays(
        self, server: Server, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "train-labels-idx1-ubyte").write_bytes(b"x")
        monkeypatch.setenv("COURSE_DATA_SHARED", str(tmp_path))
        assert manage.clear() == [] and (tmp_path / "train-labels-idx1-ubyte").exists()


class TestExport:
    @pytest.fixture
    def exported(self, server: Server, cache: Path, tmp_path: Path) -> Path:
        load_dataset("mnist")
        assert len(manage.export(tmp_path / "export")) == 5
        assert len(server.requests) == 4
        return tmp_path / "export"

    @pytest.fixture
    def elsewhere(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """Another machine: an empty cache."""
        monkeypatch.setenv("COURSE_DATA_DIR", str(tmp_path / "other"))
        return tmp_path / "other"

    def test_it_is_a_shared_folder_that_loads_without_a_cache(
        self, exported: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COURSE_DATA_SHARED", str(exported))
        monkeypatch.setenv("COURSE_OFFLINE", "1")
        assert load_dataset("mnist").source == "MNIST, shared folder"
        assert not elsewhere.exists(), "the decoded copy is read where it lies"

    def test_it_is_a_mirror_when_it_is_served(
        self, exported: Path, elsewhere: Path, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with FolderServer(exported) as mirror:
            threading.Thread(target=mirror.serve_forever, args=(0.02,), daemon=True).start()
            monkeypatch.setenv("COURSE_DATA_MIRROR", mirror.url)
            assert load_dataset("mnist").source == f"MNIST, {mirror.url}"
            mirror.shutdown()
        assert len(server.requests) == 4

    def test_uncompressed_files_of_a_shared_folder_make_a_mirror_too(
        self, server: Server, cache: Path, tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        raw = tmp_path / "shared" / "MNIST" / "raw"
        raw.mkdir(parents=True)
        for name, content in server.files.items():
            if not name.endswith(".gz"):
                (raw / name[1:]).write_bytes(content)
        monkeypatch.setenv("COURSE_DATA_SHARED", str(tmp_path / "shared"))
        manage.export(tmp_path / "export", ["mnist"])
        monkeypatch.delenv("COURSE_DATA_SHARED")
        manage.clear()
        with FolderServer(tmp_path / "export") as mirror:
            threading.Thread(target=mirror.serve_forever, args=(0.02,), daemon=True).start()
            monkeypatch.setenv("COURSE_DATA_MIRROR", mirror.url)
            assert load_dataset("mnist").source == f"MNIST, {mirror.url}"
            mirror.shutdown()
        assert server.requests == []

    def test_a_second_export_writes_nothing(self, exported: Path) -> None:
        before = {path: path.stat().st_mtime_ns for path in exported.rglob("*")}
        manage.export(exported)
        assert {path: path.stat().st_mtime_ns for path in exported.rglob("*")} == before

    def test_without_names_only_what_is_here_is_exported(self, server: Server, tmp_path: Path) -> None:
        assert manage.export(tmp_path / "export") == [] and server.requests == []

    def test_a_target_that_cannot_be_written_is_reported(self, server: Server, tmp_path: Path) -> None:
        load_dataset("mnist")
        (tmp_path / "file").write_text("in the way")
        with pytest.raises(DataError, match="MNIST cannot be exported") as caught:
            manage.export(tmp_path / "file")
        assert "FOLDER" in caught.value.next_step and "COURSE_DATA_DIR" not in caught.value.next_step


class TestServe:
    @pytest.fixture
    def address(self, tmp_path: Path):
        folder = tmp_path / "folder"
        (folder / "sub").mkdir(parents=True)
        (folder / "file").write_bytes(bytes(range(100)))
        (folder / "sub" / "ß file").write_bytes(b"deep")
        (folder / ".hidden").write_bytes(b"hidden")
        (tmp_path / "secret").write_bytes(b"secret")
        (folder / "link").symlink_to(tmp_path / "secret")
        with FolderServer(folder) as running:
            threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
            yield running.server_address
            running.shutdown()

    @staticmethod
    def get(address, path: str, method: str = "GET", **headers: str):
        connection = http.client.HTTPConnection(*address, timeout=5)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.putrequest(method, path, skip_accept_encoding=True)
        for name, value in named.items():
            connection.putheader(name, value)
        connection.endheaders()
        response = connection.getresponse()
        return response.status, response.headers, response.read()

    def test_whole_files(self, address) -> None:
        status, headers, body = self.get(address, "/file")
        assert (status, body, headers["Content-Length"]) == (200, bytes(range(100)), "100")
        assert self.get(address, "/sub/%C3%9F%20file")[2] == b"deep"

    @pytest.mark.parametrize(
        ("asked", "status", "span", "body"),
        [
            ("bytes=10-", 206, "bytes 10-99/100", bytes(range(10, 100))),
            ("bytes=10-19", 206, "bytes 10-19/100", bytes(range(10, 20))),
            ("bytes=90-1000", 206, "bytes 90-99/100", bytes(range(90, 100))),
            ("bytes=100-", 416, "bytes */100", b""),
            ("bytes=-5", 200, None, bytes(range(100))),
            ("lines=1-2", 200, None, bytes(range(100))),
        ],
    )
    def test_ranges(self, address, asked: str, status: int, span: str | None, body: bytes) -> None:
        found = self.get(address, "/file", Range=asked)
        assert (found[0], found[1]["Content-Range"], found[2]) == (status, span, body)

    def test_if_range_is_honoured(self, address) -> None:
        tag = self.get(address, "/file")[1]["ETag"]
        assert self.get(address, "/file", Range="bytes=5-", If_Range=tag)[0] == 206
        assert self.get(address, "/file", Range="bytes=5-", If_Range='"other"')[0] == 200

    def test_head(self, address) -> None:
        status, headers, body = self.get(address, "/file", method="HEAD")
        assert (status, headers["Content-Length"], body) == (200, "100", b"")

    @pytest.mark.parametrize(
        "path",
        [
            "/",
            "/none",
            "/sub",
            "/.hidden",
            "/link",
            "/../secret",
            "/%2e%2e/secret",
            "/sub/..%2f..%2fsecret",
            "/%00",
        ],
    )
    def test_nothing_else_is_served(self, address, path: str) -> None:
        assert self.get(address, path)[0] == 404

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
    def test_it_is_read_only(self, address, method: str) -> None:
        assert self.get(address, "/file", method=method)[0] == 501

    def test_it_is_on_loopback_unless_told_otherwise(self, tmp_path: Path) -> None:
        with FolderServer(tmp_path) as running:
            assert running.url.startswith("http://127.0.0.1:")
        with FolderServer(tmp_path, "0.0.0.0") as running:
            assert running.url == f"http://{socket.gethostname()}:{running.server_address[1]}"

    def test_a_taken_port_is_reported(self, tmp_path: Path) -> None:
        with FolderServer(tmp_path) as running, pytest.raises(DataError, match="Cannot listen on"):
            serve(tmp_path, port=running.server_address[1])

    def test_a_missing_folder_is_reported(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="There is no folder"):
            serve(tmp_path / "none")
