from __future__ import annotations

import pytest

from hotrow import progress as module
from hotrow.progress import SECONDS, progress


def test_says_lines_on_standard_error_when_it_is_no_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LINE_SECONDS", 0.0)
    with progress("prepare", 2000, "rows") as bar:
        bar.advance(1000, loss=0.5)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "prepare: 1.0k of 2.0k (50%) rows" in captured.err
    assert "loss 0.5000" in captured.err


def test_short_work_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("prepare", 10, "rows") as bar:
        bar.advance(10)
    with progress("prepare", 10, "rows", show=False) as bar:
        bar.advance(10)
    captured = capsys.readouterr()
    assert captured.out == captured.err == ""


def test_draws_a_bar_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with progress("train", None, "samples", completed=5) as bar:
        bar.advance(10, auc=0.75)
    assert capsys.readouterr().out == ""


def test_seconds_have_no_rate(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LINE_SECONDS", 0.0)
    with progress("tune", 25, SECONDS) as bar:
        bar.advance(4.0, trying="static 25")
    assert capsys.readouterr().err == "tune: 4 of 25 (16%) seconds, trying static 25\n"
