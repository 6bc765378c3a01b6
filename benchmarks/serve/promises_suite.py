"""Suite ``serve-promises``: twice the load that holds, and workers killed under load, over loopback."""

from __future__ import annotations

import math
import os
import signal
import sys
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.serve.model import prepared_model
from benchmarks.serve.over_http import highest_rate
from benchmarks.serve.servers import free_port, hotrow_command, running
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

Figures = dict[str, Any]


def run() -> Figures:
    """Load the server beyond what it holds, and kill its workers."""
    with tempfile.TemporaryDirectory() as name:
        model = prepared_model(Path(name))
        port = free_port()
        command = hotrow_command(model.shrunk, port, "--name", "dlrm", "--sla-ms", str(SLA_MS))
        with running(command, port, model.shrunk) as url:
            job = HttpJob(
                url=parse_url(url),
                model="dlrm",
                api="binary",
                config=LoadConfig(qps=1.0, seconds=SECONDS, warmup_seconds=2.0, sizes="mlperf"),
                source=PreparedSource(path=model.dataset, split="test"),
            )
            search = SearchConfig(sla_ms=SLA_MS, percentile=99.0)
            capacity = highest_rate(job, search, start_qps=500, budget_s=75.0).rate_qps
            loads = [_overload(job, capacity, share) for share in SHARES]
            kills = _kill(job, 0.6 * capacity)
    peak = max(row["goodput_qps"] for row in loads)
    twice = next(row for row in loads if row["share"] == 2.0)
    return {
        "target": f"p99 <= {SLA_MS:.0f} ms",
        "capacity_qps": capacity,
        "goodput at twice the capacity, of its peak": twice["goodput_qps"] / peak,
        "loads": loads,
        **kills,
    }


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


def _kill(job: HttpJob, qps: float) -> Figures:
    """Kill a worker every two seconds, and tell for how long answers were late or refused."""
    killed: list[float] = []
    seconds = 2.0 * (KILLS + 1)

    def harm() -> None:
        time.sleep(job.config.warmup_seconds + 3.0)  # the load's own processes take their time to start
        for _ in range(KILLS):
            victims = _workers()
            killed.append(time.monotonic())
            os.kill(victims[len(killed) % len(victims)], signal.SIGKILL)
            time.sleep(2.0)

    thread = threading.Thread(target=harm)
    thread.start()
    ended = replace(job, config=replace(job.config, qps=qps, seconds=seconds))
    found = run_processes(ended).measured()
    thread.join()
    return {
        "workers killed": len(killed),
        "queries meanwhile": len(found.rows),
        "failed": int(np.count_nonzero(found.status == Status.FAILED)),
        "shed": int(np.count_nonzero(found.status == Status.SHED)),
        "longest disturbance, s": _disturbance(found),
    }


def _disturbance(found: LoadResult) -> float:
    """Return the longest time in which every query was late or refused."""
    is_good = (found.status == Status.OK) & (found.latency_s <= SLA_MS / 1e3)
    good_s = found.scheduled_s[is_good]
    return float(np.diff(good_s).max(initial=0.0))


def _workers() -> list[int]:
    """Return the process ids of the server's workers: children of a template."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            command = Path(f"/proc/{parent}/cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if b"hotrow.serving.engine.template" in command:
            found.append(int(entry.name))
    return sorted(found)


def _quantile(values: Any, share: float) -> float:
    return float(np.quantile(values, share, method="inverted_cdf")) if len(values) else math.nan
