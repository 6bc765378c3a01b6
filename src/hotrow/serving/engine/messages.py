"""What the front process and a worker say to each other, as packets of a Unix socket.

A worker answers its tasks in the order in which they came.
"""

from __future__ import annotations

import enum
import struct
from typing import NamedTuple

from hotrow.errors import InternalError

PACKET_BYTES = 16_384
"""Most bytes of a packet."""

_TASK = struct.Struct("<BxxxQQIIIIIi")
_REPLY = struct.Struct("<BxxxdIQ")


class Kind(enum.IntEnum):
    """What a worker is asked to do.

    ``SCORE``: rows start to stop of a query whose rows are there. ``DECODE``: write the rows of a request's
    body. ``WHOLE``: both, of all rows.
    """

    SCORE = 0
    DECODE = 1
    WHOLE = 2


class Body(enum.IntEnum):
    """Which call a request's body belongs to."""

    INFER = 0
    RANK = 1


class Task(NamedTuple):
    """One piece of work.

    Attributes:
        kind: what to do.
        at: where the query begins in the shared memory, in bytes.
        body_at: where the request's body begins.
        body_bytes: how long it is.
        rows: rows there is room for.
        listed: listed ids there is room for.
        start: first row to score.
        stop: row after the last one.
        header_bytes: length of a binary request's header; -1: all of the body is JSON.
        body: the call it belongs to.
    """

    kind: Kind
    at: int
    body_at: int
    body_bytes: int
    rows: int
    listed: int
    start: int
    stop: int
    header_bytes: int = -1
    body: Body = Body.INFER

    def pack(self) -> bytes:
        """Return it as a packet."""
        return _TASK.pack(self.kind | self.body << 4, *self[1:9])

    @classmethod
    def unpack(cls, packet: bytes) -> Task:
        """Return the task of a packet."""
        first, *fields = _TASK.unpack(packet)
        return cls._make((Kind(first & 15), *fields, Body(first >> 4)))


class Outcome(enum.IntEnum):
    """How a task ended.

    ``REFUSED``: the request is wrong, the text says why. ``FAILED``: a defect, which the worker's log has.
    ``NO_ROOM``: the decoded rows need more room, ``rows`` and ``listed`` say how much.
    """

    DONE = 0
    REFUSED = 1
    FAILED = 2
    NO_ROOM = 3


class Reply(NamedTuple):
    """What became of a task.

    Attributes:
        outcome: how it ended.
        seconds: that it took.
        rows: rows of the query, once decoded.
        listed: its listed ids.
        text: why it was refused, with its HTTP status in front; or, of a decoded request, what it asks for.
    """

    outcome: Outcome
    seconds: float
    rows: int = 0
    listed: int = 0
    text: bytes = b""

    def pack(self) -> bytes:
        """Return it as a packet; a text that is too long is cut."""
        return _REPLY.pack(*self[:4]) + self.text[: PACKET_BYTES - _REPLY.size]

    @classmethod
    def unpack(cls, packet: bytes) -> Reply:
        """Return the reply of a packet.

        Raises:
            InternalError: it is none.
        """
        if len(packet) < _REPLY.size:
            raise InternalError(f"a worker sent {len(packet)} bytes, which is no reply")
        outcome, *fields = _REPLY.unpack_from(packet)
        return cls._make((Outcome(outcome), *fields, packet[_REPLY.size :]))
