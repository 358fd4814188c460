"""Dates, zones and lengths of time as an instructor writes them."""

from __future__ import annotations

import difflib
import os
import re
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, available_timezones

ACCEPTED = "Write it as 2026-12-01 23:59 Europe/Berlin, or with an offset: 2026-12-01 23:59 +01:00"
"""How a date is written, for messages."""
_WHEN = re.compile(r"(\d{4})-(\d\d?)-(\d\d?)[T ]+(\d\d?):(\d\d)(?::(\d\d))? *(.*)")
_AMOUNT = re.compile(r"\+? ?(\d{1,4}) ?(m|min|minutes?|h|hours?|d|days?|w|weeks?)")
_LENGTH = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_time(text: str, zone: tzinfo | None = None) -> datetime:
    """Return a time of the form ``2026-12-01 23:59 Europe/Berlin``.

    Parameters
    ----------
    text : str
        ``24:00`` is the end of the day; the zone may also be an offset.
    zone : tzinfo, optional
        Where the text names none; default: this machine's.

    Raises
    ------
    ValueError
        With a sentence that says what is wrong, and what is accepted.

    Examples
    --------
    >>> parse_time("2026-12-01 24:00 Europe/Berlin").isoformat()
    '2026-12-02T00:00:00+01:00'
    >>> parse_time("2026-03-29 02:30 Europe/Berlin")
    Traceback (most recent call last):
        ...
    ValueError: '2026-03-29 02:30 Europe/Berlin': clocks skip that time in Europe/Berlin.
    """
    match = _WHEN.fullmatch(" ".join(text.split()))
    if match is None:
        raise ValueError(f"{text!r} is not a date with a time. {ACCEPTED}.")
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:-1])
    is_midnight = (hour, minute, second) == (24, 0, 0)
    try:
        time = datetime(year, month, day, 0 if is_midnight else hour, minute, second)
    except ValueError:
        raise ValueError(f"{text!r}: there is no such day or time. {ACCEPTED}.") from None
    if not 2000 <= year < 2100:
        raise ValueError(f"{text!r}: the year is not in this century.")
    time += timedelta(days=is_midnight)
    zone = _zone(match[7]) if match[7] else zone or _own_zone(time)
    first, second_time = time.replace(tzinfo=zone), time.replace(tzinfo=zone, fold=1)
    if first.utcoffset() != second_time.utcoffset():
        if first.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != time:
            raise ValueError(f"{text!r}: clocks skip that time in {zone}.")
        offsets = " or ".join(f"{one:%z}" for one in (first, second_time))
        raise ValueError(f"{text!r}: clocks show that time twice in {zone}; write {offsets} as the zone.")
    return first


def names_zone(text: str) -> bool:
    """Return whether a date says in which zone it is."""
    match = _WHEN.fullmatch(" ".join(text.split()))
    return bool(match and match[7])


def parse_length(text: str) -> timedelta:
    """Return a length of time.

    Raises
    ------
    ValueError
        With a sentence that says what is accepted.

    Examples
    --------
    >>> parse_length("15m") == parse_length("15 minutes") == timedelta(minutes=15)
    True
    """
    plain = " ".join(text.casefold().split())
    if plain == "0":
        return timedelta()
    match = _AMOUNT.fullmatch(plain)
    if match is None:
        raise ValueError(f"{text!r} is no length of time. Write it as 15m, 2h or 1d.")
    return timedelta(**{_LENGTH[match[2][0]]: int(match[1])})


def later(text: str, due: datetime) -> datetime:
    """Return a date, or one that is so much later than another.

    Raises
    ------
    ValueError
        With a sentence that says what is accepted.
    """
    if _AMOUNT.fullmatch(" ".join(text.casefold().split())):
        return due + parse_length(text)
    try:
        return parse_time(text, due.tzinfo)
    except ValueError as error:
        raise ValueError(f"{error} An extension may also be a length of time, such as 2 days.") from None


def length(time: timedelta) -> str:
    """Return a length of time in its two largest units.

    Examples
    --------
    >>> [length(timedelta(minutes=minutes)) for minutes in (0.5, 14, 125, 1620, 2880)]
    ['less than a minute', '14 min', '2 h 5 min', '1 day 3 h', '2 days']
    """
    minutes = int(time.total_seconds() // 60)
    days, hours, rest = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = [counted(days, "day")] if days else []
    parts += [f"{hours} h"] if hours else []
    parts += [f"{rest} min"] if rest and not days else []
    return " ".join(parts) or "less than a minute"


def counted(number: float, unit: str) -> str:
    """Return a number with its unit.

    Examples
    --------
    >>> counted(1, "day"), counted(2.5, "point")
    ('1 day', '2.5 points')
    """
    return f"{number:g} {unit}{'s' * (number != 1)}"


def shown(time: datetime) -> str:
    """Return a time with its zone, for people."""
    return f"{time:%Y-%m-%d %H:%M} {time.tzinfo}"


def _zone(name: str) -> tzinfo:
    if name.upper() in ("Z", "UTC"):
        return UTC
    if match := re.fullmatch(r"(?:UTC|GMT)?([+-])(\d\d?):?(\d\d)?", name):
        offset = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
        if offset <= timedelta(hours=14):
            return timezone(-offset if match[1] == "-" else offset)
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # names of folders, paths, and names of nothing
        pass
    known = available_timezones()
    if not known:
        raise ValueError(
            f"this system has no list of zones for {name!r}: pip install tzdata, or write the offset, +01:00."
        )
    plain = {one.casefold(): one for one in known} | {one.rpartition("/")[2].casefold(): one for one in known}
    near = difflib.get_close_matches(name.casefold().replace(" ", "_"), plain, n=1, cutoff=0.75)
    # Abbreviations are alike, and hours apart.
    hint = f"; is it {plain[near[0]]}?" if near and len(name) > 4 else f". {ACCEPTED}."
    raise ValueError(f"there is no time zone {name!r}{hint}")


def _own_zone(time: datetime) -> tzinfo:
    """Return this machine's zone, with its changes of clocks where it has a name."""
    name = (
        os.environ.get("TZ", "").lstrip(":") or os.path.realpath("/etc/localtime").partition("zoneinfo/")[2]
    )
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        return time.astimezone().tzinfo or UTC
