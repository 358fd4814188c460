"""One request to one server, in a thread that can be left at any moment, and its failures in plain words."""

from __future__ import annotations

import contextlib
import http
import http.client
import logging
import os
import queue
import re
import socket
import ssl
import threading
from collections.abc import Generator, Iterator
from typing import Any

import requests
import urllib3.exceptions as three
from requests.adapters import HTTPAdapter

from course_utils.data.address import HttpAddress
from course_utils.text import shown_address

THREAD = "course-download"
_CHUNK = 1 << 16
_AHEAD = 8
_HINTS = 20
_UNUSABLE = (
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    three.LocationValueError,
    UnicodeError,
)


class SilenceError(Exception):
    """Nothing came in time."""


class Exchange:
    """A request and its answer.

    Name look-ups have no time-out of their own, and a server may send its headers, the size of a chunk or
    what follows the last one byte by byte, or without end. Only a thread that can be left behind puts a
    bound on all of them. It is a daemon, so it never keeps the interpreter alive, and it is never more than
    a few pieces ahead, so it never fills the memory.

    Parameters
    ----------
    address : HttpAddress
        What to ask for.
    headers : dict of str to str
        The request's.
    silence : float
        Seconds without a byte after which the thread gives up by itself.
    """

    def __init__(self, address: HttpAddress, headers: dict[str, str], silence: float) -> None:
        self._events: queue.Queue[Any] = queue.Queue(maxsize=_AHEAD)
        self._line = Line()
        events = converse(address, headers, silence, self._line)
        threading.Thread(target=self._work, args=(events,), daemon=True, name=THREAD).start()

    def take(self, seconds: float) -> Any:
        """Return what comes next: the response, then its body piece by piece, then ``b""``.

        Raises
        ------
        SilenceError
            If nothing comes within `seconds`. The exchange is of no more use then.
        Exception
            Whatever the network's libraries raise.
        """
        try:
            event = self._events.get(timeout=max(seconds, 0.01))
        except queue.Empty:
            raise SilenceError from None
        if isinstance(event, BaseException):
            raise event
        return event

    def close(self) -> None:
        """Leave the thread, which ends as soon as it notices."""
        self._line.hang_up()
        with contextlib.suppress(queue.Empty):
            while True:
                self._events.get_nowait()

    def _work(self, events: Generator[Any, None, None]) -> None:
        try:
            for event in events:
                self._events.put(event)
                if self._line.left:
                    return
            self._events.put(b"")
        except BaseException as error:
            self._events.put(error)
        finally:
            events.close()


class Line:
    """The connections of one exchange. Another thread may end them, whatever is being read from them.

    Attributes
    ----------
    left : bool
        Whether nobody waits for the answer any longer.
    """

    def __init__(self) -> None:
        self.left = False
        self._connections: list[Any] = []

    def note(self, connection: Any) -> None:
        """Add a connection, or end it where nobody waits any longer."""
        self._connections.append(connection)
        if self.left:
            connection.hang_up()

    def hang_up(self) -> None:
        """End all connections, those still to be made included."""
        self.left = True
        for connection in list(self._connections):
            connection.hang_up()


def converse(
    address: HttpAddress, headers: dict[str, str], silence: float, line: Line
) -> Generator[Any, None, None]:
    """Ask for `address` on `line`; yield the response, then its body piece by piece."""
    with _PlainSession() as session:
        session.mount("http://", _Adapter(line))
        session.mount("https://", _Adapter(line))
        about: dict[str, Any] = {"headers": headers, "auth": address.auth, "timeout": 2 * silence}
        with session.get(address.url, stream=True, allow_redirects=False, **about) as response:
            yield response
            # read1 returns what has arrived; read would wait for a whole chunk of a slow body.
            while piece := response.raw.read1(_CHUNK, decode_content=False):
                yield piece


