"""Running a function over a stream in several threads, in order and with few items in flight."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ordered_map(
    function: Callable[[Item], Result], items: Iterable[Item], *, threads: int
) -> Iterator[Result]:
    """Yield ``function(item)`` for each item, in order.

    One more thread draws the next item ahead of time. At most ``threads + 2`` items are held, so
    memory is bounded however long the stream is.

    Args:
        function: must be safe to call from several threads.
        items: drawn by one thread, never concurrently.
        threads: how many calls run at once.
    """
    source = iter(items)
    with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(threads) as workers:
        pending: deque[Future[Result]] = deque()
        upcoming = reader.submit(_draw, source)
        while (drawn := upcoming.result()) is not None:
            upcoming = reader.submit(_draw, source)
            pending.append(workers.submit(function, drawn[0]))
            del drawn  # held by its worker only, and gone when that is done
            if len(pending) > threads:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


def _draw(source: Iterator[Item]) -> tuple[Item] | None:
    """Return the next item in a tuple, or None at the end."""
    for item in source:
        return (item,)
    return None
