"""Whether a request is let in: the engine's side of ``hotrow.scheduling.admission``."""

from __future__ import annotations

import math
from dataclasses import replace

from hotrow.errors import RequestError
from hotrow.scheduling.admission import AdmissionConfig, Backlog, decide, predict
from hotrow.scheduling.margin import Margin, MarginConfig
from hotrow.scheduling.service_time import LinearTime, ServiceTimeEstimator


class Admission:
    """Refuses what would be late, or what is too much.

    Args:
        first: time of a sub-batch, to begin with.
        max_rows: that may be unfinished.
        sla_ms: the latency promised; None: what has no deadline of its own may wait as long as it takes.
    """

    def __init__(self, first: LinearTime, *, max_rows: int, sla_ms: float | None) -> None:
        target = math.inf if sla_ms is None else sla_ms
        self._config = AdmissionConfig(max_rows=max_rows, target_ms=target)
        self._estimator = ServiceTimeEstimator(first)
        self._margin = Margin(target, MarginConfig(most=self._config.margin))

    @property
    def time(self) -> LinearTime:
        """Time of a sub-batch, as known now."""
        return self._estimator.fitted

    def observe(self, rows: int, seconds: float) -> None:
        """Learn from a sub-batch that was scored."""
        if rows:
            self._estimator.observe(rows, seconds * 1e3)

    def answered(self, seconds: float) -> None:
        """Learn from a request that was answered: how long its client has waited, as far as is known."""
        self._margin.answered(seconds * 1e3)

    def tick(self) -> None:
        """Let predictions fill more or less of the promised latency; to be called every now and then."""
        self._margin.tick()
        if self._margin.share != self._config.margin:
            self._config = replace(self._config, margin=self._margin.share)

    def require(
        self, rows: int, backlog: Backlog, seconds: float | None, *, workers: int, batch_size: int
    ) -> None:
        """Refuse a request that would be late.

        Args:
            rows: of the request.
            backlog: what is before it.
            seconds: after which its answer is of no use; None: the promised latency alone counts.
            workers: that run.
            batch_size: most rows of a sub-batch.

        Raises:
            RequestError: it would be late, or too many rows are unfinished (503); its time is over, or would
                be even if no other request were there (504).
        """
        if seconds is not None and seconds <= 0:
            raise RequestError("the deadline passed before the request was scored", status=504)
        workers = max(workers, 1)
        prediction = predict(rows, backlog, self.time, workers=workers, batch_size=batch_size)
        deadline_ms = math.inf if seconds is None else seconds * 1e3
        if prediction.own_ms > deadline_ms:
            alone = predict(rows, Backlog(0, 0), self.time, workers=workers, batch_size=batch_size)
            if alone.own_ms > deadline_ms:
                raise RequestError(
                    f"its deadline of {deadline_ms:g} ms cannot be held: with nothing before it, this "
                    f"request would take {alone.own_ms:.1f} ms",
                    status=504,
                )
        decision = decide(rows, backlog, prediction, self._config, deadline_ms)
        if not decision.admitted:
            raise RequestError(
                f"{decision.reason}: {backlog.rows} rows are before this request, it would take "
                f"{prediction.total_ms:.1f} ms; try again later",
                status=503,
                retry_after=decision.retry_after_s,
            )
