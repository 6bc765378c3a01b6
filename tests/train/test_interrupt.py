from __future__ import annotations

from pathlib import Path

import pytest
from tests.train.runs import PressAt, metrics_lines

from hotrow.data.dataset import Dataset
from hotrow.train import Recipe, train_model


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
