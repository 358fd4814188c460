"""How long a download waits for what."""

from __future__ import annotations

from dataclasses import dataclass


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
        How often the speed is judged.
    crawl : float
        Bytes per second below which a body counts as stalled.
    tedious : float
        Time left, above which a faster mirror is looked for.
    backoff : float
        Before the first retry; doubles with each.
    longest : float
        The most that a server's ``Retry-After`` is honoured.
    attempts : int
        Failures in a row, without progress, after which a mirror is given up. Being silent counts twice.
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
