from __future__ import annotations

import csv
import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hotrow.data.dataset import Dataset
from hotrow.data.formats import find_format
from hotrow.data.formats.avazu import IDS, Avazu
from hotrow.data.keys import text_keys
from hotrow.data.prepare import PrepareConfig, prepare
from hotrow.data.raw import MISSING_KEY, RawBlock
from hotrow.errors import DataError

REAL = Path(__file__).parents[4] / "shared" / "data" / "avazu-10k"
HEADER = ["id", "click", "hour", *IDS]


def row(number: int, *, hour: str = "14102123", click: str = "1") -> list[str]:
    return [str(10**17 + number), click, hour, *(f"{number * at % 11:x}" for at in range(1, len(IDS) + 1))]


def write(path: Path, rows: list[list[str]], header: list[str] = HEADER, end: str = "\n") -> Path:
    path.write_bytes(end.join(map(",".join, [header, *rows])).encode() + end.encode())
    return path


def expected_keys(cells: dict[str, str]) -> list[int]:
    """Return a row's keys the plain way."""
    time = datetime.datetime.strptime(cells["hour"], "%y%m%d%H")
    texts = [cells["hour"], f"{time.hour:02}", str(time.weekday()), *(cells[name] for name in IDS)]
    return [
        key if text else int(MISSING_KEY) for key, text in zip(text_keys(texts).tolist(), texts, strict=True)
    ]


def read(path: Path, block_bytes: int = 1 << 20) -> tuple[RawBlock, list[Any]]:
    parsed = list(Avazu(block_bytes=block_bytes).read(path))
    keys = np.concatenate([block.rows.keys for block in parsed], axis=1)
    labels = [block.rows.labels for block in parsed if block.rows.labels is not None]
    whole = RawBlock(np.empty((keys.shape[1], 0)), keys, np.concatenate(labels) if labels else None)
    return whole, [row for block in parsed for row in block.rejected]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("labelled", [True, False])
def test_reads_what_the_csv_module_reads(tmp_path: Path, end: str, labelled: bool) -> None:
    rows = [row(n, hour=f"1410{21 + n // 24}{n % 24:02}", click=str(n % 2)) for n in range(60)]
    rows[7][5] = ""
    header = list(HEADER)
    if not labelled:
        header.remove("click")
        rows = [[*cells[:1], *cells[2:]] for cells in rows]
    path = write(tmp_path / "log.csv", rows, header, end)
    with path.open(newline="") as stream:
        expected = list(csv.DictReader(stream))
    block, rejected = read(path, 500)
    assert rejected == []
    assert block.keys.T.tolist() == [expected_keys(cells) for cells in expected]
    assert (block.labels is not None) == labelled
    if block.labels is not None:
        assert block.labels.tolist() == [float(cells["click"]) for cells in expected]
    assert isinstance(find_format("avazu"), Avazu)


def test_columns_may_come_in_any_order(tmp_path: Path) -> None:
    path = write(tmp_path / "a", [row(n) for n in range(9)])
    turned = write(tmp_path / "b", [row(n)[::-1] for n in range(9)], HEADER[::-1])
    assert read(path)[0].keys.tolist() == read(turned)[0].keys.tolist()


@given(time=st.datetimes(datetime.datetime(2000, 1, 1), datetime.datetime(2068, 12, 31)))
def test_what_an_hour_tells(time: datetime.datetime) -> None:
    hour = time.strftime("%y%m%d%H")
    cells = {"hour": hour, **dict.fromkeys(IDS, "")}
    for given_hour in (hour, int(hour)):
        assert Avazu().block_from_rows([{"hour": given_hour}]).keys[:, 0].tolist() == expected_keys(cells)


BAD_HOURS = ["14102124", "14103200", "14130100", "14022900", "14100000", "-4102100", "114102100", "x", ""]


