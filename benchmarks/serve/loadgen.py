"""MLPerf LoadGen (mlcommons-loadgen) as the load: Server and Offline scenarios against anything that scores.

A LoadGen sample is one query; how many candidates it has is the library's business, and follows MLPerf's
own distribution. LoadGen decides when queries arrive, counts latencies from then, and judges the run.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlperf_loadgen as lg
import numpy as np

from hotrow.load.query import LoadQuery, QuerySource, Status
from hotrow.load.sizes import parse_sizes

SAMPLES = 2000
"""Queries in the library; LoadGen draws from them with replacement."""

Send = Callable[[LoadQuery[Any]], Awaitable[Status]]


@dataclass(frozen=True)
class Verdict:
    """What LoadGen found.

    Attributes:
        valid: its verdict.
        qps: queries per second: scheduled in the Server scenario, completed in the Offline one.
        p99_ms: of the Server scenario; None in the other.
        failed: queries that were not answered well: they make the run invalid whatever LoadGen says.
        reasons: why it is invalid, as LoadGen tells.
    """

    valid: bool
    qps: float
    p99_ms: float | None
    failed: int
    reasons: str


class Library:
    """Queries that are made before the run."""

    def __init__(self, source: QuerySource[Any], sizes: str, *, seed: int = 0) -> None:
        rows = parse_sizes(sizes).draw(np.random.default_rng(seed), SAMPLES).tolist()
        self.queries = [LoadQuery(at, size, source.content(at, size)) for at, size in enumerate(rows)]
        self.mean_rows = float(np.mean(rows))


class Loop:
    """An event loop in a thread of its own, which LoadGen's threads hand queries to."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run a coroutine in the loop and return its result."""
        future: Future[Any] = asyncio.run_coroutine_threadsafe(work, self.loop)
        return future.result()

    def close(self) -> None:
        """End the thread."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


class _System:
    """LoadGen's system under test.

    Args:
        send: scores one query.
        library: where queries are.
        loop: where ``send`` runs.
        most: queries under way at a time; further ones wait here. Offline, all come at once.
    """

    def __init__(self, send: Send, library: Library, loop: Loop, *, most: int) -> None:
        self._send, self._library, self._loop = send, library, loop
        self._gate = asyncio.Semaphore(most)
        self._tasks: set[asyncio.Task[None]] = set()
        self.failed = 0

    def issue(self, samples: Sequence[Any]) -> None:
        """Take queries from one of LoadGen's threads."""
        pairs = [(sample.id, sample.index) for sample in samples]
        self._loop.loop.call_soon_threadsafe(self._begin, pairs)

    def _begin(self, pairs: Sequence[tuple[int, int]]) -> None:
        for identifier, index in pairs:
            task = self._loop.loop.create_task(self._one(identifier, index))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _one(self, identifier: int, index: int) -> None:
        async with self._gate:
            try:
                status = await self._send(self._library.queries[index])
            except Exception:  # noqa: BLE001 - whatever a query meets is a result of the run
                status = Status.FAILED
        self.failed += status != Status.OK
        lg.QuerySamplesComplete([lg.QuerySampleResponse(identifier, 0, 0)])


def run_server(
    send: Send, library: Library, loop: Loop, out: Path, *, qps: float, sla_ms: float, seconds: float
) -> Verdict:
    """Run the Server scenario: Poisson arrivals at a rate, the 99th percentile under the target.

    Args:
        send: scores one query.
        library: the queries.
        loop: where ``send`` runs.
        out: takes LoadGen's logs.
        qps: the rate.
        sla_ms: the target.
        seconds: at least so long; MLPerf's rules say 600.
    """
    settings = _settings(lg.TestScenario.Server, seconds)
    settings.server_target_qps = qps
    settings.server_target_latency_ns = round(sla_ms * 1e6)
    settings.server_target_latency_percentile = 0.99
    return _run(settings, _System(send, library, loop, most=1 << 20), out)


def run_offline(
    send: Send, library: Library, loop: Loop, out: Path, *, qps: float, seconds: float, most: int
) -> Verdict:
    """Run the Offline scenario: all queries at once; throughput counts.

    Args:
        send: scores one query.
        library: the queries.
        loop: where ``send`` runs.
        out: takes LoadGen's logs.
        qps: that is expected: it decides how many queries there are.
        seconds: at least so long.
        most: queries under way at a time.
    """
    settings = _settings(lg.TestScenario.Offline, seconds)
    settings.offline_expected_qps = qps
    return _run(settings, _System(send, library, loop, most=most), out)


def _settings(scenario: Any, seconds: float) -> Any:
    settings = lg.TestSettings()
    settings.scenario = scenario
    settings.mode = lg.TestMode.PerformanceOnly
    settings.min_duration_ms = round(seconds * 1e3)
    settings.min_query_count = 1
    return settings


def _run(settings: Any, system: _System, out: Path) -> Verdict:
    out.mkdir(parents=True, exist_ok=True)
    log = lg.LogSettings()
    log.log_output.outdir = str(out)
    log.log_output.copy_summary_to_stdout = False
    log.enable_trace = False
    sut = lg.ConstructSUT(system.issue, lambda: None)
    qsl = lg.ConstructQSL(SAMPLES, SAMPLES, lambda samples: None, lambda samples: None)
    try:
        lg.StartTestWithLogSettings(sut, qsl, settings, log, "")
    finally:
        lg.DestroyQSL(qsl)
        lg.DestroySUT(sut)
    return _read((out / "mlperf_log_summary.txt").read_text(), system.failed)


def _read(summary: str, failed: int) -> Verdict:
    """Read LoadGen's summary."""

    def figure(*names: str) -> float | None:
        for name in names:
            found = re.search(rf"^{name}\s*:\s*([0-9.e+]+)", summary, re.MULTILINE)
            if found:
                return float(found[1])
        return None

    p99 = figure(r"99\.00 percentile latency \(ns\)")
    is_server = "Scenario : Server" in summary
    reasons = summary.partition("Recommendations:")[2].partition("=====")[0] if "INVALID" in summary else ""
    return Verdict(
        valid="Result is : VALID" in summary and failed == 0,
        qps=figure("Scheduled samples per second", "Completed samples per second", "Samples per second")
        or 0.0,
        p99_ms=p99 / 1e6 if p99 is not None and is_server else None,
        failed=failed,
        reasons=" ".join(reasons.split()),
    )
