"""The fewest bits for each table that keep a promise; knows no files, only a function that judges."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from hotrow.kernels.row_formats import RowFormat
from hotrow.shrink.moves import Move, TableSizes, order_moves

Formats = Mapping[str, RowFormat]
"""The format of every table."""

Judge = Callable[[Formats], float]
"""Returns the loss of storing the tables so, 0 for as they are now."""

MAX_TABLES = 32
"""Tables that are judged alone; with more, the smaller ones are not moved."""

LEAST_SHARE = 1e-3
"""A table that holds less than this share of what can be saved is not moved beyond its first format."""

EXTRA_TRIES = 8
"""Single moves that are tried after the longest sequence that keeps the promise."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What was chosen.

    Attributes:
        formats: the format of every table.
        loss: as judged, at most the limit; 0 if all tables stay as they are.
        judged: how many choices of formats were judged, those by the estimate included.
    """

    formats: Formats
    loss: float
    judged: int


def choose(
    tables: Sequence[TableSizes], judge: Judge, max_loss: float, *, estimate: Judge | None = None
) -> Choice:
    """Choose formats whose loss together is at most ``max_loss``, as few bytes as a bounded search finds.

    The start is the smallest format that all tables may have at once; tables too small to matter go
    back to the first they may have, mostly int8, where they cost few bytes and little quality. From
    there each larger table is judged alone in each smaller format. Losses for each byte saved give
    an order of moves; the longest sequence of moves that keeps the promise is found by bisection, and
    a few later moves are tried on top. What is returned was judged as a whole: that losses add up is
    never relied on.

    Args:
        tables: the tables and their sizes.
        judge: the loss of a choice.
        max_loss: what the loss may be.
        estimate: a cheaper judge for the tables one by one; ``judge`` without.
    """
    whole = _Cached(judge)
    part = whole if estimate is None else _Cached(estimate)
    formats = _search(tables, whole, part, max_loss)
    unchanged = all(formats[table.name] == table.formats[0] for table in tables)
    loss = 0.0 if unchanged else whole(formats)
    judged = len(whole.known) + (len(part.known) if part is not whole else 0)
    return Choice(formats=formats, loss=loss, judged=judged)


class _Cached:
    """Judges each choice once."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self.known: dict[frozenset[tuple[str, RowFormat]], float] = {}

    def __call__(self, formats: Formats) -> float:
        key = frozenset(formats.items())
        if key not in self.known:
            self.known[key] = self._judge(formats)
        return self.known[key]


def _search(tables: Sequence[TableSizes], whole: Judge, part: Judge, max_loss: float) -> Formats:
    def holds(formats: Formats) -> bool:
        return whole(formats) <= max_loss

    deepest = max((len(table.formats) for table in tables), default=1) - 1
    levels = [_level(tables, depth) for depth in range(deepest, 0, -1)]
    start = next(filter(holds, levels), _level(tables, 0))
    if start == _level(tables, deepest):
        return start
    large = _large(tables)
    spared = {**_level(tables, 1), **{table.name: start[table.name] for table in large}}
    if holds(spared):
        start = spared
    worthy = [table for table in large if start[table.name] != table.formats[-1]][:MAX_TABLES]
    moves = order_moves(worthy, start, _alone(worthy, start, part)) if worthy else []
    count = _longest(start, moves, holds)
    return _with_single_moves(start, moves, count, holds)


def _level(tables: Sequence[TableSizes], depth: int) -> Formats:
    return {table.name: table.formats[min(depth, len(table.formats) - 1)] for table in tables}


def _alone(tables: Sequence[TableSizes], start: Formats, judge: Judge) -> dict[tuple[str, RowFormat], float]:
    """Return the loss of each table moved alone, beyond that of ``start``."""
    before = judge(start)
    return {
        (table.name, to): judge({**start, table.name: to}) - before
        for table in tables
        for to in table.formats[table.formats.index(start[table.name]) + 1 :]
    }


def _longest(start: Formats, moves: Sequence[Move], holds: Callable[[Formats], bool]) -> int:
    """Return how many moves from the front keep the promise, by bisection; 0 moves do."""
    low, high = 0, len(moves) + 1
    while high - low > 1:
        middle = (low + high) // 2
        if holds(_moved(start, moves[:middle])):
            low = middle
        else:
            high = middle
    return low


def _with_single_moves(
    start: Formats, moves: Sequence[Move], count: int, holds: Callable[[Formats], bool]
) -> Formats:
    """Try moves beyond the first ``count``, the one that broke the promise left out."""
    formats = _moved(start, moves[:count])
    given_up = {move.table for move in moves[count : count + 1]}
    tries = 0
    for move in moves[count + 1 :]:
        if tries == EXTRA_TRIES:
            break
        if move.table in given_up:
            continue
        tries += 1
        changed = {**formats, move.table: move.to}
        if holds(changed):
            formats = changed
        else:
            given_up.add(move.table)
    return formats


def _large(tables: Sequence[TableSizes]) -> list[TableSizes]:
    """Return the tables whose size matters, the one with most to save first."""
    savings = {table.name: table.bytes[table.formats[0]] - table.bytes[table.formats[-1]] for table in tables}
    least = LEAST_SHARE * sum(savings.values())
    return sorted((t for t in tables if savings[t.name] > least), key=lambda t: -savings[t.name])


def _moved(start: Formats, moves: Sequence[Move]) -> dict[str, RowFormat]:
    return {**start, **{move.table: move.to for move in moves}}
