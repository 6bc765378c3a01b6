"""A histogram of latencies with buckets of equal relative width."""

from __future__ import annotations

from collections.abc import Iterable

_BITS = 5
"""A bucket is at most 1/2**5 of its value wide, as in HdrHistogram (https://hdrhistogram.org)."""


class LatencyHistogram:
    """Counts of latencies by size: below 32 microseconds exact, above within 3.2%.

    Args:
        parts: histograms to begin with the sum of.
    """

    __slots__ = ("_counts", "count")

    def __init__(self, parts: Iterable[LatencyHistogram] = ()) -> None:
        self._counts: dict[int, int] = {}
        self.count = 0
        for part in parts:
            self.count += part.count
            for bucket, count in part._counts.items():
                self._counts[bucket] = self._counts.get(bucket, 0) + count

    def add(self, seconds: float) -> None:
        """Count a latency."""
        bucket = _bucket(int(seconds * 1e6))
        self._counts[bucket] = self._counts.get(bucket, 0) + 1
        self.count += 1

    def quantile(self, share: float) -> float | None:
        """Return the seconds that the given share of latencies is within; None: there are none.

        It is the upper end of a bucket, so never less than the truth.
        """
        wanted = share * self.count
        passed = 0
        for bucket in sorted(self._counts):
            passed += self._counts[bucket]
            if passed >= wanted:
                return _end(bucket) / 1e6
        return None


def _bucket(microseconds: int) -> int:
    shift = max(microseconds.bit_length() - _BITS - 1, 0)
    return (shift << _BITS) + (microseconds >> shift)


def _end(bucket: int) -> int:
    """Return the microseconds at which a bucket ends."""
    shift = max((bucket >> _BITS) - 1, 0)
    return (bucket - (shift << _BITS) + 1) << shift
