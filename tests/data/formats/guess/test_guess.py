from __future__ import annotations

import datetime
import tomllib
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.data.formats.tables import make_rows, write_csv, write_parquet

from hotrow.data.dataset import Dataset
from hotrow.data.formats.description import Description
from hotrow.data.formats.guess import guess_schema
from hotrow.data.prepare import prepare
from hotrow.errors import ConfigError, DataError, MissingFileError, OutputExistsError


def guessed(folder: Path, text: str, kind: str = "csv") -> dict[str, Any]:
    source = folder / "rows.csv"
    source.write_text(text)
    guess_schema(kind, [source], folder / "columns.toml", overwrite=True)
    return tomllib.loads((folder / "columns.toml").read_text())


def table(count: int, **columns: Any) -> str:
    """Return csv; a column is a function of the row's number."""
    lines = [
        ",".join(columns),
        *(",".join(str(make(row)) for make in columns.values()) for row in range(count)),
    ]
    return "\n".join(lines) + "\n"


def test_a_table_of_clicks(tmp_path: Path) -> None:
    text = table(
        400,
        id=lambda row: row,
        timestamp=lambda row: 1_700_000_000 + row * 7 % 100,
        user_id=lambda row: row % 90,
        item=lambda row: f"item{row % 50}",
        price=lambda row: row / 8,
        ctr=lambda row: row % 10 / 10,
        age=lambda row: row % 60,
        weekday=lambda row: row % 7,
        zip_code=lambda row: f"0{row % 30:04}",
        genres=lambda row: ("Drama|War", "War", "", "Drama")[row % 4],
        item_history=lambda row: f"item{row % 50}|item{row % 7}",
        empty=lambda row: "",
        click=lambda row: row % 3 % 2,
    )
    found = guessed(tmp_path, text)
    assert found["label"] == "click"
    assert found["group"] == "user_id"
    assert found["ignore"] == ["id", "empty"]
    assert found["min_count"] == 2
    assert found["time"] == {"column": "timestamp", "kind": "number"}
    assert found["split"] == {"by": "time", "valid": 0.1, "test": 0.1, "seed": 0}
    assert "csv" not in found
    assert found["features"] == {
        "user_id": {"kind": "categorical", "key_type": "integer"},
        "item": {"kind": "categorical", "key_type": "text"},
        "price": {"kind": "dense", "transform": "signed_log1p"},
        "ctr": {"kind": "dense", "transform": "identity"},
        "age": {"kind": "dense", "transform": "signed_log1p"},
        "weekday": {"kind": "categorical", "key_type": "integer"},
        "zip_code": {"kind": "categorical", "key_type": "text"},
        "genres": {"kind": "bag", "key_type": "text"},
        "item_history": {"kind": "sequence", "of": "item"},
    }
    report = prepare("csv", [tmp_path / "rows.csv"], tmp_path / "out", schema=tmp_path / "columns.toml")
    assert (report.rows, report.rejected_rows) == (400, 0)


def test_dates_and_several_labels(tmp_path: Path) -> None:
    text = table(
        60,
        day=lambda row: datetime.date(2024, 1, 1 + row % 28),
        updated=lambda row: f"2024-01-01 10:00:{row % 60:02}",
        is_conversion=lambda row: row % 5 // 4,
        Clicked=lambda row: row % 2,
        flag=lambda row: row % 3 // 2,
        session_id=lambda row: f"s{row // 4}",
    )
    found = guessed(tmp_path, text)
    assert found["label"] == ["Clicked", "is_conversion"]
    assert found["group"] == "session_id"
    assert found["time"] == {"column": "day", "kind": "datetime"}
    assert found["ignore"] == ["updated"]
    assert found["features"] == {"flag": {"kind": "categorical", "key_type": "integer"}}


def test_the_only_column_of_0_and_1_is_the_label(tmp_path: Path) -> None:
    found = guessed(tmp_path, table(30, outcome=lambda row: row % 2, price=lambda row: row))
    assert found["label"] == "outcome"
    assert "group" not in found
    assert "time" not in found
    assert found["split"]["by"] == "random"


