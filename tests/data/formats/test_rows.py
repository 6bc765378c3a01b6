from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hotrow.data.formats.base import ParsedBlock
from hotrow.data.formats.rows import SchemaRows
from hotrow.data.keys import integer_keys, text_keys
from hotrow.data.raw import MISSING_KEY, RawBlock
from hotrow.data.schema import CategoricalFeature, DenseFeature, ListFeature, Schema
from hotrow.errors import DataError, SchemaMismatchError

SCHEMA = Schema(
    format="movielens",
    label="like",
    dense=(DenseFeature(name="price"), DenseFeature(name="age")),
    categorical=(
        CategoricalFeature(name="user", rows=2, key_type="integer"),
        CategoricalFeature(name="zip", rows=2, key_type="text"),
        CategoricalFeature(name="C1", rows=2, key_type="hex32"),
    ),
    lists=(
        ListFeature(name="history", kind="sequence", rows=2, of="user"),
        ListFeature(name="genres", kind="bag", rows=2, key_type="text"),
    ),
    group="query",
)
ROWS: list[dict[str, Any]] = [
    {
        "price": 1.5,
        "age": -3,
        "user": 7,
        "zip": "02460",
        "C1": "fF",
        "history": [3, 1, 3],
        "genres": ["a b", "c"],
    },
    {"user": -7, "zip": "caf\xe9, \u4e2d"},
    {"price": None, "user": None, "zip": None, "C1": None, "history": None, "genres": []},
    {"price": 1e-3, "age": 2, "user": 2**62, "zip": "x", "C1": "0", "history": [5], "genres": ["d"]},
]


def check(block: RawBlock) -> None:
    """Check that a block is ``ROWS``."""
    gone = int(MISSING_KEY)
    assert repr(block.dense.tolist()) == "[[1.5, -3.0], [nan, nan], [nan, nan], [0.001, 2.0]]"
    users = integer_keys(np.array([7, -7, 2**62])).tolist()
    assert block.keys[0].tolist() == [users[0], users[1], gone, users[2]]
    zips = text_keys(["02460", "caf\xe9, \u4e2d", "x"]).tolist()
    assert block.keys[1].tolist() == [zips[0], zips[1], gone, zips[2]]
    assert block.keys[2].tolist() == [255, gone, gone, 0]
    history, genres = block.lists
    assert history.lengths.tolist() == [3, 0, 0, 1]
    assert history.starts.tolist() == [0, 3, 3, 3]
    assert history.keys.tolist() == integer_keys(np.array([3, 1, 3, 5])).tolist()
    assert genres.lengths.tolist() == [2, 0, 0, 1]
    assert genres.keys.tolist() == text_keys(["a b", "c", "d"]).tolist()


def read(path: Path, block_bytes: int = 1 << 20) -> list[ParsedBlock]:
    return list(SchemaRows(SCHEMA, block_bytes=block_bytes).read(path))


def as_table(separator: str) -> list[str]:
    names = [*SCHEMA.columns]
    lines = [separator.join(names)]
    for row in ROWS:
        cells = []
        for name in names:
            value = row.get(name)
            cell = (
                "|".join(map(str, value)) if isinstance(value, list) else "" if value is None else str(value)
            )
            cells.append(f'"{cell}"' if separator == "," and "," in cell else cell)
        lines.append(separator.join(cells))
    return lines


def test_rows_given_as_mappings() -> None:
    block = SchemaRows(SCHEMA).block_from_rows(ROWS)
    check(block)
    assert block.labels is None
    assert len(SchemaRows(SCHEMA).block_from_rows([])) == 0


def test_labels_and_group_of_a_mapping_are_left_alone() -> None:
    rows: list[dict[str, Any]] = [{**row, "like": 1, "query": "?"} for row in ROWS]
    check(SchemaRows(SCHEMA).block_from_rows(rows))


