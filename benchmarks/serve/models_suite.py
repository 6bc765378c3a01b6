"""Suite ``serve``: the eight models at paper size, tuned against static schedulers at three targets each.

Targets are those of DeepRecSys (p95, medium; low and high are 50% below and above), which were made for
40 cores. Where a p95-sized query alone takes more than a third of one here, the medium target is three times
that query's time instead; the table says which. With ``SERVE_ONLY`` only some are measured (a model and a
target, as in ``dien-paper:low``, several with commas), and take the places of those in the results.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._machine import facts
from benchmarks.serve.alone import alone_ms
from benchmarks.serve.artifacts import schema_of, write_random
from benchmarks.serve.over_http import tell
from hotrow.load.sizes import parse_sizes
from hotrow.models import paper_inputs
from hotrow.tune import TuneReport, TuneSettings, tune_run

PAPER_TARGETS_MS = {
    "dlrm-rmc1": 100.0,
    "dlrm-rmc2": 400.0,
    "dlrm-rmc3": 100.0,
    "ncf-paper": 5.0,
    "wide-deep-paper": 25.0,
    "mt-wide-deep-paper": 25.0,
    "din-paper": 100.0,
    "dien-paper": 35.0,
}
LEVELS = {"low": 0.5, "medium": 1.0, "high": 1.5}
SIZES = "mlperf"
PERCENTILE = 95.0
BUDGET_S = float(os.environ.get("SERVE_BUDGET_S", "150"))
ONLY = frozenset(filter(None, os.environ.get("SERVE_ONLY", "").split(",")))
_RESULT = Path(__file__).parents[1] / "results" / "serve.json"

Figures = dict[str, Any]


def run() -> Figures:
    """Tune every model at every target."""
    rows = _rows_before()
    usual = int(np.quantile(parse_sizes(SIZES).draw(np.random.default_rng(0), 10_000), PERCENTILE / 100))
    with tempfile.TemporaryDirectory(dir=_memory()) as name:
        for model, paper_ms in PAPER_TARGETS_MS.items():
            levels = [level for level in LEVELS if not ONLY or f"{model}:{level}" in ONLY]
            if not levels:
                continue
            artifact = Path(name) / model
            write_random(model, artifact)
            alone = alone_ms(artifact, usual)
            medium_ms = max(paper_ms, 3 * alone)
            for level in levels:
                report = _tune(model, artifact, medium_ms * LEVELS[level])
                rows[model, level] = _row(model, level, paper_ms, alone, report)
                sys.stderr.write(f"{rows[model, level]}\n")
            shutil.rmtree(artifact)
    return _summary([rows[model, level] for model in PAPER_TARGETS_MS for level in LEVELS])


def _rows_before() -> dict[tuple[str, str], Figures]:
    """Return the rows of the results that are there, if only some are measured now.

    Raises:
        ValueError: what is to be measured is no model with a target.
    """
    unknown = ONLY - {f"{model}:{level}" for model in PAPER_TARGETS_MS for level in LEVELS}
    if unknown:
        raise ValueError(f"SERVE_ONLY: {', '.join(sorted(unknown))}: expected for example dien-paper:low")
    if not ONLY:
        return {}
    return {(row["model"], row["target"]): row for row in json.loads(_RESULT.read_text())["result"]["models"]}


def _summary(rows: list[Figures]) -> Figures:
    gains = [row["over_static_25_at_least"] for row in rows if row["over_static_25_at_least"] is not None]
    return {
        "cores": len(os.sched_getaffinity(0)),
        "sizes": SIZES,
        "percentile": PERCENTILE,
        "geometric mean over static 25, at least": statistics.geometric_mean(gains) if gains else None,
        "targets that nothing held": sum(not row["qps"] for row in rows),
        "least over the better static": min(row["over_better_static"] or math.inf for row in rows),
        "models": rows,
    }


def _memory() -> Path | None:
    """Return a folder in memory: the disk is not what is measured."""
    shared = Path("/dev/shm")
    return shared if shared.is_dir() else None


def _tune(model: str, artifact: Path, sla_ms: float) -> TuneReport:
    settings = TuneSettings(
        sla_ms=sla_ms, percentile=PERCENTILE, sizes=SIZES, budget_seconds=BUDGET_S, precision=0.08
    )
    return tune_run(artifact, schema_of(paper_inputs(model)), settings, on_step=tell)


def _row(model: str, level: str, paper_ms: float, alone: float, report: TuneReport) -> Figures:
    tuned = report.tuned
    statics = {contender.name: contender.qps for contender in tuned.contenders}
    better = max(statics.get("static_25", 0.0), statics.get("static_whole", 0.0))
    best = tuned.best
    return {
        "model": model,
        "target": level,
        "commit": facts()["commit"],
        "seconds": BUDGET_S,
        "p95_ms_at_most": tuned.sla_ms,
        "paper_ms": paper_ms * LEVELS[level],
        "alone_ms": alone,
        "static_25_qps": statics.get("static_25"),
        "static_whole_qps": statics.get("static_whole"),
        "batch_size": best.knobs.batch_size,
        "qps": best.qps,
        "confirmed": best.confirmed,
        "items_per_second": best.items_per_second,
        "p50_ms": best.p50_ms,
        "p95_ms": best.p95_ms,
        "p99_ms": best.p99_ms,
        "over_static_25": tuned.gain_over("static_25"),
        "over_static_25_at_least": tuned.least_gain_over("static_25"),
        "over_better_static": best.qps / better if better else None,
        "generator_lag_ms": report.lag_ms,
    }
