from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from tests.data.formats.tables import write_schema

from hotrow.data._slices import flat_indices
from hotrow.data.formats import DescribedFormat, find_format
from hotrow.data.formats.base import ParsedBlock
from hotrow.data.formats.csv import Csv, CsvLog
from hotrow.data.formats.description import Description
from hotrow.data.keys import integer_keys, text_keys
from hotrow.data.prepare import PrepareConfig, prepare
from hotrow.data.raw import MISSING_KEY
from hotrow.errors import DataError, MissingFileError

TEXT = """
label = "click"
ignore = ["note"]
[features]
price = { kind = "dense", transform = "identity" }
user = { kind = "categorical", key_type = "integer" }
item = { kind = "categorical" }
tags = { kind = "bag", key_type = "integer" }
"""
HEADER = "click,price,user,item,tags"
GOOD = "1,0.5,7,tea,1|2"


def log_of(folder: Path, text: str = TEXT, block_bytes: int = 1 << 20) -> CsvLog:
    description = Description.load(write_schema(folder / "columns.toml", text))
    return CsvLog(
        description.schema, description, delimiter=description.csv.delimiter, block_bytes=block_bytes
    )


def read(folder: Path, lines: list[str | bytes], **options: object) -> list[ParsedBlock]:
    path = folder / "rows.csv"
    path.write_bytes(b"".join((line.encode() if isinstance(line, str) else line) + b"\n" for line in lines))
    return list(log_of(folder, **options).read(path))  # type: ignore[arg-type]


def test_the_format_is_found_by_name() -> None:
    found = find_format("csv")
    assert isinstance(found, DescribedFormat)
    assert isinstance(found, Csv)


def test_cells_become_values(tmp_path: Path) -> None:
    lines: list[str | bytes] = [
        HEADER,
        GOOD,
        "0,,,,",
        '0,-1e-3,-9223372036854775808,"a ""b"", c",9223372036854775806',
        "1.0,3,007,\ttab,5",
    ]
    (parsed,) = read(tmp_path, lines)
    rows = parsed.rows
    assert (len(parsed.rejected), parsed.num_lines, parsed.skipped) == (0, 4, 1)
    assert rows.labels is not None
    assert rows.labels.tolist() == [1, 0, 0, 1]
    assert repr(rows.dense[:, 0].tolist()) == "[0.5, nan, -0.001, 3.0]"
    numbers = integer_keys(np.array([7, 0, -(2**63), 7])).tolist()
    assert rows.keys[0].tolist() == [numbers[0], int(MISSING_KEY), *numbers[2:]]
    texts = text_keys(["tea", "", 'a "b", c', "\ttab"]).tolist()
    assert rows.keys[1].tolist() == [texts[0], int(MISSING_KEY), *texts[2:]]
    (tags,) = rows.lists
    assert tags.lengths.tolist() == [2, 0, 1, 1]
    found = tags.keys[flat_indices(tags.starts, tags.lengths)]
    assert found.tolist() == integer_keys(np.array([1, 2, 2**63 - 2, 5])).tolist()


BAD: list[tuple[str | bytes, str, str, str]] = [
    ("2,0.5,7,tea,", "label", "click", "found '2', expected 0 or 1"),
    (",0.5,7,tea,", "label", "click", "found '', expected 0 or 1"),
    ("yes,0.5,7,tea,", "label", "click", "found 'yes', expected 0 or 1"),
    ("1,cheap,7,tea,", "number", "price", "found 'cheap', expected a finite number or nothing"),
    ("1,1e999,7,tea,", "number", "price", "found '1e999', expected a finite number or nothing"),
    ("1,nan,7,tea,", "number", "price", "found 'nan', expected a finite number or nothing"),
    ("1,1e39,7,tea,", "number", "price", "found 1e+39, expected a number of at most 3.403e+38"),
    ("1,0.5,7.0,tea,", "id", "user", "found '7.0', expected a whole number of 64 bits or nothing"),
    ("1,0.5,9223372036854775807,tea,", "id", "user", "found '9223372036854775807', expected a whole"),
    ("1,0.5,123456789012345678901,tea,", "id", "user", "found '123456789012345678901', expected a whole"),
    ("1,0.5,7,tea,1|x", "list", "tags", "found 'x' in it, expected a whole number of 64 bits in every place"),
    ("1,0.5,7,tea,1||2", "list", "tags", "found '' in it, expected a whole number of 64 bits in every place"),
    ("1,0.5,7,tea,1|", "list", "tags", "found '' in it"),
    ("1,0.5,7,tea", "column_count", "", "found 4 columns, expected 5 columns separated by a comma"),
    ("1,0.5,7,tea,,", "column_count", "", "found 6 columns, expected 5 columns separated by a comma"),
    ("", "column_count", "", "found an empty line, expected 5 columns separated by a comma"),
    (
        '1,0.5,7,"tea,',
        "quotes",
        "",
        "found unexpected end of data, expected cells in quotes to end on the same",
    ),
    ('1,0.5,7,"tea" x,', "quotes", "", "found ',' expected after '\"', expected cells in quotes to end"),
    (b"1,0.5,7,caf\xe9,", "utf8", "", "found bytes that are no UTF-8, expected UTF-8"),
]


