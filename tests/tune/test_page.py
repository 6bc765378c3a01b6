from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.scheduling.planted import SLA_MS, Planted, hill

from hotrow.errors import ConfigError
from hotrow.scheduling.history import History
from hotrow.scheduling.rate_search import SearchConfig
from hotrow.scheduling.trial import drive
from hotrow.scheduling.tuner import TuneConfig, tune
from hotrow.tune.page import require_writable, write_page
from hotrow.tune.report import TuneReport


@pytest.fixture(scope="module")
def report() -> TuneReport:
    search = SearchConfig(sla_ms=SLA_MS, percentile=95, clump=1, least_seconds=0.1)
    tuned = drive(
        tune(TuneConfig(search=search, sizes=(100, 700)), History()), Planted(hill(900, 64)).measure
    )
    return TuneReport(
        tuned=tuned,
        model="planted",
        workers=2,
        sizes="trace",
        source="synthetic",
        over="engine",
        accelerator="none",
        lag_ms=0.1,
        seconds=9.0,
    )


def test_bursts_are_told_apart_from_rates_that_held(report: TuneReport, tmp_path: Path) -> None:
    write_page(report, tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text()
    assert page.count("<tr><td>") == len(report.tuned.history)
    bursts = [step for step in report.tuned.history if step.verdict == "burst"]
    assert page.count("<td>burst</td>") == len(bursts) > 5
    assert ">held</text>" in page
    assert ">answered in a burst</text>" in page
    for step in bursts:
        cells = ("capacity", step.batch_size, "-", f"{step.rate_qps:.1f}", step.queries, 0, "-", "-", "burst")
        assert "".join(f"<td>{cell}</td>" for cell in cells) in page


def test_json_has_no_infinite_rates(report: TuneReport, tmp_path: Path) -> None:
    write_page(report, tmp_path / "page.json")
    result = json.loads((tmp_path / "page.json").read_text())
    json.dumps(result, allow_nan=False)
    assert len(result["history"]) == len(report.tuned.history)


@pytest.mark.parametrize("name", ["page.png", "absent/page.html"])
def test_bad_names_are_refused_beforehand(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--out"):
        require_writable(tmp_path / name)
