"""Against plain Python that averages over every order of the rows that falling scores allow."""

from __future__ import annotations

import math
from collections import defaultdict
from itertools import pairwise, permutations
from statistics import fmean
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hotrow.errors import DivergedError
from hotrow.metrics import RankingAccumulator, auc
from hotrow.metrics.ranking import RankingMetrics

Row = tuple[int, int, float, int]
"""Group, label, score, item."""


def orders(rows: list[Row]) -> list[list[Row]]:
    """Return all orders by falling score, each as likely."""
    found = [list(order) for order in permutations(rows)]
    return [order for order in found if all(a[2] >= b[2] for a, b in pairwise(order))]


def reference(rows: list[Row], k: int) -> dict[str, float | None]:
    groups: dict[int, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row[0]].append(row)
    values: dict[str, list[float]] = defaultdict(list)
    weights, missing = [], dict.fromkeys((row[3] for row in rows), 1.0)
    for group in groups.values():
        ways = orders(group)
        positives = sum(row[1] for row in group)
        for item in {row[3] for row in group}:
            shown = fmean(item in [row[3] for row in way[:k]] for way in ways)
            missing[item] *= 1 - shown
        if not positives:
            continue
        best = sum(1 / math.log2(place + 1) for place in range(1, min(k, positives) + 1))
        found = [[row[1] for row in way] for way in ways]
        values["hr"].append(fmean(max(way[:k]) for way in found))
        values["recall"].append(fmean(sum(way[:k]) / positives for way in found))
        values["mrr"].append(fmean(1 / (way.index(1) + 1) for way in found))
        gains = [sum(hit / math.log2(at + 2) for at, hit in enumerate(way[:k])) for way in found]
        values["ndcg"].append(fmean(gains) / best)
        if positives < len(group):
            values["auc"].append(auc([row[1] for row in group], [row[2] for row in group]))
            weights.append(len(group))
    means: dict[str, float | None] = {name: fmean(found) for name, found in values.items()}
    means["gauc"] = fmean(values["auc"], weights) if weights else None
    means["coverage"] = fmean(1 - miss for miss in missing.values()) if missing else None
    return means


def judge(rows: list[Row], *, at: tuple[int, ...] = (10,), batch: int = 4) -> RankingMetrics:
    accumulator = RankingAccumulator()
    columns = [np.array(column) for column in zip(*rows, strict=True)] or [np.zeros(0)] * 4
    for start in range(0, len(rows), batch):
        groups, labels, scores, items = (column[start : start + batch] for column in columns)
        accumulator.update(groups, labels, scores, items)
    assert accumulator.rows == len(rows)
    return accumulator.result(at)


def _rows(groups: list[list[tuple[int, float]]], seed: int) -> list[Row]:
    """Return the rows in an order of their own; an item is in a group once."""
    rows = [
        (number * 7 - 9, label, score, (item + number) % 6)
        for number, group in enumerate(groups)
        for item, (label, score) in enumerate(group)
    ]
    return [rows[at] for at in np.random.default_rng(seed).permutation(len(rows))]


GROUPS = st.lists(
    st.lists(st.tuples(st.integers(0, 1), st.sampled_from([-1.5, -0.0, 0.0, 2.0])), min_size=1, max_size=5),
    max_size=5,
)


@given(groups=GROUPS, k=st.integers(1, 8), seed=st.integers(0, 9))
def test_it_is_the_mean_over_all_orders_of_ties(
    groups: list[list[tuple[int, float]]], k: int, seed: int
) -> None:
    rows = _rows(groups, seed)
    found, expected = judge(rows, at=(k,)), reference(rows, k)
    top = found.at[0]
    pairs = {
        "hr": top.hr,
        "ndcg": top.ndcg,
        "recall": top.recall,
        "mrr": found.mrr,
        "gauc": found.gauc,
        "auc": found.gauc_mean,
    }
    if rows:
        pairs["coverage"] = top.coverage
    for name, value in pairs.items():
        wanted = expected.get(name)
        assert value == (None if wanted is None else pytest.approx(wanted, abs=1e-12)), name


def test_large_groups_of_distinct_scores() -> None:
    rng = np.random.default_rng(3)
    groups = rng.integers(0, 40, 20_000)
    labels, logits = (rng.random(20_000) < 0.02).astype(np.float64), rng.permutation(20_000) / 9.0
    accumulator = RankingAccumulator()
    accumulator.update(groups, labels, logits)
    found = accumulator.result((5, 20))
    values: dict[str, list[float]] = defaultdict(list)
    for group in range(40):
        ranked = labels[groups == group][np.argsort(-logits[groups == group])]
        discounts = 1 / np.log2(np.arange(2, ranked.size + 2))
        values["mrr"].append(1 / (1 + int(np.argmax(ranked))))
        for k in (5, 20):
            values[f"hr@{k}"].append(float(ranked[:k].any()))
            values[f"recall@{k}"].append(float(ranked[:k].sum() / ranked.sum()))
            best = discounts[: min(k, int(ranked.sum()))].sum()
            values[f"ndcg@{k}"].append(float((ranked[:k] * discounts[:k]).sum() / best))
    figures = found.figures()
    for name, each in values.items():
        assert figures[name] == pytest.approx(fmean(each), rel=1e-12), name
    assert "coverage@5" not in figures


