from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.data.lists import values_of

from hotrow.data.encoder import Encoder, encode_dense
from hotrow.data.hashing import hash_rows, hash_salt
from hotrow.data.raw import MISSING_KEY, RawBlock, RawList
from hotrow.data.schema import CategoricalFeature, DenseFeature, ListFeature, Schema
from hotrow.data.vocabulary import Vocabulary
from hotrow.errors import MissingFileError, SchemaMismatchError
from hotrow.kernels.dispatch import Backend, available_backends

KEPT = np.array([7, 2**32 - 1, 0, 99], dtype=np.uint64)
SCHEMA = Schema(
    format="criteo",
    label="label",
    dense=(
        DenseFeature(name="I1"),
        DenseFeature(name="I2", transform="identity", missing=-1.0),
        DenseFeature(name="I3"),
    ),
    categorical=(
        CategoricalFeature(name="C1", rows=6, min_count=2),
        CategoricalFeature(name="C2", rows=50, encoding="hash"),
    ),
)
VOCABULARIES = {"C1": Vocabulary(KEPT, np.array([9, 5, 5, 2]))}


def block(rows: int) -> RawBlock:
    rng = np.random.default_rng(0)
    keys = np.concatenate((KEPT, np.array([3, MISSING_KEY, 2**40 + 7], dtype=np.uint64)))
    dense = rng.integers(-4, 1000, (rows, 3)).astype(np.float64)
    dense[rng.random((rows, 3)) < 0.2] = np.nan
    return RawBlock(dense, keys[rng.integers(0, len(keys), (2, rows))], rng.random(rows).astype(np.float32))


@pytest.mark.parametrize("backend", available_backends("id_index"))
@pytest.mark.parametrize("rows", [0, 1, 200, 20_000])
def test_encodes_as_a_dictionary_would(rows: int, backend: Backend) -> None:
    raw = block(rows)
    encoded = Encoder(SCHEMA, VOCABULARIES, backend=backend).encode(raw)
    ids = {key: at + 2 for at, key in enumerate(KEPT.tolist())} | {int(MISSING_KEY): 1}
    assert encoded.ids[:, 0].tolist() == [ids.get(key, 0) for key in raw.keys[0].tolist()]
    hashed = hash_rows(raw.keys[1], salt=hash_salt("C2"), rows=50)
    assert encoded.ids[:, 1].tolist() == np.where(raw.keys[1] == MISSING_KEY, 1, hashed).tolist()
    assert encoded.labels is raw.labels
    assert [str(array.dtype) for array in (encoded.ids, encoded.dense)] == ["int32", "float32"]
    assert encoded.ids.shape == (rows, 2)


def test_a_row_is_encoded_alike_in_every_block() -> None:
    raw = block(10_000)
    encoder = Encoder(SCHEMA, VOCABULARIES)
    whole = encoder.encode(raw)
    for start, stop in ((0, 1), (1, 18), (8190, 8195), (9999, 10_000)):
        part = encoder.encode(RawBlock(raw.dense[start:stop], raw.keys[:, start:stop], None))
        assert np.array_equal(part.dense, whole.dense[start:stop])
        assert np.array_equal(part.ids, whole.ids[start:stop])


def test_dense_transform() -> None:
    values = np.array([[0.0, 0.0, -3.0], [np.nan, np.nan, np.nan], [1e17, -7.0, 1.0]])
    expected = [[0.0, 0.0, -np.log(4)], [-1.0, -1.0, -1.0], [np.log(1e17), -7.0, np.log(2)]]
    assert encode_dense(values, SCHEMA.dense).tolist() == np.array(expected, dtype=np.float32).tolist()


@given(st.lists(st.integers(-(10**18), 10**18), min_size=2, max_size=20))
def test_the_log_transform_keeps_order_and_sign(values: list[int]) -> None:
    column = np.array(sorted(values), dtype=np.float64)[:, None]
    encoded = encode_dense(column, [DenseFeature(name="I1")])[:, 0]
    assert (np.diff(encoded) >= 0).all()
    assert np.array_equal(np.sign(encoded), np.sign(column[:, 0]))


def test_save_and_load(tmp_path: Path) -> None:
    Encoder(SCHEMA, VOCABULARIES).save(tmp_path / "vocab")
    assert [path.name for path in (tmp_path / "vocab").iterdir()] == ["C1.arrow"]
    again = Encoder.load(tmp_path / "vocab", SCHEMA)
    assert np.array_equal(again.encode(block(300)).ids, Encoder(SCHEMA, VOCABULARIES).encode(block(300)).ids)


def test_a_vocabulary_that_does_not_fit(tmp_path: Path) -> None:
    first, second = SCHEMA.categorical
    larger = replace(SCHEMA, categorical=(replace(first, rows=7), second))
    with pytest.raises(SchemaMismatchError, match="C1: the schema has 7 rows, its vocabulary 6"):
        Encoder(larger, VOCABULARIES)
    with pytest.raises(SchemaMismatchError, match="C1: the schema has 6 rows, its vocabulary is absent"):
        Encoder(SCHEMA, {})
    with pytest.raises(MissingFileError, match=r"C1\.arrow"):
        Encoder.load(tmp_path, SCHEMA)


