"""``hotrow shrink``: a run with a smaller model."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from hotrow.cli._frame import JsonOption, VerboseOption, set_up_logging, show, table

if TYPE_CHECKING:
    from hotrow.shrink import ShrinkReport, SplitReport


def shrink(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run, or the model folder of one.")],
    out: Annotated[Path, typer.Option(metavar="RUN2", help="Folder of the new run.")],
    bits: Annotated[str, typer.Option(metavar="8|4|2|auto", help="Bits of a table's elements.")] = "auto",
    networks: Annotated[
        str, typer.Option(metavar="fp32|bf16|int8|auto", help="Numbers that the networks are computed in.")
    ] = "fp32",
    max_auc_loss: Annotated[float, typer.Option(help="The AUC that may be lost.")] = 0.001,
    dataset: Annotated[
        Path | None, typer.Option(help="A prepared data set; default: the one of the run.")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run in RUN2.")] = False,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Put a model's tables and networks into fewer bits, and judge what that costs.

    RUN2 is a run like RUN. With `--bits auto`, each table gets as few bits as keep
    --max-auc-loss on the validation split, with two standard errors to spare; with
    `--networks auto`, the networks as few as keep half of it alone.
    The test split, which takes no part in the choice, shows whether the promise
    holds; a warning says so if not.

    \b
    Example:
      hotrow shrink runs/a --out runs/a-small --bits auto --max-auc-loss 0.001
    """  # noqa: D301 - \b is typer's mark for a paragraph to leave as it is
    set_up_logging(verbose)
    from hotrow.config import from_mapping
    from hotrow.data.dataset import Dataset
    from hotrow.shrink import ShrinkConfig, shrink_run

    config = from_mapping(ShrinkConfig, {"bits": bits, "max_auc_loss": max_auc_loss, "networks": networks})
    report = shrink_run(
        run,
        out,
        config,
        dataset=Dataset.open(dataset) if dataset is not None else None,
        overwrite=overwrite,
        show_progress=True,
        command=sys.argv,
    )
    for name, split in (("test", report.test), ("validation", report.validation)):
        if split is not None and not split.kept:
            sys.stderr.write(
                f"warning: the AUC on the {name} split fell by {_loss(split)}, "
                f"more than --max-auc-loss {max_auc_loss:g}\n"
            )
    show(report.to_mapping(), as_json=as_json, text=_text(report))


def _text(report: ShrinkReport) -> str:
    from hotrow.kernels.row_formats import RowFormat
    from hotrow.units import format_bytes

    counts = Counter(entry.format for entry in report.tables)
    rows: dict[str, object] = {
        "model": f"{format_bytes(report.bytes_before)} -> {format_bytes(report.bytes_after)}",
        "tables": f"{format_bytes(report.table_bytes_before)} -> {format_bytes(report.table_bytes_after)}",
        "formats": ", ".join(f"{counts[form]} {form}" for form in get_args(RowFormat) if form in counts),
        "networks": f"{report.networks_before} -> {report.networks}{_quantised(report)}",
        **({"  because": report.networks_reason} if report.networks_reason else {}),
        "test AUC": f"{report.auc_before:.5f} -> {report.auc_after:.5f}",
        "test AUC lost": f"{_loss(report.test)}; --max-auc-loss is {report.max_auc_loss:g}",
    }
    if report.validation is not None:
        rows["validation AUC lost"] = _loss(report.validation)
    return table(report.run, rows)


def _quantised(report: ShrinkReport) -> str:
    return f" ({len(report.int8_layers)} layers; {report.calibration})" if report.int8_layers else ""


def _loss(split: SplitReport) -> str:
    return f"{split.auc_loss:.5f} ± {split.auc_loss_error:.5f}"
