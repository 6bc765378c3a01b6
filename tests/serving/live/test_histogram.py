from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotrow.serving.live.histogram import LatencyHistogram

MICROSECONDS = st.lists(st.integers(0, 10**8), min_size=1, max_size=60)


def histogram(microseconds: list[int]) -> LatencyHistogram:
    found = LatencyHistogram()
    for value in microseconds:
        found.add((value + 0.5) / 1e6)  # what is counted in whole microseconds does not hang on rounding
    return found


@given(microseconds=MICROSECONDS, share=st.sampled_from([0.01, 0.5, 0.95, 0.99, 1.0]))
def test_a_quantile_is_the_nearest_rank_within_a_bucket(microseconds: list[int], share: float) -> None:
    exact = float(np.quantile(np.array(microseconds), share, method="inverted_cdf"))
    found = histogram(microseconds).quantile(share)
    assert found is not None
    assert exact <= found * 1e6 <= exact * (1 + 1 / 32) + 1.001


@given(first=MICROSECONDS, second=MICROSECONDS)
def test_sums_are_those_of_all_latencies(first: list[int], second: list[int]) -> None:
    together = LatencyHistogram([histogram(first), histogram(second)])
    whole = histogram([*first, *second])
    assert together.count == whole.count == len(first) + len(second)
    assert [together.quantile(q) for q in (0.5, 0.99)] == [whole.quantile(q) for q in (0.5, 0.99)]


def test_nothing_has_no_quantile() -> None:
    assert LatencyHistogram().quantile(0.5) is None


@pytest.mark.parametrize("exponent", range(5, 26))
def test_buckets_are_narrow_at_their_edges(exponent: int) -> None:
    for value in (2**exponent - 1, 2**exponent, 2**exponent + 1):
        found = histogram([value]).quantile(1.0)
        assert found is not None
        assert value < found * 1e6 <= value * (1 + 1 / 32) + 1.001
