"""Whether a run may be reported."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hotrow.errors import InvalidLoadError
from hotrow.load.query import Status
from hotrow.load.result import LoadResult

LAG_SHARE = 0.1
LAG_FLOOR_S = 1e-3


def allowed_lag_s(result: LoadResult, *, sla_s: float | None = None) -> float:
    """Return how late the generator may be with one query in a hundred.

    A tenth of the SLA, or without one of the 99th percentile of the latencies, and at least 1 ms: its own
    delay, which latencies contain, is then small against what is measured.

    Args:
        result: the queries that count.
        sla_s: target of the latencies, seconds.
    """
    answered = result.latency_s[result.status == Status.OK]
    scale = sla_s if sla_s is not None else _p99(answered) if len(answered) else 0.0
    return max(LAG_FLOOR_S, LAG_SHARE * scale)


def require_valid(result: LoadResult, allowed_s: float) -> None:
    """Refuse a run whose latencies would be the generator's, or that tells nothing.

    Args:
        result: the queries that count.
        allowed_s: how late the generator may be with one query in a hundred, see ``allowed_lag_s``.

    Raises:
        InvalidLoadError: too many queries were unanswered at a time, none was sent or answered well,
            or the generator lagged.
    """
    if result.invalid:
        raise InvalidLoadError(f"the run is invalid: {result.invalid}")
    if not len(result.rows):
        raise InvalidLoadError("no query was sent after the warm-up; give the run more seconds")
    if result.first_failure and not (result.status == Status.OK).any():
        raise InvalidLoadError(f"no query was answered; the first failed with: {result.first_failure}")
    lag_s = _p99(result.lag_s)
    if lag_s > allowed_s:
        raise InvalidLoadError(
            f"latencies are not reported: the generator itself was late by {lag_s * 1e3:.1f} ms "
            f"(99th percentile), at most {allowed_s * 1e3:.1f} ms are allowed; "
            "give it a free core, more --processes or less --qps"
        )


def _p99(values: NDArray[np.float64]) -> float:
    return float(np.quantile(values, 0.99, method="inverted_cdf"))
