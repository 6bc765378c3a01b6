from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.data.choices import ITEMS, SCHEMA, bags, choices, write_choices

from hotrow.data.dataset import Dataset
from hotrow.data.loader import Loader, LoaderConfig
from hotrow.data.raw import EncodedBlock
from hotrow.data.sampling import NegativeSampling, SamplingConfig
from hotrow.errors import ConfigError, DataError
from hotrow.types import Batch

ITEM = 2
CONFIG = LoaderConfig(batch_size=16, shuffle=True, block_rows=8, window_blocks=3, seed=5)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return write_choices(tmp_path / "d", choices())


def _epoch(dataset: Dataset, *, negatives: int = 3, epoch: int = 0, start: int = 0) -> list[Batch]:
    sampling = NegativeSampling(dataset, SamplingConfig(negatives=negatives), seed=5)
    loader = Loader(dataset, "train", CONFIG, expansion=sampling)
    assert loader.factor == 1 + negatives
    with loader.epoch(epoch, start=start) as batches:
        return list(batches)


def _plain(dataset: Dataset, epoch: int = 0) -> list[Batch]:
    with Loader(dataset, "train", CONFIG).epoch(epoch) as batches:
        return list(batches)


def _same(mine: Batch, theirs: Batch) -> bool:
    return torch.equal(mine.ids, theirs.ids) and torch.equal(mine.dense, theirs.dense)


def test_a_batch_begins_with_the_rows_that_are_stored(dataset: Dataset) -> None:
    for sampled, plain in zip(_epoch(dataset), _plain(dataset), strict=True):
        B = len(plain)
        assert len(sampled) == 4 * B
        assert _same(Batch(dense=sampled.dense[:B], ids=sampled.ids[:B]), plain)
        assert sampled.labels is not None
        assert sampled.labels.tolist() == [1.0] * B + [0.0] * 3 * B
        assert sampled.ids.data_ptr() % 64 == sampled.dense.data_ptr() % 64 == 0


def test_drawn_rows_differ_from_theirs_in_the_item_alone(dataset: Dataset) -> None:
    for sampled, plain in zip(_epoch(dataset), _plain(dataset), strict=True):
        B = len(plain)
        source = torch.cat([torch.arange(B), torch.arange(B).repeat_interleave(3)])
        others = [0, 1]
        assert torch.equal(sampled.ids[:, others], plain.ids[source][:, others])
        assert torch.equal(sampled.dense, plain.dense[source])
        assert sampled.groups is not None
        assert plain.groups is not None
        assert torch.equal(sampled.groups, plain.groups[source])


def test_drawn_rows_have_the_lists_of_theirs(dataset: Dataset) -> None:
    for sampled, plain in zip(_epoch(dataset), _plain(dataset), strict=True):
        B = len(plain)
        one = [*range(B), *(row for row in range(B) for _ in range(3))]
        for name in ("ids", "weights"):
            found, stored = (
                bags(getattr(batch.lists, name).numpy(), batch.lists.offsets.numpy())
                for batch in (sampled, plain)
                if batch.lists is not None
            )
            assert found == [stored[feature * B + row] for feature in range(2) for row in one]


def test_no_user_is_given_an_item_of_any_of_its_training_rows(dataset: Dataset) -> None:
    stored = choices().ids
    chosen = {(user, item) for user, _, item in stored.tolist()}
    drawn = [row for epoch in range(20) for batch in _epoch(dataset, epoch=epoch) for row in _drawn(batch)]
    assert not chosen & set(drawn)
    assert {item for _, item in drawn} == set(range(2, ITEMS))


def _drawn(batch: Batch) -> list[tuple[int, int]]:
    assert batch.labels is not None
    return [(user, item) for user, _, item in batch.ids[batch.labels == 0].tolist()]


def test_what_is_drawn_depends_on_seed_epoch_and_batch_alone(dataset: Dataset) -> None:
    whole = _epoch(dataset, epoch=2)
    assert all(map(_same, _epoch(dataset, epoch=2), whole))
    assert all(map(_same, _epoch(dataset, epoch=2, start=3), whole[3:]))
    plain, sampling = _plain(dataset)[0], SamplingConfig(negatives=3)
    made = [
        NegativeSampling(dataset, sampling, seed=seed)(plain, epoch=epoch, number=number).ids
        for seed, epoch, number in ((5, 0, 0), (6, 0, 0), (5, 1, 0), (5, 0, 1))
    ]
    for ids in made[1:]:
        assert not torch.equal(ids, made[0])


