"""How long a sub-batch takes, learnt while serving: overhead + rows * time per row."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LinearTime:
    """A sub-batch of n rows takes ``overhead_ms + row_ms * n``; both at least 0."""

    overhead_ms: float
    row_ms: float

    def ms(self, rows: float) -> float:
        """Return the milliseconds that so many rows take."""
        return self.overhead_ms + self.row_ms * rows


class ServiceTimeEstimator:
    """Fits the two coefficients to a stream of measured sub-batches.

    Weighted least squares with weights that fall by ``1 - decay`` with each sub-batch, so that the fit
    follows a change within about ``1 / decay`` of them. A measurement far from the line (a page fault, a
    neighbour's burst) is first pulled to ``REACH`` times the usual distance, Huber's way; if many in a row
    are far, the usual distance grows and the line follows. Coefficients below 0 are put to 0 and
    the other one is fitted alone.

    Where all sub-batches have nearly the same number of rows only their mean time can be learnt: the slope is
    pulled a little towards the one that keeps the overhead's share, and this is then all there is.

    Args:
        first: a fit from warm-up to begin with; the whole of it fades as measurements come.
        decay: weight of the newest measurement, above 0 and below 1.
    """

    REACH = 3.0
    _PULL = 0.01
    """Weight of the slope that keeps the overhead's share, as a squared variation coefficient of rows."""

    _FIRST_COUNTS = 8
    """Measurements that the first fit counts as."""

    def __init__(self, first: LinearTime, decay: float = 0.02) -> None:
        if not 0 < decay < 1:
            raise ValueError(f"decay: got {decay}, expected a number above 0 and below 1")
        self.fitted = first
        self.count = 0
        """Measurements so far."""
        self._decay = decay
        self._distance_ms = 0.0
        self._rows = self._ms = self._rows_rows = self._rows_ms = 0.0

    def observe(self, rows: int, ms: float) -> None:
        """Learn from one sub-batch: its rows, at least 1, and its time on a worker, at least 0."""
        expected = self.fitted.ms(rows)
        if self.count == 0:
            self._begin(rows)
        reach = self.REACH * self._distance_ms
        kept = min(max(ms, expected - reach), expected + reach)
        self.count += 1
        weight = max(self._decay, 1 / (self.count + self._FIRST_COUNTS))
        self._distance_ms += weight * (max(abs(kept - expected), 0.01 * expected) - self._distance_ms)
        self._rows += weight * (rows - self._rows)
        self._ms += weight * (kept - self._ms)
        self._rows_rows += weight * (rows * rows - self._rows_rows)
        self._rows_ms += weight * (rows * kept - self._rows_ms)
        self.fitted = self._fit()

    def _begin(self, rows: int) -> None:
        """Let the first fit count as measurements of such sub-batches."""
        self._rows, self._ms = float(rows), self.fitted.ms(rows)
        self._rows_rows, self._rows_ms = self._rows**2, self._rows * self._ms
        self._distance_ms = 0.25 * self._ms

    def _fit(self) -> LinearTime:
        kept = self.fitted.row_ms * self._ms / max(self.fitted.ms(self._rows), 1e-12)
        pull = self._PULL * self._rows**2
        variance = max(self._rows_rows - self._rows**2, 0.0)
        slope = (self._rows_ms - self._rows * self._ms + pull * kept) / (variance + pull)
        slope = min(max(slope, 0.0), self._ms / self._rows)
        return LinearTime(max(self._ms - slope * self._rows, 0.0), slope)
