from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from tests.data.formats.tables import SCHEMA_TEXT, write_schema

from hotrow.data.formats.description import Description, is_feature_name
from hotrow.data.formats.options import Kind
from hotrow.data.prepare import PrepareConfig, prepare
from hotrow.data.schema import CategoricalFeature, DenseFeature, ListFeature, TableLayout
from hotrow.data.splits import SplitRule
from hotrow.errors import ConfigError, DataError

PLAIN = 'label = "y"\n[features]\na = { kind = "categorical" }\n'


def load(folder: Path, text: str) -> Description:
    return Description.load(write_schema(folder / "columns.toml", text))


def test_all_that_a_file_may_say(tmp_path: Path) -> None:
    found = load(tmp_path, SCHEMA_TEXT)
    schema = found.schema
    assert (schema.format, schema.label, schema.more_labels, schema.group) == (
        "table",
        "click",
        ("buy",),
        "query",
    )
    assert schema.dense == (
        DenseFeature(name="price"),
        DenseFeature(name="share", transform="identity", missing=0.5),
    )
    item = CategoricalFeature(name="item", rows=2, key_type="text", min_count=2)
    assert schema.categorical == (
        CategoricalFeature(name="user", rows=2, key_type="integer", min_count=2),
        item,
        CategoricalFeature(name="city", rows=50, encoding="hash", key_type="text"),
    )
    assert schema.lists == (
        ListFeature(
            name="history", kind="sequence", rows=2, of="item", key_type="text", min_count=2, max_length=3
        ),
        ListFeature(name="tags", kind="bag", rows=2, key_type="integer", min_count=2, pooling="sum"),
        ListFeature(name="words", kind="bag", rows=2, key_type="text", weighted=True),
    )
    assert schema.layout == TableLayout(
        ignored=("note", "when"),
        separators={"history": "|", "tags": ";", "words": "|"},
        weights={"words": "strengths"},
        defaults={"item": "none"},
    )
    assert found.rule == SplitRule(by="time", valid=0.2, test=0.2)
    assert (found.split_column, found.caps) == ("when", {})
    assert (found.key_type("user"), found.key_type("query"), found.key_type("price")) == (
        "integer",
        "text",
        "text",
    )


def test_a_short_file(tmp_path: Path) -> None:
    found = load(tmp_path, PLAIN)
    assert found.rule == SplitRule(by="random")
    assert (found.split_column, found.columns) == ("", {"y": "label", "a": "features.a"})
    assert found.schema.categorical[0].min_count == 1
    assert load(tmp_path, PLAIN + '[split]\nby = "files"\n').rule is None


def test_an_absent_number_counts_as_its_default(tmp_path: Path) -> None:
    text = 'label = "y"\n[features]\na = { kind = "dense", default = -7 }\n'
    (feature,) = load(tmp_path, text).schema.dense
    assert feature.missing == np.float32(-np.log1p(7.0))


