from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.data.lists import list_schema, values_of

from hotrow.data._order import Sequential, Shuffled
from hotrow.data.dataset import Dataset, fixed_columns
from hotrow.data.loader import Loader, LoaderConfig
from hotrow.data.raw import EncodedBlock
from hotrow.errors import ConfigError
from hotrow.types import Batch

WriteDataset = Callable[..., Path]

SMALL = LoaderConfig(batch_size=64, shuffle=True, block_rows=16, window_blocks=4, seed=3)


@pytest.fixture
def dataset(tmp_path: Path, write_dataset: WriteDataset) -> Dataset:
    return Dataset.open(write_dataset(tmp_path / "d"))


def _all(loader: Loader, epoch: int = 0, start: int = 0) -> list[Batch]:
    with loader.epoch(epoch, start=start) as batches:
        return list(batches)


def _rows(batches: list[Batch]) -> list[tuple[float, ...]]:
    """Return every row with all its columns, so that columns out of step are seen."""
    rows: list[tuple[float, ...]] = []
    for batch in batches:
        assert batch.labels is not None
        table = torch.cat([batch.dense, batch.ids.float(), batch.labels[:, None]], dim=1)
        rows += [tuple(row) for row in table.tolist()]
    return rows


def test_batches_have_the_documented_types_and_alignment(dataset: Dataset) -> None:
    batches = _all(Loader(dataset, "train", SMALL))
    assert [len(batch) for batch in batches] == [64] * 12 + [32]
    for batch in batches:
        assert batch.labels is not None
        assert (batch.dense.dtype, batch.ids.dtype, batch.labels.dtype) == (
            torch.float32,
            torch.int32,
            torch.float32,
        )
        assert batch.dense.data_ptr() % 64 == batch.ids.data_ptr() % 64 == 0


def test_sequential_order_is_the_stored_order(dataset: Dataset) -> None:
    batches = _all(Loader(dataset, "train", LoaderConfig(batch_size=77)))
    shards = dataset.shards("train")
    assert np.array_equal(
        torch.cat([batch.dense for batch in batches]).numpy(), np.concatenate([s.dense for s in shards])
    )
    assert np.array_equal(
        torch.cat([batch.ids for batch in batches]).numpy(), np.concatenate([s.ids for s in shards])
    )


def test_every_row_comes_exactly_once_an_epoch(dataset: Dataset) -> None:
    stored = _rows(_all(Loader(dataset, "train", LoaderConfig(batch_size=800))))
    assert len(set(stored)) == 800
    shuffled = _rows(_all(Loader(dataset, "train", SMALL)))
    assert shuffled != stored
    assert sorted(shuffled) == sorted(stored)


def test_the_order_depends_on_epoch_and_seed_and_nothing_else(dataset: Dataset) -> None:
    first = _rows(_all(Loader(dataset, "train", SMALL)))
    assert _rows(_all(Loader(dataset, "train", SMALL))) == first
    assert _rows(_all(Loader(dataset, "train", SMALL), epoch=1)) != first
    reseeded = LoaderConfig(batch_size=64, shuffle=True, block_rows=16, window_blocks=4, seed=4)
    assert _rows(_all(Loader(dataset, "train", reseeded))) != first
    rebatched = LoaderConfig(batch_size=50, shuffle=True, block_rows=16, window_blocks=4, seed=3)
    assert _rows(_all(Loader(dataset, "train", rebatched))) == first


def test_rows_of_a_batch_come_from_all_over_the_split(dataset: Dataset) -> None:
    dense = np.concatenate([shard.dense for shard in dataset.shards("train")])
    place = {tuple(row): index for index, row in enumerate(dense.tolist())}
    config = LoaderConfig(batch_size=64, shuffle=True, block_rows=4, window_blocks=20)
    places = [place[tuple(row)] for row in _all(Loader(dataset, "train", config))[0].dense.tolist()]
    assert min(places) < 200
    assert max(places) > 600
    steps = np.abs(np.diff(places))
    assert (steps > 4).mean() > 0.8  # neighbours in the split are not neighbours in the batch


@pytest.mark.parametrize("shuffle", [False, True], ids=["sequential", "shuffled"])
@pytest.mark.parametrize("start", [0, 1, 5, 12, 13])
def test_starting_in_mid_epoch_is_exact(dataset: Dataset, start: int, shuffle: bool) -> None:
    config = LoaderConfig(batch_size=64, shuffle=shuffle, block_rows=16, window_blocks=5)
    for epoch in (0, 3):
        whole = _rows(_all(Loader(dataset, "train", config), epoch))
        assert _rows(_all(Loader(dataset, "train", config), epoch, start)) == whole[64 * start :]


