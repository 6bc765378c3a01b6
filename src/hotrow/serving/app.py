"""The server's addresses: HTTP in, HTTP out, and errors as ``{"error": "..."}``."""

from __future__ import annotations

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from hotrow.errors import RequestError
from hotrow.serving.engine import Engine
from hotrow.version import hotrow_version

MAX_ERROR_CHARACTERS = 500
"""Messages quote the request; what a client gets back of it stays short."""


class Addresses:
    """Handlers of all addresses.

    Args:
        engine: runs the model.
        max_body_bytes: longest request body.
    """

    def __init__(self, engine: Engine, *, max_body_bytes: int) -> None:
        self._engine = engine
        self._max_body_bytes = max_body_bytes

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
        return _answer({"name": "hotrow", "version": hotrow_version(), "extensions": []})

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
        return _answer(self._engine.service().metadata())

    async def model_ready(self, request: Request) -> Response:
        """Tell whether requests for the model should be sent here."""
        self._require_model(request)
        return await self.ready(request)

    async def infer(self, request: Request) -> Response:
        """Score tensors of raw rows."""
        self._require_model(request)
        if "inference-header-content-length" in request.headers:
            raise RequestError("binary tensors are not supported, send data as JSON")
        service = self._engine.service()
        return _json(await self._engine.run(service.infer, await self._body(request)))

    async def rank(self, request: Request) -> Response:
        """Rank candidates."""
        service = self._engine.service()
        return _json(await self._engine.run(service.rank, await self._body(request)))

    def _require_model(self, request: Request) -> None:
        name, known = request.path_params["name"], self._engine.service().name
        if name != known:
            raise RequestError(f"there is no model {name!r}, this server has {known!r}", status=404)

    async def _body(self, request: Request) -> bytes:
        """Read the body, and stop reading where it becomes longer than allowed."""
        if request.headers.get("content-encoding", "identity") != "identity":
            raise RequestError("compressed request bodies are not supported", status=415)
        too_long = RequestError(
            f"the request body is longer than the {self._max_body_bytes} bytes allowed", status=413
        )
        declared = request.headers.get("content-length", "0")
        if declared.isdecimal() and int(declared[:20]) > self._max_body_bytes:
            raise too_long
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > self._max_body_bytes:
                raise too_long
        return bytes(body)


def build_app(engine: Engine, *, max_body_bytes: int) -> Starlette:
    """Return the ASGI application around an engine.

    Args:
        engine: runs the model; starting and closing it is the caller's concern.
        max_body_bytes: longest request body.
    """
    return Starlette(
        routes=Addresses(engine, max_body_bytes=max_body_bytes).routes(),
        exception_handlers={
            RequestError: _refused,
            HTTPException: _no_such_address,
            ClientDisconnect: _gone,
            Exception: _defect,
        },
    )


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