@pytest.mark.parametrize(("line", "reason", "column", "detail"), BAD, ids=lambda value: repr(value)[:40])
@pytest.mark.parametrize("end", [b"", b"\r"], ids=["LF", "CRLF"])
def test_a_bad_line_is_set_aside(
    tmp_path: Path, line: str | bytes, reason: str, column: str, detail: str, end: bytes
) -> None:
    bad = line.encode() if isinstance(line, str) else line
    lines: list[str | bytes] = [each + end for each in (HEADER.encode(), GOOD.encode(), bad, GOOD.encode())]
    (parsed,) = read(tmp_path, lines)
    assert len(parsed.rows) == 2
    assert [listed.lengths.tolist() for listed in parsed.rows.lists] == [[2, 2]]
    (rejected,) = parsed.rejected
    assert (rejected.line, rejected.reason, rejected.column) == (3, reason, column)
    assert rejected.detail.startswith(detail)
    assert rejected.text == bad


def test_bad_lines_keep_their_numbers_over_blocks(tmp_path: Path) -> None:
    bad = [line for line, *_ in BAD]
    lines: list[str | bytes] = [HEADER]
    for line in bad:
        lines += [GOOD, line]
    for block_bytes in (60, 333, 1 << 20):
        parsed = read(tmp_path, lines, block_bytes=block_bytes)
        rejected = [row for block in parsed for row in block.rejected]
        assert [row.line for row in rejected] == list(range(3, 3 + 2 * len(bad), 2))
        assert sum(len(block.rows) for block in parsed) == len(bad)
        assert sum(block.num_lines for block in parsed) == 2 * len(bad)


def test_a_line_longer_than_a_block(tmp_path: Path) -> None:
    lines: list[str | bytes] = [HEADER, GOOD, "1,0.5,7," + "x" * 200_000 + ",", GOOD]
    parsed = read(tmp_path, lines, block_bytes=500)
    assert sum(len(block.rows) for block in parsed) == 2
    rejected = [(row.line, row.reason) for block in parsed for row in block.rejected]
    assert rejected == [(3, "line_too_long")]
    (whole,) = read(tmp_path, lines)
    assert len(whole.rows) == 3


