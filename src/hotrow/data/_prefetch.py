"""Run an iterator ahead of its consumer in one background thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from threading import Condition, Thread
from types import TracebackType
from typing import Generic, Self, TypeVar

Item = TypeVar("Item")


class Prefetch(Generic[Item], Iterator[Item]):
    """Iterate over ``items``, produced by a thread that is at most ``depth`` items ahead.

    An exception of the producer is raised in the consumer, after the items that came before it.
    Use it as a context manager: leaving the block, however that comes about, ends the thread.

    Args:
        items: what is iterated over, in the thread only.
        depth: how many finished items may wait; at least 1.
    """

    def __init__(self, items: Iterable[Item], *, depth: int) -> None:
        self._items = items
        self._depth = depth
        self._ready: deque[Item] = deque()
        self._changed = Condition()
        self._finished = False
        self._stopped = False
        self._error: BaseException | None = None
        # A daemon, so that a consumer that never closes cannot keep the process from ending.
        self._thread = Thread(target=self._produce, name="hotrow-prefetch", daemon=True)
        self._thread.start()

    def __next__(self) -> Item:
        with self._changed:
            self._changed.wait_for(lambda: self._ready or self._finished)
            if self._ready:
                item = self._ready.popleft()
                self._changed.notify_all()
                return item
            if self._error is not None:
                error, self._error = self._error, None
                raise error
            raise StopIteration

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the thread and drop what waits; the iterator is then exhausted."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._thread.join()
        with self._changed:
            self._ready.clear()
            self._error = None

    def _produce(self) -> None:
        try:
            for item in self._items:
                if not self._hand_over(item):
                    return
        except BaseException as error:  # noqa: BLE001 - raised again in the consumer's thread
            self._error = error
        finally:
            with self._changed:
                self._finished = True
                self._changed.notify_all()

    def _hand_over(self, item: Item) -> bool:
        """Wait for room, then add ``item``; return false when the consumer has gone."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._ready) < self._depth or self._stopped)
            if self._stopped:
                return False
            self._ready.append(item)
            self._changed.notify_all()
            return True
