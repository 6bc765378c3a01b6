"""The figures of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hotrow.load.percentiles import percentile
from hotrow.load.query import Status
from hotrow.load.result import LoadResult
from hotrow.load.validity import allowed_lag_s, require_valid
from hotrow.metrics import Quantile

LEVEL = 0.95
"""Confidence of the intervals of percentiles."""

_PERCENTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True, kw_only=True)
class LagReport:
    """How late the generator was itself, milliseconds.

    Attributes:
        p50_ms, p99_ms, max_ms: from scheduled arrivals to sending.
        allowed_p99_ms: more than this, and there would be no report.
    """

    p50_ms: float
    p99_ms: float
    max_ms: float
    allowed_p99_ms: float


@dataclass(frozen=True, kw_only=True)
class LoadReport:
    """What a load run measured. Queries of the warm-up count nowhere.

    Attributes:
        warmup_sent: queries sent before any counts.
        sent: queries sent that count; the sum of the four that follow.
        ok, shed, expired, failed: answered with scores; refused for lack of room; past their deadline;
            neither, or not answered at all.
        seconds: of sending.
        offered_qps, offered_items_per_second: queries and candidates sent, by these seconds.
        qps, items_per_second: the same of queries that were answered with scores within these seconds.
        p50_ms, p95_ms, p99_ms, max_ms, mean_ms: latency of the ``ok`` queries, from scheduled arrival to
            complete answer; None if there are none.
        intervals_ms: 95% confidence intervals of the percentiles, [low, high] by ``p50``, ...; an end is
            None where there are too few queries for it, see ``percentile``.
        sla_ms: the target, or None.
        within_sla: share of the sent queries that were ``ok`` within it.
        goodput_qps, goodput_items_per_second: ``qps`` and ``items_per_second`` of those alone.
        mean_rows, max_rows: candidates of a query.
        lag: the generator's own.
        cpu_seconds: processor time of the generator, the warm-up included.
        partial: whether the run was stopped before its end.
        first_failure: what was wrong with the first query that failed.
    """

    warmup_sent: int
    sent: int
    ok: int
    shed: int
    expired: int
    failed: int
    seconds: float
    offered_qps: float
    offered_items_per_second: float
    qps: float
    items_per_second: float
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    max_ms: float | None
    mean_ms: float | None
    intervals_ms: Mapping[str, tuple[float | None, float | None]]
    sla_ms: float | None
    within_sla: float | None
    goodput_qps: float | None
    goodput_items_per_second: float | None
    mean_rows: float
    max_rows: int
    lag: LagReport
    cpu_seconds: float
    partial: bool
    first_failure: str


def make_report(
    result: LoadResult, *, sla_ms: float | None = None, max_lag_ms: float | None = None
) -> LoadReport:
    """Return the figures of a run.

    Args:
        result: the whole record.
        sla_ms: target of the latencies.
        max_lag_ms: how late the generator may be with one query in a hundred; None: see ``allowed_lag_s``.

    Raises:
        InvalidLoadError: the run cannot be reported, see ``require_valid``.
    """
    measured = result.measured()
    sla_s = None if sla_ms is None else sla_ms / 1e3
    allowed_s = allowed_lag_s(measured, sla_s=sla_s) if max_lag_ms is None else max_lag_ms / 1e3
    require_valid(measured, allowed_s)
    status, seconds = measured.status, measured.measured_seconds
    counts = {kind: int((status == kind).sum()) for kind in Status}
    is_ok = status == Status.OK
    is_in_time = is_ok & (measured.done_s <= measured.warmup_seconds + seconds)
    is_good = is_ok & (measured.latency_s <= sla_s) if sla_s is not None else None
    qps, items = _rates(is_in_time, measured.rows, seconds)
    good = None if is_good is None else _rates(is_good & is_in_time, measured.rows, seconds)
    return LoadReport(
        warmup_sent=int((result.status != Status.UNSENT).sum()) - len(status),
        sent=len(status),
        ok=counts[Status.OK],
        shed=counts[Status.SHED],
        expired=counts[Status.EXPIRED],
        failed=counts[Status.FAILED],
        seconds=seconds,
        offered_qps=len(status) / seconds,
        offered_items_per_second=int(measured.rows.sum()) / seconds,
        qps=qps,
        items_per_second=items,
        **_latencies(measured.latency_s[is_ok] * 1e3),
        sla_ms=sla_ms,
        within_sla=None if is_good is None else float(is_good.mean()),
        goodput_qps=None if good is None else good[0],
        goodput_items_per_second=None if good is None else good[1],
        mean_rows=float(measured.rows.mean()),
        max_rows=int(measured.rows.max()),
        lag=_lag(measured, allowed_s),
        cpu_seconds=measured.cpu_seconds,
        partial=measured.stopped_s is not None,
        first_failure=measured.first_failure,
    )


def _rates(chosen: NDArray[np.bool_], rows: NDArray[np.int64], seconds: float) -> tuple[float, float]:
    """Return queries and candidates a second."""
    return int(chosen.sum()) / seconds, int(rows[chosen].sum()) / seconds


def _latencies(latency_ms: NDArray[np.float64]) -> dict[str, Any]:
    """Return the figures of latencies in order of arrival."""
    names = [f"{name}_ms" for name in _PERCENTILES]
    if not len(latency_ms):
        return {**dict.fromkeys([*names, "max_ms", "mean_ms"]), "intervals_ms": {}}
    found: dict[str, Quantile] = {
        name: percentile(latency_ms, q, level=LEVEL) for name, q in _PERCENTILES.items()
    }
    figures: dict[str, Any] = {f"{name}_ms": each.value for name, each in found.items()}
    figures["max_ms"], figures["mean_ms"] = float(latency_ms.max()), float(latency_ms.mean())
    figures["intervals_ms"] = {name: (each.low, each.high) for name, each in found.items()}
    return figures


def _lag(measured: LoadResult, allowed_s: float) -> LagReport:
    lag_ms = measured.lag_s * 1e3
    p50, p99 = np.quantile(lag_ms, (0.5, 0.99), method="inverted_cdf").tolist()
    return LagReport(p50_ms=p50, p99_ms=p99, max_ms=float(lag_ms.max()), allowed_p99_ms=allowed_s * 1e3)
