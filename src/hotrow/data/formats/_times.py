"""Times as numbers: microseconds since 1970, and unsigned numbers that sort as they do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

EXPECTED_TIME = {"number": "a finite number", "datetime": "a date or a time as ISO 8601 has it"}

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SIGN = np.uint64(1 << 63)


def read_datetimes(texts: Sequence[object]) -> NDArray[np.float64]:
    """Read dates and times of ISO 8601, e.g. ``2014-10-21 23:00:00``; without a zone they are UTC.

    Returns:
        (B,) microseconds since 1970, exact from 1684 to 2255; NaN where it is none.
    """
    found: dict[object, float] = {text: _microseconds(text) for text in set(texts) if isinstance(text, str)}
    return np.array([found.get(text, math.nan) for text in texts], dtype=np.float64)


def time_order(times: NDArray[np.float64]) -> NDArray[np.uint64]:
    """Return numbers that sort as the times do; equal ones for equal times."""
    bits = (times + 0.0).view(np.uint64)  # -0 becomes 0
    return np.where(bits & _SIGN, ~bits, bits | _SIGN)


def _microseconds(text: str) -> float:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return math.nan
    return float(((time if time.tzinfo else time.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND)
