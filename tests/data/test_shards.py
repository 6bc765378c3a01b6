from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.data.lists import encoded_lists, list_schema, values_of

from hotrow.data._shard import map_shard
from hotrow.data.raw import EncodedBlock, EncodedList
from hotrow.data.schema import DenseFeature, ListFeature, Schema
from hotrow.data.shards import write_shard
from hotrow.errors import DataError


def block_of(schema: Schema, rows: int, lists: Sequence[EncodedList]) -> EncodedBlock:
    tasks = len(schema.labels)
    labels = np.arange(rows * tasks, dtype=np.float32)
    return EncodedBlock(
        dense=np.arange(rows * len(schema.dense), dtype=np.float32).reshape(rows, len(schema.dense)),
        ids=np.arange(2 * rows, dtype=np.int32).reshape(rows, 2),
        labels=labels.reshape(rows, tasks) if tasks > 1 else labels,
        lists=tuple(lists),
        groups=np.arange(rows, dtype=np.int64) << 40 if schema.group else None,
    )


@settings(deadline=None)  # it writes files
@given(
    data=st.data(),
    rows=st.integers(0, 6),
    weighted=st.lists(st.booleans(), max_size=3),
    tasks=st.integers(1, 3),
    group=st.sampled_from(["", "user"]),
    dense=st.integers(0, 2),
)
def test_what_was_written_is_mapped(
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
    rows: int,
    weighted: list[bool],
    tasks: int,
    group: str,
    dense: int,
) -> None:
    more_labels = ("buy", "return")[: tasks - 1]
    schema = list_schema(weighted=weighted, more_labels=more_labels, group=group)
    schema = replace(schema, dense=tuple(DenseFeature(name=f"d{at}") for at in range(dense)))
    written = block_of(schema, rows, [data.draw(encoded_lists(rows, weighted=w)) for w in weighted])
    file = tmp_path_factory.mktemp("shards") / "0.arrow"
    write_shard(file, written, schema)
    found = map_shard(file, schema, rows=rows)
    assert written.labels is not None
    assert np.array_equal(found.dense, written.dense)
    assert np.array_equal(found.ids, written.ids)
    assert found.labels is not None
    assert found.labels.shape == written.labels.shape
    assert np.array_equal(found.labels, written.labels)
    assert [values_of(rows) for rows in found.lists] == [values_of(rows) for rows in written.lists]
    assert [rows.weights is not None for rows in found.lists] == weighted
    assert (found.groups is None) == (not group)
    assert found.groups is None or found.groups.tolist() == [row << 40 for row in range(rows)]


def some_lists(rows: int) -> list[EncodedList]:
    flat, starts = np.arange(rows + 3, dtype=np.int32), np.arange(rows, dtype=np.int32)
    lengths = np.full(rows, 3, np.int32)
    return [
        EncodedList(flat, starts, lengths),
        EncodedList(flat, starts, lengths, np.ones(rows + 3, np.float32)),
    ]


def test_nothing_is_copied(tmp_path: Path) -> None:
    schema = list_schema(more_labels=("buy",))
    write_shard(tmp_path / "0.arrow", block_of(schema, 5, some_lists(5)), schema)
    found = map_shard(tmp_path / "0.arrow", schema, rows=5)
    views: list[NDArray[Any] | None] = [found.dense, found.ids, found.labels, found.groups]
    for rows in found.lists:
        views += [rows.ids, rows.starts, rows.lengths]
    views.append(found.lists[1].weights)
    assert [view is None or view.flags.owndata or view.flags.writeable for view in views] == [False] * 11
    assert len(found.lists[0].ids) == 8  # of 15 ids in all rows: slices overlap in the file, too


def test_more_ids_than_can_be_addressed(tmp_path: Path) -> None:
    schema = list_schema(weighted=(False,))
    many = np.broadcast_to(np.int32(0), 2**31)
    column = EncodedList(many, np.zeros(1, np.int64), np.ones(1, np.int64))
    with pytest.raises(ValueError, match="2147483648 ids in a shard's list feature, expected at most"):
        write_shard(tmp_path / "0.arrow", block_of(schema, 1, [column]), schema)


def rewrite(file: Path, name: str, column: Any) -> None:
    """Put another column in the place of one, or with None leave it out."""
    batch = pa.ipc.open_file(file).get_batch(0)
    index = batch.schema.get_field_index(name)
    batch = batch.remove_column(index) if column is None else batch.set_column(index, name, column)
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
        writer.write_batch(batch)


