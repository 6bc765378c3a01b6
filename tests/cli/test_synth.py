"""``hotrow synth criteo``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hotrow.cli import _frame
from hotrow.cli.main import app


def hotrow(*words: object) -> int:
    return _frame.run(lambda: app([str(word) for word in words], standalone_mode=False))


def test_json_is_one_object_with_the_promised_fields(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "log.txt"
    assert hotrow("synth", "criteo", "--rows", 3000, "--seed", 4, "--out", out, "--json") == 0
    result = json.loads(capsys.readouterr().out)
    assert result["rows"] == 3000
    assert result["seed"] == 4
    assert result["out"] == str(out)
    assert result["bytes"] == out.stat().st_size
    assert 0.5 < result["learnable_auc"] < 1
    assert 0.5 < result["oracle_auc"] < 1
    assert 0.1 < result["click_rate"] < 0.4
    assert result["evaluated_rows"] == 3000 - 3000 * 6 // 7


def test_text_is_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert hotrow("synth", "criteo", "--rows", 3000, "--seed", 4, "--out", tmp_path / "log.txt") == 0
    text = capsys.readouterr().out
    assert text.startswith(f"wrote {tmp_path / 'log.txt'}\n")
    assert "AUC of the truth" in text
    assert "AUC of what can be learnt" in text


def test_undefined_ceilings_are_null_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert hotrow("synth", "criteo", "--rows", 1, "--out", tmp_path / "log.txt", "--json") == 0
    assert json.loads(capsys.readouterr().out)["oracle_auc"] is None
    assert hotrow("synth", "criteo", "--rows", 1, "--out", tmp_path / "log.txt") == 0
    assert "one class only" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--rows", 0, "--out", "log.txt"), "rows"),
        (("--rows", "many", "--out", "log.txt"), "--rows"),
        (("--rows", 5, "--seed", -1, "--out", "log.txt"), "seed"),
        (("--rows", 5), "--out"),
        (("--rows", 5, "--out", "."), "folder"),
    ],
)
def test_mistakes_are_told_in_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[object, ...],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert hotrow("synth", "criteo", *words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert message in captured.err
    assert list(tmp_path.iterdir()) == []


def test_a_format_must_be_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert hotrow("synth") == 2
    assert capsys.readouterr().err.startswith("error: Missing command")


def test_help_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert hotrow("synth", "criteo", "--help") == 0
    assert "hotrow synth criteo --rows" in capsys.readouterr().out
