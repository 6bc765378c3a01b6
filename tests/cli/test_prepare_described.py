"""csv and Parquet from the command line, from a guessed schema file to ranked rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.data.formats.tables import TYPES, make_rows, rank_rows, write_csv, write_parquet, write_schema
from tests.serving.responding import respond

from hotrow.artifact import load_artifact
from hotrow.cli import _frame
from hotrow.cli.main import app
from hotrow.errors import RequestError
from hotrow.serving import Limits, RankingService
from hotrow.serving.engine.messages import Body

PLAIN = """
label = {label}
group = "query"
ignore = ["note", "strengths", "words", "share", "city"{ignored}]
time = {{ column = "when", kind = "datetime" }}
split = {{ by = "time", valid = 0.2, test = 0.2 }}
[features]
price = {{ kind = "dense" }}
user = {{ kind = "categorical", key_type = "integer" }}
item = {{ kind = "categorical", default = "none" }}
history = {{ kind = "sequence", of = "item" }}
tags = {{ kind = "bag", key_type = "integer", separator = ";" }}
"""


def hotrow(*words: object) -> int:
    return _frame.run(lambda: app([str(word) for word in words], standalone_mode=False))


def answer(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def train(data: Path, model: str, run: Path) -> None:
    settings = ("--set", "batch_size=32", "--set", "epochs=1")
    assert hotrow("train", data, "--model", model, "--out", run, *settings) == 0


@pytest.mark.parametrize("kind", ["csv", "parquet"])
@pytest.mark.usefixtures("one_thread")
def test_a_table_is_prepared_trained_on_and_ranked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    rows = make_rows(400)
    write = write_csv if kind == "csv" else write_parquet
    source = write(tmp_path / f"rows.{kind}", rows)
    schema = write_schema(tmp_path / "columns.toml", PLAIN.format(label='"click"', ignored=', "buy"'))
    data, run = tmp_path / "data", tmp_path / "run"
    assert hotrow("prepare", kind, source, "--schema", schema, "--out", data, "--json") == 0
    result = answer(capsys)
    assert (result["rows"], result["splits"]) == (400, {"train": 240, "valid": 80, "test": 80})
    train(data, "dcnv2-small", run)
    capsys.readouterr()
    unseen = make_rows(20, seed=9)
    unseen[1]["item"], unseen[2]["user"] = "never seen", 4242
    scores = []
    for name, file in {
        "csv": write_csv(tmp_path / "new.csv", unseen, delimiter=";"),
        "parquet": write_parquet(tmp_path / "new.parquet", unseen),
    }.items():
        assert hotrow("rank", run, file, "--json") == 0, name
        result = answer(capsys)
        assert (result["rows"], result["rejected_rows"]) == (20, 0)
        scores.append(result["scores"])
    objects = rank_rows(unseen)
    artifact = load_artifact(run)
    assert scores[0] == scores[1] == artifact.score(artifact.block(objects)).tolist()
    assert len(set(scores[0])) > 10
    service = RankingService("m", artifact, Limits())
    body = json.dumps({"context": {"user": 4242}, "candidates": [{"item": "tea"}, {"item": "new"}, {}]})
    ranking = respond(service, body.encode(), Body.RANK)["ranking"]
    assert sorted(entry["index"] for entry in ranking) == [0, 1, 2]
    with pytest.raises(RequestError, match="colour"):
        respond(service, b'{"candidates": [{"colour": 1}]}', Body.RANK)


@pytest.mark.usefixtures("one_thread")
def test_several_labels_train_a_model_of_several_tasks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = make_rows(400)
    schema = write_schema(tmp_path / "columns.toml", PLAIN.format(label='["click", "buy"]', ignored=""))
    source = write_csv(tmp_path / "rows.csv", rows)
    data, run = tmp_path / "data", tmp_path / "run"
    assert hotrow("prepare", "csv", source, "--schema", schema, "--out", data) == 0
    train(data, "esmm-small", run)
    capsys.readouterr()
    assert hotrow("evaluate", run, "--json") == 0
    assert set(answer(capsys)["tasks"]) == {"click", "buy"}


@pytest.mark.usefixtures("one_thread")
def test_a_model_of_weighted_bags_is_ranked_and_not_served(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = make_rows(400)
    schema, source = write_schema(tmp_path / "columns.toml"), write_csv(tmp_path / "rows.csv", rows)
    data, run = tmp_path / "data", tmp_path / "run"
    assert hotrow("prepare", "csv", source, "--schema", schema, "--out", data) == 0
    train(data, "dlrm-small", run)
    capsys.readouterr()
    assert hotrow("rank", run, source, "--json") == 0
    assert len(answer(capsys)["scores"]) == 400
    assert hotrow("serve", run) == 2
    assert "words: the model takes a weighted bag, expected none" in capsys.readouterr().err


def test_a_guessed_file_prepares_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_csv(tmp_path / "rows.csv", make_rows(100))
    schema = tmp_path / "columns.toml"
    assert hotrow("prepare", "csv", source, "--guess", "--schema", schema, "--json") == 0
    result = answer(capsys)
    assert (result["schema"], result["rows"], result["label"]) == (str(schema), 100, ["click", "buy"])
    assert set(result["columns"]) == set(TYPES)
    assert hotrow("prepare", "csv", source, "--schema", schema, "--out", tmp_path / "out") == 0
    assert "bag" in capsys.readouterr().out
    assert hotrow("prepare", "csv", source, "--guess", "--schema", schema) == 2
    assert "columns.toml: already exists; choose another file or pass --overwrite" in capsys.readouterr().err
    assert hotrow("prepare", "csv", source, "--guess", "--schema", schema, "--overwrite") == 0
    told = capsys.readouterr().out
    assert "look through it" in told
    assert "no label" not in told
    source.write_text("a,b\nx,y\n")
    assert hotrow("prepare", "csv", source, "--guess", "--schema", schema, "--overwrite") == 0
    assert "no label was found: name it in the file" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("csv", "SRC", "--guess"), "--schema: missing, expected the schema file to write"),
        (("csv", "SRC", "--guess", "--schema", "NEW", "--out", "OUT"), "--out: got '"),
        (
            ("csv", "SRC", "--schema", "SCHEMA"),
            "--out: missing, expected the folder of the prepared data set",
        ),
        (
            ("csv", "SRC", "--out", "OUT"),
            "schema: missing, expected a schema file, of which hotrow prepare csv",
        ),
        (("csv", "SRC", "--schema", "NEW", "--out", "OUT"), "new.toml: not found, expected a schema file"),
        (
            ("criteo", "SRC", "--schema", "SCHEMA", "--out", "OUT"),
            "expected no schema file: criteo knows its",
        ),
        (("criteo", "SRC", "--guess", "--schema", "NEW"), "--guess: got 'criteo', expected csv or parquet"),
        (
            ("csv", "SRC", "--schema", "SCHEMA", "--out", "OUT", "--min-count", "3"),
            "min_count: got 3, expected the",
        ),
        (("parquet", "SRC", "--schema", "SCHEMA", "--out", "OUT"), "rows.csv: is no readable Parquet file"),
    ],
    ids=str,
)
def test_mistakes_are_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], message: str
) -> None:
    places = {
        "SRC": write_csv(tmp_path / "rows.csv", make_rows(20)),
        "SCHEMA": write_schema(tmp_path / "columns.toml"),
        "NEW": tmp_path / "new.toml",
        "OUT": tmp_path / "out",
    }
    assert hotrow("prepare", *(places.get(word, word) for word in words)) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1
    assert message in printed.err
    assert not places["OUT"].exists()


@pytest.mark.usefixtures("one_thread")
def test_columns_may_have_any_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, schema = tmp_path / "rows.csv", tmp_path / "columns.toml"
    rows = [f"{row % 2},{row % 5},tea {row % 7},{row / 4},a {row % 3}|b" for row in range(200)]
    source.write_text(
        "\n".join(["was it clicked?,user.id,item id,price (€),tags[]", *rows]) + "\n", encoding="utf-8"
    )
    data, run = tmp_path / "data", tmp_path / "run"
    assert hotrow("prepare", "csv", source, "--guess", "--schema", schema) == 0
    assert hotrow("prepare", "csv", source, "--schema", schema, "--out", data) == 0
    train(data, "dlrm-small", run)
    capsys.readouterr()
    assert hotrow("rank", run, source, "--json") == 0
    assert answer(capsys)["rejected_rows"] == 0
    service = RankingService("m", load_artifact(run), Limits())
    body = {
        "context": {"user.id": 3},
        "candidates": [{"item id": "tea 1", "tags[]": ["a 1"], "price (€)": 2}],
    }
    assert len(respond(service, json.dumps(body).encode(), Body.RANK)["ranking"]) == 1
