"""How near training comes to what the machine can do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hotrow.data.dataset import Dataset
from hotrow.models import ModelFacts
from hotrow.train import RunFolder, change, finish, make_recipe, train_model
from hotrow.train.ceilings import measure_ceilings
from hotrow.train.phases import Phases
from hotrow.train.roofline import Ceilings, roofline

FACTS = ModelFacts(
    parameters=0, table_bytes=0, flop_per_item=1000, gathered_bytes_per_item=100, flop_per_byte=10.0
)


def test_shares_are_of_the_ceilings() -> None:
    phases = Phases(load=1.0, lookup=2.0, forward=4.0, backward=5.0, update=10.0)
    ceilings = Ceilings(row_bytes_per_second=1000.0, flop_per_second=1e5)
    found = roofline(phases, FACTS, ceilings, samples=100, steps=10, weights=25)
    assert found.lookup == 100 * 100 / 2.0 / 1000.0
    assert found.forward == 100 * 1000 / 4.0 / 1e5
    assert found.backward == 2 * 100 * 1000 / 5.0 / 1e5
    assert found.update == 3 * (100 * 100 + 10 * 25 * 4) / 10.0 / 1000.0


@pytest.mark.parametrize("row_bytes", [4, 36, 64, 512])
def test_ceilings_are_measured(row_bytes: int) -> None:
    found = measure_ceilings(row_bytes)
    assert 1e6 < found.row_bytes_per_second < 1e13
    assert 1e8 < found.flop_per_second < 1e15


def test_a_run_that_is_long_enough_tells_them(
    tmp_path: Path, write_dataset: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(finish, "LEAST_SECONDS", 0.0)
    data = Dataset.open(write_dataset(tmp_path / "data"))
    recipe = change(make_recipe("dlrm-small", data.schema.inputs()), {"batch_size": "64"})
    report = train_model(data, recipe, tmp_path / "run")
    assert report.roofline is not None
    assert set(report.roofline_shares()) == {"lookup", "forward", "backward", "update"}
    assert all(share > 0 for share in report.roofline_shares().values())
    assert RunFolder(tmp_path / "run").read_report() == report
