"""Clients that close their connection before they are answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.requests import Request

from hotrow.errors import RequestError

GONE = 499
"""Status of requests whose client has left, as nginx has it; nobody reads it but the statistics."""


@asynccontextmanager
async def while_connected(request: Request) -> AsyncIterator[None]:
    """Cancel what is done inside when the client of a request, whose body was read, closes its connection.

    Raises:
        RequestError: it has (499).
    """
    task = asyncio.current_task()
    assert task is not None
    left = over = False

    def leave(_: asyncio.Task[None]) -> None:
        nonlocal left
        if over:  # this was to be called already when the block was left
            return
        left = True
        task.cancel()

    watch = asyncio.get_running_loop().create_task(_disconnected(request))
    watch.add_done_callback(leave)
    try:
        yield
    except asyncio.CancelledError:
        if left and not task.uncancel():
            raise RequestError("the client has left", status=GONE) from None
        raise
    finally:
        over = True
        watch.remove_done_callback(leave)
        watch.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
