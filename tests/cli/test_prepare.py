from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from hotrow.cli.main import main

REAL = Path(__file__).parents[3] / "shared" / "data" / "criteo-kaggle-10k" / "train.txt"


@pytest.fixture
def log(tmp_path: Path, criteo_rows: Callable[..., list[str]]) -> Path:
    path = tmp_path / "log.txt"
    path.write_text("\n".join(criteo_rows(700, labelled=True)) + "\n")
    return path


def hotrow(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Run the command line; return its exit status."""
    monkeypatch.setattr("sys.argv", ["hotrow", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        main()
    assert isinstance(stop.value.code, int)
    return stop.value.code


def test_json_is_one_object_with_the_agreed_fields(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log.write_text(log.read_text() + "bad\n")
    assert hotrow(monkeypatch, "prepare", "criteo", log, "--out", tmp_path / "out", "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["rows"], result["rejected_rows"]) == (700, 1)
    assert result["rejected_by_reason"] == {"column_count": 1}
    assert result["splits"] == {"train": 600, "valid": 50, "test": 50}
    assert result["rows_per_second"] > 0
    assert result["peak_rss_mib"] > 0
    assert [feature["name"] for feature in result["features"][12:15]] == ["I13", "C1", "C2"]
    assert all(feature["rows"] >= 2 for feature in result["features"] if feature["kind"] == "categorical")


def test_text_tells_of_rows_rejections_and_features(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log.write_text(log.read_text() + "bad\n")
    assert hotrow(monkeypatch, "prepare", "criteo", log, "--out", tmp_path / "out") == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["train", "600"] in lines
    assert ["column_count", "1"] in lines
    assert ["kept", "in", str(tmp_path / "out" / "rejected.tsv")] in lines
    assert sum(line[1:3] == ["categorical", "vocabulary"] for line in lines) == 26


def test_options_reach_the_data_set(log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "out"
    options = ("--min-count", 3, "--hash-rows", 50, "--hash", "C3=9", "--hash", "C4=10", "--split", "rows")
    assert hotrow(monkeypatch, "prepare", "criteo", log, "--out", out, *options) == 0
    options_written = json.loads((out / "schema.json").read_text())["options"]
    assert options_written == {
        "split": "rows",
        "min_count": 3,
        "hash_rows": 50,
        "hash": {"C3": 9, "C4": 10},
        "strict": False,
    }
    same = ("--set", "min_count=3", "--set", "hash_rows=50", "--set", "split=rows", "--hash", "C3=9")
    assert hotrow(monkeypatch, "prepare", "criteo", log, "--out", tmp_path / "same", *same) == 0
    options_written["hash"] = {"C3": 9}
    assert json.loads((tmp_path / "same" / "schema.json").read_text())["options"] == options_written
    assert hotrow(monkeypatch, "prepare", "criteo", log, "--out", out) == 2
    assert hotrow(monkeypatch, "prepare", "criteo", log, "--out", out, "--overwrite") == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("crito", "{log}"), "error: format: got 'crito', expected one of criteo"),
        (("criteo", "{log}", "--split", "days"), "error: split: got 'days', expected auto or rows or files"),
        (("criteo", "{log}", "--hash", "C3"), "error: --hash: got 'C3', expected FEATURE=ROWS"),
        (("criteo", "{log}", "--hash", "C3=many"), "error: --hash: got 'C3=many', expected FEATURE=ROWS"),
        (("criteo", "{log}", "--min-count", "0"), "error: min_count: got 0, expected at least 1"),
        (
            ("criteo", "{log}", "--set", "like_at=4"),
            "error: like_at: got '4', expected one of the fields split",
        ),
        (("criteo", "{log}", "--set", "split"), "error: --set: got 'split', expected key=value"),
        (("criteo", "{log}.gz"), "log.txt.gz: not found, expected a raw log"),
        (("criteo", "{log}", "--strict"), "log.txt, line 701: found 1 column, expected 40 columns"),
    ],
    ids=["format", "split", "hash", "hash rows", "min count", "setting", "no value", "missing", "strict"],
)
def test_mistakes_are_told_in_one_line(
    log: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    message: str,
) -> None:
    log.write_text(log.read_text() + "bad\n")
    filled = [argument.format(log=log) for argument in arguments]
    assert hotrow(monkeypatch, "prepare", *filled, "--out", tmp_path / "out") == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert message in captured.err
    assert captured.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_help_has_an_example(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert hotrow(monkeypatch, "prepare", "--help") == 0
    assert "hotrow prepare criteo train.txt --out" in capsys.readouterr().out


def test_real_log_needs_no_flag(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if not REAL.is_file():
        pytest.skip(f"no real data at {REAL}")
    assert hotrow(monkeypatch, "prepare", "criteo", REAL, "--out", tmp_path / "out", "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["rows"], result["rejected_rows"]) == (10_000, 0)
