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
from course_utils.data import download, transfer
from course_utils.data.catalog import File, Published
from course_utils.data.download import Downloader, OutOfReachError
from course_utils.data.mirror import Patience
from course_utils.errors import DataError

CONTENT = random.Random(5242).randbytes(400_000)
THING = File("thing.gz", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
FILES = {f"/{THING.name}": CONTENT}
QUICK = Patience(
    verdict=1.5, headers=1.0, silence=0.5, window=0.4, crawl=2000, tedious=2, backoff=0.02, longest=1.5
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

    def test_429_is_asked_again_after_its_retry_after(self, tmp_path: Path) -> None:
        with Server(FILES, [bad.status(429, Retry_After="1")]) as server:
            began = time.monotonic()
            arrives(tmp_path, server.url)
            assert 1 <= time.monotonic() - began < 2

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

    def test_a_body_that_stalls_is_resumed(self, tmp_path: Path) -> None:
        with Server(FILES, [bad.stall_after(100_000)]) as server:
            began = time.monotonic()
            arrives(tmp_path, server.url)
            assert time.monotonic() - began < 3
            assert server.sent == len(CONTENT)

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
            assert error.reasons == [f"{server.url}: HTTP 403 Forbidden" for server in (one, two)]
        assert os.listdir(tmp_path) == []

    def test_refused_connections(self, tmp_path: Path) -> None:
        error = fails(tmp_path, closed_port())
        assert "the connection was refused" in error.reasons[0]

    def test_dns_failure(self, tmp_path: Path) -> None:
        began = time.monotonic()
        error = fails(tmp_path, "http://name.invalid", "https://other.invalid")
        assert time.monotonic() - began < QUICK.verdict + 0.5
        assert all("its name cannot be resolved" in reason for reason in error.reasons)

    def test_a_name_look_up_that_hangs(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: time.sleep(5))
        began = time.monotonic()
        error = fails(tmp_path, "http://name.invalid", "https://other.invalid")
        assert time.monotonic() - began < QUICK.verdict + 0.5
        assert all("no answer within" in reason for reason in error.reasons)

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

    def test_too_many_bytes(self, tmp_path: Path) -> None:
        with Server(FILES, always=bad.too_much) as server:
            assert "sends more than" in fails(tmp_path, server.url).reasons[0]
        assert os.listdir(tmp_path) == []

    def test_another_length_is_refused_before_the_body(self, tmp_path: Path) -> None:
        with Server({f"/{THING.name}": CONTENT[:1000]}) as server:
            assert "it offers 1000 bytes" in fails(tmp_path, server.url).reasons[0]

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
        real = transfer._get
        monkeypatch.setattr(transfer, "_get", lambda url, *rest: asked.append(url) or real(url, *rest))
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


def test_the_first_answer_ends_the_verdicts_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "PATIENCE", replace(QUICK, verdict=0.3))
    with Server(FILES, [bad.status(429, Retry_After="1")]) as server:
        arrives(tmp_path, server.url)
