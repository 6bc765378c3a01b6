from __future__ import annotations

import numpy as np
import pytest

from hotrow.data.schema import RESERVED_IDS, CategoricalFeature, DenseFeature, ListFeature, Schema
from hotrow.load.synthetic_rows import ZIPF_EXPONENT, SyntheticRows, zipf_ids

SCHEMA = Schema(
    format="",
    label="",
    dense=(DenseFeature(name="I1"),),
    categorical=(CategoricalFeature(name="C1", rows=1000), CategoricalFeature(name="C2", rows=2)),
    lists=(ListFeature(name="h", kind="bag", rows=50, mean_length=4.0, max_length=9, weighted=True),),
)


def test_ids_follow_the_law() -> None:
    """Shares of ranks are differences of its integral, which the closed form inverts."""
    rows, count = 500, 400_000
    ids = zipf_ids(np.random.default_rng(0).random(count), np.float64(rows))
    assert ids.min() == RESERVED_IDS
    assert ids.max() == rows - 1
    edges = np.arange(1, rows - RESERVED_IDS + 2, dtype=np.float64) ** (1 - ZIPF_EXPONENT)
    expected = count * np.diff(edges) / (edges[-1] - edges[0])
    found = np.bincount(ids, minlength=rows)[RESERVED_IDS:]
    chi_square = float((np.square(found - expected) / expected).sum())
    freedom = len(expected) - 1
    assert abs(chi_square - freedom) < 3.3 * np.sqrt(2 * freedom)
    assert found[0] / found[1] == pytest.approx(2**ZIPF_EXPONENT, rel=0.2)


def test_rows_fit_the_schema() -> None:
    block = SyntheticRows(SCHEMA, seed=0).content(3, 500)
    assert block.dense.shape == (500, 1)
    assert block.dense.dtype == np.float32
    assert block.ids.shape == (500, 2)
    assert block.ids.dtype == np.int32
    assert (block.ids < [1000, 2]).all()
    assert (block.ids[:, 1] == 1).all()  # a table of the reserved rows alone has nothing else
    (listed,) = block.lists
    assert listed.lengths.mean() == pytest.approx(4, abs=0.4)
    assert listed.lengths.max() <= 9
    assert len(listed.ids) == listed.lengths.sum() == listed.starts[-1] + listed.lengths[-1]
    assert listed.weights is not None


def test_contents_are_a_function_of_seed_and_number() -> None:
    def ids(seed: int, number: int) -> list[int]:
        source = SyntheticRows(SCHEMA, seed=seed, pool_bytes=1 << 17)
        source.content(7, 3)
        found: list[int] = source.content(number, 50).ids[:, 0].tolist()
        return found

    assert ids(1, 2) == ids(1, 2)
    assert ids(1, 2) != ids(1, 3) != ids(2, 3)


def test_queries_differ() -> None:
    source = SyntheticRows(SCHEMA, seed=0)
    firsts = [source.content(number, 100).dense[0, 0] for number in range(200)]
    assert len(set(firsts)) == 200


def test_memory_is_bounded() -> None:
    source = SyntheticRows(SCHEMA, seed=0, pool_bytes=1 << 14)
    block = source.content(0, 2000)  # more rows than it holds
    assert len({tuple(row) for row in block.ids.tolist()}) < (1 << 14) / (2 * 4 + 4 * 8 + 8)
    assert len(set(block.dense[:, 0].tolist())) == (1 << 12) / 4


def test_a_context_is_shared() -> None:
    block = SyntheticRows(SCHEMA, seed=0, context=("C1", "h")).content(0, 20)
    assert len(set(block.ids[:, 0].tolist())) == 1
    assert len(set(block.lists[0].lengths.tolist())) == 1
    assert len(set(block.dense[:, 0].tolist())) == 20


def test_a_context_leaves_other_queries_alone() -> None:
    source = SyntheticRows(SCHEMA, seed=0, context=("I1", "C1"))
    whole = SyntheticRows(SCHEMA, seed=0)
    for number in (3, 4, 3):
        block, own = source.content(number, 20), whole.content(number, 20)
        assert (block.ids[:, 0] == own.ids[0, 0]).all()
        assert (block.dense == own.dense[0]).all()
