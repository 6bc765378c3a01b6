from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.conftest import small_schema

from hotrow.data.dataset import Dataset
from hotrow.data.downsampling import keep_negatives
from hotrow.errors import ConfigError

WriteDataset = Callable[..., Path]


@pytest.fixture
def dataset(tmp_path: Path, write_dataset: WriteDataset) -> Dataset:
    schema = replace(small_schema(), more_labels=("buy",))
    sizes = {"train": (4000, 0, 3000), "valid": (9,), "test": (9,)}
    return Dataset.open(write_dataset(tmp_path / "d", schema=schema, splits=sizes))


def _labels(dataset: Dataset, column: int) -> NDArray[np.float32]:
    found = [shard.labels[:, column] for shard in dataset.shards("train") if shard.labels is not None]
    return np.concatenate(found)


@pytest.mark.parametrize("column", [0, 1])
@pytest.mark.parametrize("share", [0.02, 0.3, 1.0])
def test_positives_stay_and_so_many_negatives(dataset: Dataset, share: float, column: int) -> None:
    kept = keep_negatives(dataset, share, label=("label", "buy")[column], seed=3)
    labels = _labels(dataset, column)
    taken = labels[kept.rows]
    assert (np.diff(kept.rows) > 0).all()
    assert taken.sum() == labels.sum()
    assert (kept.kept, kept.negatives) == ((taken == 0).sum(), (labels == 0).sum())
    spread = 4 * np.sqrt(share * (1 - share) / kept.negatives)
    assert abs(kept.share - share) <= spread


def test_which_are_kept_depends_on_the_seed_alone(dataset: Dataset) -> None:
    first, again, other = (keep_negatives(dataset, 0.3, label="label", seed=seed).rows for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    fewer = keep_negatives(dataset, 0.1, label="label", seed=3).rows
    assert set(fewer) <= set(first)


def test_a_share_that_leaves_none_is_refused(dataset: Dataset) -> None:
    with pytest.raises(ConfigError, match=r"keep_negatives: got 1e-09, expected a share that leaves some of"):
        keep_negatives(dataset, 1e-9, label="label", seed=0)


def test_a_split_without_negatives_is_told(tmp_path: Path, write_dataset: WriteDataset) -> None:
    empty = Dataset.open(write_dataset(tmp_path / "e", splits={"train": (0,), "valid": (3,), "test": (3,)}))
    with pytest.raises(ConfigError, match="expected 1: the training split has no row whose label is 0"):
        keep_negatives(empty, 0.5, label="label", seed=0)
