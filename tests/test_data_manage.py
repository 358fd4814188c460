"""What ``course data`` does: status, fetch, verify, clear, export, and a server for the classroom."""

from __future__ import annotations

import http.client
import os
import socket
import struct
import threading
from dataclasses import replace
from pathlib import Path

import misbehaving_server as bad
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


class TestSecrets:
    def test_no_command_shows_the_mirrors_password(
        self,
        server: Server,
        cache: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        from course_utils.command_line import doctor, main

        own = server.url.replace("//", "//ada:geheim@") + "?sig=geheim"
        server.files |= {f"{path}?sig=geheim": content for path, content in server.files.items()}
        monkeypatch.setenv("COURSE_DATA_MIRROR", own)
        dataset = load_dataset("mnist")
        assert dataset.source == f"MNIST, {server.url}" and "geheim" not in repr(dataset)
        said = [repr(load_dataset("mnist"))]
        for command in (["status"], ["status", "--json"], ["verify", "--json"], ["fetch", "mnist"]):
            assert main(["data", *command]) == 0
            said += capsys.readouterr()
        said += [finding.value for finding in doctor._settings()]
        server.always = bad.status(404)
        manage.clear()
        assert main(["data", "fetch", "mnist"]) == 1
        said += capsys.readouterr()
        assert server.url in said[-1]
        assert server.requests[0].authorization
        assert not [text for text in said if "geheim" in text]
        for path in cache.rglob("*"):
            assert not path.is_file() or b"geheim" not in path.read_bytes()

    def test_what_earlier_versions_stored_is_not_shown(
        self, server: Server, cache: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        load_dataset("mnist")
        stored = entry.path_of_published(cache, load.PUBLISHED["mnist"])
        arrays, _, content = entry.read(stored)
        with stored.with_suffix(".new").open("wb") as file:
            entry.write(file, arrays, "http://ada:geheim@a.example/x?geheim and http://b.example", content)
        stored.with_suffix(".new").replace(stored)
        origin = "http://a.example/x and http://b.example"
        assert load_dataset("mnist").source == f"MNIST, user cache (read from {origin})"
        assert manage.status()[-1].source == origin


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
    @pytest.mark.slow
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

    @pytest.mark.slow
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


@pytest.mark.slow
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
        (folder / "circle").symlink_to(folder / "circle")
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
            (f"bytes={'9' * 5000}-", 416, "bytes */100", b""),
            (f"bytes=10-{'9' * 5000}", 206, "bytes 10-99/100", bytes(range(10, 100))),
            (f"bytes={'0' * 5000}5-6", 206, "bytes 5-6/100", bytes([5, 6])),
            (f"bytes={'0' * 30_000}x", 200, None, bytes(range(100))),
            ("bytes=²-", 200, None, bytes(range(100))),
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

    @pytest.mark.slow
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
            "/" + "x" * 300,
            "/" + "x/" * 3000,
            "/%ff%fe",
            "/circle",
            "http://nowhere/%2e%2e/secret",
            "*",
            "//[",
        ],
    )
    def test_nothing_else_is_served(self, address, path: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.get(address, path)[0] == 404
        assert "Traceback" not in capsys.readouterr().err

    @pytest.mark.parametrize("path", ["http://[/file", "//[", "/\ud800", "/\0", "/" + "x" * 300, "", "*"])
    def test_no_path_is_too_odd(self, tmp_path: Path, path: str) -> None:
        with FolderServer(tmp_path) as running:
            assert running.find(path) is None

    def test_a_path_without_end_is_refused(self, address) -> None:
        assert self.get(address, "/" + "x" * 70_000)[0] == 414

    def test_a_client_that_hangs_up_makes_no_traceback(
        self, address, capsys: pytest.CaptureFixture[str]
    ) -> None:
        for start in (
            b"",
            b"GET",
            b"GET /file HTTP/1.1\r\n",
            b"GET /file HTTP/1.1\r\n\r\n" * 50,
            b"\x16\x03\x01\r\n",
        ):
            with socket.create_connection(address) as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                client.sendall(start)
        assert self.get(address, "/file")[0] == 200
        assert "Traceback" not in capsys.readouterr().err

    def test_the_log_has_no_tokens(self, address, capsys: pytest.CaptureFixture[str]) -> None:
        assert self.get(address, "/file?token=geheim")[0] == 200
        said = capsys.readouterr().err
        assert "/file" in said and "geheim" not in said

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

    @pytest.mark.parametrize(
        ("host", "port", "told"),
        [
            ("127.0.0.1", 99999, "from 0 to 65535"),
            ("127.0.0.1", -1, "from 0 to 65535"),
            ("127.0.0.1", 10**30, "from 0 to 65535"),
            ("a" * 70, 0, "Cannot listen on aaa"),
            ("\0", 0, "not an address"),
            ("203.0.113.9", 0, "listen on 203.0.113.9"),
        ],
    )
    def test_what_it_cannot_listen_on_is_reported(
        self, tmp_path: Path, host: str, port: int, told: str
    ) -> None:
        with pytest.raises(DataError, match=told):
            serve(tmp_path, host, port)

    def test_a_missing_folder_is_reported(self, tmp_path: Path) -> None:
        with pytest.raises(DataError, match="There is no folder"):
            serve(tmp_path / "none")
