"""The socket that HTTP comes by."""

from __future__ import annotations

import errno
import socket

from hotrow.errors import ConfigError

_BACKLOG = 2048


def listen(host: str, port: int) -> socket.socket:
    """Take the port at once, so that one in use is told before a model is loaded.

    Raises:
        ConfigError: the address cannot be listened on.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except (socket.gaierror, UnicodeError) as error:
        raise ConfigError("host", host, "a host name or address of this machine") from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
        listener.set_inheritable(False)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            expected = f"a free port on {host}; this one is in use (0 takes a free one)"
            raise ConfigError("port", port, expected) from error
        if error.errno in (errno.EACCES, errno.EPERM):
            raise ConfigError("port", port, "a port that this user may listen on, such as 8000") from error
        if error.errno == errno.EADDRNOTAVAIL:
            raise ConfigError("host", host, "an address of this machine") from error
        raise
    return listener


def url_of(listener: socket.socket, scheme: str = "http") -> str:
    """Return the address of a listening socket."""
    host, port = listener.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
