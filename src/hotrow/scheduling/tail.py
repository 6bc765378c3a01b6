"""Whether a tail latency holds, decided from counts.

"The p-th percentile is at most T" says that a query is later than T with a chance of at most 1 - p/100.
Given how many of the queries were late, this is a question about a binomial chance, and nothing needs to
be known about the distribution of latencies. A verdict is given only when its opposite would have produced
such a count with a probability of at most 1 - confidence.

This rule is for one look at a number of queries that was chosen before they were counted: MLPerf
LoadGen's early stopping is the same bound. Whoever looks again while the count grows must use ``looks``.
"""

from __future__ import annotations

from typing import Literal

from hotrow.scheduling.binomial import at_least, at_most

Verdict = Literal["holds", "fails", "undecided"]

CONFIDENCE = 0.99


def allowed_share(percentile: float) -> float:
    """Return the share of queries that may be late, e.g. 0.01 for the 99th percentile.

    Raises:
        ValueError: the percentile is not above 0 and below 100.
    """
    if not 0 < percentile < 100:
        raise ValueError(f"percentile: got {percentile}, expected a number above 0 and below 100")
    return (100 - percentile) / 100


def judge(queries: int, violations: int, percentile: float, confidence: float = CONFIDENCE) -> Verdict:
    """Return what one look at the counts says.

    Args:
        queries: that were measured.
        violations: of them, later than the SLA (or shed, or failed).
        percentile: that the SLA is for, e.g. 99.
        confidence: 1 minus the chance of a wrong verdict.

    Raises:
        ValueError: more violations than queries, or negative counts.
    """
    if not 0 <= violations <= queries:
        raise ValueError(f"got {violations} violations of {queries} queries")
    share = allowed_share(percentile)
    if at_most(violations, queries, share) <= 1 - confidence:
        return "holds"
    if at_least(violations, queries, share) <= 1 - confidence:
        return "fails"
    return "undecided"


def least_queries(percentile: float, violations: int = 0, confidence: float = CONFIDENCE) -> int:
    """Return how many queries it takes to say "holds" with so many violations: 459 for p99 with none."""
    share = allowed_share(percentile)
    low, high = violations, max(2 * violations, 1)
    while at_most(violations, high, share) > 1 - confidence:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if at_most(violations, middle, share) <= 1 - confidence:
            high = middle
        else:
            low = middle
    return high
