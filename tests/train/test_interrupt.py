from __future__ import annotations

import signal
from pathlib import Path

import pytest
from tests.train.runs import PressAfterValidation, PressAt, metrics_lines

from hotrow.data.dataset import Dataset
from hotrow.train import Recipe, train_model


def _outcome(run: Path) -> tuple[bytes, list[dict[str, object]]]:
    return (run / "model" / "tables.safetensors").read_bytes(), metrics_lines(run)


@pytest.mark.parametrize("step", [3, 9, 26], ids=["between events", "before a validation", "at the end"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_this_very_step_and_loses_nothing(
    tmp_path: Path, dataset: Dataset, recipe: Recipe, step: int, number: signal.Signals
) -> None:
    run = tmp_path / "run"
    with pytest.raises((KeyboardInterrupt, SystemExit)) as caught:
        train_model(dataset, recipe, run, listener=PressAt(step, number))
    assert getattr(caught.value, "code", 130) == 128 + number
    assert max((run / "checkpoints").iterdir()).name == f"step-{step:09d}"
    assert not (run / "model").exists()
    train_model(dataset, recipe, run, resume=True)
    train_model(dataset, recipe, tmp_path / "whole")
    assert _outcome(run) == _outcome(tmp_path / "whole")


def test_ctrl_c_while_the_model_is_judged(tmp_path: Path, dataset: Dataset, recipe: Recipe) -> None:
    run = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        train_model(dataset, recipe, run, listener=PressAfterValidation(26))
    assert not (run / "model").exists()
    train_model(dataset, recipe, run, resume=True)
    train_model(dataset, recipe, tmp_path / "whole")
    assert _outcome(run) == _outcome(tmp_path / "whole")
