"""The listening gRPC server."""

from __future__ import annotations

import os

os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # or any client makes it write to standard error

import grpc

from hotrow.errors import ConfigError
from hotrow.serving.connections import HEADER_SECONDS, MAX_CONNECTIONS
from hotrow.serving.front import Front
from hotrow.serving.rpc.service import Service
from hotrow.serving.security import Certificate, Guard

_MAX_METADATA_BYTES = 16 * 1024
_MAX_STREAMS = 1024
"""Calls at a time over one connection; clients let more wait by themselves."""

_MAX_CALLS = 4096
"""At a time over all connections; beyond, RESOURCE_EXHAUSTED."""

_IDENTITY = 1 << int(grpc.Compression.NoCompression)
"""Set of the compressions taken. Older cores hold compressed messages against the bound on their size."""

_IDLE_SECONDS = 300.0
"""A connection without calls for so long is closed in order; clients open another when they need it."""

_SILENT_SECONDS = 60.0
"""A peer that sends nothing for so long is asked whether it is still there, and has 20 seconds to answer."""


class RpcServer:
    """Answers gRPC calls in the event loop that it is made in.

    Args:
        front: answers requests.
        guard: decides who may ask.
        host: address to listen on.
        port: to listen on; 0 takes a free one.
        certificate: for encrypted connections; None: they are not.

    Raises:
        ConfigError: the address cannot be listened on.
    """

    def __init__(
        self, front: Front, guard: Guard, host: str, port: int, *, certificate: Certificate | None = None
    ) -> None:
        self._server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", front.limits.max_body_bytes),
                ("grpc.max_send_message_length", -1),
                ("grpc.compression_enabled_algorithms_bitset", _IDENTITY),
                ("grpc.per_message_decompression", 0),  # none is decompressed before it is refused
                ("grpc.max_metadata_size", _MAX_METADATA_BYTES),
                ("grpc.absolute_max_metadata_size", _MAX_METADATA_BYTES),
                ("grpc.max_concurrent_streams", _MAX_STREAMS),
                ("grpc.max_allowed_incoming_connections", MAX_CONNECTIONS),
                ("grpc.max_connection_idle_ms", round(_IDLE_SECONDS * 1000)),
                ("grpc.keepalive_time_ms", round(_SILENT_SECONDS * 1000)),
                ("grpc.server_handshake_timeout_ms", round(HEADER_SECONDS * 1000)),
                ("grpc.so_reuseport", 0),
            ],
            maximum_concurrent_rpcs=_MAX_CALLS,
        )
        self._server.add_generic_rpc_handlers((Service(front, guard).handler(),))
        shown = f"[{host}]" if ":" in host else host
        try:
            bound = self._listen(f"{shown}:{port}", certificate)
        except RuntimeError as error:
            raise ConfigError("grpc_port", port, f"a free port on {host} (0 takes a free one)") from error
        self.address = f"{shown}:{bound}"

    def _listen(self, address: str, certificate: Certificate | None) -> int:
        bound: int
        if certificate is None:
            bound = self._server.add_insecure_port(address)
        else:
            pair = (certificate.key.read_bytes(), certificate.chain.read_bytes())
            bound = self._server.add_secure_port(address, grpc.ssl_server_credentials([pair]))
        return bound

    async def start(self) -> None:
        """Answer calls from now on."""
        await self._server.start()

    async def stop(self, grace: float) -> None:
        """Take no more calls, and wait at most so many seconds for those that were begun."""
        await self._server.stop(grace)
