"""From a generated log to a shrunk model, as a user would."""

from __future__ import annotations

from pathlib import Path

import pytest

from hotrow.data.dataset import Dataset
from hotrow.data.prepare import prepare
from hotrow.shrink import ShrinkConfig, ShrinkReport, shrink_run
from hotrow.synth import synthesize_criteo
from hotrow.train import make_recipe, train_model

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("synthetic")
    synthesize_criteo(folder / "log.tsv", rows=60_000, seed=1)
    prepare("criteo", [folder / "log.tsv"], folder / "data")
    dataset = Dataset.open(folder / "data")
    settings = {"batch_size": "512", "tables.lr": "0.3"}
    recipe = make_recipe("dlrm-small", dataset.schema.inputs(), settings=settings)
    train_model(dataset, recipe, folder / "run")
    return folder / "run"


def shrunk(run: Path, out: Path, **values: object) -> ShrinkReport:
    return shrink_run(run, out, ShrinkConfig(**values))  # type: ignore[arg-type]


def test_fewer_bits_cost_more_and_take_less(run: Path, tmp_path: Path) -> None:
    reports = [shrunk(run, tmp_path / bits, bits=bits) for bits in ("8", "4", "2")]
    assert all(report.auc_before > 0.65 for report in reports)
    assert [report.kept for report in reports][:2] == [True, True]
    errors = [report.auc_loss_error for report in reports]
    assert errors == sorted(errors)
    shares = [report.table_bytes_after / report.table_bytes_before for report in reports]
    assert shares == [24 / 64, 12 / 64, 8 / 64]


def test_auto_holds_on_rows_that_took_no_part(run: Path, tmp_path: Path) -> None:
    report = shrunk(run, tmp_path / "auto", bits="auto", max_auc_loss=0.001)
    assert report.validation is not None
    assert report.validation.kept
    assert report.auc_loss <= 0.001 + 3 * report.auc_loss_error
    assert report.table_bytes_after < report.table_bytes_before * 24 / 64
