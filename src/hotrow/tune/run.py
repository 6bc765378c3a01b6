"""``tune_run``: start an engine on a model, find its best knobs, and report."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple, get_args

import numpy as np

from hotrow.data.dataset import Dataset
from hotrow.data.schema import Schema
from hotrow.errors import ConfigError
from hotrow.load import PreparedRows, SyntheticRows
from hotrow.load.job import PreparedSource, SyntheticSource
from hotrow.load.sizes import Sizes, parse_sizes
from hotrow.progress import SECONDS, Progress, progress
from hotrow.scheduling.accelerator import LatencyTable
from hotrow.scheduling.history import History, Step
from hotrow.scheduling.rate_search import SearchConfig
from hotrow.scheduling.trial import Steps, drive, drive_async
from hotrow.scheduling.tuned import Tuned
from hotrow.scheduling.tuner import TuneConfig, tune
from hotrow.serving import Engine, EngineConfig
from hotrow.serving.engine.layout import Layout, Shape
from hotrow.serving.engine.workers import workers_of
from hotrow.tune.measure import Trials
from hotrow.tune.over_http import http_trials
from hotrow.tune.report import TuneReport
from hotrow.tune.target import Target

_LOG = logging.getLogger(__name__)

Over = Literal["engine", "http"]

_SAMPLE = 4096
"""Queries whose sizes the tuner looks at."""

_OPEN, _OPEN_OF_WORKER = 32, 4
"""Queries of a burst that are under way at a time, the larger; fewer where their memory would not suffice."""

_QUEUED_ROWS = 1 << 30
_SIZES = 7
"""Stream of random numbers."""


@dataclass(frozen=True, kw_only=True)
class TuneSettings:
    """What is tuned, and with what load.

    Attributes:
        sla_ms: target of the latencies.
        percentile: of the latencies that must be within it.
        workers: processes; None: one for each core.
        sizes: of queries, see ``hotrow.load.sizes``.
        budget_seconds: of measuring. Loading the model comes before; a measurement begins if its arrivals
            fit, and ends with its last answer.
        precision: of the rates, relative.
        over: what queries are sent through: ``engine``, the model's workers in this process, or ``http``, the
            whole server, with its clients on this machine.
        device: a real accelerator, e.g. ``"cuda"``, that large queries may go to; None: there is none.
        accelerator: a modelled one, or None.
        seed: of the load.
    """

    sla_ms: float
    percentile: float = 95.0
    workers: int | None = None
    sizes: str = "mlperf"
    budget_seconds: float = 600.0
    precision: float = 0.05
    over: Over = "engine"
    device: str | None = None
    accelerator: LatencyTable | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for option, value, least, most in (
            ("--sla-ms", self.sla_ms, 0.0, 3_600_000.0),
            ("--percentile", self.percentile, 49.99, 99.999),
            ("--seconds", self.budget_seconds, 0.0, 86_400.0),
            ("--precision", self.precision, 0.0, 1.0),
        ):
            if not least < value <= most:
                raise ConfigError(option, value, f"more than {least:g}, at most {most:g}")
        if self.workers is not None and self.workers < 1:
            raise ConfigError("--workers", self.workers, "at least 1")
        if self.seed < 0:
            raise ConfigError("--seed", self.seed, "at least 0")
        if self.over not in get_args(Over):
            raise ConfigError("--over", self.over, " or ".join(get_args(Over)))
        if self.over == "http" and self.accelerator is not None:
            raise ConfigError("--over", self.over, "engine, where an accelerator is modelled")
        if self.device is not None and self.accelerator is not None:
            raise ConfigError("--device", self.device, "none, where an accelerator is modelled")

    @property
    def search(self) -> SearchConfig:
        """How rates are searched for."""
        return SearchConfig(sla_ms=self.sla_ms, percentile=self.percentile, precision=self.precision)

    @property
    def engine(self) -> EngineConfig:
        """Of the engine: a worker for each core if no number is given; nothing is refused."""
        workers = self.workers or len(os.sched_getaffinity(0))
        return EngineConfig(workers=workers, device=self.device, max_queued_rows=_QUEUED_ROWS)

    @property
    def accelerator_name(self) -> str:
        """What large queries may go to."""
        if self.accelerator is not None:
            return self.accelerator.label
        return "none" if self.device is None else f"device {self.device}"


def tune_run(
    artifact: Path,
    schema: Schema,
    settings: TuneSettings,
    *,
    dataset: Dataset | None = None,
    split: str = "test",
    on_step: Callable[[Step], None] | None = None,
    show_progress: bool = False,
) -> TuneReport:
    """Find the batch size, and with an accelerator the offload threshold, with the highest rate.

    Args:
        artifact: folder of the model.
        schema: of the artifact.
        settings: target and load.
        dataset: where candidates are drawn from, with the same schema; None: made-up ids, told as synthetic.
        split: of the data set.
        on_step: told of every measurement.
        show_progress: report progress on standard error.

    Raises:
        UserError: the model cannot be loaded, or the data not be used.
        SchemaMismatchError: the data set encodes otherwise than the model expects.
    """
    if dataset is not None:
        schema.require_same(dataset.schema, this=str(artifact), that=str(dataset.path))
    candidates = _Candidates(schema, dataset, split)
    sizes = parse_sizes(settings.sizes)
    if settings.accelerator is not None:
        settings.accelerator.require(sizes.largest)
    wanted = TuneConfig(
        search=settings.search,
        sizes=sizes.draw(np.random.default_rng((settings.seed, _SIZES)), _SAMPLE).tolist(),
        largest=sizes.largest,
        accelerator=settings.accelerator_name != "none",
    )
    started = time.monotonic()
    with progress("tune, measuring", settings.budget_seconds, SECONDS, show=show_progress) as bar:
        steps = tune(wanted, History(settings.budget_seconds, _reporting(bar, on_step)))
        if settings.over == "http":
            found = _over_http(artifact, settings, candidates, steps)
        else:
            found = asyncio.run(_in_engine(artifact, settings, candidates, sizes, steps))
    return TuneReport(
        tuned=found.tuned,
        model=found.model,
        workers=settings.engine.workers,
        sizes=settings.sizes,
        source=candidates.told,
        over=settings.over,
        accelerator=settings.accelerator_name,
        lag_ms=found.lag_ms,
        seconds=time.monotonic() - started,
    )


class _Found(NamedTuple):
    tuned: Tuned
    model: str
    lag_ms: float


@dataclass(frozen=True)
class _Candidates:
    """Where candidates come from.

    Attributes:
        schema: of the model.
        dataset: None: made-up ids.
        split: of the data set.
    """

    schema: Schema
    dataset: Dataset | None
    split: str

    @property
    def told(self) -> str:
        """As reports tell it."""
        return "synthetic" if self.dataset is None else f"{self.dataset.path} ({self.split})"

    def queries(self, seed: int) -> SyntheticRows | PreparedRows:
        """Return what makes queries in this process."""
        if self.dataset is None:
            return SyntheticRows(self.schema, seed=seed)
        return PreparedRows(self.dataset, self.split, seed=seed)

    @property
    def source(self) -> SyntheticSource | PreparedSource:
        """What another process makes queries of."""
        if self.dataset is None:
            return SyntheticSource(schema=self.schema)
        return PreparedSource(path=self.dataset.path, split=self.split)


def _over_http(
    artifact: Path, settings: TuneSettings, candidates: _Candidates, steps: Steps[Tuned]
) -> _Found:
    with http_trials(
        artifact,
        settings.engine,
        candidates.source,
        sizes=settings.sizes,
        sla_ms=settings.sla_ms,
        seed=settings.seed,
    ) as trials:
        tuned = drive(steps, trials.measure)
        return _Found(tuned, trials.model, trials.lag_ms)


async def _in_engine(
    artifact: Path, settings: TuneSettings, candidates: _Candidates, sizes: Sizes, steps: Steps[Tuned]
) -> _Found:
    engine = Engine(workers_of(artifact, device=settings.device), settings.engine)
    try:
        await engine.start()
        trials = Trials(
            Target(engine, settings.accelerator),
            candidates.queries(settings.seed),
            sizes=sizes,
            sla_ms=settings.sla_ms,
            seed=settings.seed,
            most_open=_most_open(settings.engine, candidates.schema, engine.info.shape, sizes.largest),
        )
        tuned = await drive_async(steps, trials.measure)
        return _Found(tuned, engine.info.name, trials.lag_ms)
    finally:
        await engine.close()


def _most_open(config: EngineConfig, schema: Schema, shape: Shape, rows: int) -> int:
    """Return how many queries of so many rows may be under way at a time, in half of the shared memory."""
    listed = math.ceil(rows * sum(feature.mean_length for feature in schema.lists))
    block = 1 << (Layout(shape, rows, listed).size - 1).bit_length()
    wanted = max(_OPEN, _OPEN_OF_WORKER * config.workers)
    return max(min(config.memory_bytes // 2 // block, wanted), 1)


def _reporting(bar: Progress, on_step: Callable[[Step], None] | None) -> Callable[[Step], None]:
    def report(step: Step) -> None:
        knobs = step.phase if step.phase.startswith(("static", "again")) else f"batch {step.batch_size}"
        bar.advance(step.seconds, trying=knobs, qps=step.rate_qps, verdict=step.verdict)
        _LOG.info(
            "%s, batch %d: %.1f queries/s, %d of %d late: %s",
            *(step.phase, step.batch_size, step.rate_qps, step.violations, step.queries, step.verdict),
        )
        if on_step is not None:
            on_step(step)

    return report
