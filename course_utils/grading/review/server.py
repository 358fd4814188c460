"""The server behind ``course review``: for one browser on this machine, and for nobody without its token."""

from __future__ import annotations

import hmac
import json
import secrets
import sys
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

from course_utils.errors import CourseError, GradingError
from course_utils.grading.corrections import NOT_SAVED
from course_utils.grading.review.items import Review, SavedElsewhereError
from course_utils.grading.review.review_page import POLICY, Choice, page_of

LARGEST_BODY = 64 * 2**10
"""Bytes of a request to save."""
_SECONDS = 60.0
_MOST_FIELDS = 20
_LOCAL = ("127.0.0.1", "localhost")


class ReviewServer(ThreadingHTTPServer):
    """Serves the pages of a review on 127.0.0.1.

    Parameters
    ----------
    review : Review
    port : int
        0 picks a free one.

    Raises
    ------
    GradingError
        If the port cannot be used.
    """

    daemon_threads = True

    def __init__(self, review: Review, port: int = 0) -> None:
        self.review = review
        # Part of each address: cookies would be sent to whatever else listens on this machine.
        self.token = secrets.token_urlsafe(32)
        try:
            super().__init__((_LOCAL[0], port), _ReviewHandler)
        except (OSError, OverflowError) as error:
            raise GradingError(
                f"Cannot listen on port {port}.",
                why=f"{getattr(error, 'strerror', None) or error}.",
                left="Everything.",
                next_step="Give --port another number, or leave it out for a free one.",
            ) from None

    @property
    def url(self) -> str:
        """The address to open; whoever knows it sees what students wrote."""
        return f"http://{_LOCAL[0]}:{self.server_address[1]}/{self.token}/"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say in a line what went wrong, unless the browser has merely left."""
        error = sys.exc_info()[1]
        if not isinstance(error, ConnectionError | TimeoutError):
            print(f"course review: {type(error).__name__}: {error}", file=sys.stderr)


class _RefusedError(Exception):
    """What is asked for cannot be had: a status and a sentence."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


class _ReviewHandler(BaseHTTPRequestHandler):
    server: ReviewServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "course", ""
    timeout = _SECONDS

    def do_GET(self) -> None:
        try:
            if self._asked() != "":
                raise _RefusedError(HTTPStatus.NOT_FOUND, "There is no such page.")
            query = self.path.partition("?")[2]
            try:
                fields = dict(parse_qsl(query, max_num_fields=_MOST_FIELDS))
            except ValueError:
                raise _RefusedError(HTTPStatus.BAD_REQUEST, "This address has too many parts.") from None
            answer = page_of(self.server.review, Choice.of(fields))
            if isinstance(answer, str):
                self._send(HTTPStatus.OK, "text/html", answer)
            else:
                self._send(HTTPStatus.SEE_OTHER, "text/plain", "", Location=answer.address(answer.at))
        except _RefusedError as refused:
            self._send(refused.status, "text/plain", str(refused))
        except CourseError as error:
            self._send(HTTPStatus.INTERNAL_SERVER_ERROR, "text/plain", str(error))

    def do_POST(self) -> None:
        try:
            if self._asked() != "save":
                raise _RefusedError(HTTPStatus.NOT_FOUND, "There is no such page.")
            # A form on another site can send neither this header nor this type without being asked first.
            if not self._is_token(self.headers.get("X-Token", "")):
                raise _RefusedError(HTTPStatus.FORBIDDEN, "Forbidden.")
            if self.headers.get_content_type() != "application/json":
                raise _RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "It must be JSON.")
            place, points, comment, before = _read_body(self._body())
            self.server.review.save(place, points, comment, before)
            status, answer = HTTPStatus.OK, dict[str, object]()
        except _RefusedError as refused:
            status, answer = refused.status, {"error": str(refused)}
        except SavedElsewhereError as error:
            status, answer = HTTPStatus.CONFLICT, {"error": error.what, "now": error.now}
        except CourseError as error:
            status, answer = HTTPStatus.UNPROCESSABLE_ENTITY, {"error": _told(error)}
        self._send(status, "application/json", json.dumps(answer))

    def _asked(self) -> str:
        """Return what is asked for below the token's folder, of a request that may be answered."""
        hosts = self.headers.get_all("Host") or [""]
        token, _, asked = self.path.partition("?")[0].removeprefix("/").partition("/")
        may = (
            # Another name that leads to this machine belongs to somebody else's page.
            len(hosts) == 1
            and hosts[0].rpartition(":")[0] in _LOCAL
            and self.headers.get("Origin", f"http://{hosts[0]}") == f"http://{hosts[0]}"
            and self._is_token(token)
        )
        if not may:
            raise _RefusedError(HTTPStatus.FORBIDDEN, "Forbidden.")
        return asked

    def _is_token(self, text: str) -> bool:
        return hmac.compare_digest(text.encode("utf-8", "replace"), self.server.token.encode())

    def _body(self) -> bytes:
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            raise _RefusedError(HTTPStatus.LENGTH_REQUIRED, "Its length is missing.")
        if len(length) > len(str(LARGEST_BODY)) or int(length) > LARGEST_BODY:
            raise _RefusedError(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Not saved: this is too long for a comment."
            )
        return self.rfile.read(int(length))

    def _send(self, status: HTTPStatus, kind: str, text: str, **headers: str) -> None:
        content = text.encode("utf-8", "replace")
        self.send_response(status)
        headers |= {
            "Content-Type": f"{kind}; charset=utf-8",
            "Content-Length": str(len(content)),
            "Content-Security-Policy": POLICY,
            "Cache-Control": "no-store",
            "Referrer-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
        }
        if status >= HTTPStatus.BAD_REQUEST:
            # The rest of a request that was refused is not read.
            self.close_connection = True
            headers["Connection"] = "close"
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:
        """Log nothing: each address holds the token, and who lacks it must not bury what is printed."""


def _read_body(body: bytes) -> tuple[str, str, str, tuple[str, str]]:
    try:
        fields = json.loads(body)
        place, points, comment = fields["place"], fields["points"], fields["comment"]
        before = tuple(fields["before"])
        texts = (place, points, comment, *before)
        if len(before) != 2 or not all(isinstance(text, str) for text in texts):
            raise TypeError
    except (ValueError, TypeError, KeyError, RecursionError):
        raise _RefusedError(HTTPStatus.BAD_REQUEST, "It does not say what to save.") from None
    plain = "".join(c for c in comment if c >= " " or c in "\n\t").encode("utf-8", "replace").decode()
    return place, points.strip(), plain.strip(), before


def _told(error: CourseError) -> str:
    return error.why if error.why.startswith(NOT_SAVED) else f"{NOT_SAVED}. {error.what} {error.why}".strip()
