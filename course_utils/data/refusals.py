"""The ways in which a request fails, and what lies behind them in plain words."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator


class RefusedError(Exception):
    """This address will not give the file; asking again is useless.

    Attributes
    ----------
    answered : bool
        Whether any server answered.
    """

    def __init__(self, reason: str, *, answered: bool = True) -> None:
        super().__init__(reason)
        self.answered = answered


class BrokenError(Exception):
    """The transfer failed in a way that may pass.

    Attributes
    ----------
    wait : float or None
        Seconds that the server asks to wait.
    answered : bool
        Whether any server answered.
    restart : bool
        Whether the bytes so far are of no use to it.
    """

    def __init__(
        self, reason: str, *, wait: float | None = None, answered: bool = True, restart: bool = False
    ) -> None:
        super().__init__(reason)
        self.wait, self.answered, self.restart = wait, answered, restart


class SlowError(Exception):
    """The body comes, but so slowly that another mirror is worth a try."""


def in_words(error: BaseException, seconds: float) -> str:
    """Say in a few words what a network library's nested exception is about."""
    import requests
    import urllib3.exceptions as three

    causes = list(_causes(error))
    last = str(causes[-1])[:200] or type(error).__name__
    # In this order: urllib3 derives a refused connection from a time-out.
    meanings: list[tuple[tuple[type[BaseException], ...], str]] = [
        ((socket.gaierror,), "its name cannot be resolved (no network, or DNS does not work)"),
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
