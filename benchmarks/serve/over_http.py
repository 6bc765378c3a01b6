"""Trials of a rate search, made by the load generator against a server over loopback."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from hotrow.load.job import HttpJob
from hotrow.load.processes import run_processes
from hotrow.load.query import Status
from hotrow.scheduling.history import History
from hotrow.scheduling.knobs import Knobs
from hotrow.scheduling.rate_search import Found, SearchConfig, search_rate
from hotrow.scheduling.trial import Outcome, Trial, drive


def measure_with(job: HttpJob) -> Callable[[Trial], Outcome]:
    """Return what makes the trials of a search with a job's queries, each with other rows and arrivals."""
    seed = job.config.seed

    def measure(trial: Trial) -> Outcome:
        nonlocal seed
        seed += 1
        config = replace(
            job.config,
            qps=trial.rate_qps,
            seconds=max(trial.queries / trial.rate_qps, 1.0),
            warmup_seconds=max(trial.warm_up / trial.rate_qps, 0.5),
            seed=seed,
        )
        found = run_processes(replace(job, config=config)).measured()
        latencies = np.where(found.status == Status.OK, found.latency_s * 1e3, math.inf)
        missing = trial.queries - len(latencies)  # arrivals are random, and so is their number
        if missing > 0 and not found.invalid:
            more = measure(replace(trial, queries=missing))
            latencies = np.concatenate((latencies, more.latencies_ms))
        if found.invalid:  # it was stopped with too many queries unanswered
            latencies = np.concatenate((latencies, np.full(max(missing, 0), math.inf)))
        return Outcome(
            latencies_ms=latencies[: trial.queries],
            rows=int(found.rows.sum()),
            seconds=config.seconds + config.warmup_seconds,
        )

    return measure


def highest_rate(job: HttpJob, search: SearchConfig, *, start_qps: float, budget_s: float) -> Found:
    """Return the highest Poisson rate at which a server holds its latency target."""
    history = History(budget_s)
    steps = search_rate(Knobs(1), start_qps, "rate", search, history)
    return drive(steps, measure_with(job))
