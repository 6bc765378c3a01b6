"""Raw log rows in columns, before encoding: what every format's reader yields."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MISSING_KEY = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
"""Key of an absent categorical value; no format maps a real value to it."""


@dataclass(frozen=True, slots=True)
class RawBlock:
    """Consecutive accepted rows of a raw log.

    Attributes:
        dense: (B, N) float64, NaN where absent; not yet transformed.
        keys: (F, B) uint64, ``MISSING_KEY`` where absent; column-major, since ids are looked up by column.
        labels: (B,) float32, or None for an unlabelled log.
    """

    dense: NDArray[np.float64]
    keys: NDArray[np.uint64]
    labels: NDArray[np.float32] | None

    def __len__(self) -> int:
        return int(self.dense.shape[0])


@dataclass(frozen=True, slots=True)
class EncodedBlock:
    """Rows encoded as models take them.

    Attributes:
        dense: (B, N) float32.
        ids: (B, F) int32.
        labels: (B,) float32, or None.
    """

    dense: NDArray[np.float32]
    ids: NDArray[np.int32]
    labels: NDArray[np.float32] | None
