"""The address of a server, and the heads of requests to it."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from hotrow.errors import ConfigError
from hotrow.load.http.bodies import Body, Parts

_EXPECTED = "an address such as http://127.0.0.1:8000"


@dataclass(frozen=True, kw_only=True)
class Url:
    """Where a server is.

    Attributes:
        host: name or address.
        port: of the server.
        is_tls: whether the address is https.
        prefix: path before the protocol's own, without a slash at its end.
        headers: further headers, e.g. ``("Authorization: Bearer ...",)``.
    """

    host: str
    port: int
    is_tls: bool = False
    prefix: str = ""
    headers: tuple[str, ...] = ()

    def tls(self) -> ssl.SSLContext | None:
        """Return how https is spoken; the environment's SSL_CERT_FILE may name further authorities."""
        return ssl.create_default_context() if self.is_tls else None

    def head(self, method: str, path: str) -> bytes:
        """Return a request's head but for its length and its end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        lines = [f"{method} {self.prefix}{path} HTTP/1.1", f"Host: {host}:{self.port}", *self.headers]
        return "".join(f"{line}\r\n" for line in lines).encode()


def parse_url(text: str, headers: Sequence[str] = ()) -> Url:
    """Read the address of a server.

    Raises:
        ConfigError: it is none, or a header is not ``NAME: VALUE``.
    """
    for header in headers:
        name, colon, _ = header.partition(":")
        if not colon or not name.strip() or not header.isascii() or not header.isprintable():
            raise ConfigError("--header", header, "NAME: VALUE, in printable ASCII")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ConfigError("URL", text, _EXPECTED) from error
    is_good = text.isascii() and text.isprintable() and not set(" @") & set(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or not is_good:
        raise ConfigError("URL", text, _EXPECTED)
    is_tls = parts.scheme == "https"
    return Url(
        host=parts.hostname,
        port=port or (443 if is_tls else 80),
        is_tls=is_tls,
        prefix=parts.path.rstrip("/"),
        headers=tuple(headers),
    )


def finish(head: bytes, body: Body) -> Parts:
    """Return a whole request."""
    length = sum(map(len, body.parts))
    lines = b"Content-Length: %d\r\n" % length
    if body.header_length is None:
        lines += b"Content-Type: application/json\r\n"
    else:
        lines += b"Content-Type: application/octet-stream\r\n"
        lines += b"Inference-Header-Content-Length: %d\r\n" % body.header_length
    return [head + lines + b"\r\n", *body.parts]
