from __future__ import annotations

import datetime
import decimal
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.data.formats.tables import write_schema

from hotrow.data.formats import DescribedFormat, find_format
from hotrow.data.formats.base import ParsedBlock
from hotrow.data.formats.description import Description
from hotrow.data.formats.parquet import Parquet, ParquetLog
from hotrow.data.keys import integer_keys, text_keys
from hotrow.data.prepare import PrepareConfig, prepare
from hotrow.data.raw import MISSING_KEY
from hotrow.errors import DataError, MissingFileError

TEXT = """
label = "click"
[features]
price = { kind = "dense" }
user = { kind = "categorical", key_type = "integer" }
item = { kind = "categorical" }
tags = { kind = "bag", key_type = "integer" }
"""
GOOD: dict[str, Any] = {
    "click": pa.array([1, 0, 1]),
    "price": pa.array([0.5, None, float("nan")]),
    "user": pa.array([7, None, -1]),
    "item": pa.array(["tea", None, ""]),
    "tags": pa.array([[1, 2], None, []], pa.list_(pa.int32())),
}


def log_of(folder: Path, text: str = TEXT) -> ParquetLog:
    description = Description.load(write_schema(folder / "columns.toml", text))
    return ParquetLog(description.schema, description)


def read(folder: Path, columns: dict[str, Any], text: str = TEXT) -> ParsedBlock:
    path = folder / "rows.parquet"
    pq.write_table(pa.table(columns), path)
    (parsed,) = log_of(folder, text).read(path)
    return parsed


def test_the_format_is_found_by_name() -> None:
    found = find_format("parquet")
    assert isinstance(found, DescribedFormat)
    assert isinstance(found, Parquet)


def test_null_nan_and_empty_are_missing(tmp_path: Path) -> None:
    parsed = read(tmp_path, GOOD)
    gone = int(MISSING_KEY)
    assert repr(parsed.rows.dense[:, 0].tolist()) == "[0.5, nan, nan]"
    users = integer_keys(np.array([7, -1])).tolist()
    assert parsed.rows.keys[0].tolist() == [users[0], gone, users[1]]
    assert parsed.rows.keys[1].tolist() == [*text_keys(["tea"]).tolist(), gone, gone]
    assert parsed.rows.lists[0].lengths.tolist() == [2, 0, 0]
    assert (len(parsed.rejected), parsed.num_lines, parsed.skipped) == (0, 3, 0)


NUMBERS = [
    pa.array([1, 0, 3], pa.uint8()),
    pa.array([1, 0, 3], pa.float32()),
    pa.array([1, 0, 3], pa.float16()),
    pa.array([decimal.Decimal("1.0"), decimal.Decimal("0.0"), decimal.Decimal("3.0")]),
]


@pytest.mark.parametrize("column", NUMBERS, ids=lambda column: str(column.type))
def test_types_of_numbers(tmp_path: Path, column: Any) -> None:
    assert read(tmp_path, GOOD | {"price": column}).rows.dense[:, 0].tolist() == [1, 0, 3]


def test_truth_values_are_numbers(tmp_path: Path) -> None:
    truth = pa.array([True, False, True])
    parsed = read(tmp_path, GOOD | {"price": truth, "click": truth})
    assert parsed.rows.labels is not None
    assert parsed.rows.labels.tolist() == parsed.rows.dense[:, 0].tolist() == [1, 0, 1]


IDS = [
    pa.array([7, None, 300], pa.uint64()),
    pa.array([7, None, 300], pa.int16()),
    pa.array(["7", None, "300"]),
    pa.array(["7", "", "300"], pa.large_string()),
    pa.array(["7", None, "300"]).dictionary_encode(),
    pa.array([7, None, 300]).dictionary_encode(),
]


@pytest.mark.parametrize("column", IDS, ids=lambda column: str(column.type))
def test_types_of_ids(tmp_path: Path, column: Any) -> None:
    keys = read(tmp_path, GOOD | {"user": column, "item": column}).rows.keys
    numbers, texts = integer_keys(np.array([7, 300])).tolist(), text_keys(["7", "300"]).tolist()
    assert keys[0].tolist() == [numbers[0], int(MISSING_KEY), numbers[1]]
    assert keys[1].tolist() == [texts[0], int(MISSING_KEY), texts[1]]


