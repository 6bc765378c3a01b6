from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from tests.load.test_result import result

from hotrow.config import to_mapping
from hotrow.errors import InvalidLoadError
from hotrow.load.query import Status
from hotrow.load.report import make_report


def run(**more: Any) -> Any:
    """Return 1000 queries of 10 s, after 1 s of warm-up: latencies 0.1 ms to 100 ms in random order."""
    times = np.concatenate([np.linspace(0, 0.99, 50), 1 + np.arange(1000) / 100])
    latency = np.random.default_rng(0).permutation(np.arange(1, 1001) / 1e4)
    fields: dict[str, Any] = {
        "seconds": 11.0,
        "warmup_seconds": 1.0,
        "rows": np.full(1050, 20),
        "sent_s": times + 1e-5,
        "done_s": times + np.concatenate([np.full(50, 5.0), latency]),
    }
    return result(times.tolist(), **(fields | more))


def test_figures_of_a_good_run() -> None:
    report = make_report(run(cpu_seconds=1.5), sla_ms=50)
    assert (report.sent, report.ok, report.shed, report.expired, report.failed) == (1000, 1000, 0, 0, 0)
    assert (report.seconds, report.offered_qps, report.offered_items_per_second) == (10, 100, 2000)
    assert (report.p50_ms, report.p95_ms, report.p99_ms, report.max_ms) == pytest.approx((50, 95, 99, 100))
    assert report.mean_ms == pytest.approx(50.05)
    assert report.within_sla == pytest.approx(0.5, abs=0.0011)
    assert (report.mean_rows, report.max_rows, report.cpu_seconds) == (20, 20, 1.5)
    assert report.lag.p99_ms == pytest.approx(0.01)
    assert report.lag.allowed_p99_ms == pytest.approx(5)
    assert not report.partial
    low, high = report.intervals_ms["p99"]
    assert low is not None
    assert high is not None
    assert low == pytest.approx(98.3)  # order statistics 983 and 997 of 1000
    assert high == pytest.approx(99.7)


def test_rates_count_what_was_answered_within_the_run() -> None:
    """Queries answered after the last second are ok, but no throughput of these seconds."""
    done = run().done_s
    done[-200:] = 12.0
    report = make_report(run(done_s=done), sla_ms=50)
    assert report.ok == 1000
    assert (report.qps, report.items_per_second) == (80, 1600)
    assert report.offered_qps == 100
    assert report.goodput_qps is not None
    assert report.goodput_qps <= 80
    assert report.goodput_items_per_second == pytest.approx(report.goodput_qps * 20)


def test_latencies_are_of_ok_queries_alone() -> None:
    status = np.full(1050, Status.OK, dtype=np.int8)
    slow = run().latency_s > 0.05
    status[slow] = Status.SHED
    status[-1], status[-2] = Status.FAILED, Status.EXPIRED
    report = make_report(run(status=status, first_failure="x"), sla_ms=1000)
    assert report.shed == pytest.approx(500, abs=2)
    assert (report.expired, report.failed) == (1, 1)
    assert report.ok + report.shed + report.expired + report.failed == report.sent
    assert report.max_ms is not None
    assert report.max_ms < 50.05
    assert report.within_sla == report.ok / 1000
    assert report.first_failure == "x"


def test_a_server_that_sheds_everything_has_no_latencies() -> None:
    report = make_report(run(status=np.full(1050, Status.SHED, dtype=np.int8)), sla_ms=10)
    assert (report.qps, report.goodput_qps, report.within_sla) == (0, 0, 0)
    assert report.p50_ms is report.p99_ms is report.max_ms is report.mean_ms is None
    assert report.intervals_ms == {}


def test_without_an_sla_there_is_no_goodput() -> None:
    report = make_report(run())
    assert report.sla_ms is report.within_sla is report.goodput_qps is None


def test_few_queries_have_no_upper_ends() -> None:
    report = make_report(result([0, 1, 2, 3]))
    assert report.intervals_ms["p99"][1] is None
    assert report.p99_ms == pytest.approx(10)


def test_a_stopped_run_is_partial() -> None:
    status = np.full(1050, Status.OK, dtype=np.int8)
    status[550:] = Status.UNSENT
    report = make_report(run(status=status, stopped_s=6.0))
    assert (report.partial, report.sent, report.seconds, report.offered_qps) == (True, 500, 5, 100)


def test_a_lagging_generator_gets_no_report() -> None:
    with pytest.raises(InvalidLoadError):
        make_report(run(sent_s=run().sent_s + 0.02))
    with pytest.raises(InvalidLoadError, match=r"at most 3\.0 ms"):
        make_report(run(sent_s=run().sent_s + 0.004), sla_ms=30)


def test_another_bound_is_told() -> None:
    report = make_report(run(sent_s=run().sent_s + 0.02), max_lag_ms=25)
    assert report.lag.allowed_p99_ms == 25
    assert report.lag.p99_ms == pytest.approx(20.01)


def test_it_is_json() -> None:
    mapping = json.loads(json.dumps(to_mapping(make_report(run(), sla_ms=30))))
    assert mapping["lag"]["allowed_p99_ms"] == pytest.approx(3)
    assert set(mapping["intervals_ms"]) == {"p50", "p95", "p99"}
