from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from pathlib import Path

import numpy as np
import pytest

from hotrow.artifact import load_artifact, score_lines, score_log, write_scores
from hotrow.data.formats.criteo import Criteo
from hotrow.errors import ConfigError, StorageError

Rows = Callable[..., list[str]]


def test_a_log_is_scored_block_by_block(criteo_run: Path, tmp_path: Path, criteo_rows: Rows) -> None:
    log = tmp_path / "log"
    lines = criteo_rows(2000)
    for line in (0, 700, 701, 1999):
        lines[line] = "broken"
    log.write_text("\n".join(lines))
    artifact = load_artifact(criteo_run)
    whole = np.concatenate([block.scores for block in score_lines(artifact, log)])
    artifact.__dict__["format"] = Criteo(block_bytes=70_000)
    blocks = list(score_lines(artifact, log))
    assert len(blocks) > 3
    sizes = [len(block.scores) for block in blocks]
    assert [block.first_line for block in blocks] == list(accumulate([1, *sizes[:-1]]))
    scores = np.concatenate([block.scores for block in blocks])
    assert np.flatnonzero(np.isnan(scores)).tolist() == [0, 700, 701, 1999]
    np.testing.assert_allclose(scores, whole, rtol=1e-5)


def test_counts_add_up_over_blocks(criteo_run: Path, tmp_path: Path, criteo_rows: Rows) -> None:
    log = tmp_path / "log"
    log.write_text("\n".join([*criteo_rows(900), "x", *criteo_rows(900), "y\tz", ""]))
    artifact = load_artifact(criteo_run)
    artifact.__dict__["format"] = Criteo(block_bytes=70_000)
    seen = []
    report = score_log(artifact, log, lambda block: seen.append(len(block.scores)))
    assert report.rows == sum(seen) == 1802
    assert report.rejected_rows == 2
    assert report.rejected_by_reason == {"column_count": 2}


def test_a_full_disk_leaves_nothing(
    criteo_run: Path, tmp_path: Path, criteo_rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"
    log.write_text("\n".join(criteo_rows(3)))

    def full(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hotrow.artifact.scoring.table_lines", full)
    with pytest.raises(StorageError, match="no space left"):
        write_scores(load_artifact(criteo_run), log, tmp_path / "scores.tsv")
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


def test_the_scored_log_is_never_replaced(criteo_run: Path, tmp_path: Path) -> None:
    log = tmp_path / "log.tsv"
    log.write_text("1" + "\t" * 39 + "\n")
    artifact = load_artifact(criteo_run)
    with pytest.raises(ConfigError, match="another file than the log"):
        write_scores(artifact, log, log, overwrite=True)
    assert log.read_text() == "1" + "\t" * 39 + "\n"
