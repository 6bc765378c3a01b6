from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hotrow.data.raw import EncodedBlock, EncodedList
from hotrow.serving.engine.layout import Layout, Shape


def _block(shape: Shape, rows: int, seed: int) -> EncodedBlock:
    rng = np.random.default_rng(seed)
    lists = []
    for _ in range(shape.lists):
        lengths = rng.integers(0, 5, rows)
        ends = np.cumsum(lengths)
        ids = rng.integers(0, 99, int(lengths.sum())).astype(np.int32)
        lists.append(EncodedList(ids, ends - lengths, lengths))
    dense = rng.random((rows, shape.dense)).astype(np.float32)
    ids = rng.integers(0, 99, (rows, shape.categorical)).astype(np.int32)
    return EncodedBlock(dense, ids, None, tuple(lists))


@given(
    shape=st.builds(Shape, st.integers(0, 4), st.integers(0, 4), st.integers(0, 3), tasks=st.integers(1, 3)),
    rows=st.integers(0, 9),
    spare=st.integers(0, 3),
    start=st.integers(0, 999),
    data=st.data(),
)
def test_rows_are_read_as_they_were_written(
    shape: Shape, rows: int, spare: int, start: int, data: st.DataObject
) -> None:
    block = _block(shape, rows, start)
    layout = Layout(shape, rows + spare, sum(len(part.ids) for part in block.lists) + spare)
    memory = np.full(start * 64 + layout.size + 64, 0xA5, dtype=np.uint8)
    place = layout.at(memory, start * 64)
    place.write(block)
    place.scores[:] = 0.5
    outside = np.concatenate((memory[: start * 64], memory[-64:]))
    assert (outside == 0xA5).all()
    first = data.draw(st.integers(0, rows))
    last = data.draw(st.integers(first, rows))
    found = layout.at(memory, start * 64).read(first, last)
    np.testing.assert_array_equal(found.dense, block.dense[first:last])
    np.testing.assert_array_equal(found.ids, block.ids[first:last])
    for part, expected in zip(found.lists, block.lists, strict=True):
        for row in range(last - first):
            at, size = int(part.starts[row]), int(part.lengths[row])
            begin = int(expected.starts[first + row])
            np.testing.assert_array_equal(part.ids[at : at + size], expected.ids[begin : begin + size])
