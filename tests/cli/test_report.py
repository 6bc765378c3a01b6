from __future__ import annotations

import json
from pathlib import Path

import pytest

from hotrow.cli import _frame
from hotrow.cli.main import app


def hotrow(*words: object) -> int:
    return _frame.run(lambda: app([str(word) for word in words], standalone_mode=False))


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """Return a run that was started and wrote nothing yet."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "config.json").write_text('{"format_version": 1}')
    return folder


def test_the_page_is_written_and_replaced(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "pages" / "a.html"
    for _ in range(2):
        assert hotrow("report", run, "--out", out, "--json") == 0
        assert json.loads(capsys.readouterr().out) == {"path": str(out)}
        assert out.read_text().startswith("<!DOCTYPE html>")
    assert [path.name for path in out.parent.iterdir()] == ["a.html"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("none", "--out", "p.html"), "none/config.json: not found, expected a run"),
        (("run",), "Missing option '--out'"),
        (("run", "--out", "run"), "--out: got 'run', expected a file name, not a folder"),
    ],
)
def test_mistakes_are_told_in_one_line(
    run: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(run.parent)
    assert hotrow("report", *words) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1
    assert message in printed.err
