from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.serving.responding import respond

from hotrow.artifact import load_artifact
from hotrow.cli import _frame
from hotrow.cli.main import app
from hotrow.serving import Limits, RankingService
from hotrow.serving.engine.messages import Body

Rows = Callable[..., list[str]]
REAL = Path(__file__).parents[3] / "shared" / "data" / "criteo-kaggle-10k"
BAD = {
    "column_count": "1\t2\t3",
    "integer": "x" + "\t" * 38,
    "id": "\t" * 38 + "zz",
}


def hotrow(*words: object) -> int:
    return _frame.run(lambda: app([str(word) for word in words], standalone_mode=False))


def write(path: Path, lines: list[str]) -> Path:
    path.write_text("".join(line + "\n" for line in lines))
    return path


def table(path: Path) -> list[list[str]]:
    with path.open(newline="") as stream:
        return list(csv.reader(stream, delimiter="," if path.suffix == ".csv" else "\t"))


@pytest.fixture
def log(tmp_path: Path, criteo_rows: Rows) -> Path:
    """Return a log of which lines 2, 5 and 6 are malformed."""
    lines = criteo_rows(8)
    lines[1], lines[4], lines[5] = BAD.values()
    return write(tmp_path / "log.tsv", lines)


def test_json_has_one_score_a_line_and_null_where_rejected(
    criteo_run: Path, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hotrow("rank", criteo_run, log, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["rows"] == len(result["scores"]) == 8
    assert result["rejected_rows"] == 3
    assert result["rejected_by_reason"] == {"column_count": 1, "integer": 1, "id": 1}
    assert [line for line, score in enumerate(result["scores"], start=1) if score is None] == [2, 5, 6]
    assert result["rows_per_second"] > 0


def test_scores_do_not_depend_on_rejected_neighbours(
    criteo_run: Path, log: Path, tmp_path: Path, criteo_rows: Rows, capsys: pytest.CaptureFixture[str]
) -> None:
    hotrow("rank", criteo_run, log, "--json")
    scores = json.loads(capsys.readouterr().out)["scores"]
    hotrow("rank", criteo_run, write(tmp_path / "good.tsv", criteo_rows(8)), "--json")
    whole = json.loads(capsys.readouterr().out)["scores"]
    for line, score in enumerate(scores, start=1):
        assert score is None or score == pytest.approx(whole[line - 1], rel=1e-5), line


@pytest.mark.parametrize("suffix", [".tsv", ".csv"])
def test_a_table_keeps_lines_and_rejections(
    criteo_run: Path, log: Path, tmp_path: Path, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / f"scores{suffix}"
    assert hotrow("rank", criteo_run, log, "--out", out, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["output"] == str(out)
    assert "scores" not in result
    rows = table(out)
    assert rows[0] == ["line", "score"]
    assert [row[0] for row in rows[1:]] == [str(line) for line in range(1, 9)]
    assert [row[0] for row in rows[1:] if row[1] == ""] == ["2", "5", "6"]
    kept = table(tmp_path / "scores.rejected.tsv")
    assert [(row[1], row[2]) for row in kept[1:]] == [("2", "column_count"), ("5", "integer"), ("6", "id")]
    assert {path.name for path in tmp_path.iterdir()} == {"log.tsv", "scores.rejected.tsv", out.name}


def test_the_table_gives_back_the_same_float32(criteo_run: Path, tmp_path: Path, criteo_rows: Rows) -> None:
    log = write(tmp_path / "log.tsv", criteo_rows(300))
    assert hotrow("rank", criteo_run, log, "--out", tmp_path / "s.tsv") == 0
    found = np.array([row[1] for row in table(tmp_path / "s.tsv")[1:]], dtype=np.float32)
    artifact = load_artifact(criteo_run)
    expected = np.concatenate([artifact.score(block.rows) for block in artifact.format.read(log)])
    np.testing.assert_array_equal(found, expected)


def test_standard_output_gets_the_table_alone(
    criteo_run: Path, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hotrow("rank", criteo_run, log) == 0
    printed = capsys.readouterr()
    lines = printed.out.splitlines()
    assert lines[0] == "line\tscore"
    assert [line.split("\t")[0] for line in lines[1:]] == [str(line) for line in range(1, 9)]
    assert lines[2] == "2\t"
    assert "rejected rows" in printed.err


def test_labelled_gzipped_and_plain_logs_score_alike(
    criteo_run: Path, tmp_path: Path, criteo_rows: Rows, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = criteo_rows(20)
    plain = write(tmp_path / "plain", lines)
    labelled = write(tmp_path / "labelled", [f"1\t{line}" for line in lines])
    zipped = tmp_path / "zipped"
    zipped.write_bytes(gzip.compress(plain.read_bytes()))
    found = []
    for path in (plain, labelled, zipped):
        assert hotrow("rank", criteo_run / "model", path, "--json") == 0
        found.append(json.loads(capsys.readouterr().out)["scores"])
    assert found[0] == found[1] == found[2]


def test_strict_stops_at_the_first_malformed_line(
    criteo_run: Path, log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hotrow("rank", criteo_run, log, "--out", tmp_path / "s.tsv", "--strict") == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert message.startswith(f"error: {log}, line 2: found 3 columns")
    assert [path.name for path in tmp_path.iterdir()] == ["log.tsv"]


def test_a_table_is_replaced_only_when_told(
    criteo_run: Path, log: Path, tmp_path: Path, criteo_rows: Rows, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "s.tsv"
    assert hotrow("rank", criteo_run, log, "--out", out) == 0
    assert hotrow("rank", criteo_run, log, "--out", out) == 2
    assert "already exists" in capsys.readouterr().err
    good = write(tmp_path / "good", criteo_rows(3))
    assert hotrow("rank", criteo_run, good, "--out", out, "--overwrite") == 0
    assert len(table(out)) == 4
    assert not (tmp_path / "s.rejected.tsv").exists()


def test_a_log_cut_short_leaves_no_table(
    criteo_run: Path, tmp_path: Path, criteo_rows: Rows, capsys: pytest.CaptureFixture[str]
) -> None:
    zipped = tmp_path / "log.gz"
    zipped.write_bytes(gzip.compress("\n".join(criteo_rows(50)).encode())[:-30])
    assert hotrow("rank", criteo_run, zipped, "--out", tmp_path / "s.tsv") == 2
    assert "cut short" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["log.gz"]


def test_a_long_log_does_not_fit_one_json_object(
    criteo_run: Path, log: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("hotrow.cli.rank.MAX_JSON_ROWS", 5)
    assert hotrow("rank", criteo_run, log, "--json") == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "expected a file for the scores" in printed.err
    assert "more than 5 rows" in printed.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("none", "log.tsv"), "none/model/model.json: not found, expected a model"),
        (("RUN", "none"), "none: not found, expected a raw log"),
        (("RUN", "log.tsv", "--out", "s.json"), "s.json', expected a file name that ends in .tsv or .csv"),
        (("RUN",), "Missing argument 'FILE'"),
    ],
)
def test_mistakes_are_told_in_one_line(
    criteo_run: Path,
    log: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(log.parent)
    assert hotrow("rank", *(criteo_run if word == "RUN" else word for word in words)) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1
    assert message in printed.err


def test_the_real_log_is_prepared_trained_on_and_ranked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if not REAL.is_dir():
        pytest.skip(f"no real data at {REAL}")
    data, run, out = tmp_path / "data", tmp_path / "run", tmp_path / "scores.tsv"
    assert hotrow("prepare", "criteo", REAL / "train.txt", "--out", data) == 0
    assert hotrow("train", data, "--model", "dlrm-small", "--out", run, "--set", "batch_size=256") == 0
    capsys.readouterr()
    assert hotrow("rank", run, REAL / "test_unlabelled.txt", "--out", out, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["rows"], result["rejected_rows"]) == (10_000, 0)
    scores = np.array([row[1] for row in table(out)[1:]], dtype=np.float32)
    assert scores.shape == (10_000,)
    assert 0.05 < scores.mean() < 0.5  # the click rate of the training rows is 0.22
    assert scores.std() > 0.02
    body = {"context": {"I1": 3}, "candidates": [{"C1": "68fd1e64"}, {"C1": "ffffffff"}, {}]}
    artifact = load_artifact(run)
    service = RankingService("m", artifact, Limits())
    answer = respond(service, json.dumps(body).encode(), Body.RANK)
    assert sorted(entry["index"] for entry in answer["ranking"]) == [0, 1, 2]


RATED: list[dict[str, Any]] = [
    {"user": 3, "item": 7, "gender": "F", "history": [1, 2, 3], "genres": ["War"]},
    {"user": 3, "item": 8, "gender": "F", "history": [1, 2, 3], "genres": ["Drama", "War"], "year": "1990"},
    {"user": 999, "item": None},
]


def test_rows_of_a_model_with_histories(
    movielens_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    objects = write(tmp_path / "rows.jsonl", [json.dumps(row) for row in RATED])
    lines = [
        "user,item,gender,history,genres,year",
        "3,7,F,1|2|3,War,",
        "3,8,F,1|2|3,Drama|War,1990",
        "999,,,,,",
    ]
    cells = write(tmp_path / "rows.csv", [*lines, "x,,,,,"])
    found = []
    for path in (objects, cells):
        assert hotrow("rank", movielens_run, path, "--json") == 0
        found.append(json.loads(capsys.readouterr().out)["scores"])
    assert found[1] == [*found[0], None]
    artifact = load_artifact(movielens_run)
    assert found[0] == artifact.score(artifact.block(RATED)).tolist()
    assert len(set(found[0])) == 3


def test_the_lines_of_a_table_are_numbered_from_its_header_on(
    movielens_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "rows.csv", ["user,item", "3,7", "x,7", "3,8"])
    assert hotrow("rank", movielens_run, path) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "line\tscore"
    assert [line.split("\t")[0] for line in lines[1:]] == ["2", "3", "4"]
    assert [line.endswith("\t") for line in lines[1:]] == [False, True, False]
    assert hotrow("rank", movielens_run, path, "--strict") == 2
    message = capsys.readouterr().err.splitlines()[-1]
    assert (
        message
        == f"error: {path}, line 3, column user: found 'x', expected a whole number of 64 bits or null"
    )
