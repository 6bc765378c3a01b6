"""Figures of rankings and tasks, on pages of runs that have them and of runs that do not."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.report.conftest import METRICS, lines

from hotrow.report.page import render
from hotrow.report.run import read_run

WriteRun = Callable[..., Path]
RANKING = {"groups": 1234, "groups_with_positive": 1200, "mrr": None, "gauc": 0.71234, "ndcg@5": 0.4321}


@pytest.fixture
def run(write_run: WriteRun) -> Path:
    found = lines()
    for step, line in enumerate(found):
        if line["kind"] == "train":
            line |= {"aux_loss": 0.25, "tasks": {"buy": {"loss": 0.3, "auc": 0.5 + step / 50}}}
        else:
            tasks = {"buy": {**METRICS, "auc": 0.6 + step / 50}}
            line["validation"] |= {"ranking": {**RANKING, "gauc": 0.5 + step / 50}, "tasks": tasks}
    folder = write_run(metrics=found)
    result = json.loads((folder / "result.json").read_text())
    tasks = {"click": METRICS, "buy": {**METRICS, "auc": 0.81818}}
    result["test"] = {**METRICS, "ranking": RANKING, "tasks": tasks}
    (folder / "result.json").write_text(json.dumps(result))
    return folder


def _page(folder: Path) -> str:
    return render(read_run(folder))


def _cells(page: str, first: str) -> list[str]:
    row = next(row for row in re.findall(r"<tr>(.*?)</tr>", page) if f"<td>{first}</td>" in row)
    return re.findall(r"<td>(.*?)</td>", row)


def test_rankings_are_shown(run: Path) -> None:
    page = _page(run)
    assert "Rankings within groups" in page
    assert _cells(page, "group AUC, weighted by rows") == ["group AUC, weighted by rows", "0.71234"]
    assert _cells(page, "ndcg@5") == ["ndcg@5", "0.43210"]
    assert _cells(page, "groups")[1] == "1,234"
    assert _cells(page, "MRR")[1] == "undefined"


def test_tasks_are_shown(run: Path) -> None:
    assert _cells(_page(run), "buy")[:3] == ["buy", "test", "0.81818 ± 0.00002"]


def test_there_is_a_chart_of_each(run: Path) -> None:
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", _page(run))
    assert captions == [
        *("Log loss", "AUC", "Normalised entropy", "Auxiliary loss", "Group AUC", "NDCG@5", "AUC of buy"),
    ]


def test_without_them_nothing_is_said_of_them(write_run: WriteRun) -> None:
    page: Any = _page(write_run())
    assert "Rankings" not in page
    assert "Tasks" not in page
    assert "Auxiliary" not in page


def test_a_correction_is_told(write_run: WriteRun) -> None:
    folder = write_run()
    assert "odds are multiplied" not in _page(folder)
    result = json.loads((folder / "result.json").read_text())
    (folder / "result.json").write_text(json.dumps(result | {"corrected_odds": [0.1, 1.0]}))
    assert "odds are multiplied by 0.1, 1." in _page(folder)


def test_where_a_run_started_from_is_told(write_run: WriteRun) -> None:
    folder = write_run()
    assert "started from" not in _page(folder)
    origin = {
        **{"run": "runs/old", "step": 70, "checkpoint": "0", "tables_state": True, "dense_state": True},
        "ids": {"C1": {"kept": 1000, "new": 20, "gone": 3}, "C2": {"kept": 1, "new": 1, "gone": 1}},
    }
    result = json.loads((folder / "result.json").read_text())
    (folder / "result.json").write_text(json.dumps(result | {"started_from": origin}))
    assert "runs/old, step 70: 1,001 ids kept, 21 new, 4 gone" in _page(folder)
