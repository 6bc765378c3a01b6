"""What workers run: the service of one artifact."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from hotrow.artifact import load_artifact, on_device
from hotrow.errors import BackendUnavailableError
from hotrow.layers.inference.ladder import steps
from hotrow.serving.engine.posts import CPU
from hotrow.serving.engine.workers import Greeting
from hotrow.serving.limits import Limits
from hotrow.serving.service import RankingService

_WARM_ROWS = 256
"""Sub-batches of up to so many rows are as fast the first time: workers are forked with their kernels."""


class ServedConfig(msgspec.Struct):
    """What to load.

    Attributes:
        artifact: its folder.
        name: of the model; its registered name without.
        limits: bounds on requests.
        device: that workers may be asked to take the model to.
    """

    artifact: str
    name: str | None
    limits: Limits
    device: str = CPU


def load_served(config: Mapping[str, Any]) -> tuple[RankingService, dict[str, Any]]:
    """Load an artifact, run it once, and return it with what the front process must know of it.

    Raises:
        UserError: it cannot be loaded.
    """
    import torch

    torch.set_num_threads(1)
    wanted = msgspec.convert(config, ServedConfig)
    if wanted.device.startswith("cuda") and not torch.cuda.is_available():
        raise BackendUnavailableError(f"device {wanted.device}: there is no CUDA device that PyTorch can use")
    artifact = load_artifact(Path(wanted.artifact))
    service = RankingService(
        wanted.name or artifact.name,
        artifact,
        wanted.limits,
        version=artifact.version,
        move=partial(on_device, artifact),
    )
    time = service.warm_up(steps(_WARM_ROWS))
    return service, msgspec.to_builtins(Greeting(service.info, time.overhead_ms, time.row_ms))
