"""``hotrow tune``: the batch size and offload threshold with the highest rate under a latency target."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from hotrow.cli._frame import JsonOption, VerboseOption, set_up_logging, show, table

if TYPE_CHECKING:
    from hotrow.tune.run import Over


def tune(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run, or the model folder of one.")],
    sla_ms: Annotated[float, typer.Option(help="Target of the latencies.")],
    percentile: Annotated[
        float, typer.Option(help="Of the latencies that must be within the target, e.g. 95 or 99.")
    ] = 95.0,
    dataset: Annotated[
        Path | None,
        typer.Option(help="Prepared data set that candidates are drawn from; without, the run's own."),
    ] = None,
    split: Annotated[str, typer.Option(help="Split of the data set.")] = "test",
    synthetic: Annotated[
        bool, typer.Option("--synthetic", help="Draw ids by a Zipf law instead; told in the report.")
    ] = False,
    sizes: Annotated[
        str,
        typer.Option(
            help="Of queries: mlperf, heavy, fixed:N, normal:MEAN,SD, lognormal:MU,SIGMA or trace:FILE."
        ),
    ] = "mlperf",
    over: Annotated[
        str,
        typer.Option(
            help="What queries go through: engine, the model's workers alone; or http, the whole server, "
            "with clients on this machine, whose work then counts too."
        ),
    ] = "engine",
    workers: Annotated[int | None, typer.Option(help="Worker processes; one per core without.")] = None,
    device: Annotated[
        str | None,
        typer.Option(help="Tune also from how many rows on queries go whole to this device, e.g. cuda."),
    ] = None,
    accelerator_table: Annotated[
        Path | None,
        typer.Option(help="CSV (header rows,ms) or JSON: latencies of a modelled accelerator to study."),
    ] = None,
    seconds: Annotated[
        float,
        typer.Option(
            help="Of measuring. Loading the model comes before; a measurement begins if its arrivals fit, "
            "and its last answers may come later."
        ),
    ] = 600.0,
    precision: Annotated[float, typer.Option(help="Of the rates, relative.")] = 0.05,
    seed: Annotated[int, typer.Option(help="Of the load.")] = 0,
    out: Annotated[
        Path | None, typer.Option(help="Page to write with pictures of all measurements (.html or .json).")
    ] = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Tune a model's server on this machine: DeepRecSched on a real engine under real load.

    For each setting the highest Poisson rate is searched whose tail latency holds the target, decided
    with a confidence of 99% from latencies that count from the scheduled arrival. Batch sizes are climbed
    first, then offload thresholds if there is an accelerator; a static batch of 25 and whole queries are
    measured in the same way, and never beat what is returned.

    Stop other work on the machine meanwhile. Ctrl-C ends it with nothing left behind. Where no rate
    held, the measurements are reported and the exit status is 2.

    \b
    Example:
      hotrow tune runs/a --sla-ms 30 --percentile 99
      hotrow tune runs/a --sla-ms 30 --percentile 99 --over http
      hotrow tune runs/a --sla-ms 100 --sizes heavy --seconds 300 --out tuned.html
      hotrow serve runs/a --sla-ms 30 --batch-size 128
    """  # noqa: D301 - \b is typer's mark for a paragraph to leave as it is
    from hotrow.artifact import find_artifact
    from hotrow.artifact.manifest import read_manifest
    from hotrow.data.dataset import Dataset
    from hotrow.data.schema import Schema
    from hotrow.errors import UserError
    from hotrow.scheduling.accelerator import read_latency_table
    from hotrow.train import RunFolder
    from hotrow.tune import TuneSettings, tune_run
    from hotrow.tune.page import require_writable, write_page

    set_up_logging(verbose)
    if out is not None:
        require_writable(out)
    settings = TuneSettings(
        sla_ms=sla_ms,
        percentile=percentile,
        workers=workers,
        over=cast("Over", over),
        device=device,
        sizes=sizes,
        budget_seconds=seconds,
        precision=precision,
        accelerator=None if accelerator_table is None else read_latency_table(accelerator_table),
        seed=seed,
    )
    artifact = find_artifact(run)
    schema = Schema.from_mapping(read_manifest(artifact).schema, where=f"{artifact}: schema")
    data = None
    if not synthetic:
        data = Dataset.open(dataset or RunFolder(run).find_dataset("--dataset, or pass --synthetic"))
    report = tune_run(artifact, schema, settings, dataset=data, split=split, show_progress=True)
    title = f"{report.model} on {report.workers} workers, queries of {report.sizes}"
    show(report.to_json(), as_json=as_json, text=table(title, report.facts()))
    if out is not None:
        write_page(report, out)
    if not report.found:
        raise UserError(
            f"no rate held {report.target} within {seconds:g} s of measuring: give it more --seconds, a "
            "higher --sla-ms, or a quieter machine"
        )
