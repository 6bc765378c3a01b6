"""A worker as the front process sees it, from when it is started."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from hotrow.descriptors import require_descriptors
from hotrow.errors import BackendUnavailableError, InternalError
from hotrow.serving.engine.flight import Flight
from hotrow.serving.engine.messages import PACKET_BYTES, Outcome, Reply, Task
from hotrow.serving.engine.posts import Post
from hotrow.serving.engine.workers import Starter, kill

_READY_SECONDS = 60.0
"""In which a worker must be ready; on a device it copies the tables there first, and compiles."""


class Given(NamedTuple):
    """A task that a worker has."""

    task: Task
    part: tuple[int, int]
    flight: Flight


@dataclass(slots=True, eq=False)
class Worker:
    """One worker.

    Attributes:
        channel: its socket.
        post: where it works.
        process: its id; None for a thread.
        given: tasks that it has, the one it works at first.
        since: when it could begin the first of them.
        answered: whether it has done any.
    """

    channel: socket.socket
    post: Post
    process: int | None
    given: deque[Given] = field(default_factory=deque)
    since: float = 0.0
    answered: bool = False

    def dismiss(self) -> None:
        """Close its socket, at which it ends."""
        asyncio.get_running_loop().remove_reader(self.channel)
        self.channel.close()


async def hire(starter: Starter, post: Post) -> Worker:
    """Start a worker and wait until it is ready.

    Raises:
        BackendUnavailableError: it cannot work on its device.
        InternalError: it could not be started, or ended or was not ready for another reason.
        UserError: as the starter's, or too many files are open.
    """
    try:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    except OSError as error:
        require_descriptors(error)
        raise InternalError(f"a worker could not be started: {error}") from error
    with contextlib.ExitStack() as on_failure:
        on_failure.callback(ours.close)
        ours.setblocking(False)
        with theirs:
            process = await starter.start(theirs, post)
        if process is not None:
            on_failure.callback(kill, process)
        _require_ready(await _first_packet(ours), post)
        on_failure.pop_all()
    return Worker(ours, post, process)


async def _first_packet(channel: socket.socket) -> bytes:
    try:
        async with asyncio.timeout(_READY_SECONDS):
            return await asyncio.get_running_loop().sock_recv(channel, PACKET_BYTES)
    except ConnectionResetError:
        return b""
    except TimeoutError as error:
        raise InternalError(f"a worker was not ready after {_READY_SECONDS:g} seconds") from error


def _require_ready(packet: bytes, post: Post) -> None:
    if not packet:
        raise InternalError("a worker ended before it was ready")
    reply = Reply.unpack(packet)
    if reply.outcome == Outcome.REFUSED:
        raise BackendUnavailableError(f"device {post.device}: {reply.text.decode(errors='replace')}")
    if reply.outcome != Outcome.DONE:
        raise InternalError(f"a worker on {post.device} could not begin; the server's log has the details")