def list_view(starts: list[int], sizes: list[int], values: Any) -> Any:
    places = [pa.array(np.array(part, dtype=np.int32)) for part in (starts, sizes)]
    return pa.ListViewArray.from_arrays(*places, values)


IDS = pa.array(np.arange(8, dtype=np.int32))
WEIGHTS = pa.array(np.ones(8, np.float32))


@pytest.mark.parametrize(
    ("name", "column", "message"),
    [
        ("list.list0", None, "no such column, expected list_view"),
        ("list.list0", pa.array([1, 2, 3]), "int64, expected list_view"),
        ("list.list0", list_view([0, 1, 2], [3, 3, 3], WEIGHTS), r"list_view<.*float.*>, expected list_view"),
        ("list.list0", list_view([0, 1, 2], [3, 3, 7], IDS), "not usable .*out of bounds"),
        ("list.list0", list_view([0, -1, 2], [3, 3, 3], IDS), "not usable .*out of bounds"),
        ("list.list0", list_view([0, 1, 2], [3, -3, 3], IDS), "not usable .*out of bounds"),
        ("list.list0", list_view([0, 1, 2], [1, 1, 1], pa.array([1, None, 3], pa.int32())), "1 nulls"),
        ("list.list0", pa.array([[1], None, [2]], pa.list_view(pa.int32())), "1 nulls, expected none"),
        ("weight.list1", None, "no such column, expected list_view"),
        (
            "weight.list1",
            list_view([0, 1, 3], [3, 3, 3], WEIGHTS),
            r"other offsets or sizes than list\.list1",
        ),
        (
            "weight.list1",
            list_view([0, 1, 2], [3, 3, 2], WEIGHTS),
            r"other offsets or sizes than list\.list1",
        ),
        ("weight.list1", list_view([0, 1, 2], [3, 3, 3], WEIGHTS), "other offsets"),
        ("labels", pa.array([1.0, 2.0, 3.0], pa.float32()), "float, expected fixed_size_list"),
        ("labels", None, "no such column"),
        ("group", pa.array([1, 2, 3], pa.int32()), "int32, expected int64"),
        ("group", pa.array([1, None, 3], pa.int64()), "1 nulls, expected none"),
    ],
)
def test_a_damaged_column_is_named(tmp_path: Path, name: str, column: Any, message: str) -> None:
    schema, file = list_schema(more_labels=("buy",)), tmp_path / "0.arrow"
    write_shard(file, block_of(schema, 3, some_lists(3)), schema)
    rewrite(file, name, column)
    with pytest.raises(DataError, match=message) as caught:
        map_shard(file, schema, rows=3)
    assert (caught.value.file, caught.value.column) == (str(file), name)
    assert "\n" not in str(caught.value)


def test_no_damaged_byte_is_a_defect(tmp_path: Path) -> None:
    """Whatever byte of a shard is another, it is mapped in its shape or refused."""
    schema, file = list_schema(more_labels=("buy",)), tmp_path / "0.arrow"
    write_shard(file, block_of(schema, 3, some_lists(3)), schema)
    intact = file.read_bytes()
    for place in range(0, len(intact), 4):
        file.write_bytes(intact[:place] + bytes([intact[place] ^ 0x81]) + intact[place + 1 :])
        with suppress(DataError):
            found = map_shard(file, schema, rows=3)
            assert (found.dense.shape, found.ids.shape) == ((3, len(schema.dense)), (3, 2))
            assert len(values_of(found.lists[0])) == 3


@pytest.mark.parametrize("rows", [0, 4])
def test_kinds_of_features_may_be_absent(tmp_path: Path, rows: int) -> None:
    schema = Schema(
        format="pairs",
        label="label",
        dense=(),
        categorical=(),
        lists=(ListFeature(name="bag", kind="bag", rows=9),),
    )
    places = np.zeros(rows, np.int32), np.ones(rows, np.int32)
    written = EncodedBlock(
        np.empty((rows, 0), np.float32),
        np.empty((rows, 0), np.int32),
        np.ones(rows, np.float32),
        (EncodedList(np.array([7], np.int32), *places),),
    )
    write_shard(tmp_path / "0.arrow", written, schema)
    found = map_shard(tmp_path / "0.arrow", schema, rows=rows)
    assert (found.dense.shape, found.ids.shape) == ((rows, 0), (rows, 0))
    assert values_of(found.lists[0]) == [[(7, 1.0)]] * rows
