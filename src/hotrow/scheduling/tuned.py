"""The result of tuning, with what it is compared to and how it came about."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hotrow.scheduling.confirm import Confirmed, Ending
from hotrow.scheduling.history import Step, percentiles
from hotrow.scheduling.knobs import Knobs
from hotrow.scheduling.rate_search import Found, SearchConfig


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A setting as it was measured in the last round.

    Attributes:
        name: "tuned", "static_25" or "static_whole".
        knobs: the setting.
        qps: the highest rate that held, queries per second; 0: none did.
        failed_qps: the lowest rate above it that did not hold when it was searched; infinite: none was tried.
        confirmed: whether it held again in the last round, with clumps of late queries counted in full.
        ending: of the last round. "held" without being confirmed: the budget was too short to count
            clumps in full. "unfinished": it was too short for a verdict, and ``qps`` is the search's.
        items_per_second: rows at that rate; None unless it held, like the latencies.
        p50_ms: median latency at that rate.
        p95_ms: 95th percentile.
        p99_ms: 99th percentile.
        queries: that the last round measured at that rate.
    """

    name: str
    knobs: Knobs
    qps: float
    failed_qps: float
    confirmed: bool
    ending: Ending
    items_per_second: float | None = None
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None
    queries: int = 0

    @classmethod
    def of(cls, name: str, found: Found, again: Confirmed | None) -> Contender:
        """Return the contender that a search found and, unless it has no rate, the last round measured."""
        if again is None or again.answer is None:
            rate = 0.0 if again is None else min(found.rate_qps, again.rate_qps)
            ending = "failed" if again is None else again.ending
            return cls(
                name=name,
                knobs=found.knobs,
                qps=rate,
                failed_qps=found.failed_qps,
                confirmed=False,
                ending=ending,
            )
        latencies = again.answer.latencies_ms
        p50, p95, p99 = percentiles(latencies)
        return cls(
            name=name,
            knobs=found.knobs,
            qps=again.rate_qps,
            failed_qps=found.failed_qps,
            confirmed=again.full,
            ending=again.ending,
            items_per_second=again.rate_qps * again.answer.rows / latencies.size,
            p50_ms=p50,
            p95_ms=p95,
            p99_ms=p99,
            queries=latencies.size,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the fields as plain JSON types."""
        return {
            "batch_size": self.knobs.batch_size,
            "offload_threshold": self.knobs.offload_threshold,
            "qps": self.qps,
            "failed_qps": None if math.isinf(self.failed_qps) else self.failed_qps,
            "confirmed": self.confirmed,
            "ending": self.ending,
            "items_per_second": self.items_per_second,
            "p50_ms": self.p50_ms,
            "p95_ms": self.p95_ms,
            "p99_ms": self.p99_ms,
            "queries": self.queries,
        }


@dataclass(frozen=True, kw_only=True)
class Tuned:
    """What tuning found.

    Attributes:
        best: the setting with the highest rate that did not fail in the last round.
        contenders: all settings of the last round.
        sla_ms: the target.
        percentile: that it is for.
        complete: false if the budget ended the searches before they were done.
        history: every measurement.
    """

    best: Contender
    contenders: tuple[Contender, ...]
    sla_ms: float
    percentile: float
    complete: bool
    history: tuple[Step, ...]

    @classmethod
    def choose(
        cls,
        contenders: Sequence[Contender],
        config: SearchConfig,
        history: tuple[Step, ...],
        *,
        complete: bool,
    ) -> Tuned:
        """Choose the best: of those that did not fail, by rate, then the tuned one."""
        return cls(
            best=max(contenders, key=lambda contender: (contender.ending != "failed", contender.qps)),
            contenders=tuple(contenders),
            sla_ms=config.sla_ms,
            percentile=config.percentile,
            complete=complete,
            history=history,
        )

    def gain_over(self, name: str) -> float | None:
        """Return the best rate over that of a contender; None where that has none."""
        other = self._contender(name)
        return self.best.qps / other.qps if other.qps > 0 else None

    def least_gain_over(self, name: str) -> float | None:
        """Return ``gain_over``, where that contender has no rate what it is at least; None: unknown.

        It is unknown too where no rate was found for the best, which then is no better than any.
        """
        other = self._contender(name)
        rate = other.qps or other.failed_qps
        return None if math.isinf(rate) or not self.best.qps else self.best.qps / rate

    def _contender(self, name: str) -> Contender:
        return next(contender for contender in self.contenders if contender.name == name)

    def to_json(self) -> dict[str, Any]:
        """Return the result as plain JSON types; ``gain`` is over the static batch of 25."""
        return {
            **self.best.to_json(),
            "chosen": self.best.name,
            "sla_ms": self.sla_ms,
            "percentile": self.percentile,
            "complete": self.complete,
            "static": {
                contender.name: contender.to_json()
                for contender in self.contenders
                if contender.name.startswith("static")
            },
            "gain": self.gain_over("static_25"),
            "gain_over_whole": self.gain_over("static_whole"),
            "history": [step.to_json() for step in self.history],
        }
