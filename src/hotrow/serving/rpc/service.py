"""The calls of the service, from bytes to bytes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import msgspec

from hotrow.errors import RequestError
from hotrow.serving.connections import BODY_SECONDS
from hotrow.serving.describing import model_config, model_statistics, repository_index, server_metadata
from hotrow.serving.front import Front, retry_seconds, shown
from hotrow.serving.rpc.messages import SERVICE, build, calls, parse, require_few_fields
from hotrow.serving.rpc.tensors import answer_message, read_message
from hotrow.serving.security import Guard

_LOG = logging.getLogger(__name__)
_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    404: grpc.StatusCode.NOT_FOUND,
    408: grpc.StatusCode.DEADLINE_EXCEEDED,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    499: grpc.StatusCode.CANCELLED,
    504: grpc.StatusCode.DEADLINE_EXCEEDED,
}
_FREE = ("ServerLive", "ServerReady")
RETRY = "grpc-retry-pushback-ms"
"""Metadata that gRPC's clients know: after how many milliseconds to try again."""

Context = Any  # grpc.aio.ServicerContext; the library has no types
Handler = Callable[[Any, Context, int], Awaitable[bytes]]
"""Answers a message that was so many bytes."""


class Service:
    """Handlers of all calls.

    Args:
        front: answers requests.
        guard: decides who may ask.
    """

    def __init__(self, front: Front, guard: Guard) -> None:
        self._front = front
        self._guard = guard

    def handler(self) -> grpc.GenericRpcHandler:
        """Return what a gRPC server is given."""
        handlers: dict[str, Handler] = {
            "ServerLive": self._live,
            "ServerReady": self._ready,
            "ModelReady": self._model_ready,
            "ServerMetadata": self._server,
            "ModelMetadata": self._model,
            "ModelConfig": self._config,
            "ModelStatistics": self._statistics,
            "RepositoryIndex": self._index,
            "ModelInfer": self._infer,
        }
        # As calls of streams, which look the same to clients: of others gRPC reads the message itself, and
        # waits for one that never comes as long as the client likes.
        for name in calls():  # their classes are made here, not at the first request
            build(f"{name}Response", {})
            parse(f"{name}Request", b"")
        return grpc.method_handlers_generic_handler(
            SERVICE,
            {
                name: grpc.stream_unary_rpc_method_handler(self._guarded(name, handlers[name]))
                for name in calls()
            },
        )

    def _guarded(self, name: str, handler: Handler) -> Callable[[object, Context], Awaitable[bytes]]:
        """Return a handler of bytes whose errors become statuses."""

        async def handle(_: object, context: Context) -> bytes:
            try:
                if name not in _FREE:
                    self._require_token(context)
                # Nothing is read of what anybody may ask without a token, or its messages could take memory.
                data = b"" if name in _FREE else await _message(context)
                require_few_fields(data, self._front.limits.max_fields)
                return await handler(parse(f"{name}Request", data), context, len(data))
            except RequestError as error:
                await self._abort(error, context)
            except asyncio.CancelledError:
                raise
            except Exception:  # noqa: BLE001 - what a client is told of a defect
                _LOG.exception("a request failed")
                await context.abort(
                    grpc.StatusCode.INTERNAL, "internal error; the server's log has the details"
                )
            raise AssertionError("abort raises")

        return handle

    def _require_token(self, context: Context) -> None:
        given = [value for name, value in context.invocation_metadata() or () if name == "authorization"]
        self._guard.require(given[0].encode() if len(given) == 1 else None)

    async def _abort(self, error: RequestError, context: Context) -> None:
        code = _CODES.get(error.status)
        metadata: tuple[tuple[str, str], ...] = ()
        if error.status == 503:
            metadata = ((RETRY, str(round(retry_seconds(error) * 1e3))),)
            is_busy = self._front.engine.state == "ready"
            code = grpc.StatusCode.RESOURCE_EXHAUSTED if is_busy else grpc.StatusCode.UNAVAILABLE
        await context.abort(code or grpc.StatusCode.UNKNOWN, shown(error), metadata)

    async def _live(self, *_: Any) -> bytes:
        return build("ServerLiveResponse", {"live": True})

    async def _ready(self, *_: Any) -> bytes:
        return build("ServerReadyResponse", {"ready": self._front.engine.state == "ready"})

    async def _model_ready(self, request: Any, *_: Any) -> bytes:
        self._front.require_model(request.name, request.version)
        return build("ModelReadyResponse", {"ready": self._front.engine.state == "ready"})

    async def _server(self, *_: Any) -> bytes:
        return build("ServerMetadataResponse", server_metadata())

    async def _model(self, request: Any, *_: Any) -> bytes:
        info = self._front.require_model(request.name, request.version)
        return build("ModelMetadataResponse", msgspec.to_builtins(info.metadata()))

    async def _config(self, request: Any, *_: Any) -> bytes:
        info = self._front.require_model(request.name, request.version)
        config = model_config(info, self._front.gauges())
        return build("ModelConfigResponse", {"config": config})

    async def _statistics(self, request: Any, *_: Any) -> bytes:
        info = self._front.require_model(request.name or self._front.info.name, request.version)
        counted = model_statistics(info, self._front.statistics, executions=self._front.engine.executions)
        return build("ModelStatisticsResponse", {"model_stats": [counted]})

    async def _index(self, *_: Any) -> bytes:
        return build(
            "RepositoryIndexResponse", {"models": repository_index(self._front.info, self._front.engine)}
        )

    async def _infer(self, request: Any, context: Context, size: int) -> bytes:
        info = self._front.require_model(request.model_name, request.model_version)
        with self._front.call() as call:
            call.hold(size)
            asked = read_message(request, info, self._front.limits)
            scores, wanted = await call.score(asked, context.time_remaining())
            is_typed = any(tensor.HasField("contents") for tensor in request.inputs)
            return answer_message(wanted, scores.values, info, raw=not is_typed)


async def _message(context: Context) -> bytes:
    try:
        async with asyncio.timeout(BODY_SECONDS):
            data: bytes = await context.read()
    except TimeoutError as error:
        text = f"the request's message did not come within {BODY_SECONDS:g} seconds"
        raise RequestError(text, status=408) from error
    if data is grpc.aio.EOF:
        raise RequestError("the request has no message")
    return data
