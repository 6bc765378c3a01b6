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


def _train_and_kill(data: Path, out: Path, points: Sequence[int]) -> list[tuple[int, int]]:
    """Return for each point how often it was killed, and the file operations of its last process."""
    out.mkdir(exist_ok=True)
    run = subprocess.run(
        [sys.executable, "-m", "tests.train.killing", str(data), str(out), *map(str, points)],
        cwd=Path(__file__).parents[2],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    return [(int(kills), int(count)) for kills, count in map(str.split, run.stdout.splitlines())]


def _outcome(run: Path) -> tuple[dict[str, bytes], list[dict[str, Any]]]:
    model = {path.name: path.read_bytes() for path in (run / "model").rglob("*") if path.is_file()}
    return model, metrics_lines(run)


def _check(data: Path, out: Path, points: Sequence[int]) -> None:
    results = _train_and_kill(data, out, points)
    whole = _outcome(out / "0")
    assert whole[1][-1]["kind"] == "final"
    for point, (kills, _) in zip(points, results, strict=True):
        assert kills >= 1
        assert _outcome(out / str(point)) == whole, f"killed at file operation {point}"
        assert not [entry for entry in (out / str(point) / "checkpoints").iterdir() if entry.name[0] == "."]


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
