"""The model server: Open Inference Protocol v2 and a plain ranking call over HTTP."""

from hotrow.serving.config import ServerConfig
from hotrow.serving.engine.engine import Engine, EngineConfig
from hotrow.serving.limits import Limits
from hotrow.serving.security import Certificate
from hotrow.serving.server import Served, serve
from hotrow.serving.service import RankingService, Scorer

__all__ = [
    "Certificate",
    "Engine",
    "EngineConfig",
    "Limits",
    "RankingService",
    "Scorer",
    "Served",
    "ServerConfig",
    "serve",
]