@pytest.mark.parametrize("hour", BAD_HOURS)
def test_bad_hours(tmp_path: Path, hour: str) -> None:
    path = write(tmp_path / "log", [row(1), row(2, hour=hour), row(3)])
    block, rejected = read(path)
    assert len(block) == 2
    assert [(line.line, line.column) for line in rejected] == [(3, "hour")]
    assert rejected[0].detail == f"found {hour!r}, expected an hour as YYMMDDHH"
    if hour:
        with pytest.raises(DataError, match=r"rows\[1\], column hour: found .* expected an hour as YYMMDDHH"):
            Avazu().block_from_rows([{}, {"hour": hour}])


def test_bad_labels_and_widths_are_set_aside_line_by_line(tmp_path: Path) -> None:
    rows = [row(1), row(2, click="2"), row(3)[:-1], row(4), row(5, click=""), row(6)]
    _, rejected = read(write(tmp_path / "log", rows), 200)
    assert [(line.line, line.column, line.text.decode()) for line in rejected] == [
        (3, "click", ",".join(rows[1])),
        (4, "", ",".join(rows[2])),
        (6, "click", ",".join(rows[4])),
    ]
    assert rejected[0].detail == "found '2', expected 0 or 1"
    assert rejected[1].detail == "found 23 columns, expected 24 columns separated by a comma"


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ([*HEADER[:-1], "C22"], r"log, line 1, column C22: unknown column in the header"),
        ([*HEADER[:-1], "C20"], r"log, line 1, column C20: is in the header twice"),
        (HEADER[:-1], r"log, line 1, column C21: is not in the header"),
        (["x" * 50, *HEADER], r"log, line 1, column x{40}: unknown column in the header"),
        (row(1), r"log, line 1, column 100000000000000001: unknown column in the header"),
    ],
)
def test_headers_that_do_not_do(tmp_path: Path, header: list[str], message: str) -> None:
    path = write(tmp_path / "log", [row(1)[: len(header)]], header)
    with pytest.raises(DataError, match=message):
        read(path)


def test_rows_given_as_mappings_equal_the_same_rows_of_a_log(tmp_path: Path) -> None:
    rows = [row(n, hour=f"141021{n:02}") for n in range(20)]
    block, _ = read(write(tmp_path / "log", rows))
    mappings = [dict(zip(HEADER, cells, strict=True)) for cells in rows]
    found = Avazu().block_from_rows(mappings)
    assert np.array_equal(found.keys, block.keys)
    derived = [cells | {"hour_of_day": "07", "weekday": "3"} for cells in mappings]
    keys = Avazu().block_from_rows(derived).keys
    assert keys[1:3, 0].tolist() == text_keys(["07", "3"]).tolist()
    assert (Avazu().block_from_rows([{}]).keys == MISSING_KEY).all()
    with pytest.raises(DataError, match=r"rows\[1\], column site: unknown column"):
        Avazu().block_from_rows([{}, {"site": "a"}])


def test_a_header_is_no_row_of_a_prepared_log(tmp_path: Path) -> None:
    rows = [row(n, hour=f"141021{n % 24:02}", click=str(n % 3 % 2)) for n in range(700)]
    rows[400] = ["x"]
    path = write(tmp_path / "log.csv", rows)
    report = prepare("avazu", [path], tmp_path / "out", PrepareConfig(min_count=1))
    assert (report.rows, report.rejected_rows) == (699, 1)
    assert (tmp_path / "out" / "rejected.tsv").read_text().splitlines()[1].split("\t")[1] == "402"
    schema = Dataset.open(tmp_path / "out").schema
    assert [feature.name for feature in schema.categorical] == ["hour", "hour_of_day", "weekday", *IDS]
    assert {feature.key_type for feature in schema.categorical} == {"text"}


@pytest.mark.parametrize("name", ["train.csv", "test_unlabelled.csv"])
def test_real_log(name: str) -> None:
    path = REAL / name
    if not path.is_file():
        pytest.skip(f"no real data at {path}")
    block, rejected = read(path, 1 << 18)
    with path.open(newline="") as stream:
        expected = list(csv.DictReader(stream))
    assert (len(block), rejected) == (9_999, [])
    for at in range(0, 9_999, 101):
        assert block.keys[:, at].tolist() == expected_keys(expected[at])
    if block.labels is not None:
        assert block.labels.tolist() == [float(cells["click"]) for cells in expected]
