from __future__ import annotations

import math
from typing import Literal, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotrow.train.config import Decay, ScheduleConfig
from hotrow.train.schedule import rate_multiplier


def test_warm_up_rises_linearly_to_the_full_rate() -> None:
    config = ScheduleConfig(warmup=0.4, decay="constant")
    rates = [rate_multiplier(config, step, 10) for step in range(10)]
    assert rates == pytest.approx([0.2, 0.4, 0.6, 0.8, 1, 1, 1, 1, 1, 1])


@pytest.mark.parametrize(
    ("decay", "half_way"),
    [("constant", 1.0), ("linear", 0.55), ("polynomial", 0.325), ("cosine", 0.55)],
)
def test_decay_half_way(
    decay: Literal["constant", "linear", "polynomial", "cosine"], half_way: float
) -> None:
    config = ScheduleConfig(warmup=0.0, decay=decay, final=0.1, power=2.0)
    assert rate_multiplier(config, 0, 100) == 1.0
    assert rate_multiplier(config, 50, 100) == pytest.approx(half_way)


@given(
    warmup=st.floats(0, 0.99),
    decay=st.sampled_from(get_args(Decay)),
    final=st.floats(0, 1),
    total=st.integers(1, 500),
)
def test_rates_rise_then_fall_within_bounds(warmup: float, decay: Decay, final: float, total: int) -> None:
    config = ScheduleConfig(warmup=warmup, decay=decay, final=final)
    rates = [rate_multiplier(config, step, total) for step in range(total)]
    assert all(0 < rate <= 1 or rate == final for rate in rates)
    peak = math.ceil(warmup * total)
    assert rates[:peak] == sorted(rates[:peak])
    assert all(left >= right - 1e-12 for left, right in zip(rates[peak:], rates[peak + 1 :], strict=False))
    assert all(rate >= final - 1e-12 for rate in rates[peak:])
