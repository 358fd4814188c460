"""A network in simulated time: servers that answer from a script, and a clock that moves when somebody waits.

Everything above the socket is real: requests, urllib3 and http.client read what the scripts say.
"""

from __future__ import annotations

import io
import random
import re
import socket
import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from course_utils.data import download, exchange, mirror, transfer
from course_utils.data.address import HttpAddress

Sending = Iterator[tuple[float, bytes]]
"""What a server sends: after how many seconds, and what. At its end the connection is closed."""
LOST = b"<lost>"
"""Stands for a connection that is reset."""


class LeftError(BaseException):
    """The main thread would have left the one that reads."""


@dataclass
class Request:
    """What a server was asked."""

    host: str
    target: str
    headers: dict[str, str]

    @property
    def offset(self) -> int:
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("range", ""))
        return int(found[1]) if found else 0


@dataclass
class Network:
    """All servers, and the clock.

    Attributes
    ----------
    servers : dict of str to callable or OSError
        By host: takes a request and returns what is sent; or what connecting to it raises.
    now : float
        Seconds.
    received : int
        Bytes read from all sockets.
    longest : int
        The most bytes read from one of them.
    """

    servers: dict[str, Callable[[Request], Sending] | OSError]
    now: float = 0.0
    until: float = float("inf")
    received: int = 0
    longest: int = 0
    requests: list[Request] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert 0 <= seconds < 1e6
        self.now += seconds

    def wait(self, seconds: float, timeout: float | None) -> None:
        """Let time pass; raises what ends the wait."""
        patient = float("inf") if timeout is None else timeout
        if self.now + min(seconds, patient) > self.until:
            self.now = max(self.now, self.until)
            raise LeftError
        self.now += min(seconds, patient)
        if seconds > patient:
            raise TimeoutError("timed out")

    def connect(self, address: tuple[str, int], timeout: Any = None, *_: Any, **__: Any) -> Socket:
        server = self.servers.get(address[0], socket.gaierror(-2, "Name or service not known"))
        if address[1] != 80:
            server = ConnectionRefusedError(111, "Connection refused")
        if isinstance(server, OSError):
            raise server
        return Socket(self, address[0], timeout)

    def installed(self, patch: pytest.MonkeyPatch) -> None:
        """Put this network and this clock in the place of the real ones."""
        import urllib3.util.connection

        patch.setattr(urllib3.util.connection, "create_connection", self.connect)
        patch.setattr(mirror, "random", random.Random(5242))
        # Here the one thread is the one whose logs are not kept.
        patch.setattr(threading.current_thread(), "name", exchange.THREAD)
        for module in (download, mirror, transfer):
            patch.setattr(module, "time", self)
        network = self

        class Simulated(Exchange):
            def __init__(self, *about: Any) -> None:
                super().__init__(network, *about)

        patch.setattr(exchange, "Exchange", Simulated)


class Exchange:
    """As `exchange.Exchange`, without a thread."""

    def __init__(
        self, network: Network, address: HttpAddress, headers: dict[str, str], silence: float
    ) -> None:
        self.network = network
        self.events: Generator[Any, None, None] = exchange.converse(
            address, headers, silence, exchange.Line()
        )

    def take(self, seconds: float) -> Any:
        self.network.until = self.network.now + max(seconds, 0)
        try:
            return next(self.events, b"")
        except LeftError:
            raise exchange.SilenceError from None
        finally:
            self.network.until = float("inf")

    def close(self) -> None:
        self.events.close()


class Socket:
    """One connection."""

    def __init__(self, network: Network, host: str, timeout: Any) -> None:
        self.network, self.host = network, host
        self.timeout = timeout if isinstance(timeout, (int, float)) else None
        self.asked = b""
        self.coming: Sending = iter(())
        self.here = b""
        self.read = 0

    def settimeout(self, seconds: float | None) -> None:
        self.timeout = seconds

    def sendall(self, data: bytes) -> None:
        self.asked += data
        if self.asked.endswith(b"\r\n\r\n"):
            first, *lines = self.asked.decode("latin-1").split("\r\n")
            named = (line.partition(": ") for line in lines if line)
            request = Request(
                self.host, first.split(" ")[1], {name.lower(): value for name, _, value in named}
            )
            self.network.requests.append(request)
            self.coming = self.network.servers[self.host](request)

    def recv_into(self, buffer: Any) -> int:
        while not self.here:
            pause, self.here = next(self.coming, (0.0, b""))
            self.network.wait(pause, self.timeout)
            if self.here == LOST:
                raise ConnectionResetError(104, "Connection reset by peer")
            if not self.here:
                return 0
        piece, self.here = self.here[: len(buffer)], self.here[len(buffer) :]
        buffer[: len(piece)] = piece
        self.read += len(piece)
        self.network.received += len(piece)
        self.network.longest = max(self.network.longest, self.read)
        return len(piece)

    def makefile(self, *_: Any, **__: Any) -> io.BufferedReader:
        return io.BufferedReader(_Raw(self))

    def shutdown(self, _: int) -> None:
        pass

    def close(self) -> None:
        pass


class _Raw(io.RawIOBase):
    def __init__(self, connection: Socket) -> None:
        self.connection = connection

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        return self.connection.recv_into(buffer)
