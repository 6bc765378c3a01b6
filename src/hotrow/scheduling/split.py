"""Cutting a query into sub-batches.

The sub-batches of a query are as equal as possible: 26 rows with a batch size of 25 become 13 + 13, not
25 + 1. Their number, and with it the overhead of handing them out, is the same either way; what differs
is the longest of them, which decides when the query is complete if there are workers for all. What full
sub-batches would have in their favour, one shape for a compiled network, is lost already at the last one.
"""

from __future__ import annotations


def count_pieces(rows: int, batch_size: int) -> int:
    """Return ceil(rows / batch_size), the number of sub-batches."""
    return -(-rows // batch_size)


def piece_sizes(rows: int, batch_size: int) -> list[int]:
    """Return the rows of each sub-batch: all at most ``batch_size``, the larger ones (by one row) first.

    Args:
        rows: of the query, at least 0; an empty query has no sub-batch.
        batch_size: at least 1.

    Raises:
        ValueError: one of them is less.
    """
    if rows < 0 or batch_size < 1:
        raise ValueError(f"got {rows} rows and batch size {batch_size}, expected at least 0 and 1")
    count = count_pieces(rows, batch_size)
    if count == 0:
        return []
    size, larger = divmod(rows, count)
    return [size + 1] * larger + [size] * (count - larger)


def split(rows: int, batch_size: int) -> list[slice]:
    """Return the rows of each sub-batch as slices, in the query's order; see ``piece_sizes``."""
    start, pieces = 0, []
    for size in piece_sizes(rows, batch_size):
        pieces.append(slice(start, start + size))
        start += size
    return pieces