def test_without_a_label_it_says_so(tmp_path: Path) -> None:
    found = guessed(tmp_path, table(30, a=lambda row: row % 2, b=lambda row: row // 2 % 2))
    assert found["label"] == ""
    with pytest.raises(ConfigError, match=r"columns\.toml: label: got \[''\], expected the name of a column"):
        Description.load(tmp_path / "columns.toml")


@pytest.mark.parametrize("delimiter", ["\t", ";", "|"])
def test_what_stands_between_cells(tmp_path: Path, delimiter: str) -> None:
    text = table(30, click=lambda row: row % 2, tags=lambda row: f"x {row}", price=lambda row: row / 2)
    found = guessed(tmp_path, text.replace(",", delimiter))
    assert found["csv"] == {"delimiter": delimiter}
    assert set(found["features"]) == {"tags", "price"}


def test_a_file_without_a_header(tmp_path: Path) -> None:
    found = guessed(tmp_path, "".join(f"{row % 2}\ttea{row}\t{row / 2}\n" for row in range(30)))
    assert found["csv"] == {"delimiter": "\t", "columns": ["column1", "column2", "column3"]}
    assert found["label"] == "column1"
    report = prepare("csv", [tmp_path / "rows.csv"], tmp_path / "out", schema=tmp_path / "columns.toml")
    assert report.rows == 30


def test_lists_of_numbers_between_spaces(tmp_path: Path) -> None:
    text = table(
        30,
        click=lambda row: row % 2,
        title=lambda row: f"the film {row}",
        past=lambda row: f"{row} {row + 1}",
        words=lambda row: f"a{row};b{row}",
    )
    found = guessed(tmp_path, text)["features"]
    assert found["title"] == {"kind": "categorical", "key_type": "text"}
    assert found["past"] == {"kind": "sequence", "key_type": "integer", "separator": " "}
    assert found["words"] == {"kind": "bag", "key_type": "text", "separator": ";"}


def test_names_that_need_quotes_or_fit_no_feature(tmp_path: Path) -> None:
    lines = [
        '"price, net","a/b","say ""x""",click',
        *(f"{row / 2},y{row},z{row % 3},{row % 2}" for row in range(30)),
    ]
    found = guessed(tmp_path, "\n".join(lines))
    assert found["ignore"] == ["a/b"]
    assert set(found["features"]) == {"price, net", 'say "x"'}
    prepare("csv", [tmp_path / "rows.csv"], tmp_path / "out", schema=tmp_path / "columns.toml")


def test_many_rows_need_ids_to_be_seen_more_often(tmp_path: Path) -> None:
    text = table(120_000, click=lambda row: row % 2, item=lambda row: f"i{row % 9}")
    assert guessed(tmp_path, text)["min_count"] == 10
    assert "10,000 rows (8.3% of the file, about)" in (tmp_path / "columns.toml").read_text()


def test_typed_columns(tmp_path: Path) -> None:
    rows = 40
    columns = {
        "click": pa.array([row % 2 == 0 for row in range(rows)]),
        "when": pa.array([datetime.datetime(2024, 1, 1, row % 24) for row in range(rows)]),
        "user": pa.array([row % 7 for row in range(rows)]),
        "code": pa.array([f"{row % 3}" for row in range(rows)]),
        "price": pa.array([row / 4 if row % 5 else None for row in range(rows)]),
        "viewed": pa.array([[row, row + 1] for row in range(rows)]),
        "tags": pa.array([["a", "b"][: row % 3] for row in range(rows)]),
        "sizes": pa.array([[0.5] for _ in range(rows)]),
        "blob": pa.array([{"x": 1}] * rows),
    }
    source = tmp_path / "rows.parquet"
    pq.write_table(pa.table(columns), source, row_group_size=9)
    report = guess_schema("parquet", [source], tmp_path / "columns.toml")
    assert report.rows == rows
    found = tomllib.loads((tmp_path / "columns.toml").read_text())
    assert found["ignore"] == ["sizes", "blob"]
    assert found["time"] == {"column": "when", "kind": "datetime"}
    assert found["features"] == {
        "user": {"kind": "categorical", "key_type": "integer"},
        "code": {"kind": "categorical", "key_type": "text"},
        "price": {"kind": "dense", "transform": "signed_log1p"},
        "viewed": {"kind": "sequence", "key_type": "integer"},
        "tags": {"kind": "bag", "key_type": "text"},
    }
    prepare("parquet", [source], tmp_path / "out", schema=tmp_path / "columns.toml")
    assert Dataset.open(tmp_path / "out").rows("train") == 32


def test_a_table_with_everything_can_be_prepared_as_guessed(tmp_path: Path) -> None:
    rows = make_rows(300)
    sources = {
        "csv": write_csv(tmp_path / "r.csv", rows),
        "parquet": write_parquet(tmp_path / "r.parquet", rows),
    }
    for kind, source in sources.items():
        report = guess_schema(kind, [source], tmp_path / f"{kind}.toml")
        assert report.label == ("click", "buy")
        assert report.columns["when"] == "time"
        prepared = prepare(kind, [source], tmp_path / kind, schema=tmp_path / f"{kind}.toml")
        assert (prepared.rows, prepared.rejected_rows) == (300, 0)


def test_what_cannot_be_guessed_from(tmp_path: Path) -> None:
    source, out = tmp_path / "rows.csv", tmp_path / "columns.toml"
    source.write_text("click,a\n")
    with pytest.raises(DataError, match="no rows in it"):
        guess_schema("csv", [source], out)
    source.write_text("")
    with pytest.raises(DataError, match="the file is empty"):
        guess_schema("csv", [source], out)
    source.write_text("a,b,a\nx,y,z\n")
    with pytest.raises(DataError, match="column a: is there twice"):
        guess_schema("csv", [source], out)
    with pytest.raises(MissingFileError):
        guess_schema("csv", [tmp_path / "none"], out)
    with pytest.raises(ConfigError, match="--guess: got 'criteo', expected csv or parquet"):
        guess_schema("criteo", [source], out)
    with pytest.raises(ConfigError, match="sources"):
        guess_schema("csv", [], out)
    assert not out.exists()


def test_a_file_that_is_there_is_kept(tmp_path: Path) -> None:
    source, out = tmp_path / "rows.csv", tmp_path / "columns.toml"
    source.write_text(table(20, click=lambda row: row % 2, a=lambda row: f"x{row}"))
    out.write_text("mine")
    with pytest.raises(OutputExistsError, match=r"columns\.toml: already exists"):
        guess_schema("csv", [source], out)
    assert out.read_text() == "mine"
    guess_schema("csv", [source], out, overwrite=True)
    assert "click" in out.read_text()
