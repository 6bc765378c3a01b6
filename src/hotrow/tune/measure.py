"""The trials of the tuner: real load, in this process, on a target."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import numpy as np

from hotrow.errors import InvalidLoadError
from hotrow.load import QuerySource, Status
from hotrow.load.burst import measure_burst
from hotrow.load.sizes import Sizes
from hotrow.load.trial import OfTrial, TrialLoad, measure_trial, trial_lag_ms
from hotrow.scheduling.trial import Outcome, Trial
from hotrow.tune.target import Target


class Trials:
    """Measures trials, each with queries and arrivals of its own.

    Args:
        target: what is measured.
        queries: their contents.
        sizes: of queries.
        sla_ms: the target of the latencies.
        seed: of arrivals and sizes.
        most_open: queries of a burst that are under way at a time.

    Attributes:
        lag_ms: how late the generator was, 99th percentile of the worst trial among those that were not
            stopped; its delay is part of the latencies.
    """

    def __init__(
        self,
        target: Target,
        queries: QuerySource[Any],
        *,
        sizes: Sizes,
        sla_ms: float,
        seed: int,
        most_open: int = 32,
    ) -> None:
        self._target, self._queries = target, queries
        self._sizes, self._sla_ms, self._seed = sizes, sla_ms, seed
        self._most_open = most_open
        self._count = 0
        self.lag_ms = 0.0

    async def measure(self, trial: Trial) -> Outcome:
        """Make the load that a trial asks for; its seconds are all until nothing is under way any more.

        Raises:
            InvalidLoadError: a query failed.
        """
        began = time.monotonic()
        self._target.set(trial.knobs)
        load = TrialLoad(
            send=self._target.send,
            queries=OfTrial(self._queries, self._count),
            sizes=self._sizes,
            sla_ms=self._sla_ms,
            most_open=self._most_open,
        )
        seed = self._seed + self._count
        self._count += 1
        try:
            outcome = await self._measure(load, trial, seed)
        finally:
            await self._target.idle()
        return replace(outcome, seconds=time.monotonic() - began)

    async def _measure(self, load: TrialLoad, trial: Trial, seed: int) -> Outcome:
        if trial.is_burst:
            return await measure_burst(load, trial, seed=seed)
        outcome, result = await measure_trial(load, trial, seed=seed)
        is_failed = (result.status == Status.FAILED) & ~np.isnan(result.done_s)
        if is_failed.any():  # neither late nor shed: no rate would mend it
            raise InvalidLoadError(f"a query failed while tuning: {result.first_failure}")
        self.lag_ms = max(self.lag_ms, trial_lag_ms(outcome, result, trial, sla_ms=self._sla_ms))
        return outcome
