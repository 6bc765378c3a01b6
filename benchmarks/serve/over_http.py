"""The highest rate at which a server holds its target, by the load generator over loopback."""

from __future__ import annotations

from hotrow.load.job import HttpJob
from hotrow.load.trial_process import TrialProcess
from hotrow.scheduling.history import History
from hotrow.scheduling.knobs import Knobs
from hotrow.scheduling.rate_search import Found, SearchConfig, search_rate
from hotrow.scheduling.trial import drive


def highest_rate(job: HttpJob, search: SearchConfig, *, start_qps: float, budget_s: float) -> Found:
    """Return the highest Poisson rate at which a server holds its latency target."""
    with TrialProcess(job, sla_ms=search.sla_ms) as process:
        steps = search_rate(Knobs(1), start_qps, "rate", search, History(budget_s))
        return drive(steps, process.measure)
