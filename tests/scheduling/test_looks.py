"""The plan of looks: errors computed another way, and simulated."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise
from math import comb

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hotrow.scheduling.looks import Look, first_look, plan_looks

PLANS = [(99.0, 528), (95.0, 104), (95.0, 1000), (50.0, 10)]


def naive_errors(looks: tuple[Look, ...], share: float) -> tuple[float, float]:
    """Return the chances of "holds" and "fails", by enumerating counts."""
    undecided, before = {0: 1.0}, 0
    chance = {"holds": 0.0, "fails": 0.0}
    for look in looks:
        trials, following = look.queries - before, defaultdict[int, float](float)
        for violations, weight in undecided.items():
            for k in range(trials + 1):
                following[violations + k] += weight * comb(trials, k) * share**k * (1 - share) ** (trials - k)
        chance["holds"] += sum(w for v, w in following.items() if look.judge(v) == "holds")
        chance["fails"] += sum(w for v, w in following.items() if look.judge(v) == "fails")
        undecided = {v: w for v, w in following.items() if look.judge(v) == "undecided"}
        before = look.queries
    return chance["holds"], chance["fails"]


@settings(max_examples=15, deadline=None)
@given(percentile=st.sampled_from([50.0, 80.0, 95.0]), first=st.integers(1, 40), count=st.integers(1, 4))
def test_errors_are_within_what_is_permitted_and_use_it(percentile: float, first: int, count: int) -> None:
    holds, fails = naive_errors(plan_looks(percentile, first, count), 1 - percentile / 100)
    assert holds <= 0.01 + 1e-12
    assert fails <= 0.01 + 1e-12


@pytest.mark.parametrize(("percentile", "first"), PLANS)
@pytest.mark.parametrize("beside", [0.8, 1.0, 1.25])
def test_false_verdicts_are_as_rare_as_promised(percentile: float, first: int, beside: float) -> None:
    looks, paths, rng = plan_looks(percentile, first), 40_000, np.random.default_rng(1)
    share = (1 - percentile / 100) * beside
    counts = np.zeros(paths, dtype=np.int64)
    verdicts = np.full(paths, "undecided")
    before = 0
    for look in looks:
        counts += rng.binomial(look.queries - before, share, paths)
        before = look.queries
        going_on = verdicts == "undecided"
        verdicts[going_on & (counts <= look.holds_at_most)] = "holds"
        verdicts[going_on & (counts >= look.fails_at_least)] = "fails"
    noise = 4 * (0.01 / paths) ** 0.5
    if beside >= 1:
        assert np.mean(verdicts == "holds") <= 0.01 + noise
    if beside <= 1:
        assert np.mean(verdicts == "fails") <= 0.01 + noise


def test_clear_cases_end_at_the_first_look() -> None:
    for percentile, queries in ((99.0, 528), (95.0, 104)):
        assert first_look(percentile) == queries
        look = plan_looks(percentile, queries)[0]
        assert look.judge(0) == "holds"
        assert plan_looks(percentile, queries - 1)[0].judge(0) == "undecided"
        assert look.judge(queries // 5) == "fails"


@given(first=st.integers(1, 2000), percentile=st.sampled_from([90.0, 95.0, 99.0]))
def test_looks_double_and_bounds_rise(first: int, percentile: float) -> None:
    looks = plan_looks(percentile, first)
    assert [look.queries for look in looks] == [first, 2 * first, 4 * first, 8 * first]
    for look, later in pairwise(looks):
        assert look.holds_at_most <= later.holds_at_most
        assert look.fails_at_least <= later.fails_at_least


@pytest.mark.parametrize(("first", "count", "confidence"), [(0, 4, 0.99), (10, 0, 0.99), (10, 4, 0.5)])
def test_impossible_plans_are_refused(first: int, count: int, confidence: float) -> None:
    with pytest.raises(ValueError, match="got"):
        plan_looks(99, first, count, confidence)
