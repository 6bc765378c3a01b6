from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotrow.data.encoder import Encoder, encode_dense
from hotrow.data.hashing import hash_rows, hash_salt
from hotrow.data.raw import MISSING_KEY, RawBlock
from hotrow.data.schema import CategoricalFeature, DenseFeature, Schema
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
        SchemaMismatchError, match="rows have 2 dense and 2 categorical columns, the schema has 3 and 2"
    ):
        Encoder(SCHEMA, VOCABULARIES).encode(RawBlock(raw.dense[:, :2], raw.keys, None))
