"""Downloads against a real server that misbehaves: what the user gets, and that nothing corrupt stays."""

from __future__ import annotations

import hashlib
import os
import random
import re
import socket
import stat
import subprocess
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import misbehaving_server as bad
import pytest
from misbehaving_server import Server

from course_utils import settings
from course_utils.data import download, exchange
from course_utils.data.address import HttpAddress
from course_utils.data.catalog import File, Published
from course_utils.data.download import Downloader, OutOfReachError
from course_utils.data.mirror import Patience, RefusedError
from course_utils.data.transfer import Answer, pieces
from course_utils.errors import DataError

CONTENT = random.Random(5242).randbytes(400_000)
THING = File("thing.gz", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
FILES = {f"/{THING.name}": CONTENT}
QUICK = Patience(
    verdict=1.5,
    headers=1.0,
    silence=0.5,
    window=0.4,
    pace=10_000,
    allowance=1.6,
    tedious=2,
    backoff=0.02,
    quiet=0.3,
)


@pytest.fixture(autouse=True)
def online(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COURSE_OFFLINE")
    monkeypatch.delenv("COURSE_DATA_MIRROR", raising=False)
    monkeypatch.setattr(download, "PATIENCE", QUICK)


def fetch(folder: Path, *mirrors: str) -> tuple[Path, str]:
    dataset = Published("thing", "Thing", ((THING,),), mirrors, ("", "deep/er"), ("a",))
    return Downloader(dataset, folder, settings.read()).fetch((THING,))


def fails(folder: Path, *mirrors: str) -> OutOfReachError:
    with pytest.raises(OutOfReachError) as caught:
        fetch(folder, *mirrors)
    assert not (folder / THING.name).exists()
    return caught.value


def arrives(folder: Path, *mirrors: str) -> str:
    path, origin = fetch(folder, *mirrors)
    assert path.read_bytes() == CONTENT
    assert os.listdir(folder) == [THING.name], "something was left beside the file"
    return origin


def closed_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


class TestServersThatRecover:
    def test_503_then_fine(self, tmp_path: Path) -> None:
        with Server(FILES, [bad.status(503), bad.status(503)]) as server:
            arrives(tmp_path, server.url)
            assert len(server.requests) == 3

    @pytest.mark.slow
    def test_429_is_asked_again_after_its_retry_after(self, tmp_path: Path) -> None:
        with Server(FILES, [bad.status(429, Retry_After="1")]) as server:
            began = time.monotonic()
            arrives(tmp_path, server.url)
            assert 1 <= time.monotonic() - began < 2

    @pytest.mark.slow
    def test_retry_after_as_a_date_is_read_on_the_servers_clock(self, tmp_path: Path) -> None:
        later = format_datetime(datetime.now(UTC) + timedelta(days=400, seconds=1), usegmt=True)
        skewed = format_datetime(datetime.now(UTC) + timedelta(days=400), usegmt=True)

        def busy(handler: bad.Handler, content: bytes) -> None:
            handler.send_response_only(503)
            handler.send_header("Date", skewed)
            handler.send_header("Retry-After", later)
            handler.send_header("Content-Length", "0")
            handler.end_headers()

        with Server(FILES, [busy]) as server:
            began = time.monotonic()
            arrives(tmp_path, server.url)
            assert 0.5 < time.monotonic() - began < 2.5

    def test_a_retry_after_of_an_hour_is_not_waited_for(self, tmp_path: Path) -> None:
        with Server(FILES, always=bad.status(503, Retry_After="3600")) as server:
            began = time.monotonic()
            error = fails(tmp_path, server.url)
            assert time.monotonic() - began < 1
        assert "asks to wait 3,600 s" in error.reasons[0]

    def test_while_one_mirror_is_busy_the_next_is_asked(self, tmp_path: Path) -> None:
        with Server(FILES, always=bad.status(429, Retry_After="1")) as busy, Server(FILES) as good:
            began = time.monotonic()
            assert arrives(tmp_path, busy.url, good.url) == good.url
            assert time.monotonic() - began < 0.9

    @pytest.mark.parametrize("count", [0, 1000, 200_000, len(CONTENT) - 1])
    def test_reset_in_mid_body_goes_on_from_there(self, tmp_path: Path, count: int) -> None:
        with Server(FILES, [bad.reset_after(count)]) as server:
            arrives(tmp_path, server.url)
            assert server.sent <= len(CONTENT) * 1.05 + count * 0.1
            assert len(server.requests) == 2

    @pytest.mark.slow
    def test_many_resets_with_progress_do_not_use_up_the_attempts(self, tmp_path: Path) -> None:
        with Server(FILES, [bad.reset_after(30_000)] * 12) as server:
            arrives(tmp_path, server.url)
            assert server.sent <= 1.05 * len(CONTENT)

    @pytest.mark.parametrize("with_length", [True, False])
    def test_a_short_body_is_completed(self, tmp_path: Path, with_length: bool) -> None:
        with Server(FILES, [bad.short(150_000, with_length=with_length)] * 2) as server:
            arrives(tmp_path, server.url)
            assert server.sent == len(CONTENT)
            assert [request.range for request in server.requests] == [None, "bytes=150000-", "bytes=300000-"]

    @pytest.mark.slow
    def test_a_body_that_stalls_is_resumed(self, tmp_path: Path) -> None:
        with Server(FILES, [bad.stall_after(100_000)]) as server:
            began = time.monotonic()
            arrives(tmp_path, server.url)
            assert time.monotonic() - began < 3
            assert server.sent == len(CONTENT)

    @pytest.mark.slow
    def test_a_body_that_drips_counts_as_stalled(self, tmp_path: Path) -> None:
        with Server(FILES, [bad.drip_after(100_000, 0.02)]) as server:
            began = time.monotonic()
            arrives(tmp_path, server.url)
            assert time.monotonic() - began < 3

    def test_chunks(self, tmp_path: Path) -> None:
        with Server(FILES, always=bad.chunked()) as server:
            arrives(tmp_path, server.url)

    def test_chunks_that_stop(self, tmp_path: Path) -> None:
        with Server(FILES, [bad.chunked(100_000)]) as server:
            arrives(tmp_path, server.url)
            assert server.sent == len(CONTENT)

    def test_a_servers_wrong_content_encoding_is_not_believed(self, tmp_path: Path) -> None:
        with Server(FILES, always=bad.encoded) as server:
            arrives(tmp_path, server.url)

    def test_a_server_that_hangs_up(self, tmp_path: Path) -> None:
        with Server(FILES, [bad.hangs_up]) as server:
            arrives(tmp_path, server.url)

    def test_a_range_that_is_ignored_starts_over(self, tmp_path: Path) -> None:
        with Server(FILES, [bad.reset_after(100_000), bad.range_ignored]) as server:
            arrives(tmp_path, server.url)

    def test_a_server_that_ignores_ranges_and_always_resets_is_given_up(self, tmp_path: Path) -> None:
        def resets_from_the_start(handler: bad.Handler, content: bytes) -> None:
            handler.head(200, {}, len(content))
            handler.body(content[:100_000])
            handler.reset()

        with Server(FILES, always=resets_from_the_start) as server:
            fails(tmp_path, server.url)
            assert len(server.requests) <= 6

    @pytest.mark.parametrize("with_length", [True, False])
    def test_a_server_that_sends_empty_bodies_is_given_up(self, tmp_path: Path, with_length: bool) -> None:
        with Server(FILES, always=bad.short(0, with_length=with_length)) as server:
            assert "closed" in fails(tmp_path, server.url).reasons[0]
            assert len(server.requests) == QUICK.attempts

    def test_a_wrong_content_range_starts_over(self, tmp_path: Path) -> None:
        with Server(FILES, [bad.reset_after(100_000), bad.wrong_range]) as server:
            arrives(tmp_path, server.url)
            assert [request.range for request in server.requests] == [None, "bytes=100000-", None]

    def test_a_changed_etag_starts_over(self, tmp_path: Path) -> None:
        with Server(FILES, [bad.reset_after(100_000), bad.other_version]) as server:
            arrives(tmp_path, server.url)
            assert server.requests[1].if_range == '"v1"'
            assert server.sent == len(CONTENT) + 100_000

    @pytest.mark.slow
    def test_headers_that_never_come_are_left_for_the_next_mirror(self, tmp_path: Path) -> None:
        with Server(FILES, always=bad.no_headers) as silent, Server(FILES) as good:
            began = time.monotonic()
            assert arrives(tmp_path, silent.url, good.url) == good.url
            assert time.monotonic() - began < 1.5


class TestServersThatNeverWill:
    def test_404_is_never_asked_twice_and_the_next_mirror_is(self, tmp_path: Path) -> None:
        with Server({}) as empty, Server(FILES) as good:
            assert arrives(tmp_path, empty.url, good.url) == good.url
            assert len(empty.requests) == 1

    def test_403_everywhere_names_each_mirror(self, tmp_path: Path) -> None:
        with (
            Server(FILES, always=bad.status(403)) as one,
            Server(FILES, always=bad.status(403)) as two,
        ):
            error = fails(tmp_path, one.url, two.url)
            assert len(one.requests) == len(two.requests) == 1
            assert error.reasons == [
                f"{server.url}/{THING.name}: HTTP 403 Forbidden" for server in (one, two)
            ]
        assert os.listdir(tmp_path) == []

    def test_refused_connections(self, tmp_path: Path) -> None:
        error = fails(tmp_path, closed_port())
        assert "the connection was refused" in error.reasons[0]

    def test_dns_failure(self, tmp_path: Path) -> None:
        began = time.monotonic()
        error = fails(tmp_path, "http://name.invalid", "https://other.invalid")
        assert time.monotonic() - began < QUICK.verdict + 0.5
        assert all("its name cannot be resolved" in reason for reason in error.reasons)

    @pytest.mark.slow
    def test_a_name_look_up_that_hangs(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(5))
        began = time.monotonic()
        error = fails(tmp_path, "http://name.invalid", "https://other.invalid")
        assert time.monotonic() - began < QUICK.verdict + 0.5
        assert all("no answer within" in reason for reason in error.reasons)

    @pytest.mark.slow
    def test_servers_that_never_answer_share_one_verdict(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(download, "PATIENCE", replace(QUICK, silence=9))
        with (
            Server(FILES, always=bad.no_headers) as one,
            Server(FILES, always=bad.no_headers) as two,
            Server(FILES, always=bad.no_headers) as three,
        ):
            began = time.monotonic()
            error = fails(tmp_path, one.url, two.url, three.url)
            assert time.monotonic() - began < QUICK.verdict + 0.5
            assert [len(server.requests) for server in (one, two, three)] == [1, 1, 1]
        assert all("no answer within" in reason for reason in error.reasons)

    @pytest.mark.slow
    def test_the_real_verdict_comes_within_ten_seconds(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(download, "PATIENCE", Patience())
        with Server(FILES, always=bad.no_headers) as one, Server(FILES, always=bad.no_headers) as two:
            began = time.monotonic()
            fails(tmp_path, one.url, "https://name.invalid", two.url)
            assert time.monotonic() - began < 10

    def test_one_flipped_bit_is_noticed(self, tmp_path: Path) -> None:
        with Server(FILES, always=bad.flipped_bit) as server:
            error = fails(tmp_path, server.url)
            assert len(server.requests) == 2, "it may have happened on the way, so it is tried once more"
        assert "does not match the published checksum" in error.reasons[0]
        assert os.listdir(tmp_path) == []

    def test_one_flipped_bit_on_the_way(self, tmp_path: Path) -> None:
        with Server(FILES, [bad.flipped_bit]) as server:
            arrives(tmp_path, server.url)

    def test_one_flipped_bit_then_the_next_mirror(self, tmp_path: Path) -> None:
        with Server(FILES, always=bad.flipped_bit) as server, Server(FILES) as good:
            assert arrives(tmp_path, server.url, good.url) == good.url

    def test_what_follows_the_file_is_not_read(self, tmp_path: Path) -> None:
        with Server(FILES, always=bad.too_much) as server:
            arrives(tmp_path, server.url)

    def test_another_length_is_refused_before_the_body(self, tmp_path: Path) -> None:
        with Server({f"/{THING.name}": CONTENT[:1000]}) as server:
            assert "it offers 1,000 bytes" in fails(tmp_path, server.url).reasons[0]

    def test_a_sign_in_page_is_reported_as_one(self, tmp_path: Path) -> None:
        with Server(FILES, always=bad.web_page) as portal:
            assert "sign-in page" in fails(tmp_path, portal.url).reasons[0]
            assert len(portal.requests) == 1
        assert os.listdir(tmp_path) == []

    def test_a_redirect_to_a_sign_in_page(self, tmp_path: Path) -> None:
        with Server(FILES, always=bad.web_page) as portal, Server(FILES) as server:
            server.always = bad.redirect(f"{portal.url}/login")
            assert "sign-in page" in fails(tmp_path, server.url).reasons[0]

    def test_redirects_are_followed(self, tmp_path: Path) -> None:
        with Server(FILES) as good, Server(FILES, always=bad.redirect(f"{good.url}/{THING.name}")) as server:
            assert arrives(tmp_path, server.url) == server.url

    @pytest.mark.parametrize("target", [f"/{THING.name}", "/other", "/grow"])
    def test_a_redirect_loop_ends(self, tmp_path: Path, target: str) -> None:
        def loop(handler: bad.Handler, content: bytes) -> None:
            onward = handler.path + "x" if target == "/grow" else target
            bad.redirect(onward)(handler, content)

        with Server(FILES, always=loop) as server:
            assert "redirects in a loop" in fails(tmp_path, server.url).reasons[0]
            assert len(server.requests) <= 7

    def test_what_is_not_an_http_address(self, tmp_path: Path) -> None:
        error = fails(tmp_path, "ftp://127.0.0.1/x", "just text", "http://")
        assert all("is not an http address" in reason for reason in error.reasons)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    folder = tmp_path_factory.mktemp("tls")
    names = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
    key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2")
    files = ("-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem"))
    try:
        subprocess.run(["openssl", "req", "-x509", *key, *names, *files], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed")
    return str(folder / "certificate.pem"), str(folder / "key.pem")


class TestHttps:
    def test_a_trusted_certificate(
        self, tmp_path: Path, certificate: tuple[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", certificate[0])
        with Server(FILES, [bad.reset_after(100_000)], certificate=certificate) as server:
            arrives(tmp_path, server.url)

    def test_an_untrusted_certificate_is_refused_at_once(
        self, tmp_path: Path, certificate: tuple[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        asked = []
        real = exchange.converse
        monkeypatch.setattr(exchange, "converse", lambda *about: asked.append(about) or real(*about))
        with Server(FILES, certificate=certificate) as server:
            assert "certificate is not trusted" in fails(tmp_path, server.url).reasons[0]
            assert server.requests == [] and len(asked) == 1

    def test_https_never_falls_back_to_http(
        self, tmp_path: Path, certificate: tuple[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", certificate[0])
        with Server(FILES) as plain, Server(FILES, certificate=certificate) as server:
            server.always = bad.redirect(f"{plain.url}/{THING.name}")
            assert "redirects from https to http" in fails(tmp_path, server.url).reasons[0]
            assert plain.requests == []


class TestAcrossRuns:
    def test_the_next_run_goes_on_where_the_last_one_stopped(self, tmp_path: Path) -> None:
        with Server(FILES, [bad.reset_after(250_000)], always=bad.status(404)) as server:
            error = fails(tmp_path, server.url)
            assert error.kept == 250_000
            server.always = None
            arrives(tmp_path, server.url)
            assert server.sent <= 1.05 * len(CONTENT)
            assert (server.requests[-1].range, server.requests[-1].if_range) == ("bytes=250000-", '"v1"')

    def test_another_mirror_goes_on_from_the_same_byte(self, tmp_path: Path) -> None:
        with Server(FILES, [bad.reset_after(250_000)], always=bad.status(404)) as one, Server(FILES) as two:
            arrives(tmp_path, one.url, two.url)
            assert one.sent + two.sent == len(CONTENT)
            assert two.requests[0].if_range is None, "one server's tag means nothing to another"

    @pytest.mark.parametrize("leftover", [CONTENT[:1000][::-1], b"x" * (len(CONTENT) + 5), b"", CONTENT])
    def test_whatever_an_earlier_run_left_the_file_is_right(self, tmp_path: Path, leftover: bytes) -> None:
        (tmp_path / f"{THING.name}.1-abcd.part").write_bytes(leftover)
        with Server(FILES) as server:
            arrives(tmp_path, server.url)

    def test_a_whole_leftover_needs_no_network(self, tmp_path: Path) -> None:
        (tmp_path / f"{THING.name}.1-abcd.part").write_bytes(CONTENT)
        assert arrives(tmp_path, closed_port()) == "an earlier download"

    def test_a_leftover_with_a_wrong_byte_costs_one_more_download(self, tmp_path: Path) -> None:
        (tmp_path / f"{THING.name}.1-abcd.part").write_bytes(b"x" + CONTENT[1:300_000])
        with Server(FILES) as server:
            arrives(tmp_path, server.url)
            assert [request.range for request in server.requests] == ["bytes=300000-", None]

    def test_a_mirror_that_corrupts_and_breaks_is_not_mixed_in_for_ever(self, tmp_path: Path) -> None:
        def corrupts(handler: bad.Handler, content: bytes) -> None:
            bad.reset_after(200_000)(handler, b"x" + content[1:])

        with Server(FILES, [corrupts], always=bad.status(404)) as one, Server(FILES) as two:
            arrives(tmp_path, one.url, two.url)

    def test_a_stolen_private_file_does_not_lose_the_download(self, tmp_path: Path) -> None:
        def steals(handler: bad.Handler, content: bytes) -> None:
            bad.serve(handler, content[:0] or content)
            for path in tmp_path.glob("*.part"):
                path.unlink()

        with Server(FILES, [steals]) as server:
            arrives(tmp_path, server.url)
            assert server.sent == len(CONTENT)


class TestSlowMirrors:
    def test_a_crawling_mirror_is_left_for_a_faster_one_that_goes_on(self, tmp_path: Path) -> None:
        with Server(FILES, always=bad.slow(50)) as slow, Server(FILES) as fast:
            arrives(tmp_path, slow.url, fast.url)
            assert fast.requests[0].range is not None
            assert slow.sent < 0.3 * len(CONTENT)

    @pytest.mark.slow
    def test_it_is_taken_back_when_the_others_fail(self, tmp_path: Path) -> None:
        with Server(FILES, [bad.slow(50)]) as slow, Server({}) as other:
            assert arrives(tmp_path, slow.url, other.url) == slow.url


class TestOwnMirror:
    @pytest.mark.parametrize("place", ["", "/deep/er"])
    def test_it_is_asked_first_and_may_keep_a_shared_folders_layout(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
    ) -> None:
        with Server({f"{place}/{THING.name}": CONTENT}) as own, Server(FILES) as public:
            monkeypatch.setenv("COURSE_DATA_MIRROR", own.url + "/")
            assert arrives(tmp_path, public.url) == own.url
            assert public.requests == []

    def test_without_the_file_it_is_passed_over(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with Server({}) as own, Server(FILES) as public:
            monkeypatch.setenv("COURSE_DATA_MIRROR", own.url)
            assert arrives(tmp_path, public.url) == public.url


class TestStoring:
    def test_the_mode_follows_the_umask(self, tmp_path: Path) -> None:
        old = os.umask(0o022)
        try:
            with Server(FILES) as server:
                arrives(tmp_path, server.url)
        finally:
            os.umask(old)
        assert stat.S_IMODE((tmp_path / THING.name).stat().st_mode) == 0o644

    def test_a_full_disk_is_reported_before_the_first_byte(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        usage = download.shutil.disk_usage(tmp_path)
        monkeypatch.setattr(download.shutil, "disk_usage", lambda _: usage._replace(free=1000))
        with Server(FILES) as server, pytest.raises(DataError, match=r"disk is full \(0 MB are needed\)"):
            fetch(tmp_path, server.url)
        assert os.listdir(tmp_path) == []

    def test_nothing_is_asked_offline(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("COURSE_OFFLINE", "1")
        with Server(FILES) as server:
            assert fails(tmp_path / "none", server.url).reasons == [
                f"{server.url}: not tried, COURSE_OFFLINE is set"
            ]
            assert server.requests == []
        assert not (tmp_path / "none").exists()

    def test_proxies_come_from_the_environment(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with Server({f"http://mirror.invalid/{THING.name}": CONTENT}) as proxy:
            monkeypatch.setenv("http_proxy", proxy.url)
            arrives(tmp_path, "http://mirror.invalid")

    def test_ctrl_c_keeps_what_came(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        real = download.pieces

        def interrupted(*arguments, **keywords):
            for number, piece in enumerate(real(*arguments, **keywords)):
                if number == 2:
                    raise KeyboardInterrupt
                yield piece

        monkeypatch.setattr(download, "pieces", interrupted)
        with Server(FILES) as server:
            with pytest.raises(KeyboardInterrupt):
                fetch(tmp_path, server.url)
            monkeypatch.setattr(download, "pieces", real)
            arrives(tmp_path, server.url)
            assert re.fullmatch(r"bytes=[1-9]\d+-", server.requests[1].range or "")


@pytest.mark.slow
def test_the_first_answer_ends_the_verdicts_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "PATIENCE", replace(QUICK, verdict=0.3))
    with Server(FILES, [bad.status(429, Retry_After="1")]) as server:
        arrives(tmp_path, server.url)


OK = f"HTTP/1.1 200 OK\nContent-Length: {len(CONTENT)}\n"
SECRET = "geheim"


def with_password(url: str, userinfo: str = f"ada:{SECRET}") -> str:
    return url.replace("//", f"//{userinfo}@")


def everything_in(folder: Path) -> str:
    return "".join(
        f"{path}\n{path.read_bytes().decode('latin-1')}\n" for path in folder.rglob("*") if path.is_file()
    )


class TestAddresses:
    @pytest.mark.parametrize(
        ("text", "url", "auth"),
        [
            ("http://h", "http://h/f", None),
            ("HTTPS://H:8000/a/", "https://H:8000/a/f", None),
            (" http://h /a\t", "http://h/a/f", None),
            ("http://[::1]:80/a", "http://[::1]:80/a/f", None),
            ("http://@h/", "http://h/f", None),
            ("http://ada@h", "http://h/f", (b"ada", b"")),
            ("http://ada:a:b@h", "http://h/f", (b"ada", b"a:b")),
            ("http://ada:a@b@h", "http://h/f", (b"ada", b"a@b")),
            ("http://%C3%A9:%2F@h:1?a=b@c#d", "http://h:1/f?a=b@c", ("é".encode(), b"/")),
        ],
    )
    def test_they_are_taken_apart(self, text: str, url: str, auth: tuple[bytes, bytes] | None) -> None:
        file = HttpAddress.read(text).below("", "f")
        assert (file.url, file.auth) == (url, auth)
        assert str(file) == url.partition("?")[0]

    @pytest.mark.parametrize(
        "text",
        ["", " ", "h", "h:80", "//h", "http://", "http:h", "http:///x", "http://:80", "http://a b/", "http://h:x",
         "http://h:65536", "http://h:-1", "http://h:١", "http://[::1", "http://a]/", "http://a\\b", "file:///x",
         "http://u:p/w@h", "http://u:p@h\\@i"],
    )  # fmt: skip
    def test_what_is_none(self, text: str) -> None:
        with pytest.raises(ValueError):
            HttpAddress.read(text)

    @pytest.mark.parametrize(
        ("location", "url", "known"),
        [
            ("/b?c#d", "http://h:80/b?c", True),
            ("b/", "http://h:80/a/b/", True),
            ("//H/b", "http://H/b", True),
            ("http://h/b", "http://h/b", True),
            ("http://h:81/b", "http://h:81/b", False),
            ("https://h/b", "https://h/b", True),
            ("https://h:80/b", "https://h:80/b", False),
            ("http://x.h/b", "http://x.h/b", False),
        ],
    )
    def test_only_the_same_server_is_told_the_password(self, location: str, url: str, known: bool) -> None:
        onward = HttpAddress.read("http://ada:x@h:80/a").below("f").onward(location)
        assert (onward.url, onward.auth is not None) == (url, known)


class TestSecrets:
    """Passwords and tokens are used, and neither shown nor stored."""

    @pytest.mark.parametrize(
        "userinfo", [f"ada:{SECRET}", f"ada:{SECRET}%40%2F", f"ada:{SECRET}@", f":{SECRET}"]
    )
    def test_the_password_is_used_and_not_shown(
        self,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        userinfo: str,
    ) -> None:
        user, _, password = userinfo.partition(":")
        with Server(FILES, always=bad.locked(user, password.replace("%40%2F", "@/"))) as own:
            monkeypatch.setenv("COURSE_DATA_MIRROR", with_password(own.url, userinfo))
            assert arrives(tmp_path) == own.url
        assert SECRET not in "".join(capsys.readouterr())

    def test_nor_is_it_stored_with_half_a_download(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        files = {f"/{THING.name}?sig={SECRET}": CONTENT}
        with Server(files, [bad.reset_after(1000)], always=bad.status(404)) as own:
            monkeypatch.setenv("COURSE_DATA_MIRROR", with_password(own.url) + f"?sig={SECRET}")
            reasons = "".join(fails(tmp_path).reasons)
            assert own.url in reasons and SECRET not in reasons
            assert "?" not in reasons and SECRET not in everything_in(tmp_path)
            own.always = None
            arrives(tmp_path)
            assert own.requests[-1].range == "bytes=1000-" and own.requests[-1].if_range == '"v1"'

    def test_a_note_of_an_earlier_version_loses_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "thing.gz.1-abcd.part").write_bytes(CONTENT[:1000])
        with Server(FILES, always=bad.status(404)) as own:
            note = f'{with_password(own.url)}/thing.gz\n"v1"\n'
            (tmp_path / "thing.gz.1-abcd.part.note").write_text(note)
            monkeypatch.setenv("COURSE_DATA_MIRROR", with_password(own.url))
            fails(tmp_path)
            assert SECRET not in everything_in(tmp_path)
            own.always = None
            arrives(tmp_path)
            assert own.requests[-1].if_range == '"v1"'

    def test_a_token_after_the_question_mark_stays_there(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with Server({f"/data/{THING.name}?sig={SECRET}%3D&x=1": CONTENT}) as own:
            monkeypatch.setenv("COURSE_DATA_MIRROR", f"{own.url}/data/?sig={SECRET}%3D&x=1#here")
            assert arrives(tmp_path) == f"{own.url}/data"

    def test_another_server_does_not_get_the_password(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with Server(FILES) as other, Server(FILES) as own:
            own.script = [
                bad.redirect(f"{own.url}/{THING.name}?again"),
                bad.redirect(f"{other.url}/x?{SECRET}"),
            ]
            other.always = bad.status(404)
            monkeypatch.setenv("COURSE_DATA_MIRROR", with_password(own.url))
            assert SECRET not in "".join(fails(tmp_path).reasons)
            assert own.requests[0].authorization == own.requests[1].authorization != None  # noqa: E711
            assert other.requests[0].authorization is None

    @pytest.mark.parametrize(
        "address",
        [
            f"ada:{SECRET}@127.0.0.1/x",
            f"http://ada:{SECRET}/x@127.0.0.1",
            f"http://ada:1{SECRET}?x@127.0.0.1:9",
            f"http://ada:{SECRET}#x@127.0.0.1:9",
            f"http://ada:my {SECRET}@127.0.0.1:99999",
            f"http://ada:{SECRET}@127.0.0.1:port/",
            f"http://ada:{SECRET}@[::1/",
            f"http://ada:{SECRET}@",
            f"http://ada:{SECRET}@a..b/x",
            f"http://ada:{SECRET}@{'a' * 70}.example/x",
            f"http://ada:{SECRET}@127.0.0.1\\@127.0.0.2/x",
            f"ftp://ada:{SECRET}@127.0.0.1/x?{SECRET}",
            f"//ada:{SECRET}@127.0.0.1",
            f"HTTP://ada:{SECRET}@127.0.0.1:1?{SECRET}",
        ],
    )
    def test_an_address_that_cannot_be_used_is_reported_without_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, address: str
    ) -> None:
        monkeypatch.setenv("COURSE_DATA_MIRROR", address)
        reasons = fails(tmp_path).reasons
        assert reasons and SECRET not in "".join(reasons), reasons

    def test_nor_does_a_proxys_password_appear(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        for proxy in (
            with_password(closed_port()),
            f"http://ada:{SECRET}@h:port",
            f"socks5://ada:{SECRET}@h",
        ):
            monkeypatch.setenv("http_proxy", proxy)
            (reason,) = fails(tmp_path, "http://mirror.invalid").reasons
            assert SECRET not in reason and "the proxy" in reason

    def test_nor_does_a_log_show_them(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("DEBUG")
        odd = bad.says(f"HTTP/1.1 302 Found\nno colon\nLocation: /x?{SECRET}\nContent-Length: 0\n")
        with Server(FILES, [odd]) as own:
            monkeypatch.setenv("COURSE_DATA_MIRROR", f"{own.url}?{SECRET}")
            fails(tmp_path)
        assert SECRET not in caplog.text

    def test_what_an_unknown_failure_says_is_not_repeated(self) -> None:
        address = HttpAddress.read(with_password("http://host.example/"))
        reason, _ = exchange.in_words(RuntimeError(f"no way to {address.url}"), address, 1.0)
        assert reason == "it failed (RuntimeError)"


class TestPace:
    """No server is waited for that does not keep the pace, whatever it sends instead."""

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "never_ends",
        [
            bad.drip_after(0, 0.02),
            bad.endless("HTTP/1.1 200 OK\n", b"X-More: 1\r\n", 0.01),
            bad.endless("", b"HTTP/1.1 100 Continue\r\n\r\n"),
            bad.endless("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n", b"1\r\nx\r\n", 0.01),
            bad.endless("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n0\n", b"X-More: 1\r\n"),
            bad.status(503, Retry_After="1"),
            bad.status(503, Retry_After="0"),
            bad.reset_after(1),
            bad.hangs_up,
        ],
    )
    def test_the_next_one_is_asked(self, tmp_path: Path, never_ends: bad.Behaviour) -> None:
        with Server(FILES, always=never_ends) as slow, Server(FILES) as good:
            began = time.monotonic()
            fails(tmp_path, slow.url)
            assert time.monotonic() - began < 4
            assert good.url in arrives(tmp_path, slow.url, good.url)

    def test_trailers_are_not_waited_for(self, tmp_path: Path) -> None:
        whole = f"{len(CONTENT):x}\r\n".encode() + CONTENT + b"\r\n0\r\n"

        def trails(handler: bad.Handler, content: bytes) -> None:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + whole)
            bad.endless("", b"X-More: 1\r\n")(handler, content)

        with Server(FILES, always=trails) as server:
            began = time.monotonic()
            arrives(tmp_path, server.url)
            assert time.monotonic() - began < 1

    @pytest.mark.slow
    def test_a_mirror_that_was_too_slow_comes_last_for_the_next_file(self, tmp_path: Path) -> None:
        other = File("other.gz", THING.size, THING.sha256)
        with Server(FILES, always=bad.drip_after(0, 0.02)) as slow, Server(FILES) as good:
            good.files = {**FILES, "/other.gz": CONTENT}
            dataset = Published("thing", "Thing", ((THING,), (other,)), (slow.url, good.url), ("",), ())
            downloader = Downloader(dataset, tmp_path, settings.read())
            downloader.fetch((THING,))
            before = len(slow.requests)
            assert downloader.fetch((other,))[1] == good.url
            assert len(slow.requests) == before

    @pytest.mark.slow
    def test_the_reader_is_told_what_it_waits_for(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with Server(FILES, [bad.status(503, Retry_After="1")]) as server:
            arrives(tmp_path, server.url)
            said = capsys.readouterr().err
            assert f"{server.url}/thing.gz: HTTP 503 Service Unavailable; waiting 1 s\n" in said
        with Server(FILES, always=bad.no_headers) as slow, Server(FILES) as good:
            arrives(tmp_path / "again", slow.url, good.url)
            said = capsys.readouterr().err
            assert f"{slow.url}/thing.gz: no answer within 1 s; asking {good.url}/thing.gz\n" in said

    def test_whoever_is_quick_says_nothing(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        with Server({}) as empty, Server(FILES, [bad.reset_after(30_000)] * 3) as good:
            arrives(tmp_path, empty.url, good.url)
        assert capsys.readouterr().err == ""


class TestBodiesNobodyWants:
    @pytest.mark.slow
    @pytest.mark.parametrize(
        "status", ["302 Found\nLocation: /x", "404 Not Found", "500 Oops", "200 OK\nContent-Type: text/html"]
    )
    def test_they_are_not_read(self, tmp_path: Path, status: str) -> None:
        flood = bad.endless(f"HTTP/1.1 {status}\n\n", b"x" * 65536)
        with Server(FILES, always=flood) as server:
            fails(tmp_path, server.url)
            time.sleep(0.2)
            sent = server.sent
            time.sleep(0.3)
            # The rest is what the system's buffers hold.
            assert server.sent == sent < 60e6, "somebody still reads"

    @pytest.mark.slow
    def test_nor_are_headers_after_the_time_is_up(self, tmp_path: Path) -> None:
        with Server(FILES, always=bad.endless("", b"HTTP/1.1 100 Continue\r\n\r\n" * 100)) as server:
            fails(tmp_path, server.url)
            time.sleep(0.3)
            sent = server.sent
            time.sleep(0.3)
            assert server.sent == sent


class TestReasons:
    def test_each_address_has_its_own_and_the_classs_mirror_comes_first(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def corrupts(handler: bad.Handler, content: bytes) -> None:
            (bad.flipped_bit if handler.path == "/thing.gz" else bad.status(404))(handler, content)

        with Server(FILES, always=corrupts) as own, Server({}) as public:
            monkeypatch.setenv("COURSE_DATA_MIRROR", own.url)
            assert fails(tmp_path, public.url, "http://name.invalid").reasons == [
                f"{own.url}/thing.gz: what it sends does not match the published checksum",
                f"{own.url}/deep/er/thing.gz: HTTP 404 Not Found",
                f"{public.url}/thing.gz: HTTP 404 Not Found",
                "http://name.invalid/thing.gz: its name cannot be resolved (no network, or DNS is down)",
            ]

    def test_an_own_mirror_that_is_down_still_comes_first(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        down = closed_port()
        monkeypatch.setenv("COURSE_DATA_MIRROR", down)
        with Server({}) as public:
            for _ in range(2):
                assert [reason.partition("/thing")[0] for reason in fails(tmp_path, public.url).reasons] == [
                    down,
                    public.url,
                ]

    def test_a_proxys_failure_is_the_proxys(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        proxy = closed_port()
        monkeypatch.setenv("http_proxy", proxy)
        monkeypatch.setenv("https_proxy", proxy)
        for reason in fails(tmp_path, "http://mirror.invalid", "https://mirror.invalid").reasons:
            assert f"/thing.gz: the proxy {proxy} failed: the connection was refused" in reason

    def test_so_is_what_it_answers_for_itself(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with Server({}, always=bad.status(407)) as proxy:
            monkeypatch.setenv("http_proxy", proxy.url)
            monkeypatch.setenv("https_proxy", proxy.url)
            one, other = fails(tmp_path, "http://mirror.invalid", "https://mirror.invalid").reasons
        told = "HTTP 407 Proxy Authentication Required"
        assert one.endswith(f": {told} (through the proxy {proxy.url})")
        assert f": the proxy {proxy.url} failed: it answers" in other

    def test_certificates_that_are_not_there_are_no_full_disk_and_the_next_mirror_is_asked(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem")
        assert "there is no /nowhere/ca.pem" in fails(tmp_path, "https://127.0.0.1:1").reasons[0]
        with Server(FILES) as good:
            assert arrives(tmp_path, "https://127.0.0.1:1", good.url) == good.url

    def test_certificates_that_are_none(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "ca.pem").write_text("rubbish")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
        with Server(FILES) as server:
            (reason,) = fails(tmp_path / "cache", server.url.replace("http", "https")).reasons
        assert f"there are no certificates in {tmp_path / 'ca.pem'}" in reason

    def test_https_where_only_http_is_spoken(self, tmp_path: Path) -> None:
        with Server(FILES) as server:
            (reason,) = fails(tmp_path, server.url.replace("http", "https")).reasons
        assert "no secure connection" in reason and "certificate" not in reason

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("answer", "reason"),
        [
            ("SSH-2.0-OpenSSH_9.6\n", "it does not answer in HTTP"),
            ("HTTP/1.1 999 \033[31mred\n", "HTTP 999"),
            ("HTTP/1.1 404 \033[31mred\n", "HTTP 404 Not Found"),
            (
                "HTTP/1.1 302 Found\nLocation: file:///etc/passwd\n",
                "it redirects to what is not an http address",
            ),
            ("HTTP/1.1 302 Found\nLocation: http://[\n", "it redirects to what is not an http address"),
            (f"HTTP/1.1 200 {'x' * 70_000}\n", "its answer has a header without end"),
            ("HTTP/1.1 200 OK\n" + "X: 1\n" * 200, "its answer cannot be read"),
            ("HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\nnine", "its answer cannot be read"),
        ],
    )
    def test_what_is_no_answer(self, tmp_path: Path, answer: str, reason: str) -> None:
        with Server({f"/{THING.name}": b""}, always=bad.says(answer)) as server:
            assert fails(tmp_path, server.url).reasons == [f"{server.url}/thing.gz: {reason}"]


class TestOddAnswers:
    def test_a_doubtful_answer_that_ends_early_is_told_by_its_doubt(self) -> None:
        class Ended:
            def take(self, seconds: float) -> bytes:
                return b""

        doubt = "it answers with a web page"
        answer = Answer(Ended(), HttpAddress.read("http://host.example/"), 0, None, doubt)
        with pytest.raises(RefusedError, match=doubt):
            list(pieces(answer, THING, QUICK, may_leave=False))

    """If the checksum is right, the file is right."""

    @pytest.mark.slow
    @pytest.mark.parametrize(
        "head",
        [
            f"HTTP/1.1 206 Partial Content\nContent-Length: {len(CONTENT)}\n",
            "HTTP/1.1 206 Partial Content\n",
            f"HTTP/1.1 206 Partial Content\nContent-Range: {len(CONTENT)}\n",
            f"HTTP/1.1 206 Partial Content\nContent-Range: bytes 0-{len(CONTENT) - 1}\n",
            f"HTTP/1.1 206 Partial Content\nContent-Range: bytes 0-{len(CONTENT) - 1}/{'9' * 5000}\n",
            "HTTP/1.1 206 Partial Content\nContent-Range: bytes 0-9/10\n",
            "HTTP/1.1 201 Created\n",
            "HTTP/1.1 203 Non-Authoritative\n",
            "HTTP/1.1 299\n",
            "HTTP/1.0 200 OK\n",
            "HTTP/1.1 103 Early Hints\nLink: x\n\nHTTP/1.1 200 OK\n",
            OK + f"Content-Length: {len(CONTENT)}\n",
            f"HTTP/1.1 200 OK\nContent-Length: {len(CONTENT)}, {len(CONTENT)}\n",
            f"HTTP/1.1 200 OK\nContent-Length: +{len(CONTENT)}\n",
            f"HTTP/1.1 200 OK\nContent-Length: 00{len(CONTENT)} \n",
            "HTTP/1.1 200 OK\nContent-Length: many\n",
            "HTTP/1.1 200 OK\nContent-Length: -1\n",
            "HTTP/1.1 200 OK\nContent-Length: 5, 6\n",
            f"HTTP/1.1 200 OK\nContent-Length: {'9' * 5000}\n",
            f"HTTP/1.1 200 OK\nContent-Length: {len(CONTENT) + 7}\n",
            "HTTP/1.1 200 OK\nContent-Type: text/html\n",
            OK + "Content-Type: text/html\n",
            OK + "Content-Encoding: br\nContent-Type: text/plain\n",
            OK + "no colon\nETag: \x85\x1c\n",
        ],
    )
    def test_the_right_bytes_are_taken(self, tmp_path: Path, head: str) -> None:
        with Server(FILES, always=bad.says(head)) as server:
            arrives(tmp_path, server.url)

    @pytest.mark.parametrize(
        "head",
        [
            "HTTP/1.1 206 Partial Content\n",
            f"HTTP/1.1 206 Partial Content\nContent-Length: {len(CONTENT) - 100_000}\n",
            "HTTP/1.1 206 Partial Content\nContent-Range: bytes 100000-/*\n",
        ],
    )
    def test_so_is_a_rest(self, tmp_path: Path, head: str) -> None:
        with Server(FILES, [bad.reset_after(100_000), bad.says(head, whole=False)]) as server:
            arrives(tmp_path, server.url)
            assert server.sent == len(CONTENT)

    def test_a_whole_file_in_place_of_the_rest(self, tmp_path: Path) -> None:
        head = f"HTTP/1.1 206 Partial Content\nContent-Length: {len(CONTENT)}\n"
        with Server(FILES, [bad.reset_after(100_000), bad.says(head)]) as server:
            arrives(tmp_path, server.url)

    def test_a_sign_in_page_costs_no_byte_that_is_here(self, tmp_path: Path) -> None:
        page = bad.says("HTTP/1.1 200 OK\nContent-Type: text/html\n")
        with Server(FILES, [bad.reset_after(100_000), page]) as server:
            assert fails(tmp_path, server.url).kept == 100_000

    @pytest.mark.parametrize("tail", [" ", "/ ", " /", "\t"])
    def test_spaces_around_a_host(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tail: str) -> None:
        with Server(FILES) as own:
            monkeypatch.setenv("COURSE_DATA_MIRROR", f" {own.url}{tail}")
            assert arrives(tmp_path) == own.url

    def test_leftovers_that_are_no_files(self, tmp_path: Path) -> None:
        (tmp_path / "thing.gz.1-a.part").mkdir()
        if hasattr(os, "mkfifo"):
            os.mkfifo(tmp_path / "thing.gz.1-b.part")
        (tmp_path / "thing.gz.1-c.part").write_bytes(CONTENT[:1000])
        (tmp_path / "thing.gz.1-c.part.note").write_bytes("http://x\n\x85王\n".encode())
        with Server(FILES) as server:
            fetch(tmp_path, server.url)
        assert (tmp_path / "thing.gz").read_bytes() == CONTENT
