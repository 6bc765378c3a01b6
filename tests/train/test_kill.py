"""A run killed at any moment and resumed is, to the bit, the run that was never killed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.train.runs import metrics_lines

WriteDataset = Callable[..., Path]

KILLS = 50


def _run(data: Path, out: Path, words: Sequence[object]) -> list[list[int]]:
    """Return the numbers that the killed runs print, line by line."""
    out.mkdir(exist_ok=True)
    run = subprocess.run(
        [sys.executable, "-m", "tests.train.killing", str(data), str(out), *map(str, words)],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return [[*map(int, line.split())] for line in run.stdout.splitlines()]


def _train_and_kill(data: Path, out: Path, points: Sequence[int]) -> list[tuple[int, int]]:
    """Return for each point how often it was killed, and the file operations of its last process."""
    return [(kills, count) for kills, count in _run(data, out, points)]


def _outcome(run: Path) -> tuple[dict[str, bytes], list[dict[str, Any]]]:
    model = {path.name: path.read_bytes() for path in (run / "model").rglob("*") if path.is_file()}
    return model, metrics_lines(run)


def _check(data: Path, out: Path, points: Sequence[int]) -> None:
    results = _train_and_kill(data, out, points)
    assert _outcome(out / "0")[1][-1]["kind"] == "final"
    for point, (kills, _) in zip(points, results, strict=True):
        assert kills >= 1
        _require_same(out / str(point), out / "0", f"killed at file operation {point}")


def _require_same(run: Path, whole: Path, told: str) -> None:
    assert _outcome(run) == _outcome(whole), told
    assert _places(run) == _places(whole), told


def _places(run: Path) -> list[str]:
    """Return where files are; TensorBoard's have names of their own."""
    return sorted(str(path.relative_to(run)) for path in run.rglob("*") if "events.out" not in path.name)


@pytest.fixture
def data(tmp_path: Path, write_dataset: WriteDataset) -> Path:
    return write_dataset(tmp_path / "data", splits={"train": (300, 200), "valid": (100,), "test": (100,)})


def test_killed_at_some_moments(data: Path, tmp_path: Path) -> None:
    [(kills, operations)] = _train_and_kill(data, tmp_path / "runs", [0])
    assert kills == 0
    assert operations > 100
    _check(data, tmp_path / "runs", [operations * i // 9 + i % 3 for i in range(1, 9)])


@pytest.mark.slow
def test_killed_at_every_moment(data: Path, tmp_path: Path) -> None:
    [(_, operations)] = _train_and_kill(data, tmp_path / "runs", [0])
    _check(data, tmp_path / "runs", range(1, operations + 1))


@pytest.mark.slow
def test_killed_at_random_times(data: Path, tmp_path: Path) -> None:
    killed = [kills for (kills,) in _run(data, tmp_path / "runs", ["random", KILLS])]
    assert sum(killed) == KILLS
    for number, kills in enumerate(killed, 1):
        _require_same(tmp_path / "runs" / str(number), tmp_path / "runs" / "0", f"killed {kills} times")
