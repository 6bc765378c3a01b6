"""Suite ``serve-promises``: overload, killed workers, reloads, and a long load, over loopback."""

from __future__ import annotations

import math
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.serve.model import Prepared, prepared_model
from benchmarks.serve.over_http import highest_rate
from benchmarks.serve.servers import Server, free_port, hotrow_command, running
from hotrow.load.http.url import parse_url
from hotrow.load.job import HttpJob, PreparedSource
from hotrow.load.processes import run_processes
from hotrow.load.query import Status
from hotrow.load.result import LoadResult
from hotrow.load.schedule import LoadConfig
from hotrow.scheduling.rate_search import SearchConfig

SLA_MS = 30.0
SECONDS = 10.0
SHARES = (0.5, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0)
KILLS = 5
RELOADS = 3
CAPACITY_S = 75.0
SOAK_S = float(os.environ.get("SERVE_SOAK_S", "180"))
_SHARE = 0.6
"""Of the capacity: the load under which workers are killed, artifacts reloaded, and memory is looked at."""

_LOOK_S = 5.0

Figures = dict[str, Any]


def run() -> Figures:
    """Load the server beyond what it holds, kill its workers, reload its artifact, and load it for long."""
    with tempfile.TemporaryDirectory() as name:
        model = prepared_model(Path(name))
        with _served(model) as (_, job):  # nothing is shed, so that what is late is seen
            search = SearchConfig(sla_ms=SLA_MS, percentile=99.0)
            capacity = highest_rate(job, search, budget_s=CAPACITY_S).rate_qps
        with _served(model, "--sla-ms", str(SLA_MS)) as (server, job):
            loads = [_overload(job, capacity, share) for share in SHARES]
            kills = _kill(server, job, _SHARE * capacity)
            reloads = _reload(server, job, _SHARE * capacity)
            soak = _soak(server, job, _SHARE * capacity)
    peak = max(row["goodput_qps"] for row in loads)
    twice = next(row for row in loads if row["share"] == 2.0)
    return {
        "target": f"p99 <= {SLA_MS:.0f} ms",
        "capacity_qps": capacity,
        "goodput at twice the capacity, of its peak": twice["goodput_qps"] / peak,
        "loads": loads,
        "kills": kills,
        "reloads": reloads,
        "soak": soak,
    }


@contextmanager
def _served(model: Prepared, *options: str) -> Iterator[tuple[Server, HttpJob]]:
    """Serve the shrunk model; yield the server and a load of it."""
    port = free_port()
    with running(
        hotrow_command(model.shrunk, port, "--name", "dlrm", *options), port, model.shrunk
    ) as server:
        yield (
            server,
            HttpJob(
                url=parse_url(server.url),
                model="dlrm",
                api="binary",
                config=LoadConfig(qps=1.0, seconds=SECONDS, warmup_seconds=2.0, sizes="mlperf"),
                source=PreparedSource(path=model.dataset, split="test"),
            ),
        )


def _overload(job: HttpJob, capacity: float, share: float) -> Figures:
    found = run_processes(replace(job, config=replace(job.config, qps=share * capacity))).measured()
    is_ok = found.status == Status.OK
    latencies_ms = found.latency_s[is_ok] * 1e3
    row = {
        "share": share,
        "offered_qps": len(found.rows) / found.measured_seconds,
        "goodput_qps": float(np.count_nonzero(latencies_ms <= SLA_MS)) / found.measured_seconds,
        "admitted_p50_ms": _quantile(latencies_ms, 0.5),
        "admitted_p99_ms": _quantile(latencies_ms, 0.99),
        "shed": int(np.count_nonzero(found.status == Status.SHED)),
        "failed": int(np.count_nonzero(found.status == Status.FAILED)),
        "generator_lag_p99_ms": _quantile(found.lag_s * 1e3, 0.99),
    }
    sys.stderr.write(f"{row}\n")
    return row


def _kill(server: Server, job: HttpJob, qps: float) -> Figures:
    """Kill a worker every two seconds, and tell for how long answers were late or refused."""

    def harm(number: int) -> None:
        victims = server.workers
        os.kill(victims[number % len(victims)], signal.SIGKILL)

    found = _under_load(job, qps, KILLS, 2.0, harm)
    return {"workers killed": KILLS, **_told(found), "longest disturbance, s": _disturbance(found)}


def _reload(server: Server, job: HttpJob, qps: float) -> Figures:
    """Let the server load its artifact anew under load."""
    found = _under_load(job, qps, RELOADS, 5.0, lambda _: server.process.send_signal(signal.SIGHUP))
    return {"reloads": RELOADS, **_told(found)}


def _soak(server: Server, job: HttpJob, qps: float) -> Figures:
    """Load for long, and look at the memory of all processes; the first minute fills caches and pools."""
    looks: list[tuple[float, float]] = []
    started = time.monotonic()

    def look(_: int) -> None:
        looks.append((time.monotonic() - started, server.memory_bytes / 2**20))

    found = _under_load(job, qps, int(SOAK_S / _LOOK_S), _LOOK_S, look)
    seconds, mib = np.array([pair for pair in looks if pair[0] > min(60.0, SOAK_S / 3)]).T
    return {
        "seconds": SOAK_S,
        **_told(found),
        "memory after the first minute, MiB": float(mib[0]),
        "memory at the end, MiB": float(mib[-1]),
        "growth, MiB per million queries": float(np.polyfit(seconds, mib, 1)[0]) / qps * 1e6,
    }


def _under_load(
    job: HttpJob, qps: float, times: int, every_s: float, do: Callable[[int], None]
) -> LoadResult:
    """Do something so many times while the server is loaded; return the record of all queries."""
    ended = threading.Event()

    def work() -> None:
        ended.wait(job.config.warmup_seconds + 3.0)  # the load's own processes take their time to start
        for number in range(times):
            if ended.is_set():
                return  # the load has ended early
            do(number)
            ended.wait(every_s)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        config = replace(job.config, qps=qps, seconds=every_s * (times + 1) + 3.0)
        return run_processes(replace(job, config=config)).measured()
    finally:
        ended.set()
        thread.join()


def _told(found: LoadResult) -> Figures:
    latencies_ms = found.latency_s[found.status == Status.OK] * 1e3
    row = {
        "queries": len(found.rows),
        "failed": int(np.count_nonzero(found.status == Status.FAILED)),
        "shed": int(np.count_nonzero(found.status == Status.SHED)),
        "within_sla": float(np.count_nonzero(latencies_ms <= SLA_MS)) / len(found.rows),
        "p99_ms": _quantile(latencies_ms, 0.99),
    }
    sys.stderr.write(f"{row}\n")
    return row


def _disturbance(found: LoadResult) -> float:
    """Return the longest time in which every query was late or refused."""
    is_good = (found.status == Status.OK) & (found.latency_s <= SLA_MS / 1e3)
    good_s = found.scheduled_s[is_good]
    return float(np.diff(good_s).max(initial=0.0))


def _quantile(values: Any, share: float) -> float:
    return float(np.quantile(values, share, method="inverted_cdf")) if len(values) else math.nan
