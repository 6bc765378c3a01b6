"""A small table with a column of every kind, as csv, as Parquet and as rows, and its schema file."""

from __future__ import annotations

import csv
import datetime
import gzip
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

Row = dict[str, Any]

SCHEMA_TEXT = """
label = ["click", "buy"]
group = "query"
ignore = ["note"]
min_count = 2

[time]
column = "when"
kind = "datetime"

[split]
by = "time"
valid = 0.2
test = 0.2

[features]
price = { kind = "dense" }
share = { kind = "dense", transform = "identity", default = 0.5 }
user = { kind = "categorical", key_type = "integer" }
item = { kind = "categorical", key_type = "text", default = "none" }
city = { kind = "categorical", hash_rows = 50 }
history = { kind = "sequence", of = "item", max_length = 3 }
tags = { kind = "bag", key_type = "integer", separator = ";", pooling = "sum" }
words = { kind = "bag", min_count = 1, weights = "strengths" }
"""

TYPES: dict[str, Any] = {
    "click": pa.int64(),
    "buy": pa.int8(),
    "query": pa.string(),
    "note": pa.string(),
    "when": pa.timestamp("us"),
    "price": pa.float64(),
    "share": pa.float64(),
    "user": pa.int64(),
    "item": pa.string(),
    "city": pa.dictionary(pa.int32(), pa.string()),
    "history": pa.list_(pa.string()),
    "tags": pa.list_(pa.int64()),
    "words": pa.large_list(pa.string()),
    "strengths": pa.list_(pa.float32()),
}
SEPARATORS = {"history": "|", "tags": ";", "words": "|", "strengths": "|"}


def make_rows(count: int, seed: int = 0) -> list[Row]:
    """Return random rows, missing values and awkward text included."""
    rng = np.random.default_rng(seed)
    items = ["tea", "café", 'say "hi"', "a,b", "tab\there", "semi;colon", "中文", " x ", "007"]
    start = datetime.datetime(2024, 1, 1)
    rows = []
    for _ in range(count):
        words = [f"w{word}" for word in rng.integers(0, 6, rng.integers(0, 4))]
        rows.append(
            {
                "click": int(rng.integers(0, 2)),
                "buy": int(rng.integers(0, 2)),
                "query": f"q{rng.integers(0, 9)}",
                "note": "left alone",
                "when": start + datetime.timedelta(seconds=int(rng.integers(0, 500)), microseconds=1),
                "price": None if rng.random() < 0.2 else float(rng.normal() * 10),
                "share": None if rng.random() < 0.2 else float(rng.random()),
                "user": None
                if rng.random() < 0.2
                else int(rng.choice([1, -7, 2**62, 2**63 - 2, 12345678901])),
                "item": None if rng.random() < 0.2 else str(rng.choice(items)),
                "city": None if rng.random() < 0.2 else f"city{rng.integers(0, 30)}",
                "history": [str(item) for item in rng.choice(items, rng.integers(0, 6))],
                "tags": rng.integers(-3, 3, rng.integers(0, 4)).tolist(),
                "words": words,
                "strengths": [int(each) / 4 for each in rng.integers(0, 9, len(words))],
            }
        )
    return rows


def write_schema(path: Path, text: str = SCHEMA_TEXT) -> Path:
    """Write a schema file."""
    path.write_text(text, encoding="utf-8")
    return path


def cell(name: str, value: object, separators: Mapping[str, str]) -> str:
    """Return a value as it stands in csv."""
    if value is None:
        return ""
    if isinstance(value, list):
        return separators[name].join(map(str, value))
    return str(value)


def write_csv(
    path: Path,
    rows: Sequence[Row],
    names: Sequence[str] = tuple(TYPES),
    *,
    delimiter: str = ",",
    end: str = "\n",
    separators: Mapping[str, str] = SEPARATORS,
) -> Path:
    """Write rows as Python's csv module does; gzipped if the name ends in .gz."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, delimiter=delimiter, lineterminator=end)
        writer.writerow(names)
        writer.writerows([cell(name, row[name], separators) for name in names] for row in rows)
    return path


def write_parquet(
    path: Path, rows: Sequence[Row], types: Mapping[str, Any] = TYPES, *, row_group: int = 64
) -> Path:
    """Write rows in row groups."""
    arrays = [pa.array([row[name] for row in rows], type=kind) for name, kind in types.items()]
    pq.write_table(pa.table(arrays, names=list(types)), path, row_group_size=row_group)
    return path


def rank_rows(rows: Sequence[Row]) -> list[Row]:
    """Return rows as JSON objects that are ranked: without labels, times and the rest."""
    left_out = {"click", "buy", "query", "note", "when"}
    return [{name: value for name, value in row.items() if name not in left_out} for row in rows]