def _constant(rows: int, positives: int, k: int) -> RankingMetrics:
    labels = np.arange(rows) < positives
    accumulator = RankingAccumulator()
    accumulator.update(np.zeros(rows, np.int64), labels, np.zeros(rows, np.float32))
    return accumulator.result((k,))


def test_a_constant_model_gets_what_chance_gets() -> None:
    found = _constant(100, 1, 10)
    assert found.at[0].hr == pytest.approx(0.1)
    assert found.at[0].recall == pytest.approx(0.1)
    assert found.gauc == 0.5
    assert found.mrr == pytest.approx(sum(1 / place for place in range(1, 101)) / 100)


def test_ties_of_very_many_rows_stay_exact() -> None:
    rows, positives, k = 300_000, 2, 1000
    found = _constant(rows, positives, k)
    both_missed = (rows - k) * (rows - k - 1) / (rows * (rows - 1))
    assert found.at[0].hr == pytest.approx(1 - both_missed, rel=1e-9)
    place = np.arange(1, rows)
    chance = 2 * (rows - place) / (rows * (rows - 1))
    assert found.mrr == pytest.approx(float((chance / place).sum()), rel=1e-9)


def test_groups_that_a_metric_is_not_defined_for_are_counted_not_guessed() -> None:
    rows: list[Row] = [(1, 1, 0.5, 0), (1, 0, 0.1, 1), (2, 0, 0.3, 0), (3, 1, 0.2, 2), (3, 1, 0.2, 3)]
    found = judge(rows)
    assert (found.groups, found.groups_with_positive, found.groups_with_both) == (3, 2, 1)
    assert (found.gauc, found.gauc_mean, found.mrr) == (1.0, 1.0, 1.0)
    nothing = judge([(1, 0, 0.5, 0)])
    assert (nothing.groups, nothing.groups_with_positive, nothing.mrr, nothing.gauc) == (1, 0, None, None)
    assert (nothing.at[0].hr, nothing.at[0].ndcg, nothing.at[0].recall) == (None, None, None)


def test_no_rows() -> None:
    found = RankingAccumulator().result((1, 5))
    assert (found.groups, found.mrr, found.gauc, [top.hr for top in found.at]) == (
        0,
        None,
        None,
        [None, None],
    )


def test_gauc_weighs_groups_by_their_rows() -> None:
    rows: list[Row] = [(1, 1, 1.0, 0), (1, 0, 0.0, 1)]
    rows += [(2, 1, 0.0, 0), *((2, 0, 1.0, item) for item in range(1, 6))]
    found = judge(rows)
    assert (found.gauc, found.gauc_mean) == (0.25, 0.5)


def test_values_of_single_groups() -> None:
    accumulator = RankingAccumulator()
    accumulator.update(np.array([7, 5, 7, 6]), np.array([1, 1, 0, 0]), np.array([0.0, 1.0, 2.0, 3.0]))
    found = accumulator.group_values((1,))
    assert (found.groups.tolist(), found.rows.tolist()) == ([5, 6, 7], [1, 1, 2])
    np.testing.assert_array_equal(found.values["hr@1"], [1.0, np.nan, 0.0])
    np.testing.assert_array_equal(found.values["auc"], [np.nan, np.nan, 0.0])


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_diverged_model_is_said_with_its_row(bad: float) -> None:
    accumulator = RankingAccumulator()
    accumulator.update(np.array([0, 0]), np.array([0, 1]), np.zeros(2))
    with pytest.raises(DivergedError, match=r"row 3 .* diverged"):
        accumulator.update(np.array([0, 1]), np.array([0, 1]), np.array([0.0, bad]))
    assert accumulator.rows == 2


def _update(**arrays: NDArray[Any] | None) -> None:
    given = {"groups_B": np.zeros(2, np.int64), "labels_B": np.zeros(2), "logits_B": np.zeros(2), **arrays}
    RankingAccumulator().update(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["groups", "logits", "items"])
def test_arrays_of_other_shapes_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match=f"labels and {name} differ in shape"):
        _update(**{f"{name}_B": np.zeros(3)})


def test_mistaken_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="expected 0 or 1"):
        _update(labels_B=np.array([0.5, 1]))
    accumulator = RankingAccumulator()
    accumulator.update(np.zeros(1, np.int64), np.ones(1), np.zeros(1))
    with pytest.raises(ValueError, match="all or none"):
        accumulator.update(np.zeros(1, np.int64), np.ones(1), np.zeros(1), np.zeros(1, np.int64))
    with pytest.raises(ValueError, match="at least 1"):
        accumulator.result((0,))


def test_a_buffer_that_is_used_again_does_no_harm() -> None:
    buffer, accumulator = np.array([0.5, 0.1]), RankingAccumulator()
    accumulator.update(np.zeros(2, np.int64), np.array([1, 0]), buffer)
    buffer[:] = [0.1, 0.5]
    assert accumulator.result((1,)).at[0].hr == 1.0