LISTS = [
    pa.array([[1, 2], None, [3]], pa.list_(pa.int64())),
    pa.array([["1", "2"], [], ["3"]], pa.large_list(pa.string())),
    pa.array([["1", "2"], [], ["3"]], pa.list_(pa.dictionary(pa.int8(), pa.string()))),
    pa.array([[9], [1, 2], None, [3]], pa.list_(pa.int8()))[1:],
]


@pytest.mark.parametrize("column", LISTS, ids=lambda column: str(column.type))
def test_types_of_lists(tmp_path: Path, column: Any) -> None:
    (tags,) = read(tmp_path, GOOD | {"tags": column}).rows.lists
    assert tags.lengths.tolist() == [2, 0, 1]
    assert tags.keys.tolist() == integer_keys(np.array([1, 2, 3])).tolist()


def test_lists_of_one_length(tmp_path: Path) -> None:
    column = pa.array([[1, 2], [3, 4], [5, 6]], pa.list_(pa.int64(), 2))
    (tags,) = read(tmp_path, GOOD | {"tags": column}).rows.lists
    assert tags.lengths.tolist() == [2, 2, 2]
    assert tags.keys.tolist() == integer_keys(np.arange(1, 7)).tolist()


def test_a_column_without_any_value(tmp_path: Path) -> None:
    nothing = pa.nulls(3)
    parsed = read(tmp_path, GOOD | {"price": nothing, "user": nothing, "item": nothing, "tags": nothing})
    assert np.isnan(parsed.rows.dense).all()
    assert (parsed.rows.keys == MISSING_KEY).all()
    assert parsed.rows.lists[0].lengths.tolist() == [0, 0, 0]


BAD: list[tuple[str, Any, str, str]] = [
    ("click", pa.array([1, 2, 1]), "label", "found 2, expected 0 or 1"),
    ("click", pa.array([1, None, 1]), "label", "found None, expected 0 or 1"),
    ("price", pa.array([1.0, float("inf"), 1.0]), "number", "found inf, expected a finite number or null"),
    (
        "user",
        pa.array([1, 2**63, 1], pa.uint64()),
        "id",
        "found 9223372036854775808, expected a whole number",
    ),
    ("user", pa.array([1, 2**63 - 1, 1]), "id", "found 9223372036854775807, expected a whole number"),
    ("user", pa.array(["1", "x", "1"]), "id", "found 'x', expected a whole number of 64 bits or null"),
    ("tags", pa.array([[1], [2, None], [1]]), "list", "found None in it, expected a whole number"),
    ("tags", pa.array([["1"], ["2", ""], ["1"]]), "list", "found '' in it, expected a whole number"),
]


@pytest.mark.parametrize(("column", "values", "reason", "detail"), BAD, ids=lambda value: str(value)[:30])
def test_a_bad_row_is_set_aside(tmp_path: Path, column: str, values: Any, reason: str, detail: str) -> None:
    good = {name: [value[0].as_py()] * 3 for name, value in GOOD.items()}
    parsed = read(tmp_path, {**{name: pa.array(value) for name, value in good.items()}, column: values})
    assert len(parsed.rows) == 2
    (rejected,) = parsed.rejected
    assert (rejected.line, rejected.reason, rejected.column) == (2, reason, column)
    assert rejected.detail.startswith(detail)
    kept = json.loads(rejected.text)
    assert kept["item"] == "tea"
    assert set(kept) == set(GOOD)


def test_rows_are_numbered_over_row_groups(tmp_path: Path) -> None:
    labels = [0, 1] * 50
    labels[13] = labels[77] = 5
    columns = {name: pa.array([value[0].as_py()] * 100) for name, value in GOOD.items()}
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table(columns | {"click": pa.array(labels)}), path, row_group_size=30)
    schema = write_schema(tmp_path / "columns.toml", TEXT)
    report = prepare("parquet", [path], tmp_path / "out", schema=schema)
    assert (report.rows, report.rejected_by_reason) == (98, {"label": 2})
    lines = (tmp_path / "out" / "rejected.tsv").read_text().splitlines()[1:]
    assert [line.split("\t")[1:4] for line in lines] == [["14", "label", "click"], ["78", "label", "click"]]
    with pytest.raises(DataError, match=r"rows\.parquet, line 14, column click: found 5, expected 0 or 1"):
        prepare("parquet", [path], tmp_path / "strict", PrepareConfig(strict=True), schema=schema)


