"""The server's addresses: HTTP in, HTTP out, and errors as ``{"error": "..."}``."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from hotrow.errors import RequestError
from hotrow.serving.describing import model_config, model_statistics, repository_index, server_metadata
from hotrow.serving.front import Call, Front
from hotrow.serving.info import ModelInfo
from hotrow.serving.leaving import GONE, while_connected
from hotrow.serving.live.page import HEADERS, live, page
from hotrow.serving.reading import Asked, read_infer, read_rank
from hotrow.serving.replies import (
    DEADLINE,
    HEADER_LENGTH,
    deadline,
    defect,
    header_bytes,
    refusal,
    reply,
    scored,
)
from hotrow.serving.security import Guard, Guarded


class Addresses:
    """Handlers of all addresses.

    Args:
        front: answers requests.
    """

    def __init__(self, front: Front) -> None:
        self._front = front
        self._engine = front.engine

    def routes(self) -> list[Route]:
        """Return the table of addresses."""
        of_a_model = [
            ("", self.model),
            ("/ready", self.model_ready),
            ("/config", self.config),
            ("/stats", self.statistics),
        ]
        return [
            # They are tried in this order, so those of requests that matter are first.
            Route("/v2/models/{name}/infer", self.infer, methods=["POST"]),
            Route("/v1/rank", self.rank, methods=["POST"]),
            Route("/v2/models/{name}/versions/{version}/infer", self.infer, methods=["POST"]),
            Route("/v2", self.server, methods=["GET"]),
            Route("/v2/health/live", self.live, methods=["GET"]),
            Route("/v2/health/ready", self.ready, methods=["GET"]),
            Route("/", self.page, methods=["GET"]),
            Route("/metrics", self.metrics, methods=["GET"]),
            Route("/v1/live", self.live_figures, methods=["GET"]),
            Route("/v2/models/stats", self.all_statistics, methods=["GET"]),
            Route("/v2/repository/index", self.index, methods=["POST"]),
            *(
                Route(f"/v2/models/{{name}}{version}{path}", handler, methods=["GET"])
                for path, handler in of_a_model
                for version in ("", "/versions/{version}")
            ),
        ]

    async def server(self, _: Request) -> Response:
        """Describe the server."""
        return reply(server_metadata())

    async def live(self, _: Request) -> Response:
        """Tell that the process answers."""
        return reply({"live": True})

    async def ready(self, _: Request) -> Response:
        """Tell whether requests should be sent here."""
        state = self._engine.state
        if state == "ready":
            return reply({"ready": True})
        return reply({"ready": False, "error": f"the server is {state}"}, status=503)

    async def model(self, request: Request) -> Response:
        """Describe the model."""
        return reply(self._require_model(request).metadata())

    async def model_ready(self, request: Request) -> Response:
        """Tell whether requests for the model should be sent here."""
        self._require_model(request)
        return await self.ready(request)

    async def config(self, request: Request) -> Response:
        """Tell how the model is run."""
        return reply(model_config(self._require_model(request), self._front.gauges()))

    async def statistics(self, request: Request) -> Response:
        """Tell what was asked of the model."""
        self._require_model(request)
        return await self.all_statistics(request)

    async def all_statistics(self, _: Request) -> Response:
        """Tell what was asked of all models, which are one."""
        return reply(
            {
                "model_stats": [
                    model_statistics(
                        self._engine.info, self._front.statistics, executions=self._engine.executions
                    )
                ]
            }
        )

    async def index(self, _: Request) -> Response:
        """List the models."""
        return reply(repository_index(self._engine.info, self._engine))

    async def page(self, _: Request) -> Response:
        """Show the last minutes."""
        return Response(page(), media_type="text/html", headers=HEADERS)

    async def live_figures(self, _: Request) -> Response:
        """Return what the page shows."""
        return reply(live(self._front))

    async def metrics(self, _: Request) -> Response:
        """Return counts for Prometheus."""
        from hotrow.serving.metrics import exposition

        return Response(exposition(self._front), media_type="text/plain; version=0.0.4")

    async def infer(self, request: Request) -> Response:
        """Score tensors of rows."""
        self._require_model(request)
        with self._front.call() as call:
            header = header_bytes(request.headers.get(HEADER_LENGTH))
            body = await self._body(call, request)
            # The model may have been replaced while the body came.
            asked = read_infer(body, header, self._require_model(request), self._front.limits)
            return await self._answer(call, request, asked)

    async def rank(self, request: Request) -> Response:
        """Rank candidates."""
        with self._front.call() as call:
            self._engine.info  # noqa: B018 - raises while nothing is loaded, whatever the body
            asked = read_rank(await self._body(call, request), self._front.limits)
            return await self._answer(call, request, asked)

    async def _answer(self, call: Call, request: Request, asked: Asked) -> Response:
        info = self._engine.info
        seconds = deadline(request.headers.get(DEADLINE))
        async with while_connected(request):
            scores, wanted = await call.score(asked, seconds)
        return scored(wanted, scores.values, info)

    def _require_model(self, request: Request) -> ModelInfo:
        return self._front.require_model(request.path_params["name"], request.path_params.get("version", ""))

    async def _body(self, call: Call, request: Request) -> bytes:
        """Read the body, and stop reading where it, or all bodies together, become longer than allowed."""
        if request.headers.get("content-encoding", "identity") != "identity":
            raise RequestError("compressed request bodies are not supported", status=415)
        too_long = RequestError(
            f"the request body is longer than the {self._front.limits.max_body_bytes} bytes allowed",
            status=413,
        )
        declared = request.headers.get("content-length", "0")
        if declared.isdecimal() and int(declared[:20]) > self._front.limits.max_body_bytes:
            raise too_long
        body = bytearray()
        try:
            async for chunk in request.stream():
                if len(body) + len(chunk) > self._front.limits.max_body_bytes:
                    raise too_long
                call.hold(len(chunk))
                body += chunk
        except ClientDisconnect as error:
            raise RequestError("the client has left", status=GONE) from error
        return bytes(body)


def build_app(front: Front, guard: Guard | None = None) -> Starlette:
    """Return the ASGI application.

    Args:
        front: answers requests; starting and closing its engine is the caller's concern.
        guard: decides who may ask; None: everybody.
    """
    wants_token = reply(
        {"error": "this server wants its token: header Authorization: Bearer TOKEN"},
        status=401,
        headers={"WWW-Authenticate": "Bearer"},
    )
    app = Starlette(
        routes=Addresses(front).routes(),
        middleware=[] if guard is None else [Middleware(Guarded, guard, wants_token)],
        exception_handlers={
            RequestError: _refused,
            HTTPException: _no_such_address,
            Exception: _defect,
        },
    )
    app.router.redirect_slashes = False  # it would send clients where their Host header says
    return app


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, RequestError)
    return refusal(error)


async def _no_such_address(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return reply({"error": error.detail}, status=error.status_code, headers=dict(error.headers or {}))


async def _defect(_: Request, __: Exception) -> Response:
    return defect()  # Starlette raises the error again after this answer, and the HTTP server logs it
