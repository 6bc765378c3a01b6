"""Encoded list features to the one ``Jagged`` of a batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from hotrow.data._slices import flat_indices
from hotrow.data.raw import EncodedList
from hotrow.types import Jagged


def to_jagged(runs: Sequence[tuple[EncodedList, ...]]) -> Jagged:
    """Gather the ids of consecutive rows.

    Args:
        runs: at least one run of rows, each with the M list features, M > 0; B rows in all.

    Returns:
        int32 ids of M * B bags, feature-major; float32 weights if any feature has them, with 1 for the
        ids of the others.
    """
    features = list(zip(*runs, strict=True))
    lengths = np.concatenate([part.lengths for parts in features for part in parts])
    offsets = torch.zeros(len(lengths) + 1, dtype=torch.int64)
    np.cumsum(lengths, dtype=np.int64, out=offsets.numpy()[1:])
    ids = torch.empty(int(offsets[-1]), dtype=torch.int32)
    is_weighted = any(part.weights is not None for part in runs[0])
    weights = torch.ones(len(ids), dtype=torch.float32) if is_weighted else None
    done = 0
    for part in (part for parts in features for part in parts):
        index = flat_indices(part.starts, part.lengths)
        here = slice(done, done + len(index))
        # With the default mode="raise", numpy would fill a buffer first; slices were checked when mapped.
        np.take(part.ids, index, out=ids.numpy()[here], mode="clip")
        if weights is not None and part.weights is not None:
            np.take(part.weights, index, out=weights.numpy()[here], mode="clip")
        done += len(index)
    return Jagged(ids, offsets, weights)