TYPES = [
    ("click", pa.array(["1", "0", "1"]), "column click: found string, expected numbers"),
    ("price", pa.array(["1", "0", "1"]), "column price: found string, expected numbers"),
    ("user", pa.array([1.0, 2.0, 3.0]), "column user: found double, expected text or whole numbers"),
    ("item", pa.array([True, False, True]), "column item: found bool, expected text or whole numbers"),
    (
        "tags",
        pa.array(["1|2", "", "3"]),
        "column tags: found string, expected lists of text or whole numbers",
    ),
    ("tags", pa.array([[1.5], [], []]), "column tags: found list<.*double>, expected lists of text"),
]


@pytest.mark.parametrize(("column", "values", "message"), TYPES, ids=lambda value: str(value)[:30])
def test_a_column_of_the_wrong_type_stops(tmp_path: Path, column: str, values: Any, message: str) -> None:
    with pytest.raises(DataError, match=r"rows\.parquet, " + message):
        read(tmp_path, GOOD | {column: values})


def test_columns_that_do_not_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"column tags: no such column, expected it as .*columns\.toml says"):
        read(tmp_path, {name: column for name, column in GOOD.items() if name != "tags"})
    with pytest.raises(DataError, match=r"column items: unknown column .did you mean item"):
        read(tmp_path, GOOD | {"items": GOOD["item"]})
    twice = pa.Table.from_arrays([*GOOD.values(), GOOD["user"]], names=[*GOOD, "user"])
    path = tmp_path / "twice.parquet"
    pq.write_table(twice, path)
    with pytest.raises(DataError, match="column user: is there twice"):
        list(log_of(tmp_path).read(path))


def test_times_of_every_type(tmp_path: Path) -> None:
    text = TEXT + '[time]\ncolumn = "when"\nkind = "datetime"\n[split]\nby = "time"\n'
    days = [datetime.date(2024, 1, 2), datetime.date(1960, 1, 1), datetime.date(2024, 1, 1)]
    columns = [
        pa.array(days),
        pa.array(days, pa.date64()),
        pa.array(days).cast(pa.timestamp("ns")),
        pa.array(days).cast(pa.timestamp("s", tz="UTC")),
        pa.array(list(map(str, days))),
    ]
    found = [read(tmp_path, GOOD | {"when": column}, text).order for column in columns]
    assert all(order is not None and order.tolist() == found[0].tolist() for order in found)  # type: ignore[union-attr]
    assert np.argsort(found[0]).tolist() == [1, 2, 0]  # type: ignore[arg-type]
    parsed = read(tmp_path, GOOD | {"when": pa.array([days[0], None, days[1]])}, text)
    assert [row.reason for row in parsed.rejected] == ["time"]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    columns = {name: pa.array([value[0].as_py()] * 5000) for name, value in GOOD.items()}
    pq.write_table(pa.table(columns | {"user": pa.array(range(5000))}), path, compression="none")
    whole = path.read_bytes()
    schema = write_schema(tmp_path / "columns.toml", TEXT)
    for content in (b"", b"click,price\n1,2\n", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"rows\.parquet: is no readable Parquet file"):
            prepare("parquet", [path], tmp_path / "out", schema=schema)
    path.write_bytes(whole[:4] + b"\xff" * (len(whole) // 2) + whole[4 + len(whole) // 2 :])
    with pytest.raises(DataError, match=r"rows\.parquet: cannot be read after row 0"):
        prepare("parquet", [path], tmp_path / "out", schema=schema)
    with pytest.raises(MissingFileError):
        list(log_of(tmp_path).read(tmp_path / "none.parquet"))
    with pytest.raises(DataError, match="is a folder"):
        list(log_of(tmp_path).read(tmp_path))
    empty = tmp_path / "empty.parquet"
    pq.write_table(pa.table({name: value[:0] for name, value in GOOD.items()}), empty)
    with pytest.raises(DataError, match=r"empty\.parquet: no rows in it"):
        prepare("parquet", [empty], tmp_path / "out", schema=schema)
    assert not (tmp_path / "out").exists()


def test_names_with_dots(tmp_path: Path) -> None:
    text = TEXT.replace("user =", '"user.id" =')
    columns = {name if name != "user" else "user.id": value for name, value in GOOD.items()}
    assert read(tmp_path, columns, text).rows.keys.tolist() == read(tmp_path, GOOD).rows.keys.tolist()