def test_rows_with_other_columns() -> None:
    raw = block(5)
    with pytest.raises(
        SchemaMismatchError,
        match="rows have 2 dense, 2 categorical and 0 list columns, the schema has 3 dense, 2 cat",
    ):
        Encoder(SCHEMA, VOCABULARIES).encode(RawBlock(raw.dense[:, :2], raw.keys, None))


LISTED = replace(
    SCHEMA,
    lists=(
        ListFeature(
            name="history", kind="sequence", rows=6, of="C1", key_type="hex32", min_count=2, max_length=3
        ),
        ListFeature(name="hashed", kind="bag", rows=50, of="C2", encoding="hash", key_type="hex32"),
        ListFeature(name="tags", kind="bag", rows=4, weighted=True),
    ),
)
LISTED_VOCABULARIES = VOCABULARIES | {"tags": Vocabulary(np.array([5, 3], dtype=np.uint64), np.array([2, 1]))}


def listed_block(data: st.DataObject, rows: int) -> RawBlock:
    """Draw rows with lists: slices anywhere, of keys that vocabularies know or not."""
    keys = [*KEPT.tolist(), 3, 5, 2**40]
    lists = []
    for weighted in (False, False, True):
        flat = data.draw(st.lists(st.sampled_from(keys), max_size=8))
        starts = data.draw(st.lists(st.integers(0, len(flat)), min_size=rows, max_size=rows))
        lengths = [data.draw(st.integers(0, len(flat) - start)) for start in starts]
        weights = np.arange(len(flat), dtype=np.float32) if weighted else None
        lists.append(
            RawList(
                np.array(flat, np.uint64), np.array(starts, np.int64), np.array(lengths, np.int64), weights
            )
        )
    raw = block(rows)
    return replace(raw, lists=tuple(lists), groups=np.arange(rows, dtype=np.int64))


@given(st.data(), st.integers(0, 5))
def test_lists_are_encoded_as_a_dictionary_would(data: st.DataObject, rows: int) -> None:
    raw = listed_block(data, rows)
    encoded = Encoder(LISTED, LISTED_VOCABULARIES).encode(raw)
    plain = Encoder(SCHEMA, VOCABULARIES).encode(replace(raw, lists=(), groups=None))
    assert np.array_equal(encoded.ids, plain.ids)
    assert encoded.groups is raw.groups
    kept = {key: at + 2 for at, key in enumerate(KEPT.tolist())}
    every = [key for rows_of in raw.lists for key in rows_of.keys.tolist()]
    hashed = hash_rows(np.array(every, dtype=np.uint64), salt=hash_salt("C2"), rows=50).tolist()
    dictionaries = (kept, dict(zip(every, hashed, strict=True)), {5: 2, 3: 3})
    for column, longest in enumerate((3, 250, 250)):
        given_rows, found = raw.lists[column], values_of(encoded.lists[column])
        for row in range(rows):
            start, length = int(given_rows.starts[row]), int(given_rows.lengths[row])
            positions = range(start, start + length)[-longest:] if length else range(0)
            weights = range(len(given_rows.keys)) if column == 2 else [1] * len(given_rows.keys)
            assert found[row] == [
                (dictionaries[column].get(int(given_rows.keys[at]), 0), weights[at]) for at in positions
            ]


def test_only_the_keys_of_the_rows_are_encoded() -> None:
    """A few rows of a block that shares one large array of keys cost as much as they hold."""
    keys = np.arange(100_000, dtype=np.uint64)
    rows = RawList(keys, np.array([50_000, 50_002]), np.array([5, 5]))
    far = RawList(keys, np.array([0, 99_000]), np.array([5, 5]))
    tags = RawList(keys, np.array([9, 9]), np.array([0, 0]), np.ones(100_000, np.float32))
    encoded = Encoder(LISTED, LISTED_VOCABULARIES).encode(replace(block(2), lists=(rows, far, tags)))
    assert [len(column.ids) for column in encoded.lists] == [5, 10, 0]


def test_vocabularies_of_lists_are_saved_once(tmp_path: Path) -> None:
    Encoder(LISTED, LISTED_VOCABULARIES).save(tmp_path / "vocab")
    assert sorted(path.name for path in (tmp_path / "vocab").iterdir()) == ["C1.arrow", "tags.arrow"]
    Encoder.load(tmp_path / "vocab", LISTED)
    (tmp_path / "vocab" / "tags.arrow").unlink()
    with pytest.raises(MissingFileError, match=r"tags\.arrow"):
        Encoder.load(tmp_path / "vocab", LISTED)


def test_rows_with_other_lists() -> None:
    one = RawList(KEPT, np.zeros(5, np.int64), np.ones(5, np.int64))
    weighted = replace(one, weights=np.ones(4, np.float32))
    encoder = Encoder(LISTED, LISTED_VOCABULARIES)
    with pytest.raises(SchemaMismatchError, match=r"2 categorical and 1 list columns, the schema .* 3 list"):
        encoder.encode(replace(block(5), lists=(one,)))
    with pytest.raises(SchemaMismatchError, match="tags: rows have no weights, the schema has weights"):
        encoder.encode(replace(block(5), lists=(one, one, one)))
    with pytest.raises(SchemaMismatchError, match="history: rows have weights, the schema has no weights"):
        encoder.encode(replace(block(5), lists=(weighted, one, weighted)))
