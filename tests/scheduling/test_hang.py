from __future__ import annotations

import pytest

from hotrow.scheduling.hang import hang_limit
from hotrow.scheduling.service_time import LinearTime


@pytest.mark.parametrize(("rows", "expected"), [(1, 10.0), (980, 10.0), (1980, 20.0), (16_380, 164.0)])
def test_small_tasks_have_seconds_and_large_ones_a_hundred_times_their_prediction(
    rows: int, expected: float
) -> None:
    assert hang_limit(rows, LinearTime(overhead_ms=2.0, row_ms=0.1), 10.0) == pytest.approx(expected)
