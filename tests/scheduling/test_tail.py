from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotrow.scheduling.binomial import at_least, at_most
from hotrow.scheduling.tail import judge, least_queries


def test_mlperfs_numbers_of_clean_queries() -> None:
    assert least_queries(99) == 459
    assert least_queries(95) == 90
    assert judge(458, 0, 99) == "undecided"
    assert judge(459, 0, 99) == "holds"
    assert least_queries(99, 1) == 662


@given(queries=st.integers(0, 2000), share=st.floats(0, 0.2), percentile=st.sampled_from([90.0, 95.0, 99.0]))
def test_a_verdict_is_what_its_opposite_would_hardly_produce(
    queries: int, share: float, percentile: float
) -> None:
    violations, allowed = int(queries * share), 1 - percentile / 100
    verdict = judge(queries, violations, percentile)
    assert (verdict == "holds") == (at_most(violations, queries, allowed) <= 1 - 0.99)
    assert (verdict == "fails") == (at_least(violations, queries, allowed) <= 1 - 0.99)


@given(violations=st.integers(0, 50), percentile=st.sampled_from([90.0, 95.0, 99.0]))
def test_least_queries_are_the_fewest_that_hold(violations: int, percentile: float) -> None:
    least = least_queries(percentile, violations)
    assert judge(least, violations, percentile) == "holds"
    assert judge(least - 1, violations, percentile) != "holds"


@pytest.mark.parametrize(("queries", "violations", "percentile"), [(1, 2, 99), (1, -1, 99), (1, 1, 100)])
def test_impossible_counts_are_refused(queries: int, violations: int, percentile: float) -> None:
    with pytest.raises(ValueError, match="got"):
        judge(queries, violations, percentile)
