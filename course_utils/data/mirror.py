"""One server during a download: how long to wait for it, how it fails, when to ask it again."""

from __future__ import annotations

import http.client
import random
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

from course_utils.data.catalog import File


@dataclass(frozen=True)
class Patience:
    """How long to wait for what, in seconds.

    Attributes
    ----------
    verdict : float
        For any server to answer at all; after that the network counts as unreachable.
    headers : float
        For one server's answer, once the network is known to work.
    silence : float
        For the next bytes of a body.
    window : float
        Between two measurements of the speed.
    crawl : float
        Bytes per second below which a body counts as stalled.
    tedious : float
        Remaining time above which a faster mirror is tried.
    backoff : float
        Before the first retry; doubles with each.
    longest : float
        The longest ``Retry-After`` that is honoured.
    attempts : int
        Failures in a row, without progress, after which a mirror is given up. Silence counts twice.
    """

    verdict: float = 8.0
    headers: float = 10.0
    silence: float = 12.0
    window: float = 10.0
    crawl: float = 1024.0
    tedious: float = 300.0
    backoff: float = 0.5
    longest: float = 60.0
    attempts: int = 4


class RefusedError(Exception):
    """This address will not deliver the file; asking again is pointless.

    Attributes
    ----------
    answered : bool
        Whether any server answered.
    """

    def __init__(self, reason: str, *, answered: bool = True) -> None:
        super().__init__(reason)
        self.answered = answered


class BrokenError(Exception):
    """The transfer failed for a reason that may pass.

    Attributes
    ----------
    wait : float or None
        Seconds that the server asks to wait.
    answered : bool
        Whether any server answered.
    restart : bool
        Whether the bytes so far must be thrown away.
    """

    def __init__(
        self, reason: str, *, wait: float | None = None, answered: bool = True, restart: bool = False
    ) -> None:
        super().__init__(reason)
        self.wait, self.answered, self.restart = wait, answered, restart


class SlowError(Exception):
    """The body arrives, but so slowly that another mirror is worth a try."""


@dataclass
class Mirror:
    """One server during the download of one file.

    Attributes
    ----------
    base : str
        Its address, as the catalogue or ``COURSE_DATA_MIRROR`` gives it.
    addresses : list of (str, File)
        Where the file may be below it; the first is asked until it refuses.
    reason : str
        The last thing that went wrong.
    failures : int
        In a row, without progress.
    ready_at : float
        When it may be asked again, on the monotonic clock.
    tedious : bool
        Whether it was so slow that the others come first.
    wrong : int
        How often it sent a whole file that was not the published one.
    """

    base: str
    addresses: list[tuple[str, File]]
    reason: str = "not tried"
    failures: int = 0
    ready_at: float = 0.0
    tedious: bool = False
    wrong: int = 0

    def refuse(self, reason: str) -> None:
        """Never ask the current address again."""
        self.reason = reason
        del self.addresses[0]

    def usable(self, patience: Patience) -> bool:
        """Whether it may be asked once more."""
        return bool(self.addresses) and self.failures < patience.attempts

    def fail(self, error: BrokenError, patience: Patience, *, gained: bool) -> None:
        """Count a failure, and decide when to ask the mirror again."""
        self.reason = str(error)
        if gained:
            self.failures = 0
        else:
            # A silent mirror costs whole seconds, so it gets half as many chances.
            self.failures += 1 if error.answered else 2
        if error.wait is not None and error.wait > patience.longest:
            self.refuse(f"{error}; it asks to wait {error.wait:,.0f} s")
            return
        pause = patience.backoff * 2 ** max(self.failures - 1, 0) * random.uniform(0.5, 1.5)
        self.ready_at = time.monotonic() + (pause if error.wait is None else error.wait)


def in_words(error: BaseException, seconds: float) -> str:
    """Explain a network library's nested exception in a few words."""
    import requests
    import urllib3.exceptions as three

    causes = list(_causes(error))
    last = str(causes[-1])[:200] or type(error).__name__
    # In this order: urllib3 derives a refused connection from a time-out.
    meanings: list[tuple[tuple[type[BaseException], ...], str]] = [
        ((socket.gaierror,), "its name cannot be resolved (no network, or DNS is down)"),
        ((ConnectionRefusedError,), "the connection was refused"),
        (
            (requests.exceptions.SSLError,),
            f"its certificate is not trusted (a sign-in page?): {last}",
        ),
        ((ConnectionResetError, BrokenPipeError), "the connection was reset"),
        ((three.IncompleteRead, http.client.HTTPException), "the connection closed too early"),
        ((TimeoutError, three.TimeoutError, requests.Timeout), f"no answer within {seconds:.0f} s"),
    ]
    for kinds, meaning in meanings:
        if any(isinstance(cause, kinds) for cause in causes):
            return meaning
    return last


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
