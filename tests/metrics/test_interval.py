from __future__ import annotations

import numpy as np
import pytest

from hotrow.metrics.interval import mean_interval


def test_equal_weights_give_the_textbook_interval() -> None:
    values = np.random.default_rng(0).normal(3.0, 2.0, 500)
    found = mean_interval(values)
    error = values.std(ddof=1) / np.sqrt(500)
    assert (found.mean, found.error) == pytest.approx((values.mean(), error))
    assert (found.low, found.high) == pytest.approx(
        (values.mean() - 1.959964 * error, values.mean() + 1.959964 * error)
    )
    assert found.count == 500


def test_weights_agree_with_the_bootstrap() -> None:
    rng = np.random.default_rng(1)
    weights = rng.integers(1, 60, 400).astype(np.float64)
    values = rng.normal(size=400) / np.sqrt(weights) + weights / 100
    found = mean_interval(values, weights)
    drawn = rng.integers(0, 400, (4000, 400))
    means = (values[drawn] * weights[drawn]).sum(axis=1) / weights[drawn].sum(axis=1)
    assert found.mean == pytest.approx(np.average(values, weights=weights))
    assert found.error == pytest.approx(means.std(), rel=0.06)
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])), rel=0.02)


def test_undefined_groups_are_left_out() -> None:
    found = mean_interval(np.array([1.0, np.nan, 3.0]), np.array([1.0, 100.0, 1.0]), level=0.5)
    assert (found.mean, found.count) == (2.0, 2)
    assert found.high - found.mean == pytest.approx(0.6744898 * found.error)


@pytest.mark.parametrize("values", [[], [1.0], [1.0, np.nan]])
def test_one_group_tells_nothing_of_its_spread(values: list[float]) -> None:
    with pytest.raises(ValueError, match="expected at least two"):
        mean_interval(np.array(values))


def test_weights_of_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="expected at least two"):
        mean_interval(np.ones(3), np.zeros(3))
