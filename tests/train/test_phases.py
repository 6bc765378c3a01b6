"""What the time of training is spent on."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from hotrow.data.dataset import Dataset
from hotrow.embedding.spent import Spent
from hotrow.train import RunFolder, change, make_recipe, train_model
from hotrow.train import phases as module
from hotrow.train.phases import PhaseClock, Phases

WriteDataset = Callable[..., Path]


class _Time:
    """Stands still between steps."""

    def __init__(self) -> None:
        self.now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> _Time:
    found = _Time()
    monkeypatch.setattr(module, "time", found)
    return found


def test_what_tables_spend_within_a_phase_is_their_own(time: _Time) -> None:
    phases, spent = Phases(), Spent()
    clock = PhaseClock(phases, spent)
    time.now = 1.0
    clock.end("load")
    time.now, spent.lookup = 5.0, 3.0
    clock.end("forward")
    time.now, spent.update = 10.0, 2.0
    clock.end("backward")
    time.now = 10.5
    clock.end("update")
    assert asdict(phases) == {"load": 1.0, "lookup": 3.0, "forward": 1.0, "backward": 3.0, "update": 2.5}
    assert phases.total == 10.5


def test_what_is_between_phases_is_of_none(time: _Time) -> None:
    phases, spent = Phases(), Spent()
    clock = PhaseClock(phases, spent)
    time.now, spent.lookup = 100.0, 90.0  # a validation
    clock.start()
    time.now = 101.0
    clock.end("load")
    assert asdict(phases) == {"load": 1.0, "lookup": 0.0, "forward": 0.0, "backward": 0.0, "update": 0.0}


@pytest.mark.parametrize("pieces", [1, 3])
def test_a_run_tells_them(tmp_path: Path, write_dataset: WriteDataset, pieces: int) -> None:
    data = Dataset.open(write_dataset(tmp_path / "data"))
    recipe = make_recipe("dlrm-small", data.schema.inputs())
    recipe = change(recipe, {"batch_size": "64", "accumulate": str(pieces)})
    report = train_model(data, recipe, tmp_path / "run")
    assert report.phases is not None
    assert all(seconds > 0 for seconds in asdict(report.phases).values())
    assert report.phases.total <= report.seconds
    shares = report.phase_shares()
    assert set(shares) == {"load", "lookup", "forward", "backward", "update", "other"}
    assert sum(shares.values()) == pytest.approx(1.0)
    assert report.peak_rss_mib > 50
    assert report.roofline is None  # of so short a run
    assert report.roofline_shares() == {}
    assert RunFolder(tmp_path / "run").read_report() == report


def test_reports_of_earlier_versions_have_none(tmp_path: Path, write_dataset: WriteDataset) -> None:
    data = Dataset.open(write_dataset(tmp_path / "data"))
    recipe = change(make_recipe("dlrm-small", data.schema.inputs()), {"batch_size": "200"})
    train_model(data, recipe, tmp_path / "run")
    folder = RunFolder(tmp_path / "run")
    result = json.loads(folder.result.read_text())
    for name in ("phases", "roofline", "peak_rss_mib"):
        del result[name]
    folder.result.write_text(json.dumps(result))
    found = folder.read_report()
    assert (found.phases, found.roofline, found.phase_shares()) == (None, None, {})
