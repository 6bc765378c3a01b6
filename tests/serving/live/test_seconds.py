from __future__ import annotations

import pytest

from hotrow.serving.live.seconds import KEPT_SECONDS, RECENT_SECONDS, Gauges, LastSeconds


def test_each_second_has_its_own_figures() -> None:
    last = LastSeconds()
    for _ in range(10):
        last.answered(64, 0.002)
    last.tick(2.0, Gauges(batch_size=256, waiting_rows=5))
    last.failed("REJECTED")
    last.failed("BACKEND")
    last.failed("CANCELED")
    last.tick(1.0, Gauges(batch_size=128, offload_threshold=500))
    seconds = last.described()["seconds"]
    assert seconds["requests_per_second"] == [5, 0]
    assert seconds["rows_per_second"] == [320, 0]
    assert seconds["shed_per_second"] == [0, 1]
    assert seconds["failed_per_second"] == [0, 2]
    assert seconds["p99_ms"] == [pytest.approx(2, rel=1 / 32), None]
    assert seconds["waiting_rows"] == [5, 0]
    assert seconds["batch_size"] == [256, 128]
    assert seconds["offload_threshold"] == [None, 500]


def test_recent_figures_are_of_several_seconds_together() -> None:
    last = LastSeconds()
    last.answered(1, 9.0)
    last.tick(1.0, Gauges())
    for second in range(RECENT_SECONDS):
        last.answered(1, 0.001 if second else 0.1)
        last.tick(1.0, Gauges(workers=second))
    recent = last.described()["recent"]
    assert recent["requests_per_second"] == 1
    assert recent["p50_ms"] == pytest.approx(1, rel=1 / 32)
    assert recent["p99_ms"] == pytest.approx(100, rel=1 / 32)
    assert recent["workers"] == RECENT_SECONDS - 1


def test_old_seconds_are_forgotten() -> None:
    last = LastSeconds()
    for number in range(KEPT_SECONDS + 3):
        last.tick(1.0, Gauges(in_flight=number))
    assert last.described()["seconds"]["in_flight"] == list(range(3, KEPT_SECONDS + 3))


def test_before_the_first_second_there_is_nothing() -> None:
    described = LastSeconds().described()
    assert described["recent"]["requests_per_second"] == 0
    assert described["seconds"]["p50_ms"] == []
