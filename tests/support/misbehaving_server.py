"""A web server on loopback that misbehaves on purpose, one scripted request at a time."""

from __future__ import annotations

import base64
import re
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

Behaviour = Callable[["Handler", bytes], None]


@dataclass
class Request:
    path: str
    range: str | None
    if_range: str | None
    authorization: str | None = None
    sent: int = 0


class Server:
    """Serves `files` (path → content). Each request uses up one entry of `script`; after that it behaves."""

    def __init__(
        self,
        files: dict[str, bytes],
        script: Iterable[Behaviour] = (),
        *,
        always: Behaviour | None = None,
        certificate: tuple[str, str] | None = None,
    ) -> None:
        self.files, self.script, self.always = files, list(script), always
        self.requests: list[Request] = []
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._http = _Quiet(("127.0.0.1", 0), Handler)
        self._http.course = self
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self.url = f"{'https' if certificate else 'http'}://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopping.set()
        self._http.shutdown()
        self._http.server_close()

    @property
    def sent(self) -> int:
        """Bytes of bodies sent."""
        return sum(request.sent for request in self.requests)

    def take(self, request: Request) -> Behaviour:
        with self._lock:
            self.requests.append(request)
            return self.script.pop(0) if self.script else self.always or serve


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    course: Server

    def handle_error(self, request: object, client_address: object) -> None:
        pass


class Handler(BaseHTTPRequestHandler):
    server: _Quiet
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.close_connection = True
        course = self.server.course
        self.noted = Request(
            self.path, self.headers["Range"], self.headers["If-Range"], self.headers["Authorization"]
        )
        if self.headers["Method"] == "HEAD":
            # torchvision looks for redirects first, with a GET all the same: no fault is spent on it.
            self.head(200, {}, 0)
            return
        behave = course.take(self.noted)
        content = course.files.get(self.path)
        if content is None and behave is serve:
            behave = status(404)
        behave(self, content or b"")

    def log_message(self, *_: object) -> None:
        pass

    def head(self, code: int, headers: dict[str, str], length: int | None) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.send_header("Connection", "close")
        self.end_headers()

    def body(self, content: bytes) -> None:
        for start in range(0, len(content), 1 << 16):
            piece = content[start : start + (1 << 16)]
            self.wfile.write(piece)
            self.noted.sent += len(piece)

    def offset(self) -> int:
        match = re.fullmatch(r"bytes=(\d+)-", self.noted.range or "")
        return int(match[1]) if match else 0

    def reset(self) -> None:
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def hang(self, seconds: float = 60) -> None:
        self.server.course.stopping.wait(seconds)


def _begin(handler: Handler, content: bytes, tag: str = '"v1"') -> bytes:
    """Send the headers of a proper answer; returns the body that they promise."""
    start = handler.offset()
    fresh = handler.noted.if_range in (None, tag)
    if not (start and fresh):
        handler.head(200, {"ETag": tag, "Content-Type": "application/gzip"}, len(content))
        return content
    if start >= len(content):
        handler.head(416, {"Content-Range": f"bytes */{len(content)}"}, 0)
        return b""
    span = f"bytes {start}-{len(content) - 1}/{len(content)}"
    handler.head(206, {"ETag": tag, "Content-Range": span}, len(content) - start)
    return content[start:]


def serve(handler: Handler, content: bytes) -> None:
    """Answer as a good server does."""
    handler.body(_begin(handler, content))


def status(code: int, **headers: str) -> Behaviour:
    def behave(handler: Handler, content: bytes) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        handler.head(code, named, 0)

    return behave


def redirect(target: str) -> Behaviour:
    return status(302, Location=target)


def web_page(handler: Handler, content: bytes) -> None:
    page = b"<html><body>Please sign in to the network.</body></html>"
    handler.head(200, {"Content-Type": "text/html; charset=utf-8"}, len(page))
    handler.body(page)


def no_headers(handler: Handler, content: bytes) -> None:
    handler.hang()


def stall_after(count: int) -> Behaviour:
    def behave(handler: Handler, content: bytes) -> None:
        handler.body(_begin(handler, content)[:count])
        handler.wfile.flush()
        handler.hang()

    return behave


