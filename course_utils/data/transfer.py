"""One request to one server, and what can go wrong with it, in plain words."""

from __future__ import annotations

import contextlib
import http.client
import queue
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any
from urllib.parse import urljoin, urlsplit

from course_utils.data.catalog import File
from course_utils.data.mirror import BrokenError, Patience, RefusedError, SlowError, in_words


@dataclass(frozen=True)
class Answer:
    """A server's promise of the file's bytes from `offset` on.

    Attributes
    ----------
    response : requests.Response
        Its body has not been read yet.
    offset : int
        Where the body starts: 0 when the server ignored the range.
    validator : str or None
        What to send as ``If-Range`` when resuming later.
    """

    response: Any
    offset: int
    validator: str | None


_HOPS = 5
_CHUNK = 1 << 16


def ask(
    url: str, file: File, *, offset: int, validator: str | None, seconds: float, patience: Patience
) -> Answer:
    """Ask `url` for `file` from `offset` on.

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
    response = _follow(url, headers, seconds, patience)
    try:
        return _judge(response, file, offset)
    except BaseException:
        response.close()
        raise


def pieces(answer: Answer, file: File, patience: Patience, *, may_leave: bool) -> Iterator[bytes]:
    """Yield the body as it arrives.

    Raises
    ------
    BrokenError
        If it stops, stalls or ends too early.
    RefusedError
        If more bytes arrive than the file has.
    SlowError
        If it would take very long and `may_leave` says that there are other mirrors.
    """
    position = answer.offset
    began = mark = time.monotonic()
    first = marked = position
    while True:
        piece = _read(answer.response, patience)
        if not piece:
            break
        position += len(piece)
        if position > file.size:
            raise RefusedError(f"it sends more than the {file.size:,} bytes of {file.name}")
        yield piece
        now = time.monotonic()
        if now - mark >= patience.window:
            if (position - marked) / (now - mark) < patience.crawl:
                raise BrokenError(f"stalled at {position:,} of {file.size:,} bytes")
            speed = (position - first) / (now - began)
            if may_leave and (file.size - position) / speed > patience.tedious:
                raise SlowError(f"only {speed / 1000:,.0f} kB/s")
            mark, marked = now, position
    if position < file.size:
        raise BrokenError(f"the connection closed after {position:,} of {file.size:,} bytes")


def _read(response: Any, patience: Patience) -> bytes:
    from urllib3.exceptions import HTTPError

    try:
        # read1 returns what has arrived; read would wait for a whole chunk of a slow body.
        piece: bytes = response.raw.read1(_CHUNK, decode_content=False)
    except (HTTPError, http.client.HTTPException, OSError, ValueError) as error:
        raise BrokenError(in_words(error, patience.silence)) from error
    return piece


def _follow(url: str, headers: dict[str, str], seconds: float, patience: Patience) -> Any:
    """Get `url`, following redirects; never from https to http."""
    import requests

    deadline = time.monotonic() + seconds
    seen = {url}
    answered = False
    while True:
        left = max(deadline - time.monotonic(), 0.1)
        try:
            response = _in_time(partial(_get, url, headers, left, patience.silence), left)
        except _NoAnswerError:
            raise BrokenError(f"no answer within {seconds:.0f} s", answered=answered) from None
        except requests.exceptions.SSLError as error:
            raise RefusedError(in_words(error, seconds)) from error
        except ValueError as error:  # requests' errors about addresses are ValueErrors
            raise RefusedError(f"{url} is not an http address ({error})", answered=answered) from error
        except requests.RequestException as error:
            raise BrokenError(in_words(error, seconds), answered=answered) from error
        if not response.is_redirect:
            return response
        answered = True
        response.close()
        onward = urljoin(url, response.headers["Location"])
        if urlsplit(url).scheme == "https" and urlsplit(onward).scheme != "https":
            raise RefusedError(f"it redirects from https to {urlsplit(onward).scheme}, which is not safe")
        if onward in seen or len(seen) > _HOPS:
            raise RefusedError("it redirects in a loop")
        seen.add(onward)
        url = onward


def _get(url: str, headers: dict[str, str], seconds: float, silence: float) -> Any:
    import requests

    return requests.get(url, headers=headers, stream=True, allow_redirects=False, timeout=(seconds, silence))


class _NoAnswerError(Exception):
    """The call did not return in time."""


def _in_time(call: Callable[[], Any], seconds: float) -> Any:
    """Run `call`, but wait at most `seconds`.

    Name look-ups have no time-out of their own, and a server may send its headers byte by byte: only a thread
    that can be left behind puts a bound on them. It is a daemon, so it never keeps the interpreter alive.
    """
    results: queue.SimpleQueue[tuple[bool, Any]] = queue.SimpleQueue()
    left = threading.Event()

    def work() -> None:
        try:
            result = call()
        except BaseException as error:
            results.put((False, error))
            return
        results.put((True, result))
        if left.is_set():
            result.close()

    threading.Thread(target=work, daemon=True, name="course-download").start()
    try:
        worked, result = results.get(timeout=seconds)
    except queue.Empty:
        left.set()
        with contextlib.suppress(queue.Empty):
            worked, result = results.get_nowait()
            if worked:
                result.close()
        raise _NoAnswerError from None
    if worked:
        return result
    raise result


def _judge(response: Any, file: File, offset: int) -> Answer:
    status, headers = response.status_code, response.headers
    if status in (408, 425, 429) or status >= 500:
        raise BrokenError(f"HTTP {status} {response.reason}", wait=_retry_after(headers))
    if status == 416:
        raise BrokenError("it cannot resume the download", restart=True)
    if status not in (200, 206):
        raise RefusedError(f"HTTP {status} {response.reason}")
    if status == 206:
        match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", headers.get("Content-Range", ""))
        if not match or int(match[1]) != offset or match[3] not in ("*", str(file.size)):
            found = headers.get("Content-Range")
            raise BrokenError(f"asked for bytes from {offset:,} on, it answered with {found!r}", restart=True)
        return Answer(response, offset, _validator(headers))
    length = headers.get("Content-Length")
    if "html" in headers.get("Content-Type", ""):
        raise RefusedError(f"it answers with a web page instead of {file.name} (a sign-in page?)")
    if length is not None and length != str(file.size):
        raise RefusedError(f"it offers {length} bytes, but {file.name} has {file.size}")
    return Answer(response, 0, _validator(headers))


def _validator(headers: Any) -> str | None:
    tag = headers.get("ETag")
    # RFC 9110, 13.1.5: a weak tag must not be used for a range.
    return tag if tag and not tag.startswith("W/") else headers.get("Last-Modified")


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
    except (ValueError, TypeError):
        return None
