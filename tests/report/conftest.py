"""Runs as folders of JSON, without any training."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hotrow.config import to_mapping
from hotrow.data.schema import CategoricalFeature, DenseFeature, Schema
from hotrow.train.recipe import make_recipe

METRICS = {
    "rows": 700,
    "positives": 150,
    "auc": 0.76543,
    "auc_error": 0.00002,
    "log_loss": 0.45,
    "ne": 0.86,
    "calibration": 1.01,
    "accuracy": 0.79,
}
WriteRun = Callable[..., Path]


def lines() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for step in (50, 100, 150):
        moment = {"step": step, "epoch": step / 200, "samples": step * 10, "seconds": step / 7}
        figures = {"loss": 0.6 - step / 1000, "auc": 0.6 + step / 1000, "samples_per_second": 70.0}
        found.append({"kind": "train", **moment, **figures})
        found.append({"kind": "validation", **moment, "validation": {**METRICS, "ne": 1 - step / 1000}})
    return found


@pytest.fixture
def write_run(tmp_path: Path) -> WriteRun:
    """Return a function that writes a run's folder."""

    def write(
        name: str = "run",
        *,
        finished: bool = True,
        metrics: list[dict[str, Any]] | None = None,
        config: dict[str, Any] | None = None,
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        schema = Schema(
            format="criteo",
            label="label",
            dense=(DenseFeature(name="I1"),),
            categorical=(CategoricalFeature(name="C1", rows=100),),
        )
        content = {
            "format_version": 1,
            **make_recipe("dlrm-small", schema.inputs()).to_mapping(),
            "dataset": {"path": str(tmp_path / "gone"), "fingerprint": "x"},
            "environment": {"torch": "2.13.0", "threads": 2},
            "command": ["/usr/bin/hotrow", "train", "my data", "--out", name],
        }
        (folder / "config.json").write_text(json.dumps(content | (config or {})))
        written = lines() if metrics is None else metrics
        (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in written))
        if finished:
            (folder / "model").mkdir()
            (folder / "model" / "dense").write_bytes(b"0" * 2048)
            result = {
                "samples": 2000,
                "samples_per_second": 1234.5,
                "epochs": 1.0,
                "validation": METRICS,
                "test": METRICS | {"auc": None, "ne": None},
                "run": str(folder),
                "steps": 200,
                "seconds": 28.5,
                "best_step": 150,
                "stopped_early": False,
            }
            (folder / "result.json").write_text(json.dumps(to_mapping(result)))
        return folder

    return write