def drip_after(count: int, pause: float) -> Behaviour:
    """Never silent, never fast: a byte now and then."""

    def behave(handler: Handler, content: bytes) -> None:
        body = _begin(handler, content)
        handler.body(body[:count])
        for byte in body[count:]:
            handler.body(bytes([byte]))
            handler.wfile.flush()
            if handler.server.course.stopping.wait(pause):
                return

    return behave


def reset_after(count: int) -> Behaviour:
    def behave(handler: Handler, content: bytes) -> None:
        handler.body(_begin(handler, content)[:count])
        handler.wfile.flush()
        time.sleep(0.05)
        handler.reset()

    return behave


def short(count: int, *, with_length: bool) -> Behaviour:
    """Close cleanly after `count` bytes."""

    def behave(handler: Handler, content: bytes) -> None:
        if with_length:
            handler.body(_begin(handler, content)[:count])
            return
        start = handler.offset()
        if start:
            span = f"bytes {start}-{len(content) - 1}/{len(content)}"
            handler.head(206, {"Content-Range": span}, None)
        else:
            handler.head(200, {}, None)
        handler.body(content[start : start + count])

    return behave


def chunked(count: int | None = None) -> Behaviour:
    """Send the body in chunks, without a length; stop without the last chunk after `count` bytes."""

    def behave(handler: Handler, content: bytes) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for start in range(0, len(content if count is None else content[:count]), 10_000):
            piece = content[start : start + 10_000]
            handler.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            handler.noted.sent += len(piece)
        if count is None:
            handler.wfile.write(b"0\r\n\r\n")

    return behave


def encoded(handler: Handler, content: bytes) -> None:
    """Declare the file's own compression as the transfer's, as some servers do."""
    handler.head(200, {"Content-Encoding": "gzip", "Content-Type": "application/x-gzip"}, len(content))
    handler.body(content)


def hangs_up(handler: Handler, content: bytes) -> None:
    """Close without an answer."""
    handler.connection.close()


def flipped_bit(handler: Handler, content: bytes) -> None:
    wrong = bytearray(content)
    wrong[len(wrong) // 2] ^= 1
    handler.body(_begin(handler, bytes(wrong)))


def too_much(handler: Handler, content: bytes) -> None:
    handler.head(200, {}, None)
    handler.body(content + b"more")


def range_ignored(handler: Handler, content: bytes) -> None:
    handler.head(200, {}, len(content))
    handler.body(content)


def wrong_range(handler: Handler, content: bytes) -> None:
    start = handler.offset()
    if not start:
        serve(handler, content)
        return
    span = f"bytes {start - 5}-{len(content) - 1}/{len(content)}"
    handler.head(206, {"Content-Range": span}, len(content) - start + 5)
    handler.body(content[start - 5 :])


def other_version(handler: Handler, content: bytes) -> None:
    """The file was replaced on the server: the same bytes under a new tag."""
    handler.body(_begin(handler, content, tag='"v2"'))


def slow(kilobytes_per_second: float) -> Behaviour:
    def behave(handler: Handler, content: bytes) -> None:
        body = _begin(handler, content)
        pause = 0.005
        size = max(256, int(kilobytes_per_second * 1000 * pause))
        for start in range(0, len(body), size):
            handler.body(body[start : start + size])
            handler.wfile.flush()
            if handler.server.course.stopping.wait(pause):
                return

    return behave


def says(head: str, *, whole: bool = True) -> Behaviour:
    """Send `head` as it is, then the content; `whole`: in spite of any range that was asked for."""

    def behave(handler: Handler, content: bytes) -> None:
        handler.wfile.write(head.replace("\n", "\r\n").encode("latin-1") + b"\r\n")
        handler.body(content if whole else content[handler.offset() :])

    return behave


def endless(head: str, again: bytes, pause: float = 0.0) -> Behaviour:
    """Send `head` as it is, then `again` for ever."""

    def behave(handler: Handler, content: bytes) -> None:
        handler.wfile.write(head.replace("\n", "\r\n").encode("latin-1"))
        while not handler.server.course.stopping.wait(pause):
            handler.body(again)

    return behave


def locked(user: str, password: str) -> Behaviour:
    """Serve only who knows the password."""

    def behave(handler: Handler, content: bytes) -> None:
        told = base64.b64encode(f"{user}:{password}".encode()).decode()
        if handler.noted.authorization == f"Basic {told}":
            serve(handler, content)
        else:
            status(401)(handler, content)

    return behave
