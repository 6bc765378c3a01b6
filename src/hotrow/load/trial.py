"""Trials of a search for the best knobs, measured by load in this process."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from hotrow.load.generator import LoadPlan, LoadRun, Send
from hotrow.load.query import QuerySource, Status
from hotrow.load.result import LoadResult
from hotrow.load.schedule import schedule_queries
from hotrow.load.sizes import Sizes
from hotrow.scheduling.trial import Outcome, Trial

_LOOK_EVERY_S = 0.02
_START_DELAY_S = 0.02


_QUERIES = 1 << 24
"""More than a trial has: so many numbers each trial has for itself."""


@dataclass(frozen=True)
class OfTrial:
    """The queries of one trial, which no other has.

    Attributes:
        source: of all queries.
        trial: its number.
    """

    source: QuerySource[Any]
    trial: int

    def content(self, number: int, rows: int) -> Any:
        """Return the content of the trial's query ``number``."""
        return self.source.content(self.trial * _QUERIES + number, rows)


@dataclass(frozen=True, kw_only=True)
class TrialLoad:
    """What all trials of a search have in common.

    Attributes:
        send: sends one query to the engine.
        queries: makes the contents.
        sizes: candidates of a query.
        sla_ms: target of the latencies.
        most_open: queries of a burst that are under way at a time.
    """

    send: Send
    queries: QuerySource[object]
    sizes: Sizes
    sla_ms: float
    most_open: int = 32


async def measure_trial(load: TrialLoad, trial: Trial, *, seed: int) -> tuple[Outcome, LoadResult]:
    """Make the load of a trial, whose knobs are set already.

    Queries that count are those after the warm-up. With ``trial.stop_at_violations`` of them late, the rest
    is not sent, and what is under way is dropped.

    Args:
        load: what is loaded, and with what.
        trial: rate, number of queries, when to stop.
        seed: of arrivals, sizes and contents; another for every trial.

    Returns:
        The outcome, and the record, by whose ``lag_s`` one may judge whether the generator kept up.
    """
    schedule = schedule_queries(
        trial.rate_qps, trial.queries, warm_up=trial.warm_up, sizes=load.sizes, seed=seed
    )
    sla_s = load.sla_ms / 1e3
    # Unanswered queries are bounded by the SLA: once it has passed, so many are late that the trial stops.
    plan = LoadPlan(
        schedule=schedule, queries=load.queries, max_outstanding=len(schedule), grace_seconds=sla_s
    )
    run = LoadRun(load.send, plan)
    run.make_ahead()
    start = time.monotonic() + _START_DELAY_S
    watch = asyncio.create_task(_stop_at(run, trial, sla_s))
    try:
        result = await run.finish(start)
    finally:
        watch.cancel()
    return _outcome(result, trial, time.monotonic() - start), result


def trial_lag_ms(outcome: Outcome, result: LoadResult, trial: Trial, *, sla_ms: float) -> float:
    """Return how late the generator was with queries that count, 99th percentile; 0 of a stopped trial."""
    if outcome.count_violations(sla_ms) >= trial.stop_at_violations:
        return 0.0
    return float(np.quantile(result.lag_s[trial.warm_up :], 0.99, method="inverted_cdf")) * 1e3


async def _stop_at(run: LoadRun, trial: Trial, sla_s: float) -> None:
    """Abandon a run when its verdict is certain."""
    while run.count_late(sla_s, trial.warm_up) < trial.stop_at_violations:
        await asyncio.sleep(_LOOK_EVERY_S)
    run.abandon()


def _outcome(result: LoadResult, trial: Trial, seconds: float) -> Outcome:
    sent = slice(trial.warm_up, int(np.count_nonzero(~np.isnan(result.sent_s))))
    is_ok = result.status[sent] == Status.OK
    return Outcome(
        latencies_ms=np.where(is_ok, result.latency_s[sent] * 1e3, np.inf),
        rows=int(result.rows[sent].sum()),
        seconds=seconds,
    )
