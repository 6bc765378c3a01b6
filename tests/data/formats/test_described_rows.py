"""Rows to rank of a model that was trained on a table with a schema file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.data.formats.tables import TYPES, Row, make_rows, rank_rows, write_csv, write_parquet, write_schema

from hotrow.data.dataset import Dataset
from hotrow.data.encoder import Encoder
from hotrow.data.formats import reader_of
from hotrow.data.formats.described_rows import DescribedRows
from hotrow.data.prepare import prepare
from hotrow.data.raw import RawBlock
from hotrow.data.schema import Schema
from hotrow.errors import DataError, SchemaMismatchError


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("table")
    path = write_csv(folder / "rows.csv", make_rows(300))
    prepare("csv", [path], folder / "out", schema=write_schema(folder / "columns.toml"))
    return Dataset.open(folder / "out")


@pytest.fixture
def reader(dataset: Dataset) -> DescribedRows:
    found = reader_of(dataset.schema)
    assert isinstance(found, DescribedRows)
    return found


def encoded(dataset: Dataset, block: RawBlock) -> list[Any]:
    """Return rows as a model takes them: numbers, ids, and lists with weights."""
    rows = Encoder.load(dataset.vocab_folder, dataset.schema).encode(block)
    lists = [
        [
            (
                listed.ids[start : start + length].tolist(),
                None if listed.weights is None else listed.weights[start : start + length].tolist(),
            )
            for start, length in zip(listed.starts.tolist(), listed.lengths.tolist(), strict=True)
        ]
        for listed in rows.lists
    ]
    return [rows.dense.tolist(), rows.ids.tolist(), lists]


def write_objects(path: Path, rows: list[Row]) -> Path:
    path.write_text("".join(json.dumps(row, default=str) + "\n" for row in rows))
    return path


WRITERS: dict[str, Callable[[Path, list[Row]], Path]] = {
    "csv": write_csv,
    "csv.gz": write_csv,
    "tsv": lambda path, rows: write_csv(path, rows, delimiter="\t"),
    "parquet": lambda path, rows: write_parquet(path, rows, row_group=100),
    "jsonl": write_objects,
}


@pytest.mark.parametrize("kind", WRITERS)
def test_files_of_every_kind_hold_the_same_rows(
    tmp_path: Path, dataset: Dataset, reader: DescribedRows, kind: str
) -> None:
    rows = make_rows(70, seed=1)
    rows[3]["item"], rows[4]["user"], rows[5]["city"] = "never seen", 99, "never seen"
    path = WRITERS[kind](tmp_path / f"rows.{kind}", rows)
    (parsed,) = reader.read(path)
    assert (len(parsed.rejected), parsed.num_lines) == (0, 70)
    expected = encoded(dataset, reader.block_from_rows(rank_rows(rows)))
    assert encoded(dataset, parsed.rows) == expected
    assert expected[1][3][1] == expected[1][4][0] == 0
    assert parsed.rows.labels is not None
    assert parsed.rows.labels.tolist() == [[row["click"], row["buy"]] for row in rows]


def test_a_missing_id_counts_as_its_default(dataset: Dataset, reader: DescribedRows) -> None:
    found = encoded(dataset, reader.block_from_rows([{}, {"item": None}, {"item": "none"}, {"user": None}]))
    assert [row[1] for row in found[1]] == [found[1][2][1]] * 4
    assert found[1][0][1] >= 2
    assert [row[1] for row in found[0]] == [0.5] * 4
    assert found[0][0][0] == -1
    assert found[1][0][0] == 1


@pytest.mark.parametrize("kind", ["csv", "parquet", "jsonl"])
def test_columns_may_be_absent_where_rows_are_ranked(
    tmp_path: Path, dataset: Dataset, reader: DescribedRows, kind: str
) -> None:
    rows = [{"user": row["user"], "city": row["city"]} for row in make_rows(9)]
    path = tmp_path / "rows"
    if kind == "csv":
        write_csv(path, rows, ["user", "city"])
    elif kind == "parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        write_objects(path, rows)
    (parsed,) = reader.read(path)
    assert parsed.rows.labels is None
    assert encoded(dataset, parsed.rows) == encoded(dataset, reader.block_from_rows(rows))


def test_unknown_columns_are_refused(tmp_path: Path, reader: DescribedRows) -> None:
    with pytest.raises(DataError, match=r"rows\[1\], column itm: unknown column"):
        reader.block_from_rows([{"note": "known, and left alone"}, {"itm": "tea"}])
    path = write_csv(tmp_path / "rows.csv", [{"itm": 1}], ["itm"])
    with pytest.raises(DataError, match=r"rows\.csv, line 1, column itm: unknown column .did you mean item"):
        list(reader.read(path))


def test_any_other_columns_may_be_there_if_the_schema_file_says_so(tmp_path: Path) -> None:
    text = 'label = "click"\nignore = ["*"]\n[features]\ncity = { kind = "categorical" }\n'
    path = write_csv(tmp_path / "rows.csv", make_rows(50))
    prepare("csv", [path], tmp_path / "out", schema=write_schema(tmp_path / "columns.toml", text))
    reader = reader_of(Dataset.open(tmp_path / "out").schema)
    assert len(reader.block_from_rows([{"city": "x", "anything": 1}])) == 1
    (parsed,) = reader.read(path)
    assert len(parsed.rows) == 50


def test_weights_fit_the_ids_that_they_weigh(dataset: Dataset, reader: DescribedRows) -> None:
    words = ["w1", "w2"]  # shared by two rows, which weigh it differently
    rows = [{"words": words, "strengths": [1, 2]}, {"words": words, "strengths": [3, 4]}, {}]
    weights = [weights for _, weights in encoded(dataset, reader.block_from_rows(rows))[2][2]]
    assert weights == [[1, 2], [3, 4], []]
    for strengths in ([1], [1, 2, 3], None):
        count = len(strengths or [])
        message = (
            rf"rows\[1\], column strengths: found {count} weights, expected 2, one for each value of words"
        )
        with pytest.raises(DataError, match=message):
            reader.block_from_rows([rows[0], {"words": words, "strengths": strengths}])
    with pytest.raises(
        DataError, match=r"column strengths: found 'x' in it, expected a finite number in every"
    ):
        reader.block_from_rows([{"words": words, "strengths": [1, "x"]}])


def test_weights_in_files_fit_the_ids(tmp_path: Path, reader: DescribedRows) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("words,strengths\na|b,1|2\na|b,1\na,x\n,\n")
    (parsed,) = reader.read(path)
    assert [(row.line, row.column, row.reason) for row in parsed.rejected] == [
        (3, "strengths", "list"),
        (4, "strengths", "list"),
    ]
    assert parsed.rows.lists[2].lengths.tolist() == [2, 0]


def test_a_model_of_weighted_bags_is_not_served(dataset: Dataset) -> None:
    from hotrow.serving.info import ModelInfo

    with pytest.raises(SchemaMismatchError, match="words: the model takes a weighted bag"):
        ModelInfo.of("m", "1", dataset.schema, ("click",))


def test_how_rows_are_written_is_no_part_of_how_they_are_encoded(dataset: Dataset) -> None:
    schema = dataset.schema
    mapping = schema.to_mapping()
    assert Schema.from_mapping(mapping, where="x") == schema
    mapping["layout"] |= {"ignored": ["other"], "quotes": False}
    other = Schema.from_mapping(mapping, where="x")
    assert other.fingerprint() == schema.fingerprint()
    schema.require_same(other, this="a", that="b")
    mapping["layout"] |= {"defaults": {"item": "tea"}}
    other = Schema.from_mapping(mapping, where="x")
    assert other.fingerprint() != schema.fingerprint()
    with pytest.raises(SchemaMismatchError, match=r"differ in defaults\.item: 'none' against 'tea'"):
        schema.require_same(other, this="a", that="b")


def test_names_are_those_of_the_table(dataset: Dataset) -> None:
    assert {*dataset.schema.columns} < {*TYPES}
    assert all(feature.mean_length > 0 for feature in dataset.schema.lists)
