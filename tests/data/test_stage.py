from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotrow.data.raw import MISSING_KEY
from hotrow.data.stage import Stage, StageBlock, StageWriter, narrow_keys
from hotrow.errors import InternalError


def block(rows: int, rng: np.random.Generator) -> tuple[StageBlock, np.ndarray]:
    keys = rng.integers(0, 2**32, (2, rows)).astype(np.uint64)
    keys[rng.random((2, rows)) < 0.3] = MISSING_KEY
    narrow, missing = narrow_keys(keys, "hex32")
    dense = rng.normal(size=(rows, 3)).astype(np.float32)
    return StageBlock(dense, rng.integers(0, 2, rows).astype(np.uint8), narrow, missing), keys


@given(sizes=st.lists(st.integers(0, 40), min_size=1, max_size=8), data=st.data())
def test_any_rows_are_read_back(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("stage")
    rng = np.random.default_rng(0)
    blocks, keys = zip(*[block(size, rng) for size in sizes], strict=True)
    with StageWriter(folder, 2) as writer:
        for each in blocks:
            writer.append(each)
    assert writer.rows == sum(sizes)
    stage = Stage(folder, rows=writer.rows, num_dense=3, num_categorical=2, key_type="hex32")
    start = data.draw(st.integers(0, stage.rows))
    stop = data.draw(st.integers(start, stage.rows))
    all_keys = np.concatenate(keys, axis=1)
    assert np.array_equal(stage.dense(start, stop), np.concatenate([b.dense for b in blocks])[start:stop])
    assert np.array_equal(stage.labels(start, stop), np.concatenate([b.labels for b in blocks])[start:stop])
    for feature in range(2):
        expected = all_keys[feature, start:stop]
        assert np.array_equal(stage.keys(feature, start, stop), expected)
        assert np.array_equal(stage.present_keys(feature, start, stop), expected[expected != MISSING_KEY])


def test_ids_take_the_place_of_keys(tmp_path: Path) -> None:
    with StageWriter(tmp_path, 2) as writer:
        writer.append(block(10, np.random.default_rng(0))[0])
    stage = Stage(tmp_path, rows=10, num_dense=3, num_categorical=2, key_type="hex32")
    with stage.ids_writer(1) as stream:
        stream.write(np.arange(10, dtype=np.int32).data)
    stage.drop_keys(1)
    assert stage.ids(1, 3, 6).tolist() == [3, 4, 5]
    assert sorted(path.name for path in tmp_path.glob("*1")) == ["ids1"]
    with pytest.raises(InternalError, match="ids1: 2 values at 8, expected 5"):
        stage.ids(1, 8, 13)
