from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.conftest import WriteDataset
from tests.data.test_gather import row_of

from hotrow.data.dataset import Dataset
from hotrow.data.schema import CategoricalFeature, DenseFeature, ListFeature, Schema
from hotrow.errors import ConfigError, DataError
from hotrow.load.prepared_rows import PreparedRows

LISTS = Schema(
    format="movielens",
    label="like",
    dense=(DenseFeature(name="year"), DenseFeature(name="age")),
    categorical=(CategoricalFeature(name="user", rows=40), CategoricalFeature(name="item", rows=60)),
    lists=(
        ListFeature(name="history", kind="sequence", rows=60),
        ListFeature(name="genres", kind="bag", rows=9, weighted=True),
    ),
    group="user",
)


@pytest.fixture
def data(tmp_path: Path, write_dataset: WriteDataset) -> Dataset:
    """Return a data set with lists; its test split has two shards, 90 rows."""
    splits = {"train": (0,), "valid": (0,), "test": (40, 50)}
    return Dataset.open(write_dataset(tmp_path / "lists", schema=LISTS, splits=splits))


def test_candidates_are_different_rows_of_the_split(data: Dataset) -> None:
    everything = [row_of(shard, row) for shard in data.shards("test") for row in range(len(shard.dense))]
    source = PreparedRows(data, "test", seed=1)
    assert source.rows == 90
    block = source.content(5, 30)
    found = [everything.index(row_of(block, row)) for row in range(30)]
    assert len(set(found)) == 30
    assert block.dense.dtype == np.float32
    assert block.ids.dtype == np.int32


def test_contents_are_a_function_of_seed_and_number(data: Dataset) -> None:
    def first(seed: int, number: int) -> list[float]:
        found: list[float] = PreparedRows(data, "test", seed=seed).content(number, 9).dense[:, 0].tolist()
        return found

    assert first(1, 5) == first(1, 5)
    assert len({tuple(first(seed, number)) for seed in range(3) for number in range(10)}) > 20


def test_all_rows_are_drawn_about_as_often(data: Dataset) -> None:
    source = PreparedRows(data, "test", seed=2)
    seen = [row_of(source.content(number, 20), row) for number in range(300) for row in (0, 19)]
    assert len(set(map(str, seen))) == 90


def test_of_a_large_split_as_many_rows_are_used_as_fit(data: Dataset) -> None:
    source = PreparedRows(data, "test", seed=2, pool_bytes=2000)
    names = {str(row_of(source.content(number, 5), row)) for number in range(100) for row in range(5)}
    assert 10 < len(names) < 60


def test_a_query_may_be_larger_than_the_split(data: Dataset) -> None:
    block = PreparedRows(data, "test", seed=0).content(0, 200)
    assert block.dense.shape == (200, 2)
    assert len(block.lists[0].lengths) == 200


def test_a_context_is_shared_by_all_candidates(data: Dataset) -> None:
    names = ("user", "age", "history", "genres")
    whole = PreparedRows(data, "test", seed=1).content(5, 30)
    block = PreparedRows(data, "test", seed=1, context=names).content(5, 30)
    rows = [row_of(block, row) for row in range(30)]
    dense, ids, *lists = zip(*rows, strict=True)
    assert len({age for _, age in dense}) == 1
    assert len({user for user, _ in ids}) == 1
    for feature in lists:
        assert all(values == feature[0] for values in feature)
    np.testing.assert_array_equal(block.dense[:, 0], whole.dense[:, 0])  # items keep their own features
    np.testing.assert_array_equal(block.ids[:, 1], whole.ids[:, 1])
    one = rows[0]
    assert any(row_of(whole, row)[2:] == one[2:] for row in range(30)), "the context is one of the rows'"


def test_users_differ_between_queries(data: Dataset) -> None:
    source = PreparedRows(data, "test", seed=1, context=("user",))
    assert len({int(source.content(number, 3).ids[0, 0]) for number in range(40)}) > 10


def test_mistakes_are_told(data: Dataset) -> None:
    with pytest.raises(ConfigError, match="--context: got 'usr', expected features out of year, age,"):
        PreparedRows(data, "test", seed=0, context=("usr",))
    with pytest.raises(ConfigError, match="split: got 'dev'"):
        PreparedRows(data, "dev", seed=0)
    with pytest.raises(DataError, match="has no rows"):
        PreparedRows(data, "train", seed=0)
