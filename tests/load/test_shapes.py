from __future__ import annotations

import numpy as np
import pytest

from hotrow.errors import ConfigError
from hotrow.load.shapes import Bursts, Constant, Diurnal, parse_shape


def test_texts_of_shapes() -> None:
    assert parse_shape("constant") == Constant()
    assert parse_shape("diurnal:0.5,60") == Diurnal(depth=0.5, period_s=60)
    assert parse_shape("bursts:4,1,9") == Bursts(factor=4, burst_s=1, calm_s=9)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "--shape: got '', expected constant, diurnal:DEPTH,PERIOD_S or bursts"),
        ("constant:1", "--shape"),
        ("diurnal:1", "--shape"),
        ("diurnal:a,b", "--shape"),
        ("diurnal:1.5,60", "DEPTH: got 1.5, expected 0 to 1"),
        ("diurnal:nan,60", "DEPTH"),
        ("diurnal:1,0", "PERIOD_S: got 0.0, expected more than 0"),
        ("bursts:0.5,1,1", "FACTOR: got 0.5, expected at least 1"),
        ("bursts:2,0,1", "BURST_S: got 0.0, expected seconds, at least 0.001"),
        ("bursts:4,1e-9,1", "--shape bursts: BURST_S: got 1e-09, expected seconds, at least 0.001"),
        ("bursts:4,1,1e-9", "--shape bursts: CALM_S: got 1e-09, expected seconds, at least 0.001"),
        ("bursts:2,1,inf", "CALM_S: got inf"),
        ("bursts:2,1", "--shape"),
    ],
)
def test_what_is_no_shape_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_shape(text)


def test_the_sinusoid() -> None:
    times = np.array([0, 1, 2, 3, 4.0])
    found = Diurnal(depth=0.5, period_s=4).relative(times, np.random.default_rng(0))
    np.testing.assert_allclose(found, [1, 1.5, 1, 0.5, 1])


def test_states_last_as_long_as_they_should() -> None:
    shape = Bursts(factor=3, burst_s=0.2, calm_s=0.6)
    times = np.arange(0, 4000, 0.01)
    is_burst = shape.relative(times, np.random.default_rng(2)) == shape.peak
    changes = np.count_nonzero(np.diff(is_burst))
    assert is_burst.mean() == pytest.approx(0.25, abs=0.015)
    assert changes / 4000 == pytest.approx(
        2 / 0.8, rel=0.08
    )  # two changes a cycle, of which some are too short
    assert shape.relative(np.zeros(0), np.random.default_rng(0)).shape == (0,)


def test_a_run_of_two_hours_may_have_the_shortest_states() -> None:
    shape = Bursts(factor=3, burst_s=1e-3, calm_s=1e-3)
    is_burst = shape.relative(np.arange(0, 7200, 0.1), np.random.default_rng(0)) == shape.peak
    assert is_burst.mean() == pytest.approx(0.5, abs=0.01)
