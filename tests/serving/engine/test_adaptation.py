from __future__ import annotations

import pytest

from hotrow.scheduling.service_time import LinearTime
from hotrow.serving.engine.adaptation import Adaptation


def _ticks(adaptation: Adaptation, time: LinearTime, *, rate: int, ticks: int, batch_size: int) -> int:
    """Feed ticks of a second on two workers, with the latencies of an empty machine."""
    for _ in range(ticks):
        pieces = -(-256 // batch_size)
        busy_s = rate * (pieces * time.overhead_ms + 256 * time.row_ms) / 1e3
        for _ in range(rate):
            adaptation.arrived(256, admitted=True)
            adaptation.answered(-(-pieces // 2) * time.ms(256 / pieces) / 1e3)
        adaptation.worked(busy_s)
        batch_size = adaptation.tick(1.0, time, workers=2)
    return batch_size


@pytest.mark.parametrize(("start", "least", "most"), [(8, 64, 256), (1024, 64, 256)])
def test_it_leaves_a_bad_batch_size(start: int, least: int, most: int) -> None:
    time = LinearTime(overhead_ms=0.5, row_ms=0.01)
    found = _ticks(Adaptation(start), time, rate=100, ticks=80, batch_size=start)
    assert least <= found <= most


def test_what_is_refused_is_load_too() -> None:
    """At one row at a time a query would take 130 ms: all but 5 in a second are refused."""
    time, adaptation, batch_size = LinearTime(overhead_ms=1.0, row_ms=0.01), Adaptation(1), 1
    for _ in range(12):
        for number in range(60):
            adaptation.arrived(256, admitted=number % 12 == 0)
        for _ in range(5):
            adaptation.answered(0.13)
        adaptation.worked(1.3)
        batch_size = adaptation.tick(1.0, time, workers=2)
    assert batch_size > 1
    assert {move.reason for move in adaptation.moves} == {"forecast"}


def test_it_rests_where_nothing_comes() -> None:
    adaptation = Adaptation(100)
    _ticks(adaptation, LinearTime(0.5, 0.01), rate=1, ticks=1, batch_size=100)
    assert [adaptation.tick(1.0, LinearTime(0.5, 0.01), workers=2) for _ in range(20)] == [100] * 20
    assert adaptation.moves == []


def test_before_the_first_query_nothing_is_adapted() -> None:
    adaptation = Adaptation(256)
    assert [adaptation.tick(1.0, LinearTime(0.5, 0.01), workers=2) for _ in range(5)] == [256] * 5
