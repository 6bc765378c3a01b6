"""Where runs of equal values begin and end, e.g. the rows of a user, which lie side by side."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def run_starts(values: NDArray[Any]) -> NDArray[np.int64]:
    """Return for each place, (R,), where the run of equal values that it is in begins."""
    places = np.arange(len(values))
    is_first = np.ones(len(values), dtype=np.bool_)
    is_first[1:] = values[1:] != values[:-1]
    return np.maximum.accumulate(np.where(is_first, places, 0))


def places_from_end(values: NDArray[Any]) -> NDArray[np.int64]:
    """Return for each place, (R,), how many more there are in its run."""
    return (np.arange(len(values)) - run_starts(values[::-1]))[::-1]


def run_lengths(values: NDArray[Any]) -> NDArray[np.int64]:
    """Return for each place, (R,), how long its run is."""
    return np.arange(len(values)) - run_starts(values) + places_from_end(values) + 1
