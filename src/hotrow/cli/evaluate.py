"""``hotrow evaluate``: metrics of a trained model on a split."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hotrow.cli._frame import JsonOption, VerboseOption, set_up_logging, show, table


def evaluate(
    run: Annotated[Path, typer.Argument(help="Folder of a run, or of its model.", metavar="RUN")],
    dataset: Annotated[
        Path | None,
        typer.Argument(help="A prepared data set; default: the one of the run.", metavar="[DATASET]"),
    ] = None,
    split: Annotated[str, typer.Option(help="train, valid or test.")] = "test",
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Judge a trained model: AUC, log loss, normalised entropy, calibration, accuracy.

    \b
    Example:
      hotrow evaluate runs/a --split test
    """  # noqa: D301 - \b is typer's mark for a paragraph to leave as it is
    set_up_logging(verbose)
    from hotrow.data.dataset import Dataset
    from hotrow.train import evaluate_run

    data = Dataset.open(dataset) if dataset is not None else None
    metrics = evaluate_run(run, data, split=split, show_progress=True).to_mapping()
    text = table(f"{run}, split {split}", metrics)
    show({"run": str(run), "split": split, **metrics}, as_json=as_json, text=text)
