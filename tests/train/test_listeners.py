"""The progress bar and TensorBoard, fed by hand; the metrics file has tests of its own."""

from __future__ import annotations

import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hotrow.metrics import Evaluation
from hotrow.train import Listener, Moment, TrainFigures, TrainReport
from hotrow.train.bar import TrainingBar
from hotrow.train.events import Listeners, TaskFigures
from hotrow.train.tensorboard import TensorBoard

METRICS = Evaluation(
    rows=3, positives=1, auc=0.75, auc_error=0.0, log_loss=0.6, ne=0.9, calibration=1.0, accuracy=0.7
)
FIGURES = TrainFigures(loss=0.5, auc=0.625, table_lr=0.1, dense_lr=0.01, samples_per_second=9.0)
REPORT = TrainReport(
    samples=640, samples_per_second=1.0, epochs=1.0, validation=METRICS, test=METRICS, run="r", steps=10,
    seconds=1.0, best_step=8, stopped_early=False,
)  # fmt: skip


def _moment(step: int) -> Moment:
    return Moment(step=step, epoch=step / 10, samples=step * 64, seconds=1.0)


class _Bar:
    def __init__(self) -> None:
        self.total = 0.0
        self.figures: dict[str, object] = {}

    def advance(self, count: float, **figures: object) -> None:
        self.total += count
        self.figures = figures


def test_the_bar_counts_samples_and_shows_the_latest_figures() -> None:
    shown = _Bar()
    bar = TrainingBar(shown)
    for _ in range(3):
        bar.on_step(64)
    bar.on_figures(_moment(3), FIGURES)
    bar.on_validation(_moment(3), METRICS)
    assert shown.total == 192
    assert shown.figures == {"loss": 0.5, "auc": 0.625, "valid_ne": 0.9}


def test_every_listener_is_told() -> None:
    told: list[str] = []

    class Telling(Listener):
        def on_step(self, samples: int) -> None:
            told.append("step")

        def on_figures(self, moment: Moment, figures: TrainFigures) -> None:
            told.append("figures")

        def on_validation(self, moment: Moment, metrics: Evaluation) -> None:
            told.append("validation")

        def on_finish(self, moment: Moment, report: TrainReport) -> None:
            told.append("finish")

    listeners = Listeners(Telling(), Listener(), Telling())
    listeners.on_step(1)
    listeners.on_figures(_moment(1), FIGURES)
    listeners.on_validation(_moment(1), METRICS)
    listeners.on_finish(_moment(1), REPORT)
    assert told == ["step"] * 2 + ["figures"] * 2 + ["validation"] * 2 + ["finish"] * 2


def _scalars(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """Read back what TensorBoard would show."""
    accumulator: Any = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(folder))
    events.Reload()
    return {
        tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]
    }


def test_scalars_are_written_by_step(tmp_path: Path) -> None:
    with closing(TensorBoard(tmp_path, first_step=1)) as board:
        board.on_figures(_moment(4), FIGURES)
        board.on_validation(_moment(5), METRICS)
        board.on_finish(_moment(10), REPORT)
    scalars = _scalars(tmp_path)
    assert scalars["train/loss"] == [(4, 0.5)]
    assert scalars["train/auc"] == [(4, 0.625)]
    assert scalars["validation/auc"] == [(5, 0.75)]
    assert scalars["test/auc"] == [(8, 0.75)]
    assert "validation/rows" not in scalars


def test_scalars_of_rankings_and_tasks(tmp_path: Path) -> None:
    tasks = {"buy": TaskFigures(loss=0.25, auc=None)}
    with closing(TensorBoard(tmp_path, first_step=1)) as board:
        board.on_figures(_moment(4), replace(FIGURES, aux_loss=0.125, tasks=tasks))
        board.on_validation(
            _moment(5), replace(METRICS, ranking={"groups": 3, "hr@10": 0.5}, tasks={"buy": METRICS})
        )
    scalars = _scalars(tmp_path)
    assert scalars["train/aux_loss"] == [(4, 0.125)]
    assert scalars["train/tasks/buy/loss"] == [(4, 0.25)]
    assert scalars["validation/ranking/hr_at_10"] == [(5, 0.5)]
    assert scalars["validation/tasks/buy/auc"] == [(5, 0.75)]


def test_a_resumed_run_voids_the_steps_that_are_made_again(tmp_path: Path) -> None:
    with closing(TensorBoard(tmp_path, first_step=1)) as board:
        for step in (4, 8, 12):
            board.on_figures(_moment(step), FIGURES)
    with closing(TensorBoard(tmp_path, first_step=7)) as board:
        board.on_figures(_moment(8), FIGURES)
    assert [step for step, _ in _scalars(tmp_path)["train/loss"]] == [4, 8]


def test_without_tensorboard_it_is_said_and_nothing_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with closing(TensorBoard(tmp_path, first_step=1)) as board:
        board.on_figures(_moment(4), FIGURES)
    assert list(tmp_path.iterdir()) == []
    assert "TensorBoard is not installed" in caplog.text
