from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.load.test_result import result

from hotrow.errors import InvalidLoadError
from hotrow.load.query import Status
from hotrow.load.validity import allowed_lag_s, require_valid


def run(lag_s: float, latency_s: float, count: int = 200, **more: Any) -> Any:
    times = np.linspace(0, 9, count)
    return result(times.tolist(), sent_s=times + lag_s, done_s=times + latency_s, **more)


def test_the_bound_follows_the_sla_or_the_latencies() -> None:
    assert allowed_lag_s(run(0, 0.05)) == pytest.approx(0.005)
    assert allowed_lag_s(run(0, 0.05), sla_s=0.03) == pytest.approx(0.003)
    assert allowed_lag_s(run(0, 0.002)) == 1e-3
    assert allowed_lag_s(run(0, 0.05, status=np.full(200, Status.SHED, np.int8))) == 1e-3


def test_a_run_whose_generator_lagged_is_refused() -> None:
    require_valid(run(0.0029, 0.05), 0.003)
    with pytest.raises(
        InvalidLoadError,
        match=r"generator itself was late by 3.1 ms \(99th percentile\), at most 3.0 ms are allowed; give",
    ):
        require_valid(run(0.0031, 0.05), 0.003)


def test_one_late_query_in_a_hundred_is_let_pass() -> None:
    found = run(0.0, 0.01)
    found.sent_s[:2] += 0.5
    require_valid(found, 1e-3)
    found.sent_s[:4] += 0.5
    with pytest.raises(InvalidLoadError):
        require_valid(found, 1e-3)


def test_runs_that_tell_nothing_are_refused() -> None:
    with pytest.raises(InvalidLoadError, match="the run is invalid: too slow"):
        require_valid(run(0, 0.01, invalid="too slow"), 1.0)
    with pytest.raises(InvalidLoadError, match="no query was sent"):
        require_valid(result([]), 1.0)
    failed = np.full(200, Status.FAILED, np.int8)
    with pytest.raises(InvalidLoadError, match="no query was answered; the first failed with: HTTP 400: no"):
        require_valid(run(0, 0.01, status=failed, first_failure="HTTP 400: no"), 1.0)
