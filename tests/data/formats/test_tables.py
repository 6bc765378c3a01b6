"""csv and Parquet of one table: the same data set, which holds what the rows say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.data.formats.tables import (
    TYPES,
    Row,
    make_rows,
    rank_rows,
    write_csv,
    write_parquet,
    write_schema,
)

from hotrow.data import _arranging, _encoding, _writing
from hotrow.data.dataset import Dataset
from hotrow.data.encoder import Encoder
from hotrow.data.formats import reader_of
from hotrow.data.formats.csv import CsvLog
from hotrow.data.formats.description import Description
from hotrow.data.formats.parquet import ParquetLog
from hotrow.data.prepare import PrepareConfig, prepare
from hotrow.data.raw import EncodedBlock

SPLITS = ("train", "valid", "test")


def rows_of(block: EncodedBlock) -> list[tuple[Any, ...]]:
    """Return rows one by one: numbers, ids, lists with their weights, labels, group."""
    assert block.labels is not None
    assert block.groups is not None
    lists = []
    for listed in block.lists:
        weights = np.ones(len(listed.ids), np.float32) if listed.weights is None else listed.weights
        places = zip(listed.starts.tolist(), listed.lengths.tolist(), strict=True)
        lists.append(
            [
                (
                    tuple(listed.ids[start : start + length].tolist()),
                    tuple(weights[start : start + length].tolist()),
                )
                for start, length in places
            ]
        )
    fixed = zip(
        block.dense.tolist(), block.ids.tolist(), block.labels.tolist(), block.groups.tolist(), strict=True
    )
    return [(*map(repr, row), *(column[at] for column in lists)) for at, row in enumerate(fixed)]


def all_rows(dataset: Dataset, split: str) -> list[tuple[Any, ...]]:
    return [row for shard in dataset.shards(split) for row in rows_of(shard)]


def content(folder: Path) -> dict[str, bytes]:
    """Return all files of a data set, but what the manifest says of its sources."""
    files = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    manifest = json.loads(files.pop("schema.json").read_text())
    del manifest["sources"], manifest["options"]
    return {name: path.read_bytes() for name, path in files.items()} | {
        "schema.json": json.dumps(manifest).encode()
    }


@pytest.fixture
def schema(tmp_path: Path) -> Path:
    return write_schema(tmp_path / "columns.toml")


def test_the_data_set_holds_what_the_rows_say(tmp_path: Path, schema: Path) -> None:
    rows = make_rows(300)
    path = write_csv(tmp_path / "rows.csv", rows)
    report = prepare("csv", [path], tmp_path / "out", schema=schema)
    assert (report.rows, report.rejected_rows) == (300, 0)
    assert report.splits == {"train": 180, "valid": 60, "test": 60}
    dataset = Dataset.open(tmp_path / "out")
    by_time = sorted(range(300), key=lambda row: rows[row]["when"])
    parts = {"train": by_time[:180], "valid": by_time[180:240], "test": by_time[240:]}
    reader = reader_of(dataset.schema)
    encoder = Encoder.load(dataset.vocab_folder, dataset.schema)
    for split in SPLITS:
        chosen = [rows[row] for row in sorted(parts[split])]
        encoded = encoder.encode(reader.block_from_rows(rank_rows(chosen)))
        found = all_rows(dataset, split)
        expected = rows_of(
            EncodedBlock(
                encoded.dense,
                encoded.ids,
                np.array([[row["click"], row["buy"]] for row in chosen], dtype=np.float32),
                encoded.lists,
                np.zeros(len(chosen), dtype=np.int64),
            )
        )
        assert [row[:3] + row[4:] for row in found] == [row[:3] + row[4:] for row in expected]
        groups: dict[str, set[str]] = {}
        for row, (_, _, _, group, *_) in zip(chosen, found, strict=True):
            groups.setdefault(row["query"], set()).add(group)
        assert all(len(each) == 1 for each in groups.values())
        assert len(set.union(*groups.values())) == len(groups)


def test_vocabularies_count_lists_together_with_their_feature(tmp_path: Path, schema: Path) -> None:
    rows = make_rows(300)
    path = write_csv(tmp_path / "rows.csv", rows)
    report = prepare("csv", [path], tmp_path / "out", schema=schema)
    train = [rows[row] for row in sorted(range(300), key=lambda row: rows[row]["when"])[:180]]
    counts: dict[str, int] = {}
    for row in train:
        for item in [row["item"] or "none", *row["history"][-3:]]:
            counts[item] = counts.get(item, 0) + 1
    kept = sum(count >= 2 for count in counts.values())
    features = {feature.name: feature for feature in Dataset.open(tmp_path / "out").schema.categorical}
    assert features["item"].rows == kept + 2
    assert (features["city"].encoding, features["city"].rows) == ("hash", 50)
    told = {feature.name: feature for feature in report.features}
    assert [feature.kind for feature in report.features] == [
        *["dense"] * 2,
        *["categorical"] * 3,
        *["sequence", "bag", "bag"],
    ]
    assert told["history"].of == "item"
    assert told["history"].distinct == told["item"].distinct == len(counts)
    assert told["history"].mean_length == pytest.approx(np.mean([len(row["history"][-3:]) for row in train]))
    assert told["tags"].missing_share == pytest.approx(np.mean([not row["tags"] for row in rows]))
    assert told["item"].missing_share == 0  # an empty one is "none"


def test_csv_and_parquet_of_one_table_are_one_data_set(tmp_path: Path, schema: Path) -> None:
    rows = make_rows(300)
    sources = {
        "csv": write_csv(tmp_path / "rows.csv", rows),
        "parquet": write_parquet(tmp_path / "rows.parquet", rows),
    }
    for name, path in sources.items():
        prepare(name, [path], tmp_path / name, schema=schema)
    assert content(tmp_path / "csv") == content(tmp_path / "parquet")
    first, second = (Dataset.open(tmp_path / name) for name in sources)
    assert first.fingerprint() == second.fingerprint()
    first.schema.require_same(second.schema, this="csv", that="parquet")


@pytest.mark.parametrize("delimiter", ["\t", ";", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_how_csv_is_written_changes_nothing(tmp_path: Path, schema: Path, delimiter: str, end: str) -> None:
    rows = make_rows(120)
    prepare("csv", [write_csv(tmp_path / "a.csv", rows)], tmp_path / "a", schema=schema)
    names = list(TYPES)[::-1]
    path = write_csv(tmp_path / "b.csv.gz", rows, names, delimiter=delimiter, end=end)
    prepare("csv", [path], tmp_path / "b", schema=schema)
    assert content(tmp_path / "a") == content(tmp_path / "b")


def test_small_blocks_and_shards_change_no_row(
    tmp_path: Path, schema: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = make_rows(300)
    csv = write_csv(tmp_path / "rows.csv", rows)
    parquet = write_parquet(tmp_path / "rows.parquet", rows)
    prepare("csv", [csv], tmp_path / "out", schema=schema)
    whole = Dataset.open(tmp_path / "out")
    monkeypatch.setattr(_encoding, "_COUNTED_AT_ONCE", 16)
    monkeypatch.setattr(_encoding, "_ENCODED_AT_ONCE", 8)
    monkeypatch.setattr(_encoding, "MAX_DISTINCT", 4)
    monkeypatch.setattr(_writing, "_ROWS_AT_ONCE", 16)
    monkeypatch.setattr(_writing, "SHARD_ROWS", 50)
    monkeypatch.setattr(_arranging, "_ROWS_AT_ONCE", 40)
    description = Description.load(schema)
    small = {
        csv: CsvLog(description.schema, description, block_bytes=700),
        parquet: ParquetLog(description.schema, description, batch_rows=13),
    }
    for path, log in small.items():
        monkeypatch.setattr(
            f"hotrow.data.formats.{path.suffix[1:]}.{path.suffix[1:].title()}.described",
            lambda *_, log=log: log,
        )
        prepare(path.suffix[1:], [path], tmp_path / path.suffix, schema=schema)
        found = Dataset.open(tmp_path / path.suffix)
        assert found.schema == whole.schema
        assert [len(shard) for shard in found.shards("train")] == [50, 50, 50, 30]
        for split in SPLITS:
            assert all_rows(found, split) == all_rows(whole, split)


def test_long_lists_make_small_shards(tmp_path: Path, schema: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_csv(tmp_path / "rows.csv", make_rows(300))
    monkeypatch.setattr(_writing, "_LISTED_AT_ONCE", 100)
    prepare("csv", [path], tmp_path / "out", schema=schema)
    assert all(len(shard) < 100 for shard in Dataset.open(tmp_path / "out").shards("train"))


def test_files_in_order(tmp_path: Path) -> None:
    rows = make_rows(200)
    text = (
        'label = "click"\nignore = ["*"]\nsplit.by = "files"\n[features]\ncity = { kind = "categorical" }\n'
    )
    schema = write_schema(tmp_path / "columns.toml", text)
    paths = [write_csv(tmp_path / f"{at}.csv", rows[at * 50 : at * 50 + 50]) for at in range(4)]
    report = prepare("csv", paths, tmp_path / "out", schema=schema)
    assert report.splits == {"train": 150, "valid": 25, "test": 25}
    found = np.concatenate([shard.labels for shard in Dataset.open(tmp_path / "out").shards("train")])
    assert found.tolist() == [row["click"] for row in rows[:150]]


def test_groups_and_columns_split(tmp_path: Path) -> None:
    rows = make_rows(400)
    for at, row in enumerate(rows):
        row["note"] = ("a", "b", "7")[at % 3]
    text = (
        'label = "click"\nignore = ["*"]\n[split]\n{split}\n[features]\ncity = {{ kind = "categorical" }}\n'
    )
    by_column = 'by = "column"\ncolumn = "note"\nvalues = { train = ["a"], valid = ["b"], test = [7] }'
    found = {}
    for name, split in {"column": by_column, "group": 'by = "group"\ncolumn = "query"'}.items():
        schema = write_schema(tmp_path / f"{name}.toml", text.format(split=split))
        paths = {
            "csv": write_csv(tmp_path / "r.csv", rows),
            "parquet": write_parquet(tmp_path / "r.parquet", rows),
        }
        for kind, path in paths.items():
            report = prepare(kind, [path], tmp_path / f"{name}-{kind}", schema=schema)
            found[name, kind] = report.splits
        assert content(tmp_path / f"{name}-csv") == content(tmp_path / f"{name}-parquet")
    assert found["column", "csv"] == {"train": 134, "valid": 133, "test": 133}
    assert sum(found["group", "csv"].values()) == 400


def test_bounds_of_tables(tmp_path: Path) -> None:
    rows = make_rows(300)
    text = (
        'label = "click"\nignore = ["*"]\n[features]\n'
        'city = { kind = "categorical", max_rows = 7 }\nitem = { kind = "categorical", min_count = 1000 }\n'
    )
    schema = write_schema(tmp_path / "columns.toml", text)
    report = prepare("csv", [write_csv(tmp_path / "rows.csv", rows)], tmp_path / "out", schema=schema)
    assert Dataset.open(tmp_path / "out").schema.rows == (7, 2)
    city = next(feature for feature in report.features if feature.name == "city")
    assert city.distinct is not None
    assert city.distinct > 5


def test_the_manifest_tells_what_the_schema_file_says(tmp_path: Path, schema: Path) -> None:
    path = write_csv(tmp_path / "rows.csv", make_rows(60))
    prepare("csv", [path], tmp_path / "out", PrepareConfig(strict=True), schema=schema)
    manifest = json.loads((tmp_path / "out" / "schema.json").read_text())
    options = manifest["options"]
    assert (options["format"], options["strict"]) == ("csv", True)
    assert options["columns"]["labels"] == ["click", "buy"]
    assert options["columns"]["features"]["tags"]["separator"] == ";"
    assert manifest["schema"]["format"] == "table"
    assert manifest["sources"] == [{"file": str(path), "rows": 60, "rejected": 0}]


TEXT = st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]), max_size=8)
ITEM = st.text(st.characters(exclude_characters="\n\r|", exclude_categories=["Cs"]), min_size=1, max_size=6)
WHOLE = st.integers(-(2**63), 2**63 - 2) | st.integers(-3, 3)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "y": st.integers(0, 1),
            "d": st.none() | st.floats(allow_nan=False, allow_infinity=False) | WHOLE.map(float),
            "i": st.none() | WHOLE,
            "t": st.none() | TEXT,
            "bag": st.none() | st.lists(WHOLE, max_size=4),
            "seq": st.lists(ITEM, max_size=4),
        }
    ),
    min_size=10,
    max_size=25,
)
PLAIN = """
label = "y"
[features]
d = { kind = "dense" }
i = { kind = "categorical", key_type = "integer" }
t = { kind = "categorical" }
bag = { kind = "bag", of = "i" }
seq = { kind = "sequence", max_length = 3 }
"""
PLAIN_TYPES: dict[str, Any] = {
    "y": pa.int32(),
    "d": pa.float64(),
    "i": pa.int64(),
    "t": pa.string(),
    "bag": pa.list_(pa.int64()),
    "seq": pa.large_list(pa.string()),
}


@settings(max_examples=40)
@given(rows=ROWS)
def test_any_table_prepares_to_the_same_data_set(
    tmp_path_factory: pytest.TempPathFactory, rows: list[Row]
) -> None:
    folder = tmp_path_factory.mktemp("tables")
    schema = write_schema(folder / "columns.toml", PLAIN)
    separators = {"bag": "|", "seq": "|"}
    sources = {
        "csv": write_csv(folder / "rows.csv", rows, tuple(PLAIN_TYPES), separators=separators),
        "parquet": write_parquet(folder / "rows.parquet", rows, PLAIN_TYPES, row_group=7),
    }
    for name, path in sources.items():
        report = prepare(name, [path], folder / name, schema=schema)
        assert (report.rows, report.rejected_rows) == (len(rows), 0)
    assert content(folder / "csv") == content(folder / "parquet")
