from __future__ import annotations

import json
import signal
import threading
from pathlib import Path

import pytest

from hotrow.data.dataset import Dataset
from hotrow.train import Listener, Recipe, train_model
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


class _PressAt(Listener):
    """Presses Ctrl-C after a number of steps."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def on_step(self, samples: int) -> None:
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(signal.SIGINT)


def _outcome(run: Path) -> tuple[bytes, list[dict[str, object]]]:
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    times = ("seconds", "samples_per_second")
    kept = [{key: value for key, value in line.items() if key not in times} for line in lines]
    return (run / "model" / "tables.safetensors").read_bytes(), kept


@pytest.mark.parametrize("step", [3, 9, 26], ids=["between events", "before a validation", "at the end"])
def test_ctrl_c_saves_this_very_step_and_loses_nothing(
    tmp_path: Path, dataset: Dataset, recipe: Recipe, step: int
) -> None:
    run = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train_model(dataset, recipe, run, listener=_PressAt(step))
    assert max((run / "checkpoints").iterdir()).name == f"step-{step:09d}"
    assert not (run / "model").exists()
    train_model(dataset, recipe, run, resume=True)
    train_model(dataset, recipe, tmp_path / "whole")
    assert _outcome(run) == _outcome(tmp_path / "whole")
