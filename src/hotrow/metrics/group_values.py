"""Ranking metrics of each group by itself, exact, ties by expectation (see ``hotrow.metrics.ties``)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hotrow.metrics.ties import Floats, Ints, TieClasses


def hit_rates(ties: TieClasses, k: int) -> Floats:
    """Return the probability that a positive is among the first k, (G,).

    Of a class of t rows with p positives, m of which are among the first k places, none is a positive
    with probability C(t - p, m) / C(t, m).
    """
    missed_C = np.ones(ties.size.size)
    counts = np.flatnonzero((ties.hits > 0) & (ties.above < k))
    size, within, hits = ties.size[counts], ties.within(k)[counts], ties.hits[counts]
    few, many = np.minimum(within, hits), np.maximum(within, hits)
    missed = np.ones(counts.size)
    for number in range(int(few.max(initial=0))):
        left = np.maximum(size - many - number, 0) / np.maximum(size - number, 1)
        missed = np.where(number < few, missed * left, missed)
    missed_C[counts] = missed
    if not ties.groups.size:
        return np.zeros(0)
    return 1.0 - np.multiply.reduceat(missed_C, ties.first_class)


def recalls(ties: TieClasses, k: int) -> Floats:
    """Return the expected share of a group's positives that are among the first k, (G,); NaN without."""
    found = ties.sums(ties.within(k) * (ties.hits / ties.size))
    return _over(found, ties.positives)


def ndcgs(ties: TieClasses, k: int) -> Floats:
    """Return the normalised discounted cumulative gain of the first k, (G,); NaN without positives.

    Gain 1 for a positive, discount 1 / log2(place + 1), over the best possible (K. Jarvelin and
    J. Kekalainen, "Cumulated gain-based evaluation of IR techniques", ACM TOIS 2002).
    """
    longest = min(k, int(ties.rows.max(initial=0)))
    discounts = np.zeros(longest + 1)
    np.cumsum(1.0 / np.log2(np.arange(2, longest + 2)), out=discounts[1:])
    first, last = np.minimum(ties.above, longest), np.minimum(ties.above + ties.size, longest)
    gained = ties.sums((discounts[last] - discounts[first]) * (ties.hits / ties.size))
    return _over(gained, discounts[np.minimum(ties.positives, longest)])


def reciprocal_ranks(ties: TieClasses) -> Floats:
    """Return the expected 1 / place of the first positive, (G,); NaN without positives.

    In a class of t rows with p positives, the first of them is at place j of the class with
    probability C(t - j, p - 1) / C(t, p).
    """
    values = np.full(ties.groups.size, np.nan)
    with_hits = np.flatnonzero(ties.hits)
    group, first = np.unique(ties.group[with_hits], return_index=True)
    chosen = with_hits[first]
    above, size, hits = ties.above[chosen], ties.size[chosen], ties.hits[chosen]
    places = size - hits + 1
    starts = np.cumsum(places) - places
    owner = np.repeat(np.arange(chosen.size), places)
    place = np.arange(owner.size) - starts[owner] + 1
    t, p = size[owner], hits[owner]
    ratio = np.where(place == 1, p / t, (t - place - p + 2) / (t - place + 1))
    logs = np.cumsum(np.log(ratio))
    before = (logs - np.log(ratio))[starts]
    terms = np.exp(logs - before[owner]) / (above[owner] + place)
    values[group] = np.bincount(owner, weights=terms, minlength=chosen.size)
    return values


def group_aucs(ties: TieClasses) -> Floats:
    """Return the AUC within each group, ties one half, (G,); NaN of a group with one class only."""
    misses = ties.size - ties.hits
    negatives = ties.rows - ties.positives
    misses_above = np.cumsum(misses) - misses
    misses_above -= misses_above[ties.first_class][ties.group]
    below = negatives[ties.group] - misses_above - misses
    won = ties.sums(ties.hits * (below + misses / 2.0))
    return _over(won, ties.positives * negatives)


def _over(values: Floats, divisors: Floats | Ints) -> Floats:
    divided: NDArray[np.float64] = np.full(values.size, np.nan)
    return np.divide(values, divisors, out=divided, where=np.asarray(divisors) > 0)
