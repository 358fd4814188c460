"""A read-only web server for one folder, so that a class downloads from a machine in the room."""

from __future__ import annotations

import contextlib
import os
import re
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit

from course_utils.errors import DataError

TIMEOUT = 60.0
"""Seconds after which a silent client is dropped."""


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
        parts = [part for part in unquote(urlsplit(path).path).split("/") if part]
        if not parts or any(part.startswith(".") or os.sep in part or "\0" in part for part in parts):
            return None
        found = self.directory.joinpath(*parts).resolve()
        return found if found.is_relative_to(self.directory) and found.is_file() else None


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
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if match and self.headers.get("If-Range", tag) == tag:
            first, last = int(match[1]), min(int(match[2] or last), last)
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
    except OSError as error:
        raise DataError(
            f"Cannot listen on {host}, port {port}.",
            why=str(error.strerror or error),
            left="Nothing is served.",
            next_step="Choose another port, or stop the program that uses it.",
        ) from error
    with server:
        print(f"Serving {folder} until Ctrl-C. Students set COURSE_DATA_MIRROR={server.url}", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()