class _PlainSession(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        # requests reads the whole body of a redirect, however long, even when it is told not to follow.
        return None


class _Adapter(HTTPAdapter):
    """The transport of requests, with connections that another thread can end."""

    def __init__(self, line: Line) -> None:
        super().__init__()
        self._line = line

    def get_connection_with_tls_context(self, *arguments: Any, **keywords: Any) -> Any:
        pool: Any = super().get_connection_with_tls_context(*arguments, **keywords)
        made = {"line": self._line, "response_class": _Reply}
        pool.ConnectionCls = type("Connection", (_Ending, pool.ConnectionCls), made)
        return pool


class _Ending:
    line: Line
    sock: Any
    _socket: Any = None

    def connect(self) -> None:
        self.line.note(self)
        super().connect()  # type: ignore[misc]
        # http.client forgets the socket when the answer says that it is the last one.
        self._socket = self.sock
        self.line.note(self)

    def hang_up(self) -> None:
        """End whatever is being read from the socket, in whatever thread."""
        with contextlib.suppress(OSError, AttributeError):
            (self._socket or self.sock).shutdown(socket.SHUT_RDWR)


class _Reply(http.client.HTTPResponse):
    def begin(self) -> None:
        """Read status and headers. What is odd about them must not stop a file with the right checksum."""
        super().begin()
        for _ in range(_HINTS):
            if self.status not in (102, 103):
                break
            self.headers = None  # type: ignore[assignment]
            super().begin()
        lengths = {each.strip() for each in ",".join(self.headers.get_all("Content-Length") or ()).split(",")}
        if lengths != {""}:
            del self.headers["Content-Length"]
            length = number(lengths.pop()) if len(lengths) == 1 else None
            if length is not None:
                self.headers["Content-Length"] = str(length)
            elif not self.chunked and self.status not in (204, 304):
                # Nobody knows where it ends: at the end of the connection.
                self.length, self.will_close = None, True


# What urllib3 logs quotes whole addresses.
for _name in ("connection", "connectionpool", "response"):
    logging.getLogger(f"urllib3.{_name}").addFilter(lambda record: record.threadName != THREAD)


def number(text: str | None) -> int | None:
    """Read a length or a position; None if it is not one."""
    digits = (text or "").strip().lstrip("+")
    return int(digits) if re.fullmatch(r"[0-9]{1,18}", digits) else None


def proxy_of(address: HttpAddress) -> str:
    """Say by which proxy `address` is asked, in brackets; empty without one."""
    proxy = _proxy(address)
    return f" (through the proxy {proxy})" if proxy else ""


def in_words(error: BaseException, address: HttpAddress, seconds: float) -> tuple[str, bool]:
    """Explain a network library's nested exception in a few words; True if asking again is pointless."""
    causes = list(_causes(error))
    proxy = _proxy(address)
    if isinstance(error, requests.exceptions.ProxyError):
        return f"the proxy {proxy} failed: {_meaning(causes, seconds)}", False
    if isinstance(error, _UNUSABLE):
        if not proxy or not _sound(address):
            return "this is not an http address", True
        needs = "; it needs: pip install pysocks" if proxy.startswith("socks") else ""
        return f"the proxy {proxy} cannot be used (HTTP_PROXY, HTTPS_PROXY){needs}", True
    trusted = _trusted(address)
    if trusted and not os.path.exists(trusted):
        return f"there is no {trusted}, where REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE expects certificates", True
    for cause in causes:
        if isinstance(cause, ssl.SSLCertVerificationError):
            means = f"by {trusted} (REQUESTS_CA_BUNDLE)" if trusted else "(a sign-in page?)"
            return f"its certificate is not trusted {means}: {cause.verify_message}{proxy_of(address)}", True
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, ssl.SSLEOFError):
            if trusted and not _has_certificates(trusted):
                return f"there are no certificates in {trusted} (REQUESTS_CA_BUNDLE)", True
            return f"no secure connection: {cause.reason or 'it failed'}{proxy_of(address)}", True
    return _meaning(causes, seconds) + proxy_of(address), False


def phrase(status: int) -> str:
    """Name a status as the standard does; what a server calls it could be anything."""
    try:
        return f"HTTP {status} {http.HTTPStatus(status).phrase}"
    except ValueError:
        return f"HTTP {status}"


def _meaning(causes: list[BaseException], seconds: float) -> str:
    for cause in causes:
        if found := re.match(r"Tunnel connection failed: (\d{3})\b", str(cause)):
            return f"it answers {phrase(int(found[1]))}"
    # In this order: urllib3 derives a refused connection from a time-out.
    meanings: list[tuple[tuple[type[BaseException], ...], str]] = [
        ((socket.gaierror,), "its name cannot be resolved (no network, or DNS is down)"),
        ((ConnectionRefusedError,), "the connection was refused"),
        ((ConnectionResetError, BrokenPipeError), "the connection was reset"),
        ((ssl.SSLError,), "the secure connection ended too early"),
        ((http.client.BadStatusLine, http.client.UnknownProtocol), "it does not answer in HTTP"),
        ((http.client.LineTooLong,), "its answer has a header without end"),
        ((ValueError,), "its answer cannot be read"),
        ((three.IncompleteRead, http.client.IncompleteRead), "the connection closed too early"),
        ((TimeoutError, three.TimeoutError, requests.Timeout), f"no answer within {seconds:.0f} s"),
        ((http.client.HTTPException, three.ProtocolError), "its answer cannot be read"),
    ]
    for kinds, meaning in meanings:
        if any(isinstance(cause, kinds) for cause in causes):
            return meaning
    system = [cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror]
    # Never an exception's own words: they may quote an address with its password.
    return system[-1] if system else f"it failed ({type(causes[-1]).__name__})"


def _proxy(address: HttpAddress) -> str:
    from requests.utils import get_environ_proxies, select_proxy

    return shown_address(select_proxy(address.url, get_environ_proxies(address.url)) or "")


def _sound(address: HttpAddress) -> bool:
    try:
        requests.Request("GET", address.url).prepare()
    except (requests.RequestException, UnicodeError):
        return False
    return True


def _has_certificates(trusted: str) -> bool:
    try:
        if os.path.isdir(trusted):
            ssl.create_default_context(capath=trusted)
        else:
            ssl.create_default_context(cafile=trusted)
    except OSError:
        return False
    return True


def _trusted(address: HttpAddress) -> str:
    if address.scheme != "https":
        return ""
    with requests.Session() as session:
        verify = session.merge_environment_settings(address.url, {}, None, None, None)["verify"]
    return verify if isinstance(verify, str) else ""


def _causes(error: BaseException) -> Iterator[BaseException]:
    waiting, seen = [error], set()
    while waiting:
        cause = waiting.pop()
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        inner = (cause.__cause__, cause.__context__, getattr(cause, "reason", None), *cause.args)
        waiting += [other for other in inner if isinstance(other, BaseException)]