BAD = [
    ("", "features: missing, expected a table [features] with at least one feature"),
    ("[features]\na = { kind = 'dense' }\n", "label: missing, expected a value"),
    (PLAIN.replace('"y"', '""'), "label: got [''], expected the name of a column of 0 and 1, or several"),
    (PLAIN.replace('"y"', "[]"), "label: got [], expected the name of a column of 0 and 1, or several"),
    (PLAIN.replace('"y"', '["y", "y"]'), "label: got 'y', expected each label once"),
    (PLAIN.replace('"y"', '"a"'), "label: got 'a', expected no column that is a feature"),
    (PLAIN.replace("label", "lable"), "lable: got 'y', expected one of the fields label, group,"),
    (PLAIN.replace("label", "lable"), "(did you mean label?)"),
    ("min_cuont = 3\n" + PLAIN, "(did you mean min_count?)"),
    ("min_count = 0\n" + PLAIN, "min_count: got 0, expected 1 to 2147483647"),
    (
        PLAIN.replace("categorical", "categorial"),
        "features.a.kind: got 'categorial', expected dense or categorical or bag",
    ),
    (
        PLAIN.replace('{ kind = "categorical" }', '"categorical"'),
        "features.a: got 'categorical', expected a table such",
    ),
    (
        PLAIN.replace('kind = "categorical"', "min_count = 3"),
        "features.a.kind: missing, expected dense or categorical",
    ),
    (
        PLAIN.replace(" }", ", min_cuont = 3 }"),
        "features.a.min_cuont: got 3, expected one of the fields kind,",
    ),
    (PLAIN.replace(" }", ", min_cuont = 3 }"), "(did you mean min_count?)"),
    (PLAIN.replace(" }", ', min_count = "3" }'), "features.a.min_count: got '3', expected int"),
    (PLAIN.replace(" }", ", min_count = 0 }"), "features.a.min_count: got 0, expected 1 to 2147483647"),
    (PLAIN.replace(" }", ", hash_rows = 2 }"), "features.a.hash_rows: got 2, expected 3 to 2147483647 rows"),
    (PLAIN.replace(" }", ", max_rows = 0 }"), "features.a.max_rows: got 0, expected 3 to 2147483647 rows"),
    (
        PLAIN.replace(" }", ", hash_rows = 9, max_rows = 9 }"),
        "features.a.max_rows: got 9, expected nothing beside hash_rows",
    ),
    (
        PLAIN.replace(" }", ', transform = "identity" }'),
        "features.a.transform: got 'identity', expected no such option of a",
    ),
    (
        PLAIN.replace(" }", ', key_type = "hex32" }'),
        "features.a.key_type: got 'hex32', expected integer or text",
    ),
    (
        PLAIN.replace(" }", ', key_type = "integer", default = "x" }'),
        "features.a.default: got 'x', expected a whole number",
    ),
    (PLAIN.replace(" }", ', default = "" }'), "features.a.default: got '', expected text"),
    (
        PLAIN + 'b = { kind = "dense", default = nan }\n',
        "features.b.default: got nan, expected a finite number",
    ),
    (
        PLAIN + 'b = { kind = "dense", default = "x" }\n',
        "features.b.default: got 'x', expected a finite number",
    ),
    (
        PLAIN + 'b = { kind = "dense", transform = "log" }\n',
        "features.b.transform: got 'log', expected signed_log1p or identity",
    ),
    (
        PLAIN + 'b = { kind = "bag", of = "c" }\n',
        "features.b.of: got 'c', expected a categorical feature (there are: a)",
    ),
    (
        PLAIN + 'b = { kind = "bag", of = "a", min_count = 3 }\n',
        "features.b.min_count: got 3, expected nothing: a says it",
    ),
    (
        PLAIN + 'b = { kind = "bag", separator = "ab" }\n',
        "features.b.separator: got 'ab', expected one ASCII character",
    ),
    (
        PLAIN + 'b = { kind = "bag", weights = "a" }\n',
        "features.b.weights: got 'a', expected a column that is nothing else",
    ),
    (
        PLAIN + 'b = { kind = "sequence", weights = "w" }\n',
        "features.b.weights: got 'w', expected no such option of a sequence",
    ),
    (
        PLAIN + '"a/b" = { kind = "categorical" }\n',
        "features.a/b: got 'a/b', expected a feature's name with no '/'",
    ),
    ('ignore = ["a"]\n' + PLAIN, "ignore: got 'a', expected no column that features.a names"),
    ('ignore = ["y"]\n' + PLAIN, "ignore: got 'y', expected no column that label names"),
    (
        PLAIN + '[split]\nby = "time"\n',
        "split.by: got 'time', expected another split, or [time] with the column",
    ),
    (
        PLAIN + '[split]\nby = "group"\n',
        "split.by: got 'group', expected another split, or group or split.column",
    ),
    (
        PLAIN + '[split]\nby = "column"\n',
        "split.column: got '', expected the column that tells a row's split",
    ),
    (
        PLAIN + '[split]\nby = "day"\n',
        "split.by: got 'day', expected random or time or group or column or rows or files",
    ),
    (PLAIN + "[split]\nvalid = 0\n", "split.valid: got 0.0, expected a share between 0 and 1"),
    (
        PLAIN + "[split]\nvalid = 0.5\ntest = 0.5\n",
        "split.test: got 0.5, expected less than 0.5: some rows must train",
    ),
    (PLAIN + "[split]\nvaild = 0.5\n", "split.vaild: got 0.5, expected one of the fields by, valid, test"),
    (
        PLAIN + '[split]\ncolumn = "x"\n',
        "split.column: got 'x', expected none where rows are split by random",
    ),
    (PLAIN + '[split]\nby = "column"\ncolumn = "x"\nvalues = { tarin = ["1"] }\n', "split.values.tarin"),
    (
        PLAIN + '[split]\nby = "column"\ncolumn = "x"\nvalues = { train = ["1"], valid = [1] }\n',
        "split.values: got '1', expected each",
    ),
    (PLAIN + '[time]\nkind = "number"\n', "time.column: missing, expected a value"),
    (PLAIN + '[time]\ncolumn = "t"\nkind = "iso"\n', "time.kind: got 'iso', expected number or datetime"),
    (PLAIN + '[csv]\ndelimiter = ":"\n', "csv.delimiter: got ':', expected auto or ',' or"),
    (PLAIN + '[csv]\ncolumns = ["y"]\n', "csv.columns: got ['y'], expected a too (features.a)"),
    (PLAIN + '[csv]\ncolumns = ["y", "y"]\n', "csv.columns: got 'y', expected each column once"),
]


@pytest.mark.parametrize(("text", "message"), BAD, ids=lambda value: repr(value)[-30:])
def test_mistakes_name_file_and_key(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)) as caught:
        load(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path / 'columns.toml'}: ")
    assert "\n" not in str(caught.value)


def test_what_is_no_toml(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"columns\.toml: is no TOML \(.*line 1"):
        load(tmp_path, "label = click\n")


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "a/b", "a\nb", "a\0", "x" * 201, "é" * 101])
def test_names_that_no_file_can_have(name: str) -> None:
    assert not is_feature_name(name)
    assert is_feature_name("user id.2 (é)")


@pytest.mark.parametrize("name", ["csv", "parquet"])
def test_options_are_said_in_the_schema_file(tmp_path: Path, name: str) -> None:
    source = tmp_path / "rows"
    source.write_text("y,a\n1,x\n")
    schema = write_schema(tmp_path / "columns.toml", PLAIN)
    for config in (
        PrepareConfig(split="rows"),
        PrepareConfig(min_count=3),
        PrepareConfig(hash_rows=9),
        PrepareConfig(hash={"a": 9}),
    ):
        with pytest.raises(
            ConfigError, match=f"expected the default; {name} is prepared as its schema file says"
        ):
            prepare(name, [source], tmp_path / "out", config, schema=schema)
    with pytest.raises(
        ConfigError, match=f"schema: missing, expected a schema file, of which hotrow prepare {name}"
    ):
        prepare(name, [source], tmp_path / "out")
    with pytest.raises(ConfigError, match="expected no schema file: criteo knows its columns"):
        prepare("criteo", [source], tmp_path / "out", schema=schema)


def test_the_documented_file_is_one(tmp_path: Path) -> None:
    text = (Path(__file__).parents[3] / "docs" / "data.md").read_text()
    (example,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    found = load(tmp_path, example)
    assert {options.kind for options in found.features.values()} == set(get_args(Kind))
