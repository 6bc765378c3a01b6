"""Who may ask: a token, and certificates for encrypted connections."""

from __future__ import annotations

import hmac
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hotrow.errors import ConfigError, MissingFileError, RequestError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

FREE = frozenset({"/", "/v2/health/live", "/v2/health/ready"})
"""Addresses that need no token: what load balancers ask, and the page, which has no figures of its own."""

_LEAST_CHARACTERS = 16


class Guard:
    """Lets only those pass who know the token.

    Args:
        token: None lets everybody pass.
    """

    def __init__(self, token: str | None = None) -> None:
        self._expected = None if token is None else f"Bearer {token}".encode()

    @classmethod
    def of_file(cls, path: Path | None) -> Guard:
        """Return one whose token is the content of a file, without what is blank around it.

        Raises:
            MissingFileError: there is no such file.
            ConfigError: it holds no usable token.
        """
        if path is None:
            return cls()
        try:
            token = path.read_bytes().decode("ascii").strip()
        except FileNotFoundError as error:
            raise MissingFileError(path, "a file with the token") from error
        except UnicodeDecodeError as error:
            raise ConfigError("token_file", str(path), "a token of ASCII characters") from error
        if len(token) < _LEAST_CHARACTERS or not token.isprintable() or " " in token:
            raise ConfigError(
                "token_file", str(path), f"a file with a token of at least {_LEAST_CHARACTERS} characters"
            )
        return cls(token)

    def require(self, authorization: bytes | None) -> None:
        """Refuse a request with a wrong token or none; how long that takes tells nothing about the token.

        Args:
            authorization: the header of that name.

        Raises:
            RequestError: it is not the token (401).
        """
        if self._expected is not None and not hmac.compare_digest(self._expected, authorization or b""):
            raise RequestError("this server wants its token: header Authorization: Bearer TOKEN", status=401)


class Guarded:
    """An ASGI application behind a guard.

    Args:
        app: the application.
        guard: decides on every request but those to addresses that are free.
        refuse: answers a request that may not pass.
    """

    def __init__(self, app: ASGIApp, guard: Guard, refuse: ASGIApp) -> None:
        self._app = app
        self._guard = guard
        self._refuse = refuse

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "http" and scope["path"] not in FREE:
            given = [value for name, value in scope["headers"] if name == b"authorization"]
            try:
                self._guard.require(given[0] if len(given) == 1 else None)
            except RequestError:
                await self._refuse(scope, receive, send)
                return
        await self._app(scope, receive, send)


@dataclass(frozen=True, slots=True)
class Certificate:
    """Files of a server's certificate.

    Attributes:
        chain: PEM file, the server's certificate first.
        key: PEM file of its private key, without a password.
    """

    chain: Path
    key: Path

    def __post_init__(self) -> None:
        for path in (self.chain, self.key):
            if not path.is_file():
                raise MissingFileError(path, "a PEM file")
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(
                self.chain,
                self.key,
                password=lambda: "",  # or it would ask for one on the terminal
            )
        except (ssl.SSLError, ValueError) as error:
            raise ConfigError(
                "tls_cert", str(self.chain), f"a PEM certificate that {self.key} is the private key of"
            ) from error
