from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from hotrow.data._pipeline import ordered_map


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_come_in_order(threads: int) -> None:
    assert list(ordered_map(lambda item: item * item, range(100), threads=threads)) == [
        n * n for n in range(100)
    ]


def test_nothing_in_nothing_out() -> None:
    assert list(ordered_map(str, [], threads=2)) == []


def test_few_items_are_in_flight() -> None:
    drawn: list[int] = []

    def items() -> Iterator[int]:
        for number in range(100):
            drawn.append(number)
            yield number

    for result in ordered_map(lambda item: item, items(), threads=2):
        assert len(drawn) - result <= 5


def test_calls_overlap() -> None:
    barrier = threading.Barrier(2, timeout=60)
    assert len(list(ordered_map(lambda _: barrier.wait(), range(8), threads=2))) == 8


def test_an_error_of_the_function_is_raised_in_its_place() -> None:
    def fail(item: int) -> int:
        if item == 3:
            raise KeyError("third")
        return item

    results = ordered_map(fail, range(10), threads=2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(KeyError, match="third"):
        next(results)


def test_an_error_of_the_source_is_raised() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        list(ordered_map(str, items(), threads=2))
