"""``hotrow evaluate``: metrics of a trained model on a split."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hotrow.cli._frame import JsonOption, VerboseOption, set_up_logging, show, table

if TYPE_CHECKING:
    from hotrow.metrics import Evaluation


def evaluate(
    run: Annotated[Path, typer.Argument(help="Folder of a run, or of its model.", metavar="RUN")],
    dataset: Annotated[
        Path | None,
        typer.Argument(help="A prepared data set; default: the one of the run.", metavar="[DATASET]"),
    ] = None,
    split: Annotated[str, typer.Option(help="train, valid or test.")] = "test",
    at: Annotated[
        str | None,
        typer.Option(metavar="K,K,...", help="Lengths of the top lists of ranking metrics. [default: 10]"),
    ] = None,
    item: Annotated[
        str | None, typer.Option(metavar="FEATURE", help="The item, for coverage: a categorical feature.")
    ] = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Judge a trained model: AUC, log loss, normalised entropy, calibration, accuracy.

    Where the data set names groups of rows (of a user or query), also how it
    ranks within them: HR, NDCG and recall at K, MRR, group AUC. Ties count as
    their expectation over all orders. Of a model of several tasks, these are
    of the first, and `tasks` has the figures of each.

    \b
    Example:
      hotrow evaluate runs/a --split test --at 5,10,20
    """  # noqa: D301 - \b is typer's mark for a paragraph to leave as it is
    set_up_logging(verbose)
    from hotrow.data.dataset import Dataset
    from hotrow.train import evaluate_run

    lengths = None if at is None else _lengths(at)
    data = Dataset.open(dataset) if dataset is not None else None
    found = evaluate_run(run, data, split=split, at=lengths, item=item, show_progress=True)
    metrics = found.to_mapping()
    text = table(f"{run}, split {split}", _lines(found))
    show({"run": str(run), "split": split, **metrics}, as_json=as_json, text=text)


def _lengths(text: str) -> tuple[int, ...]:
    from hotrow.errors import ConfigError

    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and int(part) > 0 for part in parts):
        raise ConfigError("--at", text, "whole numbers of at least 1, such as 5,10,20")
    return tuple(sorted({int(part) for part in parts}))


def _lines(found: Evaluation) -> dict[str, object]:
    lines = found.to_mapping()
    ranking, tasks = lines.pop("ranking", {}), lines.pop("tasks", {})
    for task, metrics in tasks.items():
        lines |= {f"{task}: {name}": value for name, value in metrics.items()}
    return {**lines, **ranking}