def test_whole_numbers_may_be_given_by_their_digits_and_text_as_a_number() -> None:
    rows: list[dict[str, Any]] = [{"user": "7", "zip": 2460, "history": ["3", 1]}, {"user": "", "zip": ""}]
    block = SchemaRows(SCHEMA).block_from_rows(rows)
    assert block.keys[0].tolist() == [int(integer_keys(np.array([7]))[0]), int(MISSING_KEY)]
    assert block.keys[1].tolist() == [int(text_keys(["2460"])[0]), int(MISSING_KEY)]
    assert block.lists[0].keys.tolist() == integer_keys(np.array([3, 1])).tolist()


@pytest.mark.parametrize("kind", ["jsonl", "csv", "tsv"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
def test_the_same_rows_in_files(tmp_path: Path, kind: str, end: str, packed: bool) -> None:
    lines = (
        [json.dumps(row) for row in ROWS] if kind == "jsonl" else as_table({"csv": ",", "tsv": "\t"}[kind])
    )
    data = (end.join(lines) + end).encode()
    path = tmp_path / "rows"
    path.write_bytes(gzip.compress(data) if packed else data)
    (parsed,) = read(path)
    check(parsed.rows)
    assert (len(parsed.rejected), parsed.num_lines, parsed.skipped) == (0, 4, int(kind != "jsonl"))
    assert parsed.rows.labels is None


@pytest.mark.parametrize("kind", ["jsonl", "csv"])
def test_labels_of_a_file(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "rows"
    text = '{"like": 1, "user": 3}\n{"like": 0}\n{"user": 4}\n{"like": 2}\n'
    path.write_text(text if kind == "jsonl" else "user,like\n3,1\n,0\n4,\n,2\n")
    (parsed,) = read(path)
    assert parsed.rows.labels is not None
    assert parsed.rows.labels.tolist() == [1.0, 0.0]
    assert [row.reason for row in parsed.rejected] == ["label", "label"]


def test_several_labels(tmp_path: Path) -> None:
    schema = Schema(
        format="movielens", label="a", more_labels=("b",), dense=(), categorical=SCHEMA.categorical
    )
    path = tmp_path / "rows"
    path.write_text("b,a,user\n0,1,5\n1,1,5\n")
    (parsed,) = SchemaRows(schema).read(path)
    assert parsed.rows.labels is not None
    assert parsed.rows.labels.tolist() == [[1.0, 0.0], [1.0, 1.0]]


BAD = [
    ({"price": "x"}, "price", "found 'x', expected a finite number or null"),
    ({"price": True}, "price", "found True, expected a finite number or null"),
    ({"price": float("inf")}, "price", "found inf, expected a finite number or null"),
    ({"price": 10**400}, "price", "found 1000000000000000000000"),
    ({"user": 1.5}, "user", "found 1.5, expected a whole number of 64 bits or null"),
    ({"user": True}, "user", "found True, expected a whole number of 64 bits or null"),
    ({"user": 2**63 - 1}, "user", "found 9223372036854775807, expected a whole number of 64 bits or null"),
    ({"user": "7x"}, "user", "found '7x', expected a whole number of 64 bits or null"),
    ({"user": [1]}, "user", "found [1], expected a whole number of 64 bits or null"),
    ({"zip": 1.5}, "zip", "found 1.5, expected text or null"),
    ({"C1": 7}, "C1", "found 7, expected a string of at most 8 hexadecimal digits or null"),
    ({"C1": "123456789"}, "C1", "found '123456789', expected a string of at most 8"),
    ({"history": 3}, "history", "found 3, expected a list or null"),
    ({"history": "3"}, "history", "found '3', expected a list or null"),
    ({"history": [1, "a"]}, "history", "found 'a' in it, expected a whole number of 64 bits in every place"),
    ({"history": [None]}, "history", "found None in it, expected a whole number of 64 bits in every place"),
    ({"genres": [""]}, "genres", "found '' in it, expected text in every place"),
    ({"colour": 1}, "colour", "unknown column"),
]


@pytest.mark.parametrize(("row", "column", "message"), BAD, ids=lambda value: repr(value)[:30])
def test_a_bad_value_names_row_and_column(row: dict[str, Any], column: str, message: str) -> None:
    with pytest.raises(DataError) as caught:
        SchemaRows(SCHEMA).block_from_rows([ROWS[0], row, {"other": 1}])
    assert str(caught.value).startswith(f"rows[1], column {column}: {message}")


def test_lines_that_cannot_be_read_are_set_aside(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    bad = [b"[1]", b"{", b"", b'{"user": "x"}', b'{"a": 1}', b'{"user": 1}\xff', b'{"history": [1, "b"]}']
    good = json.dumps(ROWS[0]).encode()
    path.write_bytes(b"\n".join([good, *bad, good, b""]))
    for block_bytes in (1 << 20, 200):
        blocks = read(path, block_bytes)
        assert sum(len(block.rows) for block in blocks) == 2
        assert sum(block.num_lines for block in blocks) == 9
        rejected = [row for block in blocks for row in block.rejected]
        assert [row.text for row in rejected] == bad
        assert [(row.line, row.reason, row.column) for row in rejected] == [
            (2, "json", ""),
            (3, "json", ""),
            (4, "json", ""),
            (5, "id", "user"),
            (6, "unknown_column", "a"),
            (7, "json", ""),
            (8, "list", "history"),
        ]
        assert str(rejected[3].error(path)).endswith(
            "rows.jsonl, line 5, column user: found 'x', expected a whole number of 64 bits or null"
        )
    (whole,) = read(path)
    assert whole.rejected.counts() == {"json": 4, "id": 1, "unknown_column": 1, "list": 1}


def test_lines_of_a_table_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(b'user,zip,price\n1,2\n1,"a\n\xff,b,1\n1,"a,b",x\n1,"a,b",2\n\n')
    (parsed,) = read(path)
    assert [(row.line, row.reason) for row in parsed.rejected] == [
        (2, "column_count"),
        (3, "quotes"),
        (4, "utf8"),
        (5, "number"),
        (7, "column_count"),
    ]
    assert next(row.detail for row in parsed.rejected) == "found 2 columns, expected 3 columns"
    assert (len(parsed.rows), parsed.num_lines, parsed.skipped) == (1, 6, 1)
    assert parsed.rows.keys[1].tolist() == text_keys(["a,b"]).tolist()


def test_a_line_longer_than_a_block(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"user": 1}\n{"zip": "' + "x" * 500_000 + '"}\n{"user": 2}\n')
    blocks = read(path, 1000)
    assert sum(len(block.rows) for block in blocks) == 2
    assert [(row.line, row.reason) for block in blocks for row in block.rejected] == [(2, "line_too_long")]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (b"user,colour", r"rows.csv, line 1, column colour: unknown column"),
        (b"user,zip,user", r"rows.csv, line 1, column user: is there twice"),
        (b"\xff\xfe", r"rows.csv, line 1: found bytes that are no UTF-8"),
    ],
)
def test_headers_that_do_not_do(tmp_path: Path, header: bytes, message: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(header + b"\n1,2\n")
    with pytest.raises(DataError, match=message):
        read(path)


def test_weighted_lists_cannot_be_carried() -> None:
    lists = (ListFeature(name="bag", kind="bag", rows=2, weighted=True),)
    with pytest.raises(SchemaMismatchError, match=r"bag: the schema has weighted lists"):
        SchemaRows(Schema(format="x", label="y", dense=(), categorical=(), lists=lists))


def test_sequences_that_were_as_long_as_one_another_stay_so() -> None:
    lists = (
        ListFeature(name="history", kind="sequence", rows=2, of="user", mean_length=3.25),
        ListFeature(name="shop", kind="sequence", rows=2, mean_length=3.25),
        ListFeature(name="search", kind="sequence", rows=2, mean_length=2.0),
        ListFeature(name="tags", kind="bag", rows=2, mean_length=3.25),
    )
    reader = SchemaRows(Schema(format="x", label="y", dense=(), categorical=SCHEMA.categorical, lists=lists))
    good: dict[str, Any] = {"history": [1, 2], "shop": [7, 7], "search": [1], "tags": [1, 2, 3]}
    block = reader.block_from_rows([good, {}])
    assert [each.lengths.tolist() for each in block.lists] == [[2, 0], [2, 0], [1, 0], [3, 0]]
    message = r"rows\[1\], column shop: found 0 values, expected 2, as history has"
    with pytest.raises(DataError, match=message):
        reader.block_from_rows([good, {"history": [1, 2]}])
