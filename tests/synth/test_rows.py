"""Drawn rows against what was recorded of the real sample's first 10,000 rows."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from hotrow.synth.criteo_tables import IDS, INTEGERS, MISSING
from hotrow.synth.rows import CHUNK_ROWS, MISSING_LEVEL, NESTED, RowChunk, draw_rows

REAL = Path(__file__).parents[3] / "shared" / "data" / "criteo-kaggle-10k" / "train.txt"
SAMPLE_ROWS = 10_000
# distinct ids, ids that occur once, share of the ten most frequent among present ids
SAMPLE = {
    "C1": (175, 91, 0.911),
    "C2": (386, 75, 0.432),
    "C3": (5520, 4821, 0.192),
    "C4": (4032, 3138, 0.254),
    "C5": (56, 20, 0.980),
    "C6": (7, 0, 1.000),
    "C7": (3184, 1621, 0.073),
    "C8": (93, 41, 0.957),
    "C9": (3, 0, 1.000),
    "C10": (2986, 1894, 0.338),
    "C11": (2084, 840, 0.110),
    "C12": (5283, 4566, 0.195),
    "C13": (1725, 622, 0.131),
    "C14": (24, 2, 0.988),
    "C15": (2035, 970, 0.110),
    "C16": (4723, 3929, 0.196),
    "C17": (9, 0, 1.000),
    "C18": (1149, 447, 0.219),
    "C19": (546, 293, 0.722),
    "C20": (3, 0, 1.000),
    "C21": (5036, 4294, 0.196),
    "C22": (7, 1, 1.000),
    "C23": (12, 0, 0.993),
    "C24": (2524, 1742, 0.391),
    "C25": (39, 6, 0.907),
    "C26": (1938, 1355, 0.273),
}


@pytest.fixture(scope="module")
def sample() -> RowChunk:
    return draw_rows(11, 0).rows(0, SAMPLE_ROWS)


def occurrences(ranks: np.ndarray, rows: int) -> np.ndarray:
    counts = np.bincount(ranks[ranks < rows])
    return -np.sort(-counts[counts > 0])


@pytest.mark.parametrize("name", IDS)
def test_skew_is_the_samples(sample: RowChunk, name: str) -> None:
    counts = occurrences(sample.ranks[list(IDS).index(name)], IDS[name].rows)
    distinct, once, top = SAMPLE[name]
    assert abs(counts.size - distinct) <= 0.12 * distinct + 8
    assert abs(int((counts == 1).sum()) - once) <= 0.25 * once + 20
    assert counts[:10].sum() / counts.sum() == pytest.approx(top, abs=0.025)


def test_seven_of_ten_distinct_ids_occur_once(sample: RowChunk) -> None:
    counts = [occurrences(ranks, law.rows) for ranks, law in zip(sample.ranks, IDS.values(), strict=True)]
    distinct = sum(count.size for count in counts)
    assert sum(int((count == 1).sum()) for count in counts) / distinct == pytest.approx(0.706, abs=0.03)
    assert distinct == pytest.approx(43_579, rel=0.05)


def test_missing_rates_and_columns_missing_together(sample: RowChunk) -> None:
    absent = dict(zip(INTEGERS, sample.levels == MISSING_LEVEL, strict=True))
    rows = np.array([law.rows for law in IDS.values()])
    absent |= dict(zip(IDS, sample.ranks == rows[:, None], strict=True))
    for names, rate in MISSING:
        assert absent[names[0]].mean() == pytest.approx(rate, abs=0.02)
        for name in names[1:]:
            np.testing.assert_array_equal(absent[name], absent[names[0]])
    never = set(absent) - set(chain.from_iterable(names for names, _ in MISSING))
    assert not any(absent[name].any() for name in never)


def test_nested_columns_share_their_popularity(sample: RowChunk) -> None:
    ranks = dict(zip(IDS, sample.ranks, strict=True))
    for group in NESTED:
        present = np.logical_and.reduce([ranks[name] < IDS[name].rows for name in group])
        columns = [ranks[name][present] for name in group]
        order = np.lexsort(columns[::-1])
        assert all(np.all(np.diff(column[order]) >= 0) for column in columns)
    assert abs(np.corrcoef(np.log1p(ranks["C7"]), np.log1p(ranks["C10"]))[0, 1]) < 0.05


def test_a_chunk_is_a_function_of_seed_and_number() -> None:
    first, again = draw_rows(3, 5), draw_rows(3, 5)
    assert len(first) == CHUNK_ROWS
    np.testing.assert_array_equal(first.levels, again.levels)
    np.testing.assert_array_equal(first.ranks, again.ranks)
    np.testing.assert_array_equal(first.coins, again.coins)
    others = draw_rows(3, 6), draw_rows(4, 5), draw_rows(3, 5, calibration=True)
    assert all(not np.array_equal(first.coins, other.coins) for other in others)


def test_the_recorded_figures_are_the_real_samples() -> None:
    if not REAL.exists():
        pytest.skip(f"needs {REAL}")
    lines = REAL.read_text().splitlines()
    columns = list(zip(*(line.split("\t") for line in lines), strict=True))
    for name, column in zip(IDS, columns[14:], strict=True):
        ids, counts = np.unique(np.array(column), return_counts=True)
        counts = -np.sort(-counts[ids != ""])
        share = counts[:10].sum() / counts.sum()
        assert (counts.size, int((counts == 1).sum())) == SAMPLE[name][:2]
        assert share == pytest.approx(SAMPLE[name][2], abs=0.001)