@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    block_rows=st.integers(1, 50),
    window_blocks=st.integers(1, 5),
    batch_size=st.integers(1, 60),
    cut=st.integers(0, 20),
)
def test_any_geometry_visits_every_row_once(
    sizes: list[int], block_rows: int, window_blocks: int, batch_size: int, cut: int
) -> None:
    shards = _numbered(sizes)
    rows = max(1, sum(sizes) - cut)
    order = Shuffled(shards, rows=rows, block_rows=block_rows, window_blocks=window_blocks, seed=1, epoch=2)
    visited: list[int] = []
    for position in range(0, rows, batch_size):
        out = _numbered([min(batch_size, rows - position)])[0]
        order.fill(position, out)
        assert out.labels is not None
        assert np.array_equal(out.dense[:, 0], out.labels)
        assert np.array_equal(out.dense[:, 0], out.ids[:, 1])
        visited += out.labels.astype(int).tolist()
    assert sorted(visited) == list(range(rows))


@given(sizes=st.lists(st.integers(0, 9), min_size=1, max_size=5), data=st.data())
def test_sequential_copies_across_shards(sizes: list[int], data: st.DataObject) -> None:
    total = sum(sizes)
    first = data.draw(st.integers(0, total))
    count = data.draw(st.integers(0, total - first))
    out = _numbered([count])[0]
    Sequential(_numbered(sizes)).fill(first, out)
    assert out.labels is not None
    assert out.labels.tolist() == list(range(first, first + count))


@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    block_rows=st.integers(1, 50),
    window_blocks=st.integers(1, 5),
    selected=st.booleans(),
    data=st.data(),
)
def test_the_numbers_of_rows_are_those_that_are_visited(
    sizes: list[int], block_rows: int, window_blocks: int, selected: bool, data: st.DataObject
) -> None:
    shards, rows = _numbered(sizes), sum(sizes)
    selection = None
    if selected:
        selection = np.array(sorted(data.draw(st.sets(st.integers(0, rows - 1), min_size=1))))
        rows = len(selection)
    geometry = {"rows": rows, "block_rows": block_rows, "window_blocks": window_blocks}
    shuffled = Shuffled(shards, **geometry, seed=1, epoch=2, selection=selection)
    for order in (shuffled, Sequential(shards, selection)):
        first = data.draw(st.integers(0, rows - 1))
        count = data.draw(st.integers(1, rows - first))
        out = _numbered([count])[0]
        order.fill(first, out)
        assert out.labels is not None
        assert order.numbers(first, count).tolist() == out.labels.tolist()


def _numbered(sizes: list[int]) -> list[EncodedBlock]:
    """Return shards whose every column holds the number of the row."""
    shards, first = [], 0
    for size in sizes:
        numbers = np.arange(first, first + size)
        shards.append(
            EncodedBlock(
                dense=numbers[:, None].astype(np.float32),
                ids=np.stack([numbers, numbers], axis=1).astype(np.int32),
                labels=numbers.astype(np.float32),
            )
        )
        first += size
    return shards


def list_rows(batches: list[Batch], features: int) -> list[tuple[object, ...]]:
    """Return every row with all its columns and its lists of (id, weight)."""
    rows: list[tuple[object, ...]] = []
    for batch in batches:
        assert batch.lists is not None
        assert batch.lists.weights is not None
        assert batch.labels is not None
        assert batch.groups is not None
        pairs = list(zip(batch.lists.ids.tolist(), batch.lists.weights.tolist(), strict=True))
        bags = [tuple(pairs[start:end]) for start, end in pairwise(batch.lists.offsets.tolist())]
        assert len(bags) == features * len(batch)
        columns = zip(
            batch.dense.tolist(),
            batch.ids.tolist(),
            batch.labels.tolist(),
            batch.groups.tolist(),
            strict=True,
        )
        rows += [(*map(str, fixed), *bags[at :: len(batch)]) for at, fixed in enumerate(columns)]
    return rows


def stored_rows(dataset: Dataset) -> list[tuple[object, ...]]:
    """Return the same of the shards, one row after another."""
    rows: list[tuple[object, ...]] = []
    for shard in dataset.shards("train"):
        lists = [[tuple(pairs) for pairs in values_of(column)] for column in shard.lists]
        fixed = zip(*(column.tolist() for column in fixed_columns(shard)), strict=True)
        rows += [(*map(str, columns), *bags) for columns, *bags in zip(fixed, *lists, strict=True)]
    return rows


