"""Addresses of servers. What is secret in them is used, and never shown or stored."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from urllib.parse import unquote_to_bytes, urljoin, urlsplit

from course_utils.text import shown_address

_HOST = re.compile(
    r"\s*(\[[0-9A-Fa-f:.%]+\]|[^\s:/\\\[\]\x00-\x20\x7f]+)\s*(?::\s*([0-9]{1,5})?\s*)?", re.ASCII
)
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class HttpAddress:
    """An http address, with what it takes to be let in.

    ``str`` shows neither user nor password nor what follows a question mark, so it may be printed and stored.

    Attributes
    ----------
    scheme : str
        ``http`` or ``https``.
    host : str
        As it was given, IPv6 in brackets.
    port : int or None
        None: the scheme's own.
    path : str
        Without a slash at its end.
    query : str
        What follows the question mark: often a token.
    auth : tuple of bytes or None
        User and password.

    Examples
    --------
    >>> mirror = HttpAddress.read("https://ada:secret@example.org/data/?token=secret")
    >>> print(mirror.below("MNIST/raw", "a.gz"))
    https://example.org/data/MNIST/raw/a.gz
    """

    scheme: str
    host: str
    port: int | None
    path: str
    query: str = field(default="", repr=False)
    auth: tuple[bytes, bytes] | None = field(default=None, repr=False)

    @classmethod
    def read(cls, text: str) -> HttpAddress:
        """Take an address apart.

        Raises
        ------
        ValueError
            If it is not an http address.
        """
        parts = urlsplit(text.strip())
        user, _, host = parts.netloc.rpartition("@")
        found = _HOST.fullmatch(host)
        # Some readers take a backslash for a slash: then the password would go to another host.
        if parts.scheme not in _PORTS or not found or int(found[2] or 0) > 65535 or "\\" in parts.netloc:
            raise ValueError("not an http address")
        name, _, password = user.partition(":")
        auth = (unquote_to_bytes(name), unquote_to_bytes(password)) if user else None
        port = int(found[2]) if found[2] else None
        return cls(parts.scheme, found[1], port, parts.path.rstrip("/"), parts.query, auth)

    def below(self, *parts: str) -> HttpAddress:
        """Return the address of a file below this one."""
        path = "/".join(filter(None, (self.path, *parts)))
        return replace(self, path=path if path.startswith("/") else f"/{path}")

    def onward(self, location: str) -> HttpAddress:
        """Return where a redirect to `location` leads. Only the same server gets user and password again.

        Raises
        ------
        ValueError
            If it leads to no http address.
        """
        text = urljoin(self.url, location)
        target = HttpAddress.read(text)
        host = self.host.lower()
        trusted = {self._server}
        if self._server == ("http", host, 80):
            trusted.add(("https", host, 443))
        auth = target.auth or (self.auth if target._server in trusted else None)
        # Here a slash at the end matters.
        return replace(target, path=urlsplit(text.strip()).path, auth=auth)

    @property
    def url(self) -> str:
        """What is asked for: without user and password, which go into a header."""
        return self._plain + (f"?{self.query}" if self.query else "")

    @property
    def _plain(self) -> str:
        return f"{self.scheme}://{self.host}{'' if self.port is None else f':{self.port}'}{self.path}"

    @property
    def _server(self) -> tuple[str, str, int]:
        return self.scheme, self.host.lower(), self.port or _PORTS[self.scheme]

    def __str__(self) -> str:
        return shown_address(self._plain)
