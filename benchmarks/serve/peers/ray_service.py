"""The same model behind Ray Serve: a proxy and a replica for each core.

``ARTIFACT=folder python -m benchmarks.serve.peers.ray_service PORT REPLICAS``
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any, cast

import ray
from ray import serve
from starlette.requests import Request
from starlette.responses import Response

from benchmarks.serve.peers.plain_dlrm import HEADER, load, respond


@serve.deployment(max_ongoing_requests=4, ray_actor_options={"num_cpus": 0.5})
class Dlrm:
    """One replica."""

    def __init__(self, artifact: str) -> None:
        self.model = load(Path(artifact))

    async def __call__(self, request: Request) -> Response:
        """Score rows, or tell that the model is loaded."""
        if request.method == "GET":
            return Response(b"{}")
        length = request.headers.get(HEADER)
        answer, header_bytes = respond(self.model, await request.body(), int(length) if length else None)
        return Response(answer, headers={HEADER: str(header_bytes)} if header_bytes else {})


def main() -> None:
    """Serve until SIGTERM."""
    port, replicas = map(int, sys.argv[1:])
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, object_store_memory=100 * 1024**2)
    serve.start(http_options={"host": "127.0.0.1", "port": port}, proxy_location="HeadOnly")
    deployment = cast(Any, Dlrm).options(num_replicas=replicas)
    serve.run(deployment.bind(os.environ["ARTIFACT"]), route_prefix="/")
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    serve.shutdown()
    ray.shutdown()


if __name__ == "__main__":
    main()
