"""The page about a run: what it reached, how it got there, how to repeat it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hotrow.errors import UserError
from hotrow.files import atomic_file
from hotrow.models import ModelFacts
from hotrow.report import html
from hotrow.report.curves import curves
from hotrow.report.quality import quality
from hotrow.report.run import RunFacts, read_run
from hotrow.train.recipe import Recipe
from hotrow.train.report import TrainReport
from hotrow.units import format_bytes, format_count, format_shares


def write_report(run: Path, out: Path) -> None:
    """Write one self-contained HTML page about a run; an older page is replaced.

    Args:
        run: a run's folder, finished or not.
        out: the page.

    Raises:
        MissingFileError: there is no run.
        UserError: one of its files cannot be used.
        StorageError: the disk is full or refuses to be written.
    """
    content = render(read_run(run))
    with atomic_file(out) as partial:
        partial.write_text(content, encoding="utf-8")


def render(run: RunFacts) -> str:
    """Return the page about a run."""
    name = run.path.absolute().name
    body = [
        html.heading(f"Run {name}", 1),
        html.paragraph(_state(run)),
        html.heading("Summary"),
        html.facts(_summary(run)),
        *quality(run),
        *curves(run),
        html.heading("Repeat it"),
        html.code(run.command() or "the run does not say by which command it was trained"),
        html.facts((key, str(value)) for key, value in _mapping(run.config, "environment").items()),
        html.heading("Configuration"),
        html.folded("config.json", html.code(json.dumps(run.config, indent=2))),
    ]
    return html.page(f"hotrow: {name}", body)


def _state(run: RunFacts) -> str:
    if run.report is None:
        return f"{run.path}: not finished; what follows is its state so far"
    stopped = ", stopped early" if run.report.stopped_early else ""
    return f"{run.path}: finished after {run.report.epochs:.4g} epochs{stopped}"


def _summary(run: RunFacts) -> list[tuple[str, str]]:
    model, dataset = _mapping(run.config, "model"), _mapping(run.config, "dataset")
    rows = [("model", f"{model.get('preset', '?')} ({model.get('name', '?')})")]
    facts = _model_facts(run.config)
    if facts is not None:
        rows.append(("parameters", f"{facts.parameters:,}"))
        rows.append(("embedding tables", format_bytes(facts.table_bytes)))
        rows.append(("per ranked item", f"{format_count(facts.flop_per_item)} FLOP"))
    rows.append(("data set", str(dataset.get("path", "?"))))
    shrunk_from = _mapping(run.config, "shrunk_from")
    if shrunk_from:
        rows.append(("shrunk from", str(shrunk_from.get("run", "?"))))
        rows.append(("networks", str(shrunk_from.get("networks", "fp32"))))
    splits = ", ".join(f"{name} {count:,}" for name, count in run.split_rows.items())
    rows.append(("rows", splits or "the data set is no longer there"))
    if run.report is not None:
        rows.append(("trained on", f"{run.report.samples:,} samples in {run.report.seconds:,.0f} s"))
        rows.append(("speed", f"{run.report.samples_per_second:,.0f} samples/s"))
        rows += _cost(run.report)
        rows.append(("exported weights", f"of step {run.report.best_step:,} of {run.report.steps:,}"))
        rows += _origin(run.report)
    if run.artifact_bytes is not None:
        rows.append(("artifact", format_bytes(run.artifact_bytes)))
    return rows


def _cost(report: TrainReport) -> list[tuple[str, str]]:
    rows = []
    if report.phases is not None:
        rows.append(("time of training", format_shares(report.phase_shares())))
    if report.roofline is not None:
        rows.append(("of what the machine can do", format_shares(report.roofline_shares())))
    if report.peak_rss_mib:
        rows.append(("peak memory of training", format_bytes(report.peak_rss_mib * 2**20)))
    return rows


def _origin(report: TrainReport) -> list[tuple[str, str]]:
    if report.started_from is None:
        return []
    ids = report.started_from.totals()
    told = f"{ids.kept:,} ids kept, {ids.new:,} new, {ids.gone:,} gone"
    return [("started from", f"{report.started_from.run}, step {report.started_from.step:,}: {told}")]


def _model_facts(config: Mapping[str, Any]) -> ModelFacts | None:
    """Return the model's sizes; None for a configuration of another version of hotrow."""
    try:
        return Recipe.from_mapping(config, where="config.json").model.facts()
    except UserError:
        return None


def _mapping(config: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = config.get(key)
    return value if isinstance(value, Mapping) else {}
