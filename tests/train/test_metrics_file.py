from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

from hotrow.metrics import Evaluation
from hotrow.train import Moment, TrainFigures, TrainReport
from hotrow.train.metrics_file import MetricsFile

METRICS = Evaluation(
    rows=3, positives=1, auc=0.5, auc_error=0.0, log_loss=0.6, ne=0.9, calibration=1.0, accuracy=0.7
)
FIGURES = TrainFigures(loss=0.5, auc=None, table_lr=0.1, dense_lr=0.01, samples_per_second=9.0)


def _moment(step: int) -> Moment:
    return Moment(step=step, epoch=step / 10, samples=step * 64, seconds=1.0)


def test_each_event_is_a_line(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    report = TrainReport(
        samples=1, samples_per_second=1.0, epochs=1.0, validation=METRICS, test=None, run="r", steps=8,
        seconds=1.0, best_step=6, stopped_early=False,
    )  # fmt: skip
    with closing(MetricsFile(path, length=0)) as file:
        file.on_figures(_moment(4), FIGURES)
        file.on_validation(_moment(5), METRICS)
        file.on_finish(_moment(8), report)
    train, validation, final = (json.loads(line) for line in path.read_text().splitlines())
    assert (train["kind"], train["step"], train["loss"], train["auc"]) == ("train", 4, 0.5, None)
    assert (validation["kind"], validation["validation"]["ne"]) == ("validation", 0.9)
    assert (final["kind"], final["best_step"], final["test"]) == ("final", 6, None)


def test_resuming_cuts_what_came_after(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    with closing(MetricsFile(path, length=0)) as file:
        file.on_figures(_moment(4), FIGURES)
        length = file.flush()
        file.on_figures(_moment(8), FIGURES)
    assert path.stat().st_size > length
    with closing(MetricsFile(path, length=length)) as file:
        file.on_figures(_moment(9), FIGURES)
        assert file.flush() == path.stat().st_size
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == [4, 9]
    MetricsFile(path, length=0).close()
    assert path.read_text() == ""
