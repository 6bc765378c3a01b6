from __future__ import annotations

import signal
import threading
from pathlib import Path

import pytest
from tests.train.runs import PressAt, metrics_lines

from hotrow.data.dataset import Dataset
from hotrow.train import Recipe, train_model
from hotrow.train.interrupt import StopRequestedError, deferred_interrupt


def test_the_first_waits_and_the_second_does_not(capsys: pytest.CaptureFixture[str]) -> None:
    with deferred_interrupt() as interrupt:
        interrupt.check()
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(StopRequestedError):
            interrupt.check()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert "stopping after this step" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_handlers_are_left_alone() -> None:
    caught: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: caught.append(number))
    try:
        with deferred_interrupt() as interrupt:
            signal.raise_signal(signal.SIGINT)
            interrupt.check()
    finally:
        signal.signal(signal.SIGINT, before)
    assert caught == [signal.SIGINT]


def test_in_another_thread_nothing_is_installed() -> None:
    requested: list[bool] = []

    def work() -> None:
        with deferred_interrupt() as interrupt:
            requested.append(interrupt.requested)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert requested == [False]


def _outcome(run: Path) -> tuple[bytes, list[dict[str, object]]]:
    return (run / "model" / "tables.safetensors").read_bytes(), metrics_lines(run)


@pytest.mark.parametrize("step", [3, 9, 26], ids=["between events", "before a validation", "at the end"])
def test_ctrl_c_saves_this_very_step_and_loses_nothing(
    tmp_path: Path, dataset: Dataset, recipe: Recipe, step: int
) -> None:
    run = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train_model(dataset, recipe, run, listener=PressAt(step))
    assert max((run / "checkpoints").iterdir()).name == f"step-{step:09d}"
    assert not (run / "model").exists()
    train_model(dataset, recipe, run, resume=True)
    train_model(dataset, recipe, tmp_path / "whole")
    assert _outcome(run) == _outcome(tmp_path / "whole")
