from __future__ import annotations

import pytest

from hotrow.kernels.row_formats import RowFormat
from hotrow.shrink.moves import TableSizes, order_moves

SIZES: dict[RowFormat, int] = {"fp32": 64, "int8": 24, "int4": 12, "int2": 8}
TABLE = TableSizes(name="a", bytes=SIZES)
Losses = dict[tuple[str, RowFormat], float]


def test_steps_of_rising_price_are_offered_one_by_one() -> None:
    losses: Losses = {("a", "int4"): 12.0, ("a", "int2"): 24.0}
    first, second = order_moves([TABLE], {"a": "int8"}, losses)
    assert (first.to, first.price, first.saved) == ("int4", 1.0, 12)
    assert (second.to, second.price, second.saved) == ("int2", 3.0, 4)


@pytest.mark.parametrize("last", [15.0, 12.0, 3.0, 16.0])
def test_a_step_dearer_than_the_next_is_taken_with_it(last: float) -> None:
    losses: Losses = {("a", "int4"): 12.0, ("a", "int2"): last}
    (move,) = order_moves([TABLE], {"a": "int8"}, losses)
    assert (move.to, move.saved) == ("int2", 16)
    assert move.price == pytest.approx(last / 16)


def test_luck_counts_as_no_loss() -> None:
    (move,) = order_moves([TABLE], {"a": "int8"}, {("a", "int4"): -5.0, ("a", "int2"): -1.0})
    assert (move.to, move.price) == ("int2", 0.0)


def test_cheap_moves_come_first_and_of_equal_price_the_larger() -> None:
    tables = [
        TableSizes(name=name, bytes={form: times * size for form, size in SIZES.items()})
        for name, times in (("a", 1), ("b", 10), ("c", 2))
    ]
    losses: Losses = {("a", "int2"): 0.0, ("b", "int2"): 160.0, ("c", "int2"): 0.0}
    losses |= {(name, "int4"): losses[name, "int2"] for name in "abc"}
    moves = order_moves(tables, dict.fromkeys("abc", "int8"), losses)
    assert [move.table for move in moves] == ["c", "a", "b"]


def test_a_table_at_its_smallest_has_no_moves() -> None:
    assert order_moves([TABLE], {"a": "int2"}, {}) == []