def test_columns_of_the_item_are_named(tmp_path: Path) -> None:
    block = choices()
    item = block.ids[:, ITEM]
    ids, starts = block.ids.copy(), item.astype(np.int64)
    ids[:, 1] = item % 5
    tags = replace(block.lists[1], starts=starts, lengths=1 + item % 3)
    dense = np.stack([block.dense[:, 0], item * 0.1], axis=1).astype(np.float32)
    altered = replace(block, ids=ids, dense=dense, lists=(block.lists[0], tags))
    schema = replace(SCHEMA, dense=(SCHEMA.dense[0], replace(SCHEMA.dense[0], name="price")))
    dataset = write_choices(tmp_path / "d", altered, schema)
    with pytest.raises(ConfigError, match=r"sampling\.item: got 'item', .* price, hour, tags would be wrong"):
        NegativeSampling(dataset, SamplingConfig(negatives=1), seed=0)


def test_columns_of_the_user_or_of_nothing_are_allowed(tmp_path: Path) -> None:
    """One row an item: every column has one value for each item."""
    block = choices(20)
    ids = block.ids.copy()
    ids[:, ITEM], ids[:, 1] = 2 + np.arange(20), 7
    empty = tuple(replace(rows, lengths=rows.lengths * 0) for rows in block.lists)
    dataset = write_choices(tmp_path / "d", replace(block, ids=ids, lists=empty))
    assert NegativeSampling(dataset, SamplingConfig(negatives=1), seed=0).factor == 2


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"user": "who"}, "sampling.user: got 'who', expected one of .* user, hour, item"),
        ({"item": "age"}, "sampling.item: got 'age', expected one of .* user, hour, item"),
        ({"item": "user"}, "sampling.item: got 'user', expected another feature than sampling.user"),
        ({"negatives": -1}, "sampling.negatives: got -1, expected at least 0"),
        ({"negatives": 10_001}, "sampling.negatives: got 10001, expected at most 10000"),
    ],
)
def test_wrong_settings_are_refused(dataset: Dataset, config: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        NegativeSampling(dataset, SamplingConfig(**{"negatives": 1, **config}), seed=0)  # type: ignore[arg-type]


@pytest.mark.parametrize("found", [ITEMS, -1, 2**31 - 1, -(2**31)])
def test_an_id_outside_its_table_is_told(tmp_path: Path, found: int) -> None:
    block = choices()
    block.ids[70, 2] = found
    with pytest.raises(DataError, match=rf"train, column item: holds id {found}, its table has {ITEMS} rows"):
        NegativeSampling(write_choices(tmp_path / "d", block), SamplingConfig(negatives=1), seed=0)


def _with_negatives(block: EncodedBlock) -> EncodedBlock:
    labels = np.ones(len(block.ids), np.float32)
    labels[[3, 80]] = 0
    return replace(block, labels=labels)


def test_data_with_negatives_of_their_own_are_refused(tmp_path: Path) -> None:
    dataset = write_choices(tmp_path / "d", _with_negatives(choices()))
    with pytest.raises(ConfigError, match=r"got 2, expected 0 .* training split has 2 negatives of its own"):
        NegativeSampling(dataset, SamplingConfig(negatives=2), seed=0)


def test_data_of_several_labels_are_refused(tmp_path: Path) -> None:
    block, schema = choices(), replace(SCHEMA, more_labels=("bought",))
    dataset = write_choices(tmp_path / "d", replace(block, labels=np.ones((90, 2), np.float32)), schema)
    with pytest.raises(ConfigError, match="several labels"):
        NegativeSampling(dataset, SamplingConfig(negatives=2), seed=0)


def test_a_user_who_chose_everything_is_refused(tmp_path: Path) -> None:
    block = choices(ITEMS - 2)
    ids = block.ids.copy()
    ids[:, 0], ids[:, ITEM] = 7, np.arange(2, ITEMS)
    dataset = write_choices(tmp_path / "d", replace(block, ids=ids))
    with pytest.raises(DataError, match=r"schema\.json, column item: the user of row 7 has all 28 items"):
        NegativeSampling(dataset, SamplingConfig(negatives=1), seed=0)
