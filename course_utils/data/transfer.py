"""One file from one server: what is asked, and whether the answer can be the file."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from course_utils.data.address import HttpAddress
from course_utils.data.catalog import File
from course_utils.data.mirror import BrokenError, Patience, RefusedError, SlowError


@dataclass(frozen=True)
class Answer:
    """A server's promise of the file's bytes from `offset` on. Only the checksum tells whether it is true.

    Attributes
    ----------
    exchange : Exchange
        What the body comes from.
    address : HttpAddress
        Where it is, after all redirects.
    offset : int
        Where the body starts: 0 when the server ignored the range.
    validator : str or None
        What to send as ``If-Range`` when resuming later.
    doubt : str
        What speaks against it; empty if nothing does.
    """

    exchange: Any
    address: HttpAddress
    offset: int
    validator: str | None
    doubt: str


_HOPS = 5
_LONGEST = 100
_SPAN = re.compile(r"([0-9]{1,18})\s*-\s*[0-9]{1,18}\s*(?:/\s*([0-9]{1,18}))?")


def ask(
    address: HttpAddress,
    file: File,
    *,
    offset: int,
    validator: str | None,
    seconds: float,
    patience: Patience,
) -> Answer:
    """Ask `address` for `file` from `offset` on.

    Raises
    ------
    RefusedError
        If the server has no such file, or offers another one.
    BrokenError
        If it does not answer within `seconds`, or asks to come back later.
    """
    headers = {"Accept-Encoding": "identity", "User-Agent": "convnet-labs"}
    if offset:
        headers["Range"] = f"bytes={offset}-"
        if validator:
            headers["If-Range"] = validator
    deadline = time.monotonic() + seconds
    seen = {address.url}
    by_way = ""
    while True:
        try:
            exchange, response = _open(address, headers, deadline, seconds, patience, answered=bool(by_way))
            with contextlib.ExitStack() as unless_answered:
                unless_answered.callback(exchange.close)
                if not response.is_redirect:
                    answer = _judge(exchange, address, response, file, offset)
                    unless_answered.pop_all()
                    return replace(answer, doubt=answer.doubt and by_way + answer.doubt)
                onward = _onward(address, response.headers["Location"])
        except (BrokenError, RefusedError) as error:
            error.args = (by_way + str(error),)
            raise
        if onward.url in seen or len(seen) > _HOPS:
            raise RefusedError("it redirects in a loop")
        seen.add(onward.url)
        address, by_way = onward, f"it redirects to {_brief(onward)}: "


def pieces(answer: Answer, file: File, patience: Patience, *, may_leave: bool) -> Iterator[bytes]:
    """Yield the body as it arrives, up to the file's length: what follows is not read.

    Raises
    ------
    BrokenError
        If it stops, stalls or ends too early.
    RefusedError
        If it does so after an answer that was doubtful anyway.
    SlowError
        If it would take very long and `may_leave` says that there are other mirrors.
    """
    position = answer.offset
    began = mark = time.monotonic()
    first = marked = position
    while position < file.size:
        piece = _read(answer, position, file, patience)
        if not piece:
            raise _ended(answer, f"the connection closed after {position:,} of {file.size:,} bytes")
        piece = piece[: file.size - position]
        position += len(piece)
        yield piece
        now = time.monotonic()
        if now - mark >= patience.window:
            if position < file.size and (position - marked) / (now - mark) < patience.pace:
                raise _ended(answer, f"stalled at {position:,} of {file.size:,} bytes")
            speed = (position - first) / (now - began)
            if may_leave and (file.size - position) / speed > patience.tedious:
                raise SlowError(f"only {speed / 1000:,.0f} kB/s")
            mark, marked = now, position


def _read(answer: Answer, position: int, file: File, patience: Patience) -> bytes:
    from course_utils.data.exchange import SilenceError, in_words

    try:
        piece: bytes = answer.exchange.take(patience.silence)
    except SilenceError:
        raise _ended(answer, f"stalled at {position:,} of {file.size:,} bytes") from None
    except Exception as error:
        raise _ended(answer, in_words(error, answer.address, patience.silence)[0]) from None
    return piece


def _ended(answer: Answer, reason: str) -> BrokenError | RefusedError:
    return RefusedError(answer.doubt) if answer.doubt else BrokenError(reason)


def _open(
    address: HttpAddress,
    headers: dict[str, str],
    deadline: float,
    seconds: float,
    patience: Patience,
    *,
    answered: bool,
) -> tuple[Any, Any]:
    from course_utils.data.exchange import Exchange, SilenceError, in_words, proxy_of

    exchange = Exchange(address, headers, patience.silence)
    try:
        return exchange, exchange.take(deadline - time.monotonic())
    except SilenceError:
        exchange.close()
        raise BrokenError(f"no answer within {seconds:.0f} s{proxy_of(address)}", answered=answered) from None
    except Exception as error:
        exchange.close()
        reason, hopeless = in_words(error, address, seconds)
        if hopeless:
            raise RefusedError(reason, answered=answered) from None
        raise BrokenError(reason, answered=answered) from None
    except BaseException:
        exchange.close()
        raise


def _brief(address: HttpAddress) -> str:
    # A server may redirect to anything.
    text = re.sub(r"[^ -~]", "?", str(address))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _onward(address: HttpAddress, location: str) -> HttpAddress:
    try:
        # Headers are decoded as Latin-1, addresses are written in UTF-8.
        onward = address.onward(location.encode("latin-1").decode("utf-8", "replace"))
    except ValueError:
        raise RefusedError("it redirects to what is not an http address") from None
    if (address.scheme, onward.scheme) == ("https", "http"):
        raise RefusedError("it redirects from https to http, which is not safe")
    return onward


def _judge(exchange: Any, address: HttpAddress, response: Any, file: File, offset: int) -> Answer:
    from course_utils.data.exchange import number, phrase, proxy_of

    status, headers = response.status_code, response.headers
    reason = phrase(status) + proxy_of(address)
    if status in (408, 425, 429) or status >= 500:
        raise BrokenError(reason, wait=_retry_after(headers))
    if status == 416:
        raise BrokenError("it cannot resume the download", restart=True)
    if not 200 <= status < 300:
        raise RefusedError(reason)
    length = number(headers.get("Content-Length"))
    offered, start = length, 0
    if status == 206 and length != file.size:
        found = _SPAN.search(headers.get("Content-Range", ""))
        start, offered = (int(found[1]), number(found[2])) if found else (offset, None)
        if start not in (0, offset):
            what = f"asked for the bytes from {offset:,} on, it sends those from {start:,} on"
            raise BrokenError(what, restart=True)
    doubt = ""
    if "html" in headers.get("Content-Type", "").lower():
        doubt = f"it answers with a web page instead of {file.name} (a sign-in page?)"
    elif offered is not None and offered != file.size:
        doubt = f"it offers {offered:,} bytes, but {file.name} has {file.size:,}"
    # A doubtful answer is read if it is long enough, and if no bytes that are here already are lost by it.
    if doubt and (start < offset or (length is not None and length < file.size - start)):
        raise RefusedError(doubt)
    return Answer(exchange, address, start, _validator(headers), doubt)


def _validator(headers: Any) -> str | None:
    tag = headers.get("ETag")
    # RFC 9110, 13.1.5: a weak tag must not be used for a range.
    return sendable(tag if tag and not tag.startswith("W/") else headers.get("Last-Modified"))


def sendable(validator: str | None) -> str | None:
    """Return `validator` if it can be sent back, and stored in a line of text."""
    return validator if re.fullmatch(r"[!-~][ -~]{0,199}", validator or "") else None


def _retry_after(headers: Any) -> float | None:
    text = headers.get("Retry-After")
    if text is None:
        return None
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        # Measured on the server's clock, so that a wrong one here does not matter.
        now = parsedate_to_datetime(headers["Date"]) if "Date" in headers else datetime.now(UTC)
        return max(0.0, (parsedate_to_datetime(text) - now).total_seconds())
    except (ValueError, TypeError, OverflowError, IndexError):
        return None
