"""Suites ``serve-mlperf``: MLPerf LoadGen's Server and Offline scenarios, in process and over loopback.

``run`` takes DLRM with the Kaggle networks under 30 ms, ``run_dcnv2`` DCN-v2 with MLPerf's networks under
60 ms; its tables are cut to what fits into memory. Where the largest query alone, on all cores, takes more
than two thirds of that, no rate can hold it, and the target is three times that query's time instead; the
table says so. The rate is the one that ``tune`` found, in the engine or over HTTP; LoadGen judges whether it
holds.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

from benchmarks.serve.alone import alone_ms
from benchmarks.serve.artifacts import write_random
from benchmarks.serve.loadgen import Library, Loop, Send, Verdict, run_offline, run_server
from benchmarks.serve.model import prepared_model
from benchmarks.serve.over_http import tell
from benchmarks.serve.servers import free_port, hotrow_command, running
from hotrow.artifact.manifest import read_manifest
from hotrow.data.dataset import Dataset
from hotrow.data.schema import Schema
from hotrow.load import PreparedRows, QuerySource, Status, SyntheticRows
from hotrow.load.http.bodies import encoded_writer
from hotrow.load.http.sender import HttpQueries, HttpSender, infer_path
from hotrow.load.http.url import parse_url
from hotrow.load.sizes import parse_sizes
from hotrow.serving import Engine, EngineConfig
from hotrow.serving.engine.workers import workers_of
from hotrow.tune import TuneReport, TuneSettings, tune_run
from hotrow.tune.run import Over

SIZES = "mlperf"
SECONDS = float(os.environ.get("SERVE_MLPERF_SECONDS", "60"))
TUNE_S = float(os.environ.get("SERVE_MLPERF_BUDGET_S", "150"))
TUNE_QUERIES = 3000
"""The rate is searched for as long as so many of the largest queries take one by one, if that is longer."""

LEAST_QUERIES = 1500
"""In the Server scenario, which lasts longer if it must: of fewer LoadGen can tell nothing."""

MOST_OFFLINE = 8
OFFLINE_SHARE = 3.0
"""Of the rate under the target: what LoadGen is told to expect offline, more than there will be."""

RATE_SHARE = 0.95
"""Of the tuned rate, that LoadGen is told to send; within 10% of it is what is asked."""

Figures = dict[str, Any]


@dataclass
class Case:
    """A model under its target.

    Attributes:
        name: of the model.
        artifact: its folder.
        asked_ms: what the 99th percentile should be held to.
        dataset: where candidates come from; None: synthetic.
    """

    name: str
    artifact: Path
    asked_ms: float
    dataset: Path | None

    @cached_property
    def alone_ms(self) -> float:
        """What the largest query takes on idle workers."""
        return alone_ms(self.artifact, parse_sizes(SIZES).largest)

    @property
    def tune_s(self) -> float:
        """How long the rate is searched for: long enough for a slow model's queries."""
        return max(TUNE_S, TUNE_QUERIES * self.alone_ms / 1e3)

    @property
    def sla_ms(self) -> float:
        """What the 99th percentile is held to here."""
        return self.asked_ms if 1.5 * self.alone_ms <= self.asked_ms else 3 * self.alone_ms


def run() -> Figures:
    """Tune DLRM, and let LoadGen judge it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = prepared_model(folder)
        return _judged(Case("DLRM, Kaggle networks", model.shrunk / "model", 30.0, model.dataset), folder)


def run_dcnv2() -> Figures:
    """Tune DCN-v2, and let LoadGen judge it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_random("dcnv2-mlperf", folder / "dcnv2", most_rows=200_000, int8=True)
        return _judged(Case("DCN-v2, MLPerf's networks", folder / "dcnv2", 60.0, None), folder)


def _judged(case: Case, folder: Path) -> Figures:
    rows = _judge(case, folder)
    return {"cores": len(os.sched_getaffinity(0)), "seconds of each, at least": SECONDS, "runs": rows}


