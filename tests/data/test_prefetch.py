from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from hotrow.data._prefetch import Prefetch


def test_items_come_in_order_and_the_thread_ends() -> None:
    with Prefetch(range(100), depth=3) as items:
        assert list(items) == list(range(100))
        assert list(items) == []
    assert _threads() == []


def test_it_is_never_further_ahead_than_its_depth() -> None:
    made: list[int] = []

    def produce() -> Iterator[int]:
        for item in range(50):
            made.append(item)
            yield item

    with Prefetch(produce(), depth=2) as items:
        for item in items:
            assert len(made) <= item + 1 + 2 + 1  # handed over, waiting, and one in hand


def test_an_error_of_the_producer_comes_after_its_items() -> None:
    def produce() -> Iterator[int]:
        yield 1
        raise OSError("gone")

    with Prefetch(produce(), depth=4) as items:
        assert next(items) == 1
        with pytest.raises(OSError, match="gone"):
            next(items)
        assert list(items) == []
    assert _threads() == []


@pytest.mark.parametrize("error", [ValueError("x"), KeyboardInterrupt()], ids=["error", "interrupt"])
def test_leaving_early_ends_a_thread_that_waits(error: BaseException) -> None:
    with pytest.raises(type(error)), Prefetch(iter(int, 1), depth=1) as items:  # noqa: PT012
        next(items)
        raise error
    assert _threads() == []


def test_closing_drops_what_waits() -> None:
    items = Prefetch(range(9), depth=9)
    items.close()
    items.close()
    assert list(items) == []


def _threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "hotrow-prefetch"]
