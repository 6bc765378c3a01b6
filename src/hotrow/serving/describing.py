"""What the server says of itself and its model, as the protocol and Triton's extensions to it have it.

The same objects are sent as JSON and, read into its messages, over gRPC.
"""

from __future__ import annotations

from typing import Any

from hotrow.serving.engine.engine import Engine
from hotrow.serving.info import ModelInfo
from hotrow.serving.live.seconds import Gauges
from hotrow.serving.protocol import TensorMetadata
from hotrow.serving.statistics import Spent, Statistics
from hotrow.version import hotrow_version

_CONFIG_TYPES = {"BYTES": "TYPE_STRING"}

EXTENSIONS = ("binary_tensor_data", "model_configuration", "statistics")
"""Those that are whole: of Triton's ``model_repository`` there is the index, but nothing loads or unloads."""


def server_metadata() -> dict[str, Any]:
    """Describe the server."""
    return {"name": "hotrow", "version": hotrow_version(), "extensions": list(EXTENSIONS)}


def model_config(info: ModelInfo, gauges: Gauges) -> dict[str, Any]:
    """Describe how the model is run, as Triton's ``ModelConfig``.

    Its shapes have their rows, so ``max_batch_size``, which would add them, is 0.
    """
    metadata = info.metadata()
    groups = [{"name": info.name, "kind": "KIND_CPU", "count": gauges.workers}]
    if gauges.devices:
        groups.append({"name": f"{info.name}_device", "kind": "KIND_GPU", "count": gauges.devices})
    return {
        "name": info.name,
        "platform": metadata.platform,
        "backend": "hotrow",
        "max_batch_size": 0,
        "input": [_configured(tensor) for tensor in metadata.inputs],
        "output": [_configured(tensor) for tensor in metadata.outputs],
        "instance_group": groups,
        "parameters": {name: {"string_value": value} for name, value in metadata.parameters.items()},
    }


def model_statistics(info: ModelInfo, statistics: Statistics, *, executions: int) -> dict[str, Any]:
    """Return counts since the server's start, of all versions together, as Triton's ``ModelStatistics``."""
    failed = Spent(
        sum(spent.count for spent in statistics.fail.values()),
        sum(spent.seconds for spent in statistics.fail.values()),
    )
    return {
        "name": info.name,
        "version": info.version,
        "last_inference": int(statistics.last * 1e3),
        "inference_count": statistics.rows,
        "execution_count": executions,
        "inference_stats": {
            "success": _duration(statistics.success),
            "fail": _duration(failed),
            "queue": _duration(statistics.queue),
            "compute_input": _duration(Spent()),
            "compute_infer": _duration(statistics.compute),
            "compute_output": _duration(Spent()),
            "cache_hit": _duration(Spent()),
            "cache_miss": _duration(Spent()),
        },
        "batch_stats": [],
    }


def repository_index(info: ModelInfo, engine: Engine) -> list[dict[str, str]]:
    """List the models that there are: one."""
    ready = engine.state == "ready"
    return [
        {
            "name": info.name,
            "version": info.version,
            "state": "READY" if ready else "UNAVAILABLE",
            "reason": "" if ready else f"the server is {engine.state}",
        }
    ]


def _configured(tensor: TensorMetadata) -> dict[str, Any]:
    kind = _CONFIG_TYPES.get(tensor.datatype, f"TYPE_{tensor.datatype}")
    return {"name": tensor.name, "data_type": kind, "dims": tensor.shape}


def _duration(spent: Spent) -> dict[str, int]:
    return {"count": spent.count, "ns": int(spent.seconds * 1e9)}