def _judge(case: Case, folder: Path) -> list[Figures]:
    schema = Schema.from_mapping(read_manifest(case.artifact).schema, where="schema")
    dataset = None if case.dataset is None else Dataset.open(case.dataset)
    source: QuerySource[Any] = (
        SyntheticRows(schema, seed=5) if dataset is None else PreparedRows(dataset, "test", seed=5)
    )
    settings = TuneSettings(sla_ms=case.sla_ms, sizes=SIZES, percentile=99.0, budget_seconds=case.tune_s)
    tuned = {
        over: tune_run(case.artifact, schema, replace(settings, over=over), dataset=dataset, on_step=tell)
        for over in get_args(Over)
    }
    batch = {over: report.tuned.best.knobs.batch_size for over, report in tuned.items()}
    rows = []
    loop = Loop()
    try:
        with _in_process(loop, case.artifact, batch["engine"]) as send:
            rows += _both(case, "in process", send, Library(source, SIZES), loop, folder, tuned["engine"])
        with _over_loopback(loop, case, batch["http"]) as (send, wrap):
            library = Library(wrap(source, schema), SIZES)
            rows += _both(case, "HTTP, loopback", send, library, loop, folder, tuned["http"])
    finally:
        loop.close()
    return rows


def _both(
    case: Case,
    where: str,
    send: Send,
    library: Library,
    loop: Loop,
    folder: Path,
    tuned: TuneReport,
) -> list[Figures]:
    """Run both scenarios."""
    qps = RATE_SHARE * tuned.tuned.best.qps
    if not qps:
        nothing = Verdict(valid=False, qps=0.0, p99_ms=None, failed=0, reasons="tune found no rate")
        return [_row(case, where, "Server", nothing, library, tuned)]
    logs = folder / "logs" / f"{case.name} {where}"
    found = {
        "Server": run_server(
            send,
            library,
            loop,
            logs / "server",
            qps=qps,
            sla_ms=case.sla_ms,
            seconds=max(SECONDS, LEAST_QUERIES / qps),
        ),
        "Offline": run_offline(
            send,
            library,
            loop,
            logs / "offline",
            qps=OFFLINE_SHARE * qps,
            seconds=SECONDS,
            most=MOST_OFFLINE,
        ),
    }
    return [_row(case, where, scenario, verdict, library, tuned) for scenario, verdict in found.items()]


def _row(
    case: Case,
    where: str,
    scenario: str,
    verdict: Verdict,
    library: Library,
    tuned: TuneReport,
) -> Figures:
    row = {
        "model": case.name,
        "where": where,
        "scenario": scenario,
        "result": "VALID" if verdict.valid else "INVALID",
        "queries_per_second": verdict.qps,
        "items_per_second": verdict.qps * library.mean_rows,
        "p99_ms": verdict.p99_ms,
        "p99_ms_at_most": case.sla_ms if scenario == "Server" else None,
        "asked_ms": case.asked_ms,
        "largest_alone_ms": case.alone_ms,
        "tuned_qps": tuned.tuned.best.qps,
        "batch_size": tuned.tuned.best.knobs.batch_size,
        "failed": verdict.failed,
        "reasons": verdict.reasons,
    }
    sys.stderr.write(f"{row}\n")
    return row


@contextmanager
def _in_process(loop: Loop, artifact: Path, batch_size: int) -> Any:
    async def make() -> Engine:
        config = EngineConfig(
            workers=len(os.sched_getaffinity(0)), batch_size=batch_size, max_queued_rows=1 << 30
        )
        engine = Engine(workers_of(artifact), config)
        await engine.start()
        return engine

    engine: Engine = loop.run(make())

    async def send(query: Any) -> Status:
        await engine.score(query.content)
        return Status.OK

    try:
        yield send
    finally:
        loop.run(engine.close())


Wrap = Callable[[QuerySource[Any], Schema], QuerySource[Any]]


@contextmanager
def _over_loopback(loop: Loop, case: Case, batch_size: int) -> Any:
    port = free_port()
    command = hotrow_command(case.artifact, port, "--name", "m", "--batch-size", str(batch_size))
    with running(command, port, case.artifact) as server:
        url = parse_url(server.url)

        async def make() -> HttpSender:
            return HttpSender(url, is_ranking=False)

        def wrap(source: QuerySource[Any], schema: Schema) -> QuerySource[Any]:
            return HttpQueries(
                source, encoded_writer("binary", schema, timeout_us=None), url, infer_path("m")
            )

        sender: HttpSender = loop.run(make())
        try:
            yield sender.send, wrap
        finally:
            loop.loop.call_soon_threadsafe(sender.pool.close)
