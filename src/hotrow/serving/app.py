"""The server's addresses: HTTP in, HTTP out, and errors as ``{"error": "..."}``."""

from __future__ import annotations

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from hotrow.errors import RequestError
from hotrow.serving.answers import Wanted, answer
from hotrow.serving.engine.engine import Engine
from hotrow.serving.limits import Limits
from hotrow.serving.reading import Asked, read_infer, read_rank
from hotrow.version import hotrow_version

_HEADER_LENGTH = "Inference-Header-Content-Length"
_DEADLINE = "Deadline-Ms"
_WANTED = msgspec.json.Decoder(Wanted)

MAX_ERROR_CHARACTERS = 500
"""Messages quote the request; what a client gets back of it stays short."""


class Addresses:
    """Handlers of all addresses.

    Args:
        engine: runs the model.
        limits: bounds on requests.
    """

    def __init__(self, engine: Engine, limits: Limits) -> None:
        self._engine = engine
        self._limits = limits

    def routes(self) -> list[Route]:
        """Return the table of addresses."""
        return [
            Route("/v2", self.server, methods=["GET"]),
            Route("/v2/health/live", self.live, methods=["GET"]),
            Route("/v2/health/ready", self.ready, methods=["GET"]),
            Route("/v2/models/{name}", self.model, methods=["GET"]),
            Route("/v2/models/{name}/ready", self.model_ready, methods=["GET"]),
            Route("/v2/models/{name}/infer", self.infer, methods=["POST"]),
            Route("/v1/rank", self.rank, methods=["POST"]),
        ]

    async def server(self, _: Request) -> Response:
        """Describe the server."""
        return _answer({"name": "hotrow", "version": hotrow_version(), "extensions": ["binary_tensor_data"]})

    async def live(self, _: Request) -> Response:
        """Tell that the process answers."""
        return _answer({"live": True})

    async def ready(self, _: Request) -> Response:
        """Tell whether requests should be sent here."""
        state = self._engine.state
        if state == "ready":
            return _answer({"ready": True})
        return _answer({"ready": False, "error": f"the server is {state}"}, status=503)

    async def model(self, request: Request) -> Response:
        """Describe the model."""
        self._require_model(request)
        return _answer(self._engine.info.metadata())

    async def model_ready(self, request: Request) -> Response:
        """Tell whether requests for the model should be sent here."""
        self._require_model(request)
        return await self.ready(request)

    async def infer(self, request: Request) -> Response:
        """Score tensors of rows."""
        self._require_model(request)
        header = _header_bytes(request)
        body = await self._body(request)
        return await self._answer(request, read_infer(body, header, self._engine.info, self._limits))

    async def rank(self, request: Request) -> Response:
        """Rank candidates."""
        self._engine.info  # noqa: B018 - raises while nothing is loaded, whatever the body
        return await self._answer(request, read_rank(await self._body(request), self._limits))

    async def _answer(self, request: Request, asked: Asked) -> Response:
        info = self._engine.info
        scores = await self._engine.score(asked.request, seconds=_soonest(request, asked.seconds))
        wanted = asked.wanted or _WANTED.decode(scores.wanted)
        answered = answer(wanted, scores.values, info)
        if answered.header_bytes is None:
            return _json(answered.body)
        headers = {_HEADER_LENGTH: str(answered.header_bytes)}
        return Response(answered.body, media_type="application/octet-stream", headers=headers)

    def _require_model(self, request: Request) -> None:
        name, known = request.path_params["name"], self._engine.info.name
        if name != known:
            raise RequestError(f"there is no model {name!r}, this server has {known!r}", status=404)

    async def _body(self, request: Request) -> bytes:
        """Read the body, and stop reading where it becomes longer than allowed."""
        if request.headers.get("content-encoding", "identity") != "identity":
            raise RequestError("compressed request bodies are not supported", status=415)
        too_long = RequestError(
            f"the request body is longer than the {self._limits.max_body_bytes} bytes allowed", status=413
        )
        declared = request.headers.get("content-length", "0")
        if declared.isdecimal() and int(declared[:20]) > self._limits.max_body_bytes:
            raise too_long
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > self._limits.max_body_bytes:
                raise too_long
        return bytes(body)


def build_app(engine: Engine, limits: Limits) -> Starlette:
    """Return the ASGI application around an engine.

    Args:
        engine: runs the model; starting and closing it is the caller's concern.
        limits: bounds on requests.
    """
    return Starlette(
        routes=Addresses(engine, limits).routes(),
        exception_handlers={
            RequestError: _refused,
            HTTPException: _no_such_address,
            ClientDisconnect: _gone,
            Exception: _defect,
        },
    )


def _header_bytes(request: Request) -> int | None:
    """Return how long the JSON is that binary tensors follow, None if all is JSON."""
    text = request.headers.get(_HEADER_LENGTH)
    if text is None:
        return None
    if not text.isdecimal() or len(text) > 10:
        raise RequestError(f"{_HEADER_LENGTH}: {text!r}, expected a number of bytes")
    return int(text)


def _soonest(request: Request, seconds: float | None) -> float | None:
    """Return after how many seconds the answer is of no use, by the request's header or its body."""
    text = request.headers.get(_DEADLINE)
    if text is None:
        return seconds
    try:
        found = float(text) / 1e3
    except ValueError:
        found = -1.0
    if not 0 <= found < float("inf"):
        raise RequestError(f"{_DEADLINE}: {text!r}, expected milliseconds")
    return found if seconds is None else min(found, seconds)


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestError)
    message = str(error)
    if len(message) > MAX_ERROR_CHARACTERS:
        message = message[:MAX_ERROR_CHARACTERS] + "..."
    headers = {"Retry-After": "1"} if error.status == 503 else {}
    return _answer({"error": message}, status=error.status, headers=headers)


async def _no_such_address(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _answer({"error": error.detail}, status=error.status_code, headers=dict(error.headers or {}))


async def _gone(_: Request, __: Exception) -> Response:
    return Response(status_code=499)  # nobody reads it: the client closed the connection


async def _defect(_: Request, __: Exception) -> Response:
    # Starlette raises the error again after this answer, and the HTTP server logs it.
    return _answer({"error": "internal error; the server's log has the details"}, status=500)


def _answer(value: object, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return _json(msgspec.json.encode(value), status=status, headers=headers)


def _json(body: bytes, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(body, status_code=status, media_type="application/json", headers=headers)
