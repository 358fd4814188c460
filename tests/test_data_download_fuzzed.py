"""Whatever servers answer: the right file, or one of our errors in time, and no other file is touched.

`FUZZ=5000 pytest tests/test_data_download_fuzzed.py` tries more cases than a usual run.
"""

from __future__ import annotations

import base64
import hashlib
import os
import random
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from fuzzing import fuzz
from hypothesis import event, given
from hypothesis import strategies as some
from simulated_network import LOST, Network, Request, Sending

from course_utils import settings as course_settings
from course_utils.data.catalog import File, Published
from course_utils.data.download import Downloader, OutOfReachError
from course_utils.data.mirror import Patience
from course_utils.errors import DataError

pytestmark = pytest.mark.slow

SECRET = "geheim"
CONTENTS = {size: random.Random(size).randbytes(size) for size in (1, 4_542, 70_000)}
OWN, PUBLIC, OTHER = "own.test", "public.test", "other.test"
EVE = f"Basic {base64.b64encode(f'eve:{SECRET}'.encode()).decode()}"
PATIENCE = Patience()
LATE = 2 * (PATIENCE.allowance + PATIENCE.window + PATIENCE.silence) + PATIENCE.verdict
"""Seconds after which a run is hanging, unless bytes keep coming at the pace that is asked for."""
MEMORY = 8_000_000
"""Bytes that may be read from one connection: a hundred headers of the greatest length, and the file."""

