"""Queries that wait for workers, in order of arrival, cut into sub-batches."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from hotrow.scheduling.split import split


@dataclass(slots=True, eq=False)
class Waiting:
    """A query and what is left to do of it.

    Attributes:
        rows: how many it has; of a request whose body was not decoded yet, an estimate.
        decoded: whether its rows are there.
        parts: (start, stop) of the sub-batches that were not begun, the next one first.
        running: pieces of work that were begun and have not ended.
        dropped: nothing more of it shall be begun.
        attempts: how often a worker died over it.
    """

    rows: int
    decoded: bool
    parts: deque[tuple[int, int]] = field(default_factory=deque)
    running: int = 0
    dropped: bool = False
    attempts: int = 0

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do."""
        return not self.parts and not self.running


class WaitingLine:
    """First come, first served.

    Attributes:
        rows: that wait.
        parts: sub-batches that wait.
    """

    def __init__(self) -> None:
        self._queries: deque[Waiting] = deque()
        self.rows = 0
        self.parts = 0

    def __len__(self) -> int:
        return len(self._queries)

    def add(self, query: Waiting, *, first: bool = False) -> None:
        """Let a query with parts wait, behind the others or, if it was begun already, before them."""
        if first:
            self._queries.appendleft(query)
        else:
            self._queries.append(query)
        self._count(query, 1)

    def take(self) -> tuple[Waiting, tuple[int, int]] | None:
        """Return the next piece of work, which is then running; None: nothing waits."""
        if not self._queries:
            return None
        query = self._queries[0]
        start, stop = query.parts.popleft()
        self.rows -= stop - start
        self.parts -= 1
        if not query.parts:
            self._queries.popleft()
        query.running += 1
        return query, (start, stop)

    def put_back(self, query: Waiting, part: tuple[int, int]) -> None:
        """Let a part wait again whose worker died; of a dropped query it is forgotten."""
        query.running -= 1
        if query.dropped:
            return
        if query.parts:
            query.parts.appendleft(part)
            self.rows += part[1] - part[0]
            self.parts += 1
        else:
            query.parts.append(part)
            self.add(query, first=True)

    def drop(self, query: Waiting) -> None:
        """Begin nothing more of a query."""
        query.dropped = True
        if query.parts:
            self._queries.remove(query)
            self._count(query, -1)
            query.parts.clear()

    def _count(self, query: Waiting, sign: int) -> None:
        self.rows += sign * sum(stop - start for start, stop in query.parts)
        self.parts += sign * len(query.parts)


def cut(rows: int, batch_size: int) -> deque[tuple[int, int]]:
    """Return the sub-batches of a query as ``hotrow.scheduling.split`` cuts it; one if it is empty."""
    parts = ((part.start, part.stop) for part in split(rows, batch_size))
    return deque(parts) if rows else deque([(0, 0)])
