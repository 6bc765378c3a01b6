"""The service that one writes first: FastAPI, uvicorn with a worker for each core, the model in each.

``ARTIFACT=folder uvicorn benchmarks.serve.peers.fastapi_service:app --workers 2``
"""

from __future__ import annotations

import os
from pathlib import Path

from fastapi import FastAPI, Request, Response

from benchmarks.serve.peers.plain_dlrm import HEADER, load, respond

app = FastAPI()
model = load(Path(os.environ["ARTIFACT"]))


@app.get("/v2/health/ready")
def ready() -> dict[str, bool]:
    """Tell that the model is loaded."""
    return {"ready": True}


@app.post("/v2/models/dlrm/infer")
async def infer(request: Request) -> Response:
    """Score rows; in the event loop, since a thread more for each worker would be slower."""
    length = request.headers.get(HEADER)
    answer, header_bytes = respond(model, await request.body(), int(length) if length else None)
    headers = {HEADER: str(header_bytes)} if header_bytes else {}
    return Response(answer, media_type="application/json", headers=headers)
