from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from tests.load.test_result import result

from hotrow.errors import ConfigError
from hotrow.load.query import Status
from hotrow.load.save import BIN_RATIO, histogram, save


def test_every_query_is_a_line(tmp_path: Path) -> None:
    whole = result(
        [0, 1, 2.5, 3],
        [Status.OK, Status.OK, Status.FAILED, Status.UNSENT],
        warmup_seconds=1.0,
        stopped_s=3.0,
    )
    whole.done_s[2] = np.nan
    save(whole, tmp_path / "q.csv")
    with (tmp_path / "q.csv").open(newline="") as stream:
        rows = list(csv.reader(stream))
    assert rows == [
        ["scheduled_s", "sent_s", "done_s", "rows", "status"],
        ["1.000000", "1.001000", "1.010000", "2", "ok"],
        ["2.500000", "2.501000", "", "3", "failed"],
    ]


def test_the_histogram_gives_percentiles_back(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    latency = rng.lognormal(-5, 1, 5000)
    latency[0] = 1e-7  # shorter than the first bin
    times = np.linspace(0, 9, 5000)
    whole = result(times.tolist(), done_s=times + latency)
    save(whole, tmp_path / "h.json")
    found = json.loads((tmp_path / "h.json").read_text())
    assert found == histogram(whole)
    upper, count = np.array(found["upper_ms"]), np.array(found["count"])
    assert count.sum() == 5000
    for q in (0.5, 0.95, 0.99):
        exact = np.quantile(latency * 1e3, q, method="inverted_cdf")
        read = upper[np.searchsorted(np.cumsum(count), q * 5000)]
        assert exact * (1 - 1e-9) <= read <= exact * BIN_RATIO * (1 + 1e-9)


def test_other_kinds_of_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--save: got .*q.txt', expected a file name that ends in .csv"):
        save(result([0]), tmp_path / "q.txt")
    assert list(tmp_path.iterdir()) == []


def test_missing_folders_are_not_made(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"--save: got .*none/q.csv', expected a file in a folder that exists"
    ):
        save(result([0]), tmp_path / "none" / "q.csv")
    assert list(tmp_path.iterdir()) == []
