"""How many cases the fuzzers try: the same few hundred each time, or with ``FUZZ=3000`` so many new ones."""

from __future__ import annotations

import os
from datetime import timedelta

from hypothesis import HealthCheck, settings

_ASKED = int(os.environ.get("FUZZ", "0"))


def fuzz(cases: int, *, share: float = 1.0, seconds: float | None = None) -> settings:
    """Decorate a test that hypothesis draws cases for.

    Parameters
    ----------
    cases : int
        How many, where ``FUZZ`` asks for no other number.
    share : float
        The part of them that this test gets.
    seconds : float, optional
        The longest that one case may take by the clock.
    """
    return settings(
        max_examples=max(1, round(share * (_ASKED or cases))),
        derandomize=not _ASKED,
        database=None,
        deadline=None if seconds is None else timedelta(seconds=seconds),
        suppress_health_check=list(HealthCheck),
    )