def test_prepare_keeps_what_it_sets_aside(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("\n".join([HEADER, *[GOOD] * 20, "1,0.5,7,tea", *[GOOD] * 9, "x,0.5,7,tea,"]) + "\n")
    schema = write_schema(tmp_path / "columns.toml", TEXT)
    report = prepare("csv", [path], tmp_path / "out", schema=schema)
    assert (report.rows, report.rejected_by_reason) == (29, {"column_count": 1, "label": 1})
    assert (tmp_path / "out" / "rejected.tsv").read_text().splitlines()[1:] == [
        f"{path}\t22\tcolumn_count\t\t1,0.5,7,tea",
        f"{path}\t32\tlabel\tclick\tx,0.5,7,tea,",
    ]
    with pytest.raises(DataError, match=r"rows\.csv, line 22: found 4 columns, expected 5 columns"):
        prepare("csv", [path], tmp_path / "strict", PrepareConfig(strict=True), schema=schema)
    assert not (tmp_path / "strict").exists()


HEADERS = [
    (
        "click,price,user,item",
        "line 1, column tags: no such column, expected it as .*columns.toml says .features.tags.",
    ),
    ("clicks,price,user,item,tags,note", "column clicks: unknown column .did you mean click.*must name it"),
    ("price,user,item,tags", r"column click: no such column, expected it as .*columns.toml says \(label\)"),
    ("click,price,user,item,tags,user", "line 1, column user: is there twice, expected each column once"),
    (
        "click,price,user,item,tags,colour",
        "column colour: unknown column; .*columns.toml must name it, at least in ignore",
    ),
    (b"click,pr\xffce", "line 1: found bytes that are no UTF-8, expected a header"),
    ("1,0.5,7,tea,1|2", "column 1: unknown column"),
    ("", "column : unknown column"),
]


@pytest.mark.parametrize(("header", "message"), HEADERS)
def test_headers_that_do_not_do(tmp_path: Path, header: str | bytes, message: str) -> None:
    with pytest.raises(DataError, match=r"rows\.csv, " + "(?:line 1, )?" + message):
        read(tmp_path, [header, GOOD])


def test_the_nearest_column_is_suggested(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=re.escape("column item: no such column")) as caught:
        read(tmp_path, ["click,price,user,items,tags"], text=TEXT.replace('["note"]', '["*"]'))
    assert str(caught.value).endswith("(did you mean items?)")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (HEADER.encode() + b"\n", "no rows in it, expected at least one"),
        (
            HEADER.encode() + b"\na\nb\n",
            r"line 2: all 2 rows were rejected; first: found 1 column, expected 5",
        ),
        (
            f"{HEADER}\n{GOOD}\n".encode(),
            "1 accepted rows split by random leave none for the valid split",
        ),
        (b"PAR1\x00\x01", "unknown column"),
    ],
    ids=["empty", "header", "all rejected", "too few", "parquet"],
)
def test_files_that_cannot_be_prepared(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        prepare("csv", [path], tmp_path / "out", schema=write_schema(tmp_path / "columns.toml", TEXT))
    assert not (tmp_path / "out").exists()


def test_sources_and_schema_files_that_are_not_there(tmp_path: Path) -> None:
    schema = write_schema(tmp_path / "columns.toml", TEXT)
    with pytest.raises(MissingFileError, match=r"none\.csv: not found"):
        prepare("csv", [tmp_path / "none.csv"], tmp_path / "out", schema=schema)
    path = tmp_path / "rows.csv"
    path.write_text(HEADER)
    with pytest.raises(MissingFileError, match=r"none\.toml: not found, expected a schema file"):
        prepare("csv", [path], tmp_path / "out", schema=tmp_path / "none.toml")


def test_columns_may_come_in_any_order_and_be_ignored(tmp_path: Path) -> None:
    (first,) = read(tmp_path, [HEADER, GOOD])
    (second,) = read(tmp_path, ["note,tags,item,user,price,click", "hello,1|2,tea,7,0.5,1"])
    (third,) = read(
        tmp_path, ["a,tags,item,b,user,price,click", ",1|2,tea,,7,0.5,1"], text=TEXT.replace("note", "*")
    )
    for other in (second, third):
        assert other.rows.keys.tolist() == first.rows.keys.tolist()
        assert other.rows.dense.tolist() == first.rows.dense.tolist()


def test_a_file_without_a_header(tmp_path: Path) -> None:
    text = TEXT + '[csv]\ndelimiter = ";"\ncolumns = ["user", "click", "price", "item", "tags"]\n'
    (parsed,) = read(tmp_path, ["7;1;0.5;tea;1|2", "8;x;0.5;tea;", "9;0;0.5;tea;"], text=text)
    assert parsed.rows.keys[0].tolist() == integer_keys(np.array([7, 9])).tolist()
    assert (parsed.skipped, parsed.num_lines) == (0, 3)
    assert [row.line for row in parsed.rejected] == [2]
    (parsed,) = read(tmp_path, ["price;click;user;item;tags", "0.5;1;7;tea;1"], text=text)
    assert (parsed.skipped, parsed.num_lines, len(parsed.rows)) == (1, 1, 1)  # it has one after all


def test_quotes_may_be_letters(tmp_path: Path) -> None:
    (parsed,) = read(tmp_path, [HEADER, '1,0.5,7,5" tea,'], text=TEXT + "[csv]\nquotes = false\n")
    assert parsed.rows.keys[1].tolist() == text_keys(['5" tea']).tolist()


def test_what_stands_between_cells_may_stand_in_a_quoted_list(tmp_path: Path) -> None:
    text = TEXT.replace('kind = "bag"', 'kind = "bag", separator = ","')
    (parsed,) = read(tmp_path, [HEADER, '1,0.5,7,tea,"1,2,3"'], text=text)
    assert parsed.rows.lists[0].lengths.tolist() == [3]
    with pytest.raises(
        DataError, match="column tags: a comma stands between cells, expected another separator"
    ):
        read(tmp_path, [HEADER, GOOD], text=text + "[csv]\nquotes = false\n")


def test_group_time_and_split_are_required(tmp_path: Path) -> None:
    text = TEXT.replace('ignore = ["note"]', 'group = "note"')
    (parsed,) = read(tmp_path, [HEADER + ",note", GOOD + ",q1", GOOD + ","], text=text)
    assert parsed.rows.groups is not None
    assert parsed.rows.groups.tolist() == text_keys(["q1"]).view(np.int64).tolist()
    assert [row.reason for row in parsed.rejected] == ["group"]
    text = TEXT.replace('ignore = ["note"]\n', "") + '[time]\ncolumn = "note"\n[split]\nby = "time"\n'
    (parsed,) = read(
        tmp_path, [HEADER + ",note", GOOD + ",5", GOOD + ",-2.5", GOOD + ",x", GOOD + ","], text=text
    )
    assert parsed.order is not None
    assert parsed.order[0] > parsed.order[1]
    assert [(row.reason, row.column) for row in parsed.rejected] == [("time", "note")] * 2
    text = TEXT.replace('ignore = ["note"]\n', "") + '[split]\nby = "column"\ncolumn = "note"\n'
    (parsed,) = read(tmp_path, [HEADER + ",note", GOOD + ",valid", GOOD + ",dev", GOOD + ",train"], text=text)
    assert parsed.order is not None
    assert parsed.order.tolist() == [1, 0]
    (rejected,) = parsed.rejected
    assert rejected.detail == "found another value, expected one of train, valid, test"
