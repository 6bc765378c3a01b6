"""The inputs that models were published with: how many features, and how large their tables."""

from __future__ import annotations

from typing import Final

from hotrow.types import Inputs

KAGGLE_ROWS: Final = (
    *(1460, 583, 10131227, 2202608, 305, 24, 12517, 633, 3, 93145, 5683, 8351593, 3194),
    *(27, 14992, 5461306, 10, 5652, 2173, 4, 7046547, 18, 15, 286181, 105, 142572),
)
"""Tables of facebookresearch/dlrm for the Criteo Kaggle data set."""


def criteo_kaggle() -> Inputs:
    """Return the inputs of the Criteo Kaggle data set: 13 dense features, 26 tables, 33.8M rows."""
    names = tuple(f"C{number}" for number in range(1, len(KAGGLE_ROWS) + 1))
    return Inputs(num_dense=13, names=names, rows=KAGGLE_ROWS)
