"""Writing synthetic logs."""

from __future__ import annotations

import gzip
import io
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hotrow.data.formats.criteo import Criteo
from hotrow.data.splits import split_ranges
from hotrow.errors import ConfigError, StorageError
from hotrow.metrics import auc
from hotrow.synth import PlantedConfig, synthesize_criteo
from hotrow.synth.counts import IdCounts
from hotrow.synth.criteo import MIN_OCCURRENCES, held_out_start
from hotrow.synth.planted import PlantedModel
from hotrow.synth.rows import CHUNK_ROWS, draw_rows

ROWS = CHUNK_ROWS + 7_000  # a chunk, and a cut one in which the held-out rows begin and end


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("synth") / "log.txt"


@pytest.fixture(scope="module")
def report(log: Path) -> dict[str, Any]:
    return synthesize_criteo(log, ROWS, 9).to_mapping()


def test_report_tells_of_the_file(log: Path, report: dict[str, Any]) -> None:
    text = log.read_bytes()
    lines = text.split(b"\n")
    assert lines.pop() == b""
    assert report["rows"] == len(lines) == ROWS
    assert report["bytes"] == len(text)
    assert report["click_rate"] == pytest.approx(sum(line[:2] == b"1\t" for line in lines) / ROWS)
    assert report["rows_per_second"] == pytest.approx(ROWS / report["seconds"])
    assert report["out"] == str(log)


def test_the_reader_of_real_logs_accepts_every_row(log: Path, report: dict[str, Any]) -> None:
    blocks = list(Criteo().read(log))
    assert sum(len(block.rows) for block in blocks) == ROWS
    assert sum(len(block.rejected) for block in blocks) == 0


def test_ceilings_are_those_of_the_held_out_rows(report: dict[str, Any]) -> None:
    """Compute both again, in one piece and exactly."""
    model = PlantedModel(9, PlantedConfig())
    chunks = [draw_rows(9, 0), draw_rows(9, 1).rows(0, ROWS - CHUNK_ROWS)]
    cut = held_out_start(ROWS) - CHUNK_ROWS
    counts = IdCounts()
    counts.add(chunks[0])
    counts.add(chunks[1].rows(0, cut))
    held_out = chunks[1].rows(cut, ROWS)
    clicks = model.clicks(held_out)
    rare = counts.rarer_than(MIN_OCCURRENCES, held_out)
    oracle = auc(clicks, model.logits(held_out))
    learnable = auc(clicks, model.learnable_logits(held_out, rare))
    assert report["evaluated_rows"] == len(held_out) == ROWS - ROWS * 6 // 7
    assert abs(report["oracle_auc"] - oracle) <= report["oracle_auc_error"] < 1e-4
    assert abs(report["learnable_auc"] - learnable) <= report["learnable_auc_error"] < 1e-4
    assert learnable < oracle


def test_labels_in_the_file_are_the_judged_ones(log: Path, report: dict[str, Any]) -> None:
    model = PlantedModel(9, PlantedConfig())
    written = np.array([line[:1] == b"1" for line in log.read_bytes().split(b"\n")[:CHUNK_ROWS]])
    np.testing.assert_array_equal(written, model.clicks(draw_rows(9, 0)))


def test_equal_seeds_give_equal_files(log: Path, report: dict[str, Any], tmp_path: Path) -> None:
    again = synthesize_criteo(tmp_path / "again.txt", ROWS, 9).to_mapping()
    assert (tmp_path / "again.txt").read_bytes() == log.read_bytes()
    assert again["learnable_auc"] == report["learnable_auc"]
    synthesize_criteo(tmp_path / "other.txt", 50, 10)
    assert not log.read_bytes().startswith((tmp_path / "other.txt").read_bytes())


def test_a_longer_log_begins_with_the_shorter(log: Path, report: dict[str, Any], tmp_path: Path) -> None:
    synthesize_criteo(tmp_path / "short.txt", 500, 9)
    assert log.read_bytes().startswith((tmp_path / "short.txt").read_bytes())


def test_gz_holds_the_same_text_and_is_reproducible(tmp_path: Path) -> None:
    for name in ("a.txt.gz", "b.txt.gz", "c.txt"):
        synthesize_criteo(tmp_path / name, 3000, 2)
    assert (tmp_path / "a.txt.gz").read_bytes() == (tmp_path / "b.txt.gz").read_bytes()
    assert gzip.decompress((tmp_path / "a.txt.gz").read_bytes()) == (tmp_path / "c.txt").read_bytes()


@pytest.mark.parametrize("rows", [1, 2, 6, 7, 8, 100])
def test_short_logs(tmp_path: Path, rows: int) -> None:
    report = synthesize_criteo(tmp_path / "log.txt", rows, 1)
    assert (tmp_path / "log.txt").read_bytes().count(b"\n") == rows
    assert report.evaluated_rows == rows - rows * 6 // 7
    if report.evaluated_rows == 1:
        assert report.oracle_auc is None
        assert report.learnable_auc is None


def test_held_out_rows_are_those_of_prepare() -> None:
    for rows in (8, 100, 123_457):
        assert len(split_ranges("rows", [rows], "out")["train"]) == held_out_start(rows)


def test_strength_can_be_chosen(tmp_path: Path) -> None:
    weak = PlantedConfig(click_rate=0.5, dense_sd=0.1, ids_sd=0.1, pairs_sd=0.1)
    report = synthesize_criteo(tmp_path / "log.txt", 20_000, 1, planted=weak)
    assert report.oracle_auc == pytest.approx(0.55, abs=0.03)
    assert report.click_rate == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(("rows", "seed", "field"), [(0, 1, "rows"), (-5, 1, "rows"), (1, -1, "seed")])
def test_what_cannot_be_written_is_refused(tmp_path: Path, rows: int, seed: int, field: str) -> None:
    with pytest.raises(ConfigError, match=f"^{field}: got"):
        synthesize_criteo(tmp_path / "log.txt", rows, seed)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="folder"):
        synthesize_criteo(tmp_path, 10, 1)


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let the operating system refuse to grow any file beyond ``size`` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("name", ["log.txt", "log.txt.gz"])
def test_a_full_disk_leaves_no_file_and_keeps_an_old_one(tmp_path: Path, name: str) -> None:
    with largest_file(200_000), pytest.raises(StorageError, match="no space"):
        synthesize_criteo(tmp_path / name, 40_000, 1)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / name).write_text("old")
    with largest_file(200_000), pytest.raises(StorageError, match="no space"):
        synthesize_criteo(tmp_path / name, 40_000, 1)
    assert (tmp_path / name).read_text() == "old"


def test_progress_goes_to_standard_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hotrow.progress._LINE_SECONDS", 0.0)
    synthesize_criteo(tmp_path / "log.txt", 10, 1, show_progress=True)
    captured = capsys.readouterr()
    assert "synth criteo: 12 of 12 (100%) rows" in captured.err
    assert captured.out == ""
    assert io.StringIO(captured.err).readline().startswith("synth criteo")
