"""A worker: takes tasks from its socket, one after the other, until the front process closes it."""

from __future__ import annotations

import logging
import socket
import time
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hotrow.data.raw import EncodedBlock
from hotrow.errors import RequestError, UserError
from hotrow.serving.engine.layout import Layout, Rows, Shape
from hotrow.serving.engine.messages import PACKET_BYTES, Body, Kind, Outcome, Reply, Task
from hotrow.serving.engine.posts import CPU

_LOG = logging.getLogger(__name__)


class ServedModel(Protocol):
    """What a worker runs."""

    @property
    def shape(self) -> Shape:
        """Sizes of a row."""

    def enter(self, device: str) -> None:
        """Go on with the model on another device, warm.

        Raises:
            UserError: it cannot be there.
        """

    def decode(self, body: bytes, kind: Body, header_bytes: int) -> tuple[EncodedBlock, bytes]:
        """Return the rows of a request's body, and what its answer must have, as bytes.

        Raises:
            RequestError: the request cannot be answered as it is.
        """

    def score(self, block: EncodedBlock) -> NDArray[np.float32]:
        """Return the probability of each task, (B, K) float32.

        Raises:
            RequestError: the rows cannot be scored.
        """


def work(channel: socket.socket, memory: NDArray[np.uint8], model: ServedModel, device: str = CPU) -> None:
    """Say that the model is ready, and do tasks until the socket is closed.

    Args:
        channel: a Unix socket of packets; a first reply, ``DONE``, tells that all is warm. After any other
            the worker ends.
        memory: the shared memory.
        model: what is run.
        device: that the model is taken to first.
    """
    begun = _begin(model, device)
    if not _send(channel, begun) or begun.outcome != Outcome.DONE:
        return
    while packet := _receive(channel):
        task = Task.unpack(packet)
        started = time.perf_counter()
        try:
            reply = _do(task, memory, model)
        except RequestError as error:
            reply = Reply(Outcome.REFUSED, 0.0, text=f"{error.status} {error}".encode())
        except Exception:  # noqa: BLE001 - one request's failure is not the worker's
            _LOG.exception("a task failed")
            reply = Reply(Outcome.FAILED, 0.0)
        if not _send(channel, reply._replace(seconds=time.perf_counter() - started)):
            return


def _begin(model: ServedModel, device: str) -> Reply:
    try:
        if device != CPU:
            model.enter(device)
    except UserError as error:
        return Reply(Outcome.REFUSED, 0.0, text=str(error).encode())
    except Exception:  # noqa: BLE001 - whatever it is, somebody waits to be told
        _LOG.exception("the model could not be taken to %s", device)
        return Reply(Outcome.FAILED, 0.0)
    return Reply(Outcome.DONE, 0.0)


def _send(channel: socket.socket, reply: Reply) -> bool:
    """Send a reply; tell whether anybody is there."""
    try:
        channel.send(reply.pack())
    except (BrokenPipeError, ConnectionResetError):
        return False
    return True


def _receive(channel: socket.socket) -> bytes:
    try:
        return channel.recv(PACKET_BYTES)
    except ConnectionResetError:
        return b""


def _do(task: Task, memory: NDArray[np.uint8], model: ServedModel) -> Reply:
    layout = Layout(model.shape, task.rows, task.listed)
    rows = layout.at(memory, task.at)
    if task.kind == Kind.SCORE:
        _score(rows, task.start, task.stop, model)
        return Reply(Outcome.DONE, 0.0)
    body = memory[task.body_at : task.body_at + task.body_bytes].tobytes()
    block, wanted = model.decode(body, task.body, task.header_bytes)
    count, listed = len(block), sum(len(part.ids) for part in block.lists)
    if count > task.rows or listed > task.listed:
        return Reply(Outcome.NO_ROOM, 0.0, count, listed)
    rows.write(block)
    if task.kind == Kind.WHOLE:
        _score(rows, 0, count, model)
    return Reply(Outcome.DONE, 0.0, count, listed, wanted)


def _score(rows: Rows, start: int, stop: int, model: ServedModel) -> None:
    scores_BK = model.score(rows.read(start, stop))
    is_number = np.isfinite(scores_BK)
    if not is_number.all():
        bad = np.flatnonzero(~is_number.all(axis=1))
        raise RequestError(f"rows[{start + bad[0]}]: its score is not a finite number; are its values?")
    rows.scores[start:stop] = scores_BK
