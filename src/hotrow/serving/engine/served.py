"""What workers run: the service of one artifact."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from hotrow.artifact import load_artifact
from hotrow.serving.engine.workers import Greeting
from hotrow.serving.limits import Limits
from hotrow.serving.service import RankingService


class ServedConfig(msgspec.Struct):
    """What to load.

    Attributes:
        artifact: its folder.
        name: of the model; its registered name without.
        limits: bounds on requests.
    """

    artifact: str
    name: str | None
    limits: Limits


def load_served(config: Mapping[str, Any]) -> tuple[RankingService, dict[str, Any]]:
    """Load an artifact, run it once, and return it with what the front process must know of it.

    Raises:
        UserError: it cannot be loaded.
    """
    import torch

    torch.set_num_threads(1)
    wanted = msgspec.convert(config, ServedConfig)
    artifact = load_artifact(Path(wanted.artifact))
    service = RankingService(wanted.name or artifact.name, artifact, wanted.limits, version=artifact.version)
    time = service.warm_up()
    return service, msgspec.to_builtins(Greeting(service.info, time.overhead_ms, time.row_ms))
