"""Answers over HTTP: errors as ``{"error": "..."}``, scores as the Open Inference Protocol has them."""

from __future__ import annotations

import math

import msgspec
import numpy as np
from numpy.typing import NDArray
from starlette.responses import Response

from hotrow.errors import RequestError
from hotrow.serving.answers import Wanted, answer
from hotrow.serving.front import retry_seconds, shown
from hotrow.serving.info import ModelInfo

HEADER_LENGTH = "Inference-Header-Content-Length"
DEADLINE = "Deadline-Ms"


def reply(value: object, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return an answer of JSON."""
    return _json(msgspec.json.encode(value), status=status, headers=headers)


def scored(wanted: Wanted, scores_BK: NDArray[np.float32], info: ModelInfo) -> Response:
    """Return the answer to a request that was scored, (B, K) float32."""
    answered = answer(wanted, scores_BK, info)
    if answered.header_bytes is None:
        return _json(answered.body)
    headers = {HEADER_LENGTH: str(answered.header_bytes)}
    return Response(answered.body, media_type="application/octet-stream", headers=headers)


def refusal(error: RequestError) -> Response:
    """Return the answer to a request that cannot be answered as it is."""
    seconds = math.ceil(retry_seconds(error))  # HTTP knows whole seconds only
    headers = {"Retry-After": str(seconds)} if error.status == 503 else {}
    return reply({"error": shown(error)}, status=error.status, headers=headers)


def defect() -> Response:
    """Return the answer to a request that met a defect, which it tells nothing of."""
    return reply({"error": "internal error; the server's log has the details"}, status=500)


def header_bytes(text: str | None) -> int | None:
    """Return how long the JSON is that binary tensors follow, by a request's header; None: all is JSON.

    Raises:
        RequestError: it is no number.
    """
    if text is None:
        return None
    if not text.isdecimal() or len(text) > 10:
        raise RequestError(f"{HEADER_LENGTH}: {text!r}, expected a number of bytes")
    return int(text)


def deadline(text: str | None) -> float | None:
    """Return after how many seconds an answer is of no use, by a request's header; None: never.

    Raises:
        RequestError: it is no number of milliseconds.
    """
    if text is None:
        return None
    try:
        found = float(text) / 1e3
    except ValueError:
        found = -1.0
    if "_" in text or not 0 <= found < float("inf"):
        raise RequestError(f"{DEADLINE}: {text!r}, expected milliseconds")
    return found


def _json(body: bytes, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(body, status_code=status, media_type="application/json", headers=headers)
