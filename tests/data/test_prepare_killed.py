"""A preparation that is killed at any moment and repeated gives the same data set, and does less anew."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from hotrow.data import _reading
from hotrow.data._journal import Journal, identity_of, is_of
from hotrow.data.dataset import Dataset
from hotrow.data.prepare import PrepareConfig, prepare

KILLS = 50
SCHEMA = """
label = "clicked"
group = "user"
split = { by = "random", valid = 0.1, test = 0.2 }

[features]
user = { kind = "categorical", min_count = 2 }
tags = { kind = "bag" }
price = { kind = "dense" }
"""


def _table(path: Path) -> tuple[Path, Path]:
    """Write a csv of 3000 rows, some of which cannot be used, and its schema file."""
    lines = ["clicked,user,tags,price"]
    for row in range(3000):
        price = "dear" if row % 97 == 5 else f"{row % 50 / 4}"
        lines.append(f"{row % 3 == 0:d},{row * 7 % 301},a{row % 11}|b{row % 5},{price}")
    (path / "rows.csv").write_text("\n".join(lines) + "\n")
    (path / "columns.toml").write_text(SCHEMA)
    return path / "rows.csv", path / "columns.toml"


def _run(words: Sequence[object], out: Path, how: Sequence[object]) -> list[list[int]]:
    """Return the numbers that the killed preparations print, line by line."""
    out.mkdir(exist_ok=True)
    run = subprocess.run(
        [sys.executable, "-m", "tests.data.killing", *map(str, words), str(out), *map(str, how)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return [[*map(int, line.split())] for line in run.stdout.splitlines()]


def _kill(words: Sequence[object], out: Path, points: Sequence[int]) -> list[tuple[int, int, int]]:
    """Return for each point the kills, and of the last process its operations and chunks."""
    return [(kills, operations, chunks) for kills, operations, chunks in _run(words, out, points)]


def _files(data: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(data)): path.read_bytes() for path in sorted(data.rglob("*")) if path.is_file()
    }


def _check(words: Sequence[object], out: Path, points: Sequence[int]) -> list[int]:
    """Compare what was killed with what was not; return how many chunks the last processes parsed."""
    found = _kill(words, out, points)
    whole = _files(out / "0" / "data")
    assert "journal.json" not in whole
    for point, (kills, _, _) in zip(points, found, strict=True):
        assert kills >= 1
        assert _files(out / str(point) / "data") == whole, f"killed at file operation {point}"
        assert [entry.name for entry in (out / str(point)).iterdir()] == ["data"]
    return [chunks for _, _, chunks in found]


@pytest.fixture(params=["criteo", "csv"])
def words(request: pytest.FixtureRequest, tmp_path: Path, log: Path) -> tuple[object, ...]:
    if request.param == "criteo":
        log.write_text("bad\n" + log.read_text() + "worse\n")
        return "criteo", "", log
    table, schema = _table(tmp_path)
    return "csv", schema, table


def test_killed_at_some_moments(words: tuple[object, ...], tmp_path: Path) -> None:
    [(kills, operations, chunks)] = _kill(words, tmp_path / "out", [0])
    assert kills == 0
    assert chunks > 3
    parsed = _check(words, tmp_path / "out", [operations * part // 11 + part % 3 for part in range(1, 11)])
    assert min(parsed) == 0
    assert max(parsed) <= chunks


@pytest.mark.slow
def test_killed_at_every_moment(words: tuple[object, ...], tmp_path: Path) -> None:
    [(_, operations, _)] = _kill(words, tmp_path / "out", [0])
    _check(words, tmp_path / "out", range(1, operations + 1))


@pytest.mark.slow
def test_killed_at_random_times(words: tuple[object, ...], tmp_path: Path) -> None:
    out = tmp_path / "out"
    killed = [kills for (kills,) in _run(words, out, ["random", KILLS])]
    assert sum(killed) == KILLS
    for number, kills in enumerate(killed, 1):
        assert _files(out / str(number) / "data") == _files(out / "0" / "data"), f"killed {kills} times"
        assert [entry.name for entry in (out / str(number)).iterdir()] == ["data"]


def _abandon(log: Path, out: Path, config: PrepareConfig, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Leave what a preparation leaves that is killed once all is read."""
    monkeypatch.setattr(_reading, "NOTE_EVERY", 0.0)
    folder = out.parent / f".{out.name}.partial-999999999"

    def keep(*_: object, **__: object) -> None:
        (unfinished,) = out.parent.glob(f".{out.name}.partial-*")
        unfinished.rename(folder)
        raise KeyboardInterrupt

    monkeypatch.setattr("hotrow.data.prepare.encode_features", keep)
    with pytest.raises(KeyboardInterrupt):
        prepare("criteo", [log], out, config)
    monkeypatch.undo()
    assert (folder / "journal.json").is_file()
    return folder


def test_what_was_read_is_not_read_again(log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _abandon(log, tmp_path / "out", PrepareConfig(), monkeypatch)
    monkeypatch.setattr(_reading, "_parse", None)
    assert prepare("criteo", [log], tmp_path / "out").rows == 700
    assert Dataset.open(tmp_path / "out").rows("train") == 600


@pytest.mark.parametrize("change", ["settings", "log", "boot"])
def test_only_the_same_preparation_goes_on(
    log: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    folder = _abandon(log, tmp_path / "out", PrepareConfig(), monkeypatch)
    config = PrepareConfig(min_count=3) if change == "settings" else PrepareConfig()
    if change == "log":
        log.write_text(log.read_text() * 2)
    if change == "boot":
        journal = folder / "journal.json"
        journal.write_text(journal.read_text().replace('"boot": "', '"boot": "another'))
    parsed: list[int] = []
    parse: Any = _reading._parse

    def counted(*arguments: object) -> object:
        parsed.append(1)
        return parse(*arguments)

    monkeypatch.setattr(_reading, "_parse", counted)
    prepare("criteo", [log], tmp_path / "out", config)
    assert parsed
    assert not list(tmp_path.glob(".out*"))


def test_pipes_are_read_anew(tmp_path: Path) -> None:
    assert identity_of([tmp_path / "none"], {}) is None


def test_a_journal_that_cannot_be_read_is_none(tmp_path: Path, log: Path) -> None:
    identity = identity_of([log], {"a": 1})
    assert identity is not None
    (tmp_path / "stage").mkdir()
    journal = Journal(tmp_path, identity)
    journal.note("reading", {})
    assert is_of(tmp_path, identity)
    (tmp_path / "journal.json").write_text('{"identity": ')
    assert not is_of(tmp_path, identity)