@pytest.mark.parametrize("tasks", [1, 3])
@pytest.mark.parametrize("batch_size", [7, 64, 800])
def test_lists_labels_and_groups_stay_with_their_rows(
    tmp_path: Path, write_dataset: WriteDataset, batch_size: int, tasks: int
) -> None:
    schema = list_schema(weighted=(False, True, False), more_labels=("buy", "return")[: tasks - 1])
    dataset = Dataset.open(write_dataset(tmp_path / "d", schema=schema))
    stored = stored_rows(dataset)
    assert len(set(stored)) == 800
    sequential = _all(Loader(dataset, "train", LoaderConfig(batch_size=batch_size)))
    assert list_rows(sequential, 3) == stored
    config = replace(SMALL, batch_size=batch_size, block_rows=33)
    shuffled = list_rows(_all(Loader(dataset, "train", config), 1), 3)
    assert shuffled != stored
    assert sorted(shuffled) == sorted(stored)
    later = _all(Loader(dataset, "train", config), 1, start=2)
    assert list_rows(later, 3) == shuffled[2 * batch_size :]


@pytest.mark.parametrize("batch_size", [7, 64, 800])
@pytest.mark.parametrize("kept", [[0], [799], [3, 499, 500, 501, 640], list(range(0, 800, 3))])
def test_only_selected_rows_take_part(
    tmp_path: Path, write_dataset: WriteDataset, batch_size: int, kept: list[int]
) -> None:
    schema = list_schema(weighted=(False, True, False))
    dataset = Dataset.open(write_dataset(tmp_path / "d", schema=schema))
    every = stored_rows(dataset)
    stored, selection = [every[row] for row in kept], np.array(kept)
    loader = Loader(dataset, "train", LoaderConfig(batch_size=batch_size), selection=selection)
    assert (loader.rows, loader.batches) == (len(kept), -(-len(kept) // batch_size))
    assert list_rows(_all(loader), 3) == stored
    config = replace(SMALL, batch_size=batch_size, block_rows=33)
    shuffled = list_rows(_all(Loader(dataset, "train", config, selection=selection), 1), 3)
    assert sorted(shuffled) == sorted(stored)
    later = _all(Loader(dataset, "train", config, selection=selection), 1, start=2)
    assert list_rows(later, 3) == shuffled[2 * batch_size :]


def test_a_selection_of_all_rows_is_none(dataset: Dataset) -> None:
    selected = Loader(dataset, "train", SMALL, selection=np.arange(800))
    assert _rows(_all(selected, 2)) == _rows(_all(Loader(dataset, "train", SMALL), 2))


def test_the_rows_of_a_batch_are_known(dataset: Dataset) -> None:
    stored = torch.from_numpy(np.concatenate([shard.dense for shard in dataset.shards("train")]))
    for config in (SMALL, LoaderConfig(batch_size=64)):
        loader = Loader(dataset, "train", config)
        for number, batch in enumerate(_all(loader, 3)):
            assert torch.equal(stored[loader.rows_of(3, number)], batch.dense)


def test_data_without_lists_has_none(dataset: Dataset) -> None:
    batch = _all(Loader(dataset, "train", SMALL))[0]
    assert batch.lists is None
    assert batch.groups is None


def test_the_rest_can_be_dropped_and_rows_capped(dataset: Dataset) -> None:
    dropping = Loader(dataset, "train", LoaderConfig(batch_size=300, drop_last=True))
    assert (dropping.batches, dropping.rows) == (2, 600)
    assert [len(batch) for batch in _all(dropping)] == [300, 300]
    capped = Loader(dataset, "train", LoaderConfig(batch_size=300, max_rows=450))
    assert (capped.batches, capped.rows) == (2, 450)
    assert [len(batch) for batch in _all(capped)] == [300, 150]


def test_an_empty_split_has_no_batches(tmp_path: Path, write_dataset: WriteDataset) -> None:
    path = write_dataset(tmp_path / "d2", splits={"train": (10,), "valid": (), "test": (0,)})
    for split in ("valid", "test"):
        for shuffle in (False, True):
            loader = Loader(Dataset.open(path), split, LoaderConfig(shuffle=shuffle))
            assert (loader.batches, loader.rows) == (0, 0)
            assert _all(loader) == []


def test_leaving_an_epoch_ends_its_thread(dataset: Dataset) -> None:
    with pytest.raises(RuntimeError), Loader(dataset, "train", SMALL).epoch() as batches:  # noqa: PT012
        next(batches)
        raise RuntimeError
    assert [thread.name for thread in threading.enumerate() if "prefetch" in thread.name] == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("batch_size", 0),
        ("block_rows", 0),
        ("window_blocks", -1),
        ("prefetch", 0),
        ("seed", -1),
        ("max_rows", 0),
    ],
)
def test_impossible_configurations_are_refused(field: str, value: int) -> None:
    with pytest.raises(ConfigError, match=f"{field}: got {value}"):
        LoaderConfig(**{field: value})  # type: ignore[arg-type]
