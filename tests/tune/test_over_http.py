from __future__ import annotations

from pathlib import Path

import numpy as np

from hotrow.artifact import find_artifact, load_artifact
from hotrow.load.job import SyntheticSource
from hotrow.scheduling.knobs import Knobs
from hotrow.scheduling.trial import Trial
from hotrow.serving import EngineConfig
from hotrow.tune.over_http import http_trials


def test_trials_go_through_the_whole_server(criteo_run: Path) -> None:
    artifact, config = find_artifact(criteo_run), EngineConfig(memory_bytes=1 << 24)
    source = SyntheticSource(schema=load_artifact(artifact).schema)
    with http_trials(artifact, config, source, sizes="fixed:20", sla_ms=60_000, seed=3) as trials:
        executions = []
        for batch_size in (20, 5):
            before = trials._engine.executions
            outcome = trials.measure(
                Trial(
                    knobs=Knobs(batch_size),
                    rate_qps=100.0,
                    queries=20,
                    warm_up=4,
                    stop_at_violations=100,
                    phase="x",
                )
            )
            executions.append(trials._engine.executions - before)
            assert np.isfinite(outcome.latencies_ms).all()
            assert outcome.rows == 20 * 20
        assert executions == [24, 4 * 24]
        assert trials.lag_ms > 0
        assert trials.model
