"""One server during a download: how long to wait for it, how it fails, when to ask it again."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass, field

from course_utils.data.address import HttpAddress
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
    pace : float
        Bytes per second below which a body counts as stalled.
    allowance : float
        For one server in all, as long as it does not keep the pace: pauses that it asks for count, too.
    tedious : float
        Remaining time above which a faster mirror is tried.
    backoff : float
        Before the first retry; doubles with each.
    attempts : int
        Failures in a row, without progress, after which a mirror is given up. Silence counts twice.
    quiet : float
        After so long without a word the reader is told what the course waits for.
    """

    verdict: float = 8.0
    headers: float = 10.0
    silence: float = 10.0
    window: float = 10.0
    pace: float = 10_000.0
    allowance: float = 30.0
    tedious: float = 300.0
    backoff: float = 0.5
    attempts: int = 4
    quiet: float = 3.0


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
        Its address, as it may be shown.
    addresses : list of (HttpAddress, File)
        Where the file may be; the first is asked until it refuses.
    reason : str
        The last thing that went wrong at the first address.
    refused : list of str
        A line for each address that will never be asked again.
    failures : int
        In a row, without progress.
    ready_at : float
        When it may be asked again, on the monotonic clock.
    tedious : bool
        Whether it was so slow that the others come first.
    wrong : int
        How often the current address sent a whole file that was not the published one.
    spent : float
        Seconds since it last kept the pace.
    received : int
        Bytes in that time.
    """

    base: str
    addresses: list[tuple[HttpAddress, File]]
    reason: str = "not tried"
    refused: list[str] = field(default_factory=list)
    failures: int = 0
    ready_at: float = 0.0
    tedious: bool = False
    wrong: int = 0
    spent: float = 0.0
    received: int = 0

    def refuse(self, reason: str) -> None:
        """Never ask the current address again."""
        self.refused.append(f"{self.addresses[0][0]}: {reason}")
        del self.addresses[0]
        self.reason, self.wrong = "not tried", 0

    def usable(self, patience: Patience) -> bool:
        """Whether it may be asked once more."""
        return bool(self.addresses) and self.failures < patience.attempts and self.spent < patience.allowance

    def charge(self, seconds: float, received: int, patience: Patience) -> None:
        """Note what it took and what it gave; whoever keeps the pace has its whole allowance again."""
        self.spent += seconds
        self.received += received
        if self.received >= patience.pace * self.spent:
            self.spent, self.received = 0.0, 0
        elif self.spent >= patience.allowance and self.reason != "not tried":
            self.reason += f"; given up: {self.received:,} bytes in {self.spent:,.0f} s"

    def fail(self, error: BrokenError, patience: Patience, *, gained: bool) -> None:
        """Count a failure, and decide when to ask the mirror again."""
        self.reason = str(error)
        if gained:
            self.failures = 0
        else:
            # A silent mirror costs whole seconds, so it gets half as many chances.
            self.failures += 1 if error.answered else 2
        if error.wait is not None and self.spent + error.wait >= patience.allowance:
            self.refuse(f"{error}; it asks to wait {_seconds(error.wait)}")
            return
        pause = patience.backoff * 2 ** max(self.failures - 1, 0) * random.uniform(0.5, 1.5)
        self.ready_at = time.monotonic() + (pause if error.wait is None else error.wait)

    @property
    def reasons(self) -> list[str]:
        """A line for each address that was asked, and one for a mirror that was not."""
        if self.refused and self.reason == "not tried":
            return self.refused
        where = self.base if self.reason == "not tried" else self.addresses[0][0]
        return [*self.refused, f"{where}: {self.reason}"]


def _seconds(wait: float) -> str:
    return f"{wait:,.0f} s" if wait < 1e6 else "for weeks"
