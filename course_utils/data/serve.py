"""A read-only web server for one folder, so that a class downloads from a machine in the room."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

from course_utils.errors import DataError

TIMEOUT = 60.0
"""Seconds after which a silent client is dropped."""
_DIGITS = 18


class FolderServer(ThreadingHTTPServer):
    """Serves the files of `directory` to GET and HEAD, whole or from a given byte.

    Parameters
    ----------
    directory : Path
        Nothing outside it is served, whatever a link points to; nor is anything hidden.
    host : str
        The address to listen on; ``127.0.0.1`` keeps it to this machine.
    port : int
        0 picks a free one.
    """

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, directory: Path, host: str = "127.0.0.1", port: int = 0) -> None:
        self.directory = directory.resolve()
        if ":" in host:
            self.address_family = socket.AF_INET6
        super().__init__((host, port), _Handler)

    @property
    def url(self) -> str:
        """The address to hand out; a server that listens everywhere is called by this machine's name."""
        host, port = self.server_address[:2]
        name = str(host)
        if name in ("0.0.0.0", "::"):
            name = socket.gethostname()
        return f"http://{f'[{name}]' if ':' in name else name}:{port}"

    def find(self, path: str) -> Path | None:
        """The file that `path` of a request names, if it may be served."""
        try:
            parts = [part for part in unquote(urlsplit(path).path).split("/") if part]
            if not parts or any(part.startswith(".") or os.sep in part for part in parts):
                return None
            found = self.directory.joinpath(*parts).resolve()
            return found if found.is_relative_to(self.directory) and found.is_file() else None
        except (OSError, ValueError, RuntimeError):
            # Names that are too long or that no system has, links in a circle.
            return None

    def handle_error(self, request: object, client_address: object) -> None:
        """Say in a line why a client got no answer."""
        error = sys.exc_info()[1]
        if not isinstance(error, ConnectionError | TimeoutError):
            print(f"{client_address}: {type(error).__name__}: {error}", file=sys.stderr)


class _Handler(BaseHTTPRequestHandler):
    server: FolderServer
    protocol_version = "HTTP/1.1"
    timeout = TIMEOUT

    def do_GET(self) -> None:
        path = self.server.find(self.path)
        try:
            file = path.open("rb") if path else None
        except OSError:
            file = None
        if file is None:
            self.send_error(404)
            return
        with file, contextlib.suppress(ConnectionError, TimeoutError):
            self._send(file)

    do_HEAD = do_GET  # noqa: N815

    def _send(self, file: IO[bytes]) -> None:
        about = os.fstat(file.fileno())
        size, tag = about.st_size, f'"{about.st_size:x}-{about.st_mtime_ns:x}"'
        first, last = 0, size - 1
        match = re.fullmatch(r"bytes=([0-9]+)-([0-9]*)", self.headers.get("Range", ""))
        if match and self.headers.get("If-Range", tag) == tag:
            first, last = _position(match[1]), min(_position(match[2]) if match[2] else last, last)
            if first > last:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{size}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        else:
            self.send_response(200)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(last - first + 1))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", tag)
        self.end_headers()
        if self.command == "HEAD":
            return
        file.seek(first)
        left = last - first + 1
        while left and (piece := file.read(min(left, 1 << 18))):
            self.wfile.write(piece)
            left -= len(piece)
        if left:
            # The file has become shorter: only the end of the connection tells the client.
            self.close_connection = True

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log what is asked for, without what follows a question mark: it may be a token."""
        self.log_message('"%s" %s', self.requestline.partition("?")[0], str(code))


def _position(digits: str) -> int:
    # The first digits of more than any file needs are behind its end, too.
    return int((digits.lstrip("0") or "0")[:_DIGITS])


def serve(directory: str | os.PathLike[str], host: str = "127.0.0.1", port: int = 8000) -> None:
    """Serve `directory`, filled by `export`, until Ctrl-C.

    Parameters
    ----------
    directory : path
        The folder.
    host : str
        ``127.0.0.1`` serves this machine only, ``0.0.0.0`` the whole network.
    port : int
        Where to listen.

    Raises
    ------
    DataError
        If there is no such folder, or if the port is taken.
    """
    folder = Path(directory).expanduser()
    if not folder.is_dir():
        raise DataError(
            f"There is no folder {folder}.", next_step=f"Create it with: course data export {folder}"
        )
    try:
        server = FolderServer(folder, host, port)
    except (OSError, OverflowError, ValueError, TypeError) as error:
        if not 0 <= port <= 65535:
            why, step = "Ports are numbers from 0 to 65535.", "Choose another port; 0 picks a free one."
        elif isinstance(error, OSError):
            why, step = error.strerror or str(error), "Choose another port, or stop the program that uses it."
        else:
            why, step = "This is not an address of this machine.", "Choose 127.0.0.1 or 0.0.0.0."
        raise DataError(
            f"Cannot listen on {host}, port {port}.", why=why, left="Nothing is served.", next_step=step
        ) from error
    with server:
        print(f"Serving {folder} until Ctrl-C. Students set COURSE_DATA_MIRROR={server.url}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()
