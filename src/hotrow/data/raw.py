"""Raw log rows in columns, before encoding: what every format's reader yields."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

MISSING_KEY = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
"""Key of an absent categorical value; no format maps a real value to it."""


@dataclass(frozen=True, slots=True)
class RawList:
    """The ids of one list feature, before encoding: of each row a slice of ``keys``.

    Slices may overlap, so that the histories of a user's successive clicks cost the memory of one.

    Attributes:
        keys: (V,) uint64; no missing ones, an absent id is left out.
        starts: (B,) int64, where each row's slice begins.
        lengths: (B,) int64, how long it is; 0 for an empty list.
        weights: (V,) float32, what each id's row is multiplied by, or None.
    """

    keys: NDArray[np.uint64]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    weights: NDArray[np.float32] | None = None

    def take(self, rows: slice | NDArray[Any]) -> RawList:
        """Return some of the rows, which are slices of the same keys."""
        return replace(self, starts=self.starts[rows], lengths=self.lengths[rows])


@dataclass(frozen=True, slots=True)
class RawBlock:
    """Consecutive accepted rows of a raw log.

    Attributes:
        dense: (B, N) float64, NaN where absent; not yet transformed.
        keys: (F, B) uint64, ``MISSING_KEY`` where absent; column-major, since ids are looked up by column.
        labels: (B,) float32, (B, K) with K > 1 labels, or None for an unlabelled log.
        lists: the M list features.
        groups: (B,) int64, equal for rows of one user or query, or None.
    """

    dense: NDArray[np.float64]
    keys: NDArray[np.uint64]
    labels: NDArray[np.float32] | None
    lists: tuple[RawList, ...] = ()
    groups: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return int(self.dense.shape[0])

    def take(self, rows: slice | NDArray[Any]) -> RawBlock:
        """Return some of the rows, by index or mask; those of a slice are views."""
        return RawBlock(
            self.dense[rows],
            self.keys[:, rows],
            None if self.labels is None else self.labels[rows],
            tuple(listed.take(rows) for listed in self.lists),
            None if self.groups is None else self.groups[rows],
        )


@dataclass(frozen=True, slots=True)
class EncodedList:
    """The ids of one list feature, of each row a slice of ``ids``; slices may overlap.

    Attributes:
        ids: (V,) int32.
        starts: (B,) integers, where each row's slice begins.
        lengths: (B,) integers, how long it is.
        weights: (V,) float32, or None.
    """

    ids: NDArray[np.int32]
    starts: NDArray[np.integer[Any]]
    lengths: NDArray[np.integer[Any]]
    weights: NDArray[np.float32] | None = None

    def take(self, rows: slice | NDArray[Any]) -> EncodedList:
        """Return some of the rows, which are slices of the same ids."""
        return replace(self, starts=self.starts[rows], lengths=self.lengths[rows])


@dataclass(frozen=True, slots=True)
class EncodedBlock:
    """Rows encoded as models take them.

    Attributes:
        dense: (B, N) float32.
        ids: (B, F) int32.
        labels: (B,) float32, (B, K) with K > 1 labels, or None.
        lists: the M list features.
        groups: (B,) int64, or None.
    """

    dense: NDArray[np.float32]
    ids: NDArray[np.int32]
    labels: NDArray[np.float32] | None
    lists: tuple[EncodedList, ...] = ()
    groups: NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return int(self.dense.shape[0])

    def label(self, column: int) -> NDArray[np.float32]:
        """Return one of the labels, (B,), as a view; rows without labels have none."""
        assert self.labels is not None
        return self.labels if self.labels.ndim == 1 else self.labels[:, column]

    def take(self, rows: slice) -> EncodedBlock:
        """Return consecutive rows, as views."""
        return EncodedBlock(
            self.dense[rows],
            self.ids[rows],
            None if self.labels is None else self.labels[rows],
            tuple(listed.take(rows) for listed in self.lists),
            None if self.groups is None else self.groups[rows],
        )
