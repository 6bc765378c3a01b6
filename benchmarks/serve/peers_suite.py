"""Suite ``serve-peers``: one DLRM behind hotrow, FastAPI and Ray Serve; same clients and target, one run."""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.serve.model import Prepared, prepared_model
from benchmarks.serve.over_http import highest_rate, tell
from benchmarks.serve.servers import fastapi_command, free_port, hotrow_command, ray_command, running
from hotrow.artifact.manifest import read_manifest
from hotrow.data.dataset import Dataset
from hotrow.data.schema import Schema
from hotrow.load.http.bodies import Api
from hotrow.load.http.url import parse_url
from hotrow.load.job import HttpJob, PreparedSource
from hotrow.load.schedule import LoadConfig
from hotrow.scheduling.rate_search import Found, SearchConfig
from hotrow.tune import TuneSettings, tune_run

SLA_MS = 30.0
PERCENTILE = 99.0
ROUNDS = int(os.environ.get("SERVE_ROUNDS", "3"))
BUDGET_S = float(os.environ.get("SERVE_PEERS_BUDGET_S", "100"))
TUNE_S = 90.0
MEAN_CANDIDATES = 270

Figures = dict[str, Any]


@dataclass(frozen=True)
class System:
    """A server with one kind of body.

    Attributes:
        name: of the server.
        api: how bodies are written.
        command: from port and cores to what is run.
    """

    name: str
    api: Api
    command: Callable[[int, int], list[str]]


def run() -> Figures:
    """Search the highest rate of every system, in turns."""
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as name:
        model = prepared_model(Path(name))
        batch_size = _batch_size(model)
        options = ("--workers", str(cores), "--batch-size", str(batch_size))

        def ours(port: int, _: int) -> list[str]:
            return hotrow_command(model.shrunk, port, "--name", "dlrm", *options)

        def ours_fp32(port: int, _: int) -> list[str]:
            return hotrow_command(model.trained, port, "--name", "dlrm", *options)

        systems = [
            System("hotrow", "binary", ours),
            System("hotrow", "json", ours),
            System("hotrow, fp32", "binary", ours_fp32),
            System("FastAPI", "binary", fastapi_command),
            System("FastAPI", "json", fastapi_command),
            System("Ray Serve", "binary", ray_command),
            System("Ray Serve", "json", ray_command),
        ]
        found: dict[tuple[str, str], list[Found]] = {}
        for round_number in range(ROUNDS):
            for system in systems:
                rate = _rate(system, model, cores, seed=1000 * round_number)
                sys.stderr.write(f"round {round_number}: {system.name}, {system.api}: {rate}\n")
                found.setdefault((system.name, system.api), []).append(rate)
        return {"hotrow's batch size, tuned": batch_size, **_figures(found, model, cores)}


def _batch_size(model: Prepared) -> int:
    """Return the batch size that ``hotrow tune --over http`` finds."""
    artifact = model.shrunk / "model"
    schema = Schema.from_mapping(read_manifest(artifact).schema, where="schema")
    settings = TuneSettings(
        sla_ms=SLA_MS, percentile=PERCENTILE, over="http", budget_seconds=TUNE_S, precision=0.1
    )
    dataset = Dataset.open(model.dataset)
    report = tune_run(artifact, schema, settings, dataset=dataset, on_step=tell)
    return report.tuned.best.knobs.batch_size


def _rate(system: System, model: Prepared, cores: int, *, seed: int) -> Found:
    port = free_port()
    with running(system.command(port, cores), port, model.trained / "model") as server:
        job = HttpJob(
            url=parse_url(server.url),
            model="dlrm",
            api=system.api,
            config=LoadConfig(qps=1.0, sizes="mlperf", seed=seed),
            source=PreparedSource(path=model.dataset, split="test"),
        )
        search = SearchConfig(sla_ms=SLA_MS, percentile=PERCENTILE)
        return highest_rate(job, search, budget_s=BUDGET_S)


def _figures(found: dict[tuple[str, str], list[Found]], model: Prepared, cores: int) -> Figures:
    """Return the table; a system with rate 0 held at no rate that was tried, down to the one it fails at."""
    held = {system: statistics.median(each.rate_qps for each in rounds) for system, rounds in found.items()}
    failed = {
        system: statistics.median(each.failed_qps for each in rounds) for system, rounds in found.items()
    }
    return {
        "target": f"p99 <= {SLA_MS:.0f} ms",
        "sizes": f"MLPerf's, mean {MEAN_CANDIDATES} candidates",
        "workers of each server": cores,
        "rounds": ROUNDS,
        "seconds for each search": BUDGET_S,
        "AUC, fp32": model.auc_before,
        "AUC, 8-bit tables and networks": model.auc_after,
        "systems": [
            {
                "server": name,
                "bodies": api,
                "queries_per_second": rate,
                "least": min(each.rate_qps for each in found[name, api]),
                "most": max(each.rate_qps for each in found[name, api]),
                "fails_at": failed[name, api],
                "items_per_second": rate * MEAN_CANDIDATES,
                "hotrow_over_it": held["hotrow", api] / rate if rate else None,
                "hotrow_over_it_at_least": held["hotrow", api] / failed[name, api],
            }
            for (name, api), rate in held.items()
        ],
    }
