"""How a worker is started: it says itself when it is ready."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import pytest

from hotrow.errors import ArtifactError, BackendUnavailableError, HotrowError, InternalError
from hotrow.serving.engine import hiring
from hotrow.serving.engine.hiring import Worker, hire
from hotrow.serving.engine.messages import Outcome, Reply
from hotrow.serving.engine.posts import Post
from hotrow.serving.engine.workers import Greeting

POST = Post(device="other")


class Scripted:
    """Starts workers that do something with their socket, once.

    Args:
        script: what they do.
    """

    def __init__(self, script: Callable[[socket.socket], object]) -> None:
        self._script = script
        self.channels: list[socket.socket] = []

    async def load(self) -> Greeting:
        raise NotImplementedError

    async def start(self, channel: socket.socket, post: Post) -> None:
        self.channels.append(channel.dup())
        self._script(self.channels[-1])
        await asyncio.sleep(0)

    def close(self) -> None:
        """Look whether the other ends are closed, and close these."""
        for channel in self.channels:
            with channel:
                assert channel.fileno() < 0 or channel.recv(1, socket.MSG_DONTWAIT) == b""


def _says(outcome: Outcome, text: bytes = b"") -> Callable[[socket.socket], object]:
    return lambda channel: channel.send(Reply(outcome, 0.0, text=text).pack())


def _fails(_: socket.socket) -> None:
    raise ArtifactError("model.json: altered")


def _hired(script: Callable[[socket.socket], object]) -> Worker:
    """Hire a worker; whatever comes of it, no socket stays open."""

    async def scenario() -> Worker:
        starter = Scripted(script)
        try:
            worker = await hire(starter, POST)
            worker.dismiss()
            return worker
        finally:
            starter.close()

    return asyncio.run(scenario())


def test_a_worker_is_hired_when_it_is_ready() -> None:
    worker = _hired(_says(Outcome.DONE))
    assert (worker.post, worker.process, worker.answered) == (POST, None, False)


@pytest.mark.parametrize(
    ("script", "error", "message"),
    [
        (_says(Outcome.REFUSED, b"no room"), BackendUnavailableError, "device other: no room"),
        (_says(Outcome.FAILED), InternalError, "on other could not begin"),
        (lambda channel: channel.close(), InternalError, "ended before it was ready"),
        (_fails, ArtifactError, "altered"),
    ],
    ids=["refused", "failed", "ended", "not started"],
)
def test_one_that_does_not_get_ready_is_told(
    script: Callable[[socket.socket], object], error: type[HotrowError], message: str
) -> None:
    with pytest.raises(error, match=message):
        _hired(script)


def test_one_that_is_never_ready_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hiring, "_READY_SECONDS", 0.0)
    with pytest.raises(InternalError, match="not ready after 0 seconds"):
        _hired(lambda channel: None)


@pytest.mark.parametrize("passes", [1, 2, 3])
def test_who_waits_may_leave(passes: int) -> None:
    async def scenario() -> None:
        starter = Scripted(lambda channel: None)
        hiring = asyncio.create_task(hire(starter, POST))
        for _ in range(passes):
            await asyncio.sleep(0)
        hiring.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hiring
        starter.close()

    asyncio.run(scenario())
