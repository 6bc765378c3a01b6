"""Trials through the whole server: HTTP over loopback, with the load made by a process of its own.

What is found so is what clients on this machine see, with the work of reading requests and their own work; in
the engine alone (``hotrow.tune.target``) it is what the model's workers can do.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hotrow.load.http.url import parse_url
from hotrow.load.job import HttpJob, PreparedSource, SyntheticSource
from hotrow.load.schedule import LoadConfig
from hotrow.load.trial_process import TrialProcess
from hotrow.scheduling.trial import Outcome, Trial
from hotrow.serving.config import ServerConfig
from hotrow.serving.engine.engine import Engine, EngineConfig
from hotrow.serving.engine.workers import workers_of
from hotrow.serving.thread import ServerThread

_LOOK_S = 0.002


class HttpTrials:
    """Measures trials on a server in a thread of this process.

    Args:
        server: that runs.
        process: makes the load.
    """

    def __init__(self, server: ServerThread, process: TrialProcess) -> None:
        self._engine = server.engine
        self._process = process

    @property
    def lag_ms(self) -> float:
        """How late the generator was, see ``TrialProcess``."""
        return self._process.lag_ms

    @property
    def model(self) -> str:
        """Name of the model."""
        return self._engine.info.name

    def measure(self, trial: Trial) -> Outcome:
        """Set the knobs and make the load; what was dropped of it is over when this returns."""
        self._engine.batch_size = trial.knobs.batch_size
        self._engine.offload_threshold = trial.knobs.offload_threshold
        outcome = self._process.measure(trial)
        while self._engine.in_flight:
            time.sleep(_LOOK_S)
        return outcome


@contextmanager
def http_trials(
    artifact: Path,
    config: EngineConfig,
    source: PreparedSource | SyntheticSource,
    *,
    sizes: str,
    sla_ms: float,
    seed: int,
) -> Iterator[HttpTrials]:
    """Serve a model on a free port of the loopback interface, and yield what measures it.

    Args:
        artifact: its folder.
        config: of the engine.
        source: where candidates come from.
        sizes: of queries.
        sla_ms: the target of the latencies.
        seed: of arrivals, sizes and contents.

    Raises:
        UserError: the model cannot be loaded.
    """
    engine = Engine(workers_of(artifact, device=config.device), config)
    with ServerThread(engine, ServerConfig(port=0, drain_seconds=0.0)) as server:
        job = HttpJob(
            url=parse_url(server.served.url),
            model=server.served.name,
            api="binary",
            config=LoadConfig(qps=1.0, sizes=sizes, seed=seed),
            source=source,
        )
        with TrialProcess(job, sla_ms=sla_ms) as process:
            yield HttpTrials(server, process)
