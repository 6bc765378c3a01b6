"""The part of a report that tells how good the exported model is."""

from __future__ import annotations

from collections.abc import Mapping

from hotrow.config import to_mapping
from hotrow.metrics import Evaluation, Metrics
from hotrow.report import html
from hotrow.report.run import RunFacts

_FIGURES = {
    "auc": "AUC",
    "log_loss": "log loss",
    "ne": "normalised entropy",
    "calibration": "calibration",
    "accuracy": "accuracy",
}

_RANKING = {
    "groups": "groups",
    "groups_with_positive": "groups with a positive",
    "groups_with_both": "groups with both classes",
    "gauc": "group AUC, weighted by rows",
    "gauc_mean": "group AUC, every group alike",
    "mrr": "MRR",
}


def quality(run: RunFacts) -> list[str]:
    """Return the metrics of both splits, with those of rankings and of single tasks where there are any."""
    splits = {"validation": run.report.validation, "test": run.report.test} if run.report else {}
    judged = {name: metrics for name, metrics in splits.items() if metrics is not None}
    if not judged:
        return []
    rows = [["rows", *(f"{metrics.rows:,}" for metrics in judged.values())]]
    rows += [
        [label, *(_shown(metrics, key) for metrics in judged.values())] for key, label in _FIGURES.items()
    ]
    return [
        html.heading("Quality of the exported model"),
        html.numbers(["", *judged], rows),
        html.paragraph("Normalised entropy below 1 beats predicting the mean; calibration 1 is calibrated."),
        *_correction(run),
        *_ranking(judged),
        *_tasks(judged),
    ]


def _correction(run: RunFacts) -> list[str]:
    odds = run.report.corrected_odds if run.report else ()
    if not odds:
        return []
    factors = ", ".join(f"{factor:.6g}" for factor in odds)
    text = "Probabilities are those of the data, not of the rows as training sampled and weighted them: "
    return [html.paragraph(f"{text}the model's odds are multiplied by {factors}.")]


def _ranking(judged: Mapping[str, Evaluation]) -> list[str]:
    found = {name: metrics.ranking for name, metrics in judged.items() if metrics.ranking is not None}
    if not found:
        return []
    keys = dict.fromkeys(key for ranking in found.values() for key in ranking)
    rows = [
        [_RANKING.get(key, key), *(_number(ranking.get(key)) for ranking in found.values())] for key in keys
    ]
    return [
        html.heading("Rankings within groups"),
        html.numbers(["", *found], rows),
        html.paragraph("Ties count as their expectation. Groups without a figure are left out of its mean."),
    ]


def _tasks(judged: Mapping[str, Evaluation]) -> list[str]:
    rows = [
        [task, split, *(_shown(metrics, key) for key in _FIGURES)]
        for split, found in judged.items()
        for task, metrics in found.tasks.items()
    ]
    if not rows:
        return []
    return [html.heading("Tasks"), html.numbers(["task", "split", *_FIGURES.values()], sorted(rows))]


def _shown(metrics: Metrics, key: str) -> str:
    values = to_mapping(metrics)
    value, error = values[key], values["auc_error"] if key == "auc" else None
    if value is None or not error or error < 5e-6:
        return _number(value)
    return f"{value:.5f} ± {error:.5f}"


def _number(value: float | None) -> str:
    if value is None:
        return "undefined"
    return f"{value:,}" if isinstance(value, int) else f"{value:.5f}"
