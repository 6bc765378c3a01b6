"""Synthetic rows as the bytes of a Criteo log: label TAB 13 integers TAB 26 ids of 8 hexadecimal digits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hotrow.synth.criteo_tables import IDS, INTEGERS
from hotrow.synth.hashing import scramble_ids
from hotrow.synth.rows import RowChunk

_CELL = 9  # a tab and up to 8 characters
_ZERO = ord("0")


class RowFormatter:
    """Formats rows by table look-ups into cells of fixed width, then drops the padding.

    All texts of an integer column (one per quantile) and all groups of 4 hexadecimal digits are
    made once; a row costs two look-ups per id and one per integer.
    """

    def __init__(self) -> None:
        self._digits = np.frombuffer(b"".join(b"%04x" % value for value in range(1 << 16)), dtype=np.uint32)
        columns = [law.quantiles().astype("S8") for law in INTEGERS.values()]
        self._integers = [np.append(column, np.bytes_(b"")).view(np.uint64) for column in columns]
        cells = len(INTEGERS) + len(IDS)
        self._template = np.frombuffer(b"0" + (b"\t" + bytes(_CELL - 1)) * cells + b"\n", dtype=np.uint8)

    def __call__(self, rows: RowChunk, clicks_B: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """Return the rows as text, one byte per element, lines ending in LF."""
        buffer = np.tile(self._template, (len(rows), 1))
        buffer[:, 0] = _ZERO + clicks_B
        for column, texts in enumerate(self._integers):
            self._field(buffer, column, 0, np.uint64)[...] = texts[rows.levels[column]]
        for feature, law in enumerate(IDS.values()):
            ranks_B = rows.ranks[feature]
            ids_B = scramble_ids(feature, ranks_B)
            present_B = (ranks_B < law.rows).astype(np.uint32)
            column = len(INTEGERS) + feature
            high_B = self._digits[ids_B >> np.uint32(16)] * present_B
            low_B = self._digits[ids_B & np.uint32(0xFFFF)] * present_B
            self._field(buffer, column, 0, np.uint32)[...] = high_B
            self._field(buffer, column, 4, np.uint32)[...] = low_B
        flat = buffer.reshape(-1)
        text: NDArray[np.uint8] = flat[flat != 0]
        return text

    @staticmethod
    def _field(
        buffer: NDArray[np.uint8], column: int, offset: int, kind: type[np.uint32 | np.uint64]
    ) -> NDArray[np.uint32 | np.uint64]:
        """Return a view of one cell (or half of one) of every row."""
        rows, width = buffer.shape
        start = 1 + column * _CELL + 1 + offset
        return np.ndarray((rows,), dtype=kind, buffer=buffer.data, offset=start, strides=(width,))
