"""``hotrow train``: a prepared data set in, a run with a trained model out."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hotrow.cli._frame import JsonOption, VerboseOption, set_up_logging, show, table
from hotrow.units import format_shares

if TYPE_CHECKING:
    from hotrow.data.dataset import Dataset
    from hotrow.metrics import Metrics
    from hotrow.train import Recipe, TrainReport


def train(
    dataset: Annotated[Path, typer.Argument(help="Folder of a prepared data set.", metavar="DATASET")],
    out: Annotated[Path, typer.Option(help="Folder of the run.")],
    model: Annotated[str | None, typer.Option(help="A preset, see `hotrow models`. [default: dlrm]")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="Change a setting, e.g. batch_size=4096, tables.lr=0.02, model.width=32.",
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Of initial weights and row order. [default: 0]")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training split. [default: 1]")] = None,
    strategy: Annotated[
        str | None, typer.Option(help="Where tables and networks are: cpu. [default: cpu]")
    ] = None,
    precision: Annotated[
        str | None, typer.Option(help="Of matrix products: fp32 or bf16. [default: fp32]")
    ] = None,
    start_from: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="RUN",
            help="Start with what a finished run has learnt, on data with the same features; "
            "ids that are new there have fresh rows.",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on with the run in OUT; other options may be left out.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run in OUT.")] = False,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Train a model on a prepared data set; resumable at any moment, the last bit included.

    \b
    Example:
      hotrow train data/kaggle --model dlrm --out runs/a --set batch_size=4096
    """  # noqa: D301 - \b is typer's mark for a paragraph to leave as it is
    set_up_logging(verbose)
    from hotrow.config import parse_settings
    from hotrow.data.dataset import Dataset
    from hotrow.errors import ConfigError
    from hotrow.train import RunFolder, train_model

    if resume and overwrite:
        raise ConfigError("--overwrite", True, "to be left out with --resume")
    options = {"seed": seed, "epochs": epochs, "strategy": strategy, "precision": precision}
    changes = parse_settings(settings or [])
    changes |= {name: str(value) for name, value in options.items() if value is not None}
    data = Dataset.open(dataset)
    recipe = _recipe(data, model, changes, resumed=out if resume else None, start_from=start_from)
    finished_before = resume and RunFolder(out).is_finished
    try:
        report = train_model(
            data,
            recipe,
            out,
            start_from=start_from,
            resume=resume,
            overwrite=overwrite,
            show_progress=True,
            command=sys.argv,
        )
    except (KeyboardInterrupt, SystemExit):
        if RunFolder(out).is_run:
            words = ["hotrow", "train", str(dataset), "--out", str(out), "--resume"]
            sys.stderr.write(f"the run is kept; go on with it: {shlex.join(words)}\n")
        raise
    if finished_before:
        sys.stderr.write(f"{out}: this run was finished before; nothing was trained\n")
    show(report.to_mapping(), as_json=as_json, text=_text(report))


def _recipe(
    data: Dataset,
    model: str | None,
    changes: dict[str, str],
    *,
    resumed: Path | None,
    start_from: Path | None,
) -> Recipe:
    """Return the recipe asked for; what was not asked for is as in the run that goes on, or the default."""
    from hotrow.errors import ConfigError
    from hotrow.train import RunFolder, change, grown_recipe, make_recipe

    _require_available(changes)
    before = resumed or start_from
    if before is None:
        return make_recipe(model or "dlrm", data.schema.inputs(), settings=changes)
    stored = RunFolder(before).read_recipe()
    if model is not None and model != stored.preset:
        raise ConfigError("--model", model, f"{stored.preset}, with which {before} was started")
    return change(stored if resumed else grown_recipe(before, data), changes)


def _require_available(changes: dict[str, str]) -> None:
    from hotrow.errors import ConfigError

    if changes.get("strategy", "cpu") != "cpu":
        raise ConfigError("--strategy", changes["strategy"], "cpu, the only one in this version")


def _text(report: TrainReport) -> str:
    rows: dict[str, object] = {
        "samples": report.samples,
        "samples per second": report.samples_per_second,
        "epochs": report.epochs,
        "exported step": report.best_step,
        "time": format_shares(report.phase_shares()),
        "peak memory, MiB": round(report.peak_rss_mib),
    }
    if report.roofline is not None:
        rows["of what the machine can do"] = format_shares(report.roofline_shares())
    if report.started_from is not None:
        ids = report.started_from.totals()
        rows["started from"] = f"{report.started_from.run}, step {report.started_from.step}"
        rows["ids kept, new, gone"] = f"{ids.kept:,}, {ids.new:,}, {ids.gone:,}"
    if report.corrected_odds:
        rows["odds corrected by"] = ", ".join(f"{odds:.6g}" for odds in report.corrected_odds)
    for split, metrics in (("validation", report.validation), ("test", report.test)):
        if metrics is not None:
            rows |= {f"{split} AUC": _auc(metrics), f"{split} NE": metrics.ne}
            if metrics.ranking is not None:
                rows |= {f"{split} group AUC": metrics.ranking["gauc"]}
    return table(report.run, rows)


def _auc(metrics: Metrics) -> float | str:
    if metrics.auc is not None:
        return metrics.auc
    return f"undefined: {metrics.positives:,} of {metrics.rows:,} rows are positive"
