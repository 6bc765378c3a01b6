from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotrow.data.raw import MISSING_KEY
from hotrow.data.schema import CategoricalFeature, DenseFeature, ListFeature, Schema
from hotrow.data.stage import Stage, StageBlock, StageList, StageWriter, narrow_keys
from hotrow.errors import InternalError

SCHEMA = Schema(
    format="x",
    label="a",
    more_labels=("b",),
    dense=tuple(DenseFeature(name=f"d{at}") for at in range(3)),
    categorical=(
        CategoricalFeature(name="c0", rows=2, key_type="hex32"),
        CategoricalFeature(name="c1", rows=2, key_type="text"),
    ),
    lists=(
        ListFeature(name="l0", kind="sequence", rows=2),
        ListFeature(name="l1", kind="bag", rows=2, weighted=True),
    ),
    group="g",
)


def block(rows: int, rng: np.random.Generator) -> StageBlock:
    keys = rng.integers(0, 2**32, (2, rows)).astype(np.uint64)
    keys[1] = keys[1] << np.uint64(20)
    keys[rng.random((2, rows)) < 0.3] = MISSING_KEY
    narrow, missing = narrow_keys(keys, ["hex32", "text"])
    lengths = rng.integers(0, 4, (2, rows))
    lists = [
        StageList(
            rng.integers(0, 2**64, lengths[at].sum(), dtype=np.uint64),
            lengths[at],
            rng.random(lengths[at].sum()).astype(np.float32) if at else None,
        )
        for at in range(2)
    ]
    return StageBlock(
        rng.normal(size=(rows, 3)).astype(np.float32),
        rng.integers(0, 2, (rows, 2)).astype(np.uint8),
        narrow,
        missing,
        tuple(lists),
        rng.integers(-5, 5, rows),
        rng.integers(0, 2**64, rows, dtype=np.uint64),
    )


def written(folder: Path, blocks: list[StageBlock]) -> Stage:
    with StageWriter(folder, SCHEMA, ordered=True) as writer:
        for each in blocks:
            writer.append(each)
    assert writer.rows == sum(map(len, blocks))
    return Stage(folder, SCHEMA, rows=writer.rows)


def lists_of(listed: StageList) -> list[list[int]]:
    """Return the lists one by one, of weighted ones pairs of key and weight."""
    items = listed.keys.tolist()
    if listed.weights is not None:
        items = list(zip(items, listed.weights.tolist(), strict=True))
    ends = np.cumsum(listed.lengths).tolist()
    return [items[end - length : end] for end, length in zip(ends, listed.lengths.tolist(), strict=True)]


def check_same(found: StageBlock, expected: list[StageBlock], rows: slice | np.ndarray) -> None:
    """Check that a block is some of the rows of others."""
    for name in ("dense", "labels", "groups"):
        whole = np.concatenate([getattr(each, name) for each in expected])
        assert np.array_equal(getattr(found, name), whole[rows]), name
    missing = np.concatenate([each.missing for each in expected], axis=1)[:, rows]
    assert np.array_equal(found.missing, missing)
    for at in range(2):
        keys = np.concatenate([each.keys[at] for each in expected])[rows]
        assert found.keys[at].dtype == keys.dtype
        assert np.array_equal(found.keys[at], keys)
        whole_lists = [listed for each in expected for listed in lists_of(each.lists[at])]
        assert lists_of(found.lists[at]) == [whole_lists[row] for row in np.arange(len(whole_lists))[rows]]


@given(sizes=st.lists(st.integers(0, 40), min_size=1, max_size=8), data=st.data())
def test_any_rows_are_read_back(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], data: st.DataObject
) -> None:
    rng = np.random.default_rng(0)
    blocks = [block(size, rng) for size in sizes]
    stage = written(tmp_path_factory.mktemp("stage"), blocks)
    start = data.draw(st.integers(0, stage.rows))
    stop = data.draw(st.integers(start, stage.rows))
    found = stage.block(start, stop)
    check_same(found, blocks, slice(start, stop))
    order = np.concatenate([each.order for each in blocks if each.order is not None])
    assert np.array_equal(stage.order(start, stop), order[start:stop])
    for feature in range(2):
        keys = np.where(found.missing[feature], MISSING_KEY, found.keys[feature].astype(np.uint64))
        assert np.array_equal(stage.keys(feature, start, stop), keys)
        assert np.array_equal(stage.present_keys(feature, start, stop), keys[keys != MISSING_KEY])


@given(st.integers(0, 30), st.integers(0, 2**32))
def test_some_rows_of_a_block(count: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    whole, chosen = block(count, rng), rng.random(count) < 0.5
    check_same(whole.take(chosen), [whole], chosen)


def test_ids_take_the_place_of_keys(tmp_path: Path) -> None:
    stage = written(tmp_path, [block(10, np.random.default_rng(0))])
    with stage.ids_writer(1) as stream:
        stream.write(np.arange(10, dtype=np.int32).data)
    stage.drop_keys(1)
    assert stage.ids(1, 3, 6).tolist() == [3, 4, 5]
    assert sorted(path.name for path in tmp_path.glob("*1")) == ["ends1", "ids1", "list1", "weights1"]
    with pytest.raises(InternalError, match="ids1: 2 values at 8, expected 5"):
        stage.ids(1, 8, 13)
    place = stage.listed(1, 2, 7)
    assert len(place) == stage.lengths(1, 2, 7).sum()
    with stage.list_ids_writer(1) as stream:
        stream.write(np.arange(100, dtype=np.int32).data)
    stage.drop_list_keys(1)
    assert stage.list_ids(1, place.start, place.stop).tolist() == list(place)
    assert not (tmp_path / "list1").exists()