STATUSES = (
    *("200 OK",) * 8,
    *("206 Partial Content",) * 4,
    *("201 Created", "203 Other", "204 No Content", "205 Reset", "226 IM Used", "299", "304 Not Modified"),
    *(
        "301 Moved",
        "302 Found",
        "303 See Other",
        "307 Temporary",
        "308 Permanent",
        "300 Choices",
        "305 Proxy",
    ),
    *(
        "400 Bad",
        "401 Who",
        "403 No",
        "404 None",
        "407 Proxy",
        "408 Late",
        "410 Gone",
        "416 Range",
        "418 Tea",
    ),
    *(
        "425 Early",
        "429 Many",
        "500 Oops",
        "502 Gate",
        "503 Busy",
        "504 Late",
        "599 X",
        "999 Y",
        "000 Z",
        "-1",
        "x",
    ),
    *("101 Switching", "103 Hints", "200 {long}", "404 \x1b[31mred"),
)
VERSIONS = (*("HTTP/1.1",) * 12, "HTTP/1.0", "HTTP/0.9", "HTTP/2", "ICY", "", "http/1.1", "SSH-2.0 HTTP/1.1")
UNKNOWN = ("many", "5, 6", "", "{digits}", "1e3", "0x10", "²", "5.0", "1_000", "-1")
NUMBERS = ("0", "-1", "+5", "5, 5", "5, 6", "many", "", "{digits}", "1e3", "0x10", "²", "5.0", "1_000")
PAUSES = (*(0.0,) * 8, 0.01, 0.5, 2.0, 9.0, 11.0, 25.0, 1000.0)
LOCATIONS = (
    f"http://{OTHER}/x",
    f"http://{OTHER}/x?{SECRET}",
    f"http://{PUBLIC}/thing.gz",
    f"http://eve:{SECRET}@{OTHER}/x",
    "/thing.gz",
    "y",
    "",
    "#",
    "?a",
    "//",
    "http://[",
    "http://x:99999/",
    "file:///etc/passwd",
    "javascript:1",
    "https://" + OTHER,
    "http://a..b/",
    "http://" + "a" * 70 + "/",
    "\xe9\xff",
    "{digits}",
    "http://\x01/",
)
OTHERS = (
    "ETag: \"v1\"", "ETag: a\r\n b", "ETag: W/\"v1\"", "ETag: \x85\xff", "ETag: {digits}",
    "Last-Modified: yesterday",
    "Content-Type: text/html; charset=utf-8", "Content-Type: TEXT/HTML", "Content-Type:",
    "Content-Type: \xe9",
    "Content-Encoding: gzip", "Content-Encoding: br", "Content-Encoding: gzip, gzip", "Content-Encoding: x",
    "Connection: close", "Connection: keep-alive", "Connection: upgrade", "Keep-Alive: timeout=5",
    "Transfer-Encoding: identity", "Transfer-Encoding: gzip", "Transfer-Encoding: gzip, chunked",
    "Set-Cookie: a=b; domain=.test", "Set-Cookie: =\x00", "no colon", " folded", ": nameless",
    "X: \x00", "\x1b[31m",
    "X: {long}", "Location: /thing.gz", "Date: Mon, 30 Nov 2026 00:00:00 GMT", "Date: now",
)  # fmt: skip
RETRIES = (
    "0", "1", "29", "55", "1000000000", "-5", "nan", "inf", "-inf", "soon", "{digits}", "1e400", "",
    "Mon, 30 Nov 2026 00:00:05 GMT", "Mon, 30 Nov 99999 00:00:00 GMT", "1,2",
    "Mon, 30 Nov 2026 00:00:00 -0000",
)  # fmt: skip
ENDLESS = (
    b"x" * 1000, b"x" * 65536, b"\0", b"\r\n", b"0", b"0\r\n", b"1\r\nx\r\n", b"X: 1\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", b"HTTP/1.1 ", b";x",
)  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """One answer of a server; the content and the range that was asked for are filled in when it is sent."""

    version: str = "HTTP/1.1"
    status: str = "200 OK"
    headers: tuple[str, ...] = ()
    length: str = "right"
    span: str = "right"
    body: str = "right"
    framing: str = "plain"
    before: bytes = b""
    cut: float = 1.0
    pieces: int = 1
    pauses: tuple[float, ...] = (0.0,)
    ending: str = "closed"
    again: bytes = b""
    honest: bool = False

    def sent(self, request: Request, content: bytes) -> Sending:
        offset = request.offset if self.status.startswith("206") else 0
        if self.honest:
            offset = min(request.offset, len(content) - 1)
        wire = self.before + self._head(content, offset) + self._body(content, offset)
        wire = wire[: round(self.cut * len(wire))]
        step = max(1, -(-len(wire) // self.pieces))
        for number, start in enumerate(range(0, len(wire), step)):
            # A hundred megabit a second, so that time passes.
            yield self.pauses[number % len(self.pauses)] + step / 12e6, wire[start : start + step]
        if self.ending == "reset":
            yield 0.01, LOST
        if self.ending == "silent":
            yield 1e9, b"x"
        while self.ending == "endless":
            yield 0.02 + max(self.pauses) / 10, self.again

    def _head(self, content: bytes, offset: int) -> bytes:
        rest = len(content) - offset
        honest = "206 Partial Content" if self.honest and offset else self.status
        lines = [f"{self.version} {honest}", *self.headers]
        lengths = {"right": [str(rest)], "twice": [str(rest)] * 2, "doubled": [f"{rest}, {rest}"], "none": []}
        lines += [f"Content-Length: {value}" for value in lengths.get(self.length, [self.length])]
        if self.framing != "plain":
            lines.append("Transfer-Encoding: chunked")
        if honest.startswith("206") and self.span != "none":
            spans = {
                "right": f"bytes {offset}-{len(content) - 1}/{len(content)}",
                "open": f"bytes {offset}-9/*",
            }
            lines.append(f"Content-Range: {spans.get(self.span, self.span)}")
        text = "\r\n".join([*lines, "", ""])
        return text.replace("{long}", "x" * 70_000).replace("{digits}", "9" * 5000).encode("latin-1")

    def _body(self, content: bytes, offset: int) -> bytes:
        flipped = bytes([content[0] ^ 1]) + content[1:]
        body = {
            "right": content[offset:],
            "whole": content,
            "flipped": flipped[offset:],
            "short": content[offset:][: (len(content) - offset) // 2],
            "long": content[offset:] + b"more" * 30_000,
            "html": b"<html>Sign in</html>" * 5,
            "empty": b"",
            "other": b"\0" * len(content),
        }[self.body]
        if self.framing == "plain":
            return body
        size = f"{len(body):X}" if self.framing == "odd" else f"{len(body):x}"
        extension = {"odd": ";a=b", "broken": "g", "negative": "", "huge": "0" * 5000}.get(self.framing, "")
        sign = {"negative": "-", "huge": "0" * 5000}.get(self.framing, "")
        end = b"" if self.framing == "open" else b"0\r\n\r\n"
        return (f"{sign}{size}{extension}\r\n".encode() + body + b"\r\n" if body else b"") + end


HONEST = Answer(honest=True)


def one_of_these(*values: object) -> some.SearchStrategy:
    return some.sampled_from(values)


QUICK = some.lists(one_of_these(0.0, 0.01), min_size=1, max_size=2).map(tuple)
PAUSED = some.lists(one_of_these(*PAUSES), min_size=1, max_size=3).map(tuple)
HEADERS = some.lists(some.sampled_from(OTHERS), max_size=2).map(tuple)
ENDINGS = one_of_these("closed", "reset", "silent", "endless")
RETRY = one_of_these(*RETRIES).map("Retry-After: {}".format)
LEADS = one_of_these(*LOCATIONS).map("Location: {}".format)

odd = some.builds(
    Answer,
    version=one_of_these("HTTP/1.1", "HTTP/1.0"),
    status=one_of_these("200 OK", "206 Partial Content", "201 Created", "203 Other", "226 IM Used", "299"),
    headers=HEADERS,
    length=one_of_these("right", "none", "twice", "doubled", *NUMBERS),
    span=one_of_these("right", "none", "open", "bytes */5", "rubbish", "bytes 5-9/10", "0-0/1"),
    body=one_of_these("right", "long"),
    framing=one_of_these("plain", "chunked", "odd", "open", "huge"),
    before=one_of_these(b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 3),
    pieces=one_of_these(1, 7),
    pauses=QUICK,
    ending=ENDINGS,
    again=one_of_these(*ENDLESS),
)
broken_off = some.builds(
    Answer,
    honest=some.just(True),
    framing=one_of_these("plain", "chunked"),
    cut=one_of_these(0.0, 0.1, 0.5, 0.99, 1.0),
    pieces=one_of_these(1, 7, 200, 5000),
    pauses=PAUSED,
    ending=ENDINGS,
    again=one_of_these(*ENDLESS),
)
wrong = some.builds(
    Answer,
    headers=HEADERS,
    honest=some.booleans(),
    length=one_of_these("right", "none", *NUMBERS),
    body=one_of_these("flipped", "other", "html", "short", "empty", "whole"),
    framing=one_of_these("plain", "chunked", "broken", "negative"),
    cut=one_of_these(1.0, 0.5, 0.99),
    pauses=QUICK,
    ending=ENDINGS,
    again=one_of_these(*ENDLESS),
)
elsewhere = some.builds(
    Answer,
    status=one_of_these("301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"),
    headers=some.tuples(LEADS),
    length=one_of_these("none", "right"),
    body=one_of_these("empty", "long"),
    ending=ENDINGS,
    again=one_of_these(*ENDLESS),
)
refusal = some.builds(
    Answer,
    status=some.sampled_from(STATUSES),
    headers=some.lists(RETRY, max_size=1).map(tuple),
    length=one_of_these("none", "right", "0"),
    body=one_of_these("empty", "html", "long"),
    ending=ENDINGS,
    again=one_of_these(*ENDLESS),
)
junk = some.builds(
    Answer,
    version=some.sampled_from(VERSIONS),
    status=some.sampled_from(STATUSES),
    headers=some.lists(one_of_these(*OTHERS) | RETRY | LEADS, max_size=4).map(tuple),
    length=one_of_these("right", "none", *NUMBERS),
    framing=one_of_these("plain", "chunked", "odd", "broken", "negative", "huge", "open"),
    before=one_of_these(b"", b"\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
    cut=one_of_these(1.0, 0.0, 0.1, 0.5),
    pieces=one_of_these(1, 7, 200),
    pauses=PAUSED,
    ending=ENDINGS,
    again=one_of_these(*ENDLESS),
)
answers = odd | broken_off | wrong | elsewhere | refusal | junk | some.just(HONEST)


def is_right(answer: Answer) -> bool:
    """Whether the answer has the right bytes where they belong, so that it must be taken."""
    return (
        answer.version in ("HTTP/1.1", "HTTP/1.0")
        and answer.status.partition(" ")[0] in ("200", "206", "201", "203", "226", "299")
        and "{long}" not in answer.status
        and answer.length in ("right", "none", "twice", "doubled", *UNKNOWN)
        and answer.span != "bytes 5-9/10"
        and answer.body in ("right", "long")
        and answer.framing in ("plain", "chunked", "odd", "open", "huge")
        and answer.before in (b"", b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 3)
        and answer.cut == 1.0
        and max(answer.pauses) <= 0.01
        # Nothing is read behind a line that is no header.
        and (answer.framing == "plain" or all(":" in header for header in answer.headers))
        and not any(
            "{long}" in header or header.startswith(("Transfer-", "Location:", "Content-Type", " ", ":"))
            for header in answer.headers
        )
    )


@dataclass(frozen=True)
class Server:
    """What a server answers, one request after the other; the last answer again and again."""

    answers: tuple[Answer, ...]
    reachable: bool

    def respond(self, content: bytes) -> Callable[[Request], Sending]:
        left = list(self.answers)

        def respond(request: Request) -> Iterator[tuple[float, bytes]]:
            answer = left.pop(0) if len(left) > 1 else left[0]
            return answer.sent(request, content)

        return respond


servers = some.builds(
    Server, some.lists(answers, min_size=1, max_size=3).map(tuple), some.sampled_from((True,) * 9 + (False,))
)
LEFTOVERS = {
    "nothing": (),
    "half": (("thing.gz.1-a.part", "half"),),
    "half of something else": (("thing.gz.1-a.part", "wrong"),),
    "all": (("thing.gz.1-a.part", "all"),),
    "more than all": (("thing.gz.1-a.part", "more"),),
    "several": (
        ("thing.gz.1-a.part", "half"),
        ("thing.gz.2-b.part", "wrong"),
        ("thing.gz.2-b.part.note", "note"),
    ),
    "a note": (("thing.gz.1-a.part", "half"), ("thing.gz.1-a.part.note", "note")),
    "a note that is none": (("thing.gz.1-a.part", "half"), ("thing.gz.1-a.part.note", "wrong")),
}
BEFORE = {name for files in LEFTOVERS.values() for name, _ in files}
NEIGHBOURS = {
    "thing.gz.bak": b"1",
    "thing.gzip.1-a.part": b"2",
    "other.gz": b"3",
    "thing": b"4",
    ".hidden": b"5",
}


def prepared(folder: Path, leftover: str, content: bytes) -> None:
    kinds = {
        "half": content[: len(content) // 2],
        "wrong": b"\xff" * (len(content) // 2),
        "all": content,
        "more": content + b"x",
        "note": f'http://ada:{SECRET}@{OWN}/thing.gz\n"v1"\n'.encode(),
    }
    for name, kind in LEFTOVERS[leftover]:
        (folder / name).write_bytes(kinds[kind])
    for name, neighbour in NEIGHBOURS.items():
        (folder / name).write_bytes(neighbour)


@pytest.fixture(scope="module", autouse=True)
def online() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("COURSE_OFFLINE")
        patch.setenv("COURSE_DATA_MIRROR", f"http://ada:{SECRET}@{OWN}/?sig={SECRET}")
        for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            patch.delenv(name, raising=False)
        patch.setenv("NETRC", os.devnull)
        yield


def run(folder: Path, file: File, network: Network) -> Exception | None:
    dataset = Published("thing", "Thing", ((file,),), (f"http://{PUBLIC}",), ("", "deep"), ("a",))
    with pytest.MonkeyPatch.context() as patch:
        network.installed(patch)
        try:
            path, origin = Downloader(dataset, folder, course_settings.read()).fetch((file,))
        except (OutOfReachError, DataError) as error:
            return error
        assert path == folder / file.name
        assert SECRET not in origin
        return None


@fuzz(200)
@given(
    size=some.sampled_from(sorted(CONTENTS)),
    own=servers,
    public=servers,
    other=servers,
    leftover=some.sampled_from(sorted(LEFTOVERS)),
)
def test_whatever_servers_answer(
    size: int, own: Server, public: Server, other: Server, leftover: str
) -> None:
    content = CONTENTS[size]
    file = File("thing.gz", size, hashlib.sha256(content).hexdigest())
    folder = Path(tempfile.mkdtemp(prefix="fuzzed-"))
    try:
        prepared(folder, leftover, content)
        hosts = {OWN: own, PUBLIC: public, OTHER: other}
        network = Network(
            {
                name: server.respond(content) if server.reachable else ConnectionRefusedError(111, "refused")
                for name, server in hosts.items()
            }
        )
        error = run(folder, file, network)
        event("the right file" if error is None else "an error")
        assert network.now < LATE + network.received / PATIENCE.pace, "it hangs"
        assert network.longest < MEMORY, "it reads what nobody needs"
        check_folder(folder, content, done=error is None)
        check_requests(network)
        if error is not None:
            assert isinstance(error, OutOfReachError), error
            check_reasons(error.reasons, hosts)
            for server in (own, public):
                believable = server.reachable and (
                    server.answers == (HONEST,) or all(map(is_right, server.answers))
                )
                assert not believable, f"what was right was not taken: {error.reasons}"
        # As a student would, once more, when the public mirror has recovered.
        again = Network({PUBLIC: Server((HONEST,), True).respond(content)})
        assert run(folder, file, again) is None
        check_folder(folder, content, done=True)
    finally:
        shutil.rmtree(folder)


def check_folder(folder: Path, content: bytes, *, done: bool) -> None:
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    for name, neighbour in NEIGHBOURS.items():
        assert found.pop(name) == neighbour
    if done:
        assert found == {"thing.gz": content}
    else:
        assert "thing.gz" not in found
        assert all(re.fullmatch(r"thing\.gz\.[\w-]+\.part(\.note)?", name) for name in found), list(found)
    for name, content in found.items():
        # Notes of earlier versions that belong to nothing that can be used stay as they are.
        assert name in BEFORE or SECRET.encode() not in content, name


def check_requests(network: Network) -> None:
    for request in network.requests:
        if request.host == PUBLIC:
            assert "authorization" not in request.headers, "the password is for the class's mirror"
        if request.host == OWN:
            assert "authorization" in request.headers
        if request.host == OTHER:
            assert request.headers.get("authorization") in (None, EVE), "nor is it for a third one"


def check_reasons(reasons: list[str], hosts: dict[str, Server]) -> None:
    assert reasons and f"http://{OWN}/" in reasons[0], "the class's own mirror comes first"
    for reason in reasons:
        assert SECRET not in reason
        assert reason.isprintable() and len(reason) < 400, reason
        why = re.fullmatch(r"http://[^/]+/?\S*: (.+)", reason)[1]
        for status in re.findall(r"HTTP (\d{3})", why):
            sent = [
                answer
                for server in hosts.values()
                for answer in server.answers
                if answer.status.startswith(status) or status.encode() in answer.before + answer.again
            ]
            assert sent, f"nobody answered so: {reason}"
        if "refused" in why:
            assert "https" in why or not all(server.reachable for server in hosts.values()), reason
        if "http address" in why:
            assert "it redirects to" in why, reason
