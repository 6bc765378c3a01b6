"""Which table to store in fewer bits first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hotrow.kernels.row_formats import RowFormat


@dataclass(frozen=True, kw_only=True)
class TableSizes:
    """The formats a table may have.

    Attributes:
        name: the table.
        bytes: size of the whole table in each format, the first the one it has now, each smaller
            than the one before.
    """

    name: str
    bytes: Mapping[RowFormat, int]

    @property
    def formats(self) -> tuple[RowFormat, ...]:
        """The formats, from the one it has now to the smallest."""
        return tuple(self.bytes)


@dataclass(frozen=True, kw_only=True)
class Move:
    """A table put into a smaller format.

    Attributes:
        table: its name.
        to: the format it gets.
        price: loss for each byte saved, from the format before it.
        saved: bytes saved, from the format before it.
    """

    table: str
    to: RowFormat
    price: float
    saved: int


def order_moves(
    tables: Sequence[TableSizes],
    start: Mapping[str, RowFormat],
    losses: Mapping[tuple[str, RowFormat], float],
) -> list[Move]:
    """Return the moves of all tables, cheapest first; those of one table stay in order.

    A step that costs more for each byte than the two around it together is not offered alone, so
    that the prices of one table rise: taking moves from the front is then the usual greedy answer
    to the knapsack with several choices for each item.

    Args:
        tables: the tables to move.
        start: the format that each has before.
        losses: by table and format, the loss when that table alone is moved there. One below
            zero is luck, and counts as zero.
    """
    moves = [move for table in tables for move in _of_table(table, start[table.name], losses)]
    return sorted(moves, key=lambda move: (move.price, -move.saved))


def _of_table(
    table: TableSizes, start: RowFormat, losses: Mapping[tuple[str, RowFormat], float]
) -> list[Move]:
    corners: list[tuple[RowFormat, float]] = [(start, 0.0)]
    moves: list[Move] = []
    for to in table.formats[table.formats.index(start) + 1 :]:
        loss = max(losses[table.name, to], 0.0)
        move = _move(table, corners[-1], (to, loss))
        while moves and move.price <= moves[-1].price:
            moves.pop()
            corners.pop()
            move = _move(table, corners[-1], (to, loss))
        moves.append(move)
        corners.append((to, loss))
    return moves


def _move(table: TableSizes, before: tuple[RowFormat, float], after: tuple[RowFormat, float]) -> Move:
    saved = table.bytes[before[0]] - table.bytes[after[0]]
    price = max(after[1] - before[1], 0.0) / saved
    return Move(table=table.name, to=after[0], price=price, saved=saved)
