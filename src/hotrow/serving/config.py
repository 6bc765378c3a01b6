"""Where and how to serve."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from hotrow.errors import ConfigError
from hotrow.serving.engine.engine import EngineConfig
from hotrow.serving.limits import Limits
from hotrow.serving.security import Certificate


@dataclass(frozen=True, kw_only=True)
class ServerConfig:
    """Where and how to serve.

    Attributes:
        host: address to listen on.
        port: port to listen on for HTTP; 0 takes a free one.
        grpc_port: port to listen on for gRPC; 0 takes a free one, None serves none.
        drain_seconds: after SIGTERM, how long to report not ready while still answering, so that
            load balancers look elsewhere before the port closes.
        token_file: file with the token that requests must bring; None: they need none.
        certificate: for encrypted connections, of HTTP and gRPC; None: they are not.
        log_requests: share of the requests that are logged, 0 to 1.
        limits: bounds on requests.
        engine: workers and what they share.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    grpc_port: int | None = None
    drain_seconds: float = 1.0
    token_file: Path | None = None
    certificate: Certificate | None = None
    log_requests: float = 0.0
    limits: Limits = field(default_factory=Limits)
    engine: EngineConfig = field(default_factory=EngineConfig)

    def __post_init__(self) -> None:
        for name, port in (("port", self.port), ("grpc_port", self.grpc_port)):
            if port is not None and not 0 <= port <= 65535:
                raise ConfigError(name, port, "0 to 65535")
        if not 0 <= self.drain_seconds <= 3600:
            raise ConfigError("drain_seconds", self.drain_seconds, "0 to 3600")
        if not 0 <= self.log_requests <= 1:
            raise ConfigError("log_requests", self.log_requests, "0 to 1")
