"""The highest rate at which a server holds its target, by the load generator over loopback."""

from __future__ import annotations

import sys

import numpy as np

from hotrow.load.job import HttpJob
from hotrow.load.sizes import parse_sizes
from hotrow.load.trial_process import TrialProcess
from hotrow.scheduling.capacity import Capacities
from hotrow.scheduling.history import History, Step
from hotrow.scheduling.knobs import Knobs
from hotrow.scheduling.rate_search import Found, SearchConfig, search_rate
from hotrow.scheduling.trial import Steps, drive

_START_SHARE = 0.6
"""Of what it answers in bursts: the first rate that is tried."""


def highest_rate(job: HttpJob, search: SearchConfig, *, budget_s: float) -> Found:
    """Return the highest Poisson rate at which a server holds its latency target."""
    sample = parse_sizes(job.config.sizes).draw(np.random.default_rng(0), 4096)
    with TrialProcess(job, sla_ms=search.sla_ms) as process:
        return drive(_search(search, History(budget_s, tell), float(sample.mean())), process.measure)


def _search(search: SearchConfig, history: History, mean_rows: float) -> Steps[Found]:
    capacity = yield from Capacities(mean_rows, history).of(Knobs(1))
    return (yield from search_rate(Knobs(1), _START_SHARE * capacity, "rate", search, history))


def tell(step: Step) -> None:
    """Tell of a measurement on standard error."""
    sys.stderr.write(
        f"  {step.phase}, batch {step.batch_size}: {step.rate_qps:.1f}/s, "
        f"{step.violations} of {step.queries} late, {step.verdict}\n"
    )
