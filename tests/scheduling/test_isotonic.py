from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotrow.scheduling.isotonic import non_decreasing


@given(st.lists(st.floats(-100, 100), max_size=12))
def test_it_is_the_max_min_formula(values: list[float]) -> None:
    count = len(values)
    naive = [
        max(
            min(sum(values[left:right]) / (right - left) for right in range(place + 1, count + 1))
            for left in range(place + 1)
        )
        for place in range(count)
    ]
    assert non_decreasing(values) == pytest.approx(naive, abs=1e-9)
