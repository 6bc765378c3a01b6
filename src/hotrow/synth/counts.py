"""How often each id was seen, in 2 bytes per possible id whatever the length of the log."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hotrow.synth.criteo_tables import IDS
from hotrow.synth.rows import CHUNK_ROWS, RowChunk

_CEILING = np.uint16(np.iinfo(np.uint16).max - CHUNK_ROWS)


class IdCounts:
    """Counts per feature and rank (and one for missing) that stop growing at ``_CEILING``."""

    def __init__(self) -> None:
        self._counts = [np.zeros(law.rows + 1, dtype=np.uint16) for law in IDS.values()]

    def add(self, rows: RowChunk) -> None:
        """Count the ids of at most ``CHUNK_ROWS`` rows."""
        for counts, rank_B in zip(self._counts, rows.ranks, strict=True):
            np.add.at(counts, rank_B, np.uint16(1))
            counts[rank_B] = np.minimum(counts[rank_B], _CEILING)

    def rarer_than(self, minimum: int, rows: RowChunk) -> NDArray[np.bool_]:
        """Return (26, B), true where the row's id was counted fewer than ``minimum`` times."""
        pairs = zip(self._counts, rows.ranks, strict=True)
        return np.stack([counts[rank_B] < minimum for counts, rank_B in pairs])
