"""Where workers work."""

from __future__ import annotations

import os
from typing import NamedTuple

CPU = "cpu"


class Post(NamedTuple):
    """Where a worker works.

    Attributes:
        processor: that it is bound to; -1 for any.
        device: that its model is on.
    """

    processor: int = -1
    device: str = CPU

    def pack(self) -> bytes:
        """Return it as a packet."""
        return f"{self.processor} {self.device}".encode()

    @classmethod
    def unpack(cls, packet: bytes) -> Post:
        """Return the post of a packet."""
        processor, device = packet.decode().split()
        return cls(int(processor), device)


def posts_of(workers: int) -> list[Post]:
    """Return where workers work: on a processor of their own, if they are as many as the processors.

    Fewer are left to the system: other servers on this machine would choose the same processors.
    """
    processors = sorted(os.sched_getaffinity(0))
    if workers != len(processors):
        return [Post()] * workers
    return [Post(processor) for processor in processors]
