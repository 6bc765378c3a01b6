"""``hotrow load``: open-loop load against a running server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from hotrow.cli._frame import (
    EXIT_DEFECT,
    JsonOption,
    VerboseOption,
    naming_options,
    set_up_logging,
    show,
    table,
    tell,
)

if TYPE_CHECKING:
    from hotrow.load import LoadReport
    from hotrow.load.job import HttpJob


def load(
    url: Annotated[str, typer.Argument(metavar="URL", help="The server, e.g. http://127.0.0.1:8000.")],
    qps: Annotated[
        float | None, typer.Option(help="Mean rate, queries per second; needed but for --arrivals trace.")
    ] = None,
    seconds: Annotated[
        float, typer.Option(help="How long queries are sent and measured, at most 3600.")
    ] = 30.0,
    warmup_s: Annotated[
        float, typer.Option(help="Seconds of the same load before that, which do not count.")
    ] = 1.0,
    data: Annotated[
        Path | None,
        typer.Option(
            help="Where candidates come from: a prepared data set; a file of raw rows (log, table or JSON "
            "lines); or a run, whose table sizes synthetic ids are drawn for. Without: synthetic, for the "
            "table sizes that the server tells."
        ),
    ] = None,
    split: Annotated[str, typer.Option(help="Split of the data set.")] = "test",
    context: Annotated[
        str, typer.Option(help="Features, by commas, that all candidates of a query share: the user's.")
    ] = "",
    sizes: Annotated[
        str,
        typer.Option(
            help="Of queries: mlperf, heavy, fixed:N, normal:MEAN,SD, lognormal:MU,SIGMA or trace:FILE."
        ),
    ] = "mlperf",
    max_size: Annotated[int, typer.Option(help="Larger queries are clipped to this.")] = 1024,
    arrivals: Annotated[
        str, typer.Option(help="poisson, uniform, or trace: the times in the trace.")
    ] = "poisson",
    shape: Annotated[
        str, typer.Option(help="Of the rate: constant, diurnal:DEPTH,PERIOD_S, bursts:FACTOR,BURST_S,CALM_S.")
    ] = "constant",
    api: Annotated[
        str,
        typer.Option(
            help="binary or json (POST /v2/models/NAME/infer), rank (POST /v1/rank); auto: binary for "
            "encoded rows, rank for raw ones."
        ),
    ] = "auto",
    model: Annotated[
        str | None, typer.Option(help="The model's name; without, the server's only one.")
    ] = None,
    sla_ms: Annotated[
        float | None, typer.Option(help="Target of the latencies: adds goodput, the rate within it.")
    ] = None,
    max_lag_ms: Annotated[
        float | None,
        typer.Option(
            help="How late the generator may be with 1% of the queries; without: a tenth of --sla-ms, or "
            "of the 99th percentile."
        ),
    ] = None,
    deadline_ms: Annotated[
        float | None, typer.Option(help="Passed on to the server: later answers are of no use.")
    ] = None,
    processes: Annotated[int, typer.Option(help="Processes that send.")] = 1,
    max_outstanding: Annotated[
        int, typer.Option(help="With more unanswered queries than this the run ends and is invalid.")
    ] = 4096,
    grace_s: Annotated[float, typer.Option(help="How long the last answers are waited for.")] = 10.0,
    header: Annotated[
        list[str] | None,
        typer.Option(help='Further header, e.g. "Authorization: Bearer ..."; can be repeated.'),
    ] = None,
    seed: Annotated[int, typer.Option(help="Equal seeds give equal loads.")] = 0,
    save: Annotated[
        Path | None, typer.Option(help="Record to write: .csv, every query; .json, a histogram.")
    ] = None,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Load a model server: queries on schedule, however many are unanswered (an open loop).

    Latencies count from the scheduled arrival to the complete answer. 503 and 429 count as shed, 504 as
    expired, all else that is no answer for every candidate as failed. How late the generator was itself is
    reported; if that would blur the latencies, there is no report (exit status 2).

    Exit status 0; 1 if more than half of the queries failed (shed and expired ones have not); 2 without a
    report; 130 after Ctrl-C, with what was measured so far, marked partial.

    \b
    Example:
      hotrow load http://127.0.0.1:8000 --qps 500 --seconds 60 --data data/mine --sla-ms 30
      hotrow load http://127.0.0.1:8000 --qps 50 --data log.txt --api rank --sizes fixed:100
      hotrow load http://127.0.0.1:8000 --qps 300 --data runs/a --shape bursts:4,1,9 --processes 2
    """  # noqa: D301 - \b is typer's mark for a paragraph to leave as it is
    from hotrow.config import from_mapping
    from hotrow.errors import ConfigError
    from hotrow.load import LoadConfig, make_report
    from hotrow.load.processes import run_processes
    from hotrow.load.request import LoadRequest, make_job
    from hotrow.load.save import require_savable
    from hotrow.load.save import save as save_record

    set_up_logging(verbose)
    if save is not None:
        require_savable(save)
    for option, value in (("--sla-ms", sla_ms), ("--max-lag-ms", max_lag_ms)):
        if value is not None and not 0 < value < float("inf"):
            raise ConfigError(option, value, "more than 0")
    settings = {
        "qps": qps,
        "seconds": seconds,
        "warmup_seconds": warmup_s,
        "sizes": sizes,
        "max_size": max_size,
        "arrivals": arrivals,
        "shape": shape,
        "seed": seed,
    }
    with naming_options(*settings):
        config = from_mapping(LoadConfig, settings)
    request = LoadRequest(
        url=url,
        model=model,
        api=api,  # type: ignore[arg-type]  # checked there
        data=data,
        split=split,
        context=tuple(name for name in context.split(",") if name),
        headers=tuple(header or ()),
        deadline_ms=deadline_ms,
        max_outstanding=max_outstanding,
        grace_seconds=grace_s,
    )
    job = make_job(request, config)
    result = run_processes(job, processes, show_progress=True)
    try:
        if result.stopped_s is not None and not result.invalid and not len(result.measured().rows):
            raise KeyboardInterrupt  # before anything was measured
        report = make_report(result, sla_ms=sla_ms, max_lag_ms=max_lag_ms)
        show(_mapping(report, job, url, processes), as_json=as_json, text=_text(report, job, url))
    finally:
        if save is not None:
            save_record(result, save)
    if report.partial:
        raise KeyboardInterrupt
    if 2 * report.failed > report.sent:
        failed = f"{report.failed:,} of {report.sent:,} queries failed"
        tell(f"error: {failed}, the first with: {report.first_failure}\n")
        raise typer.Exit(EXIT_DEFECT)


def _mapping(report: LoadReport, job: HttpJob, url: str, processes: int) -> dict[str, Any]:
    from hotrow.config import to_mapping

    source = job.source
    path = getattr(source, "path", None)
    return to_mapping(report) | {
        "url": url,
        "model": job.model,
        "api": job.api,
        "source": "synthetic" if path is None else str(path),
        "is_synthetic": path is None,
        "context": list(job.context),
        "deadline_ms": job.deadline_ms,
        "processes": processes,
        "load": to_mapping(job.config),
    }


def _text(report: LoadReport, job: HttpJob, url: str) -> str:
    path = getattr(job.source, "path", None)
    facts: dict[str, object] = {
        "candidates from": "a Zipf law: synthetic, no real popularity" if path is None else path,
        "queries sent": f"{report.sent:,} in {report.seconds:.1f} s ({report.offered_qps:,.1f}/s)",
        "  ok": report.ok,
        "  shed": report.shed,
        "  expired": report.expired,
        "  failed": report.failed,
        "queries/s answered": report.qps,
        "candidates/s scored": report.items_per_second,
        "candidates of a query": f"{report.mean_rows:.1f} on average, {report.max_rows} at most",
    }
    warmup_s = job.config.warmup_seconds
    if warmup_s:
        facts["warm-up before, not counted"] = f"{report.warmup_sent:,} queries in {warmup_s:g} s"
    facts |= _latency_facts(report)
    lag = report.lag
    facts["generator's own lag, ms"] = (
        f"{lag.p50_ms:.2f} (50%), {lag.p99_ms:.2f} (99%; allowed: {lag.allowed_p99_ms:.2f}), "
        f"{lag.max_ms:.2f} at most"
    )
    facts["generator's processor time, s"] = report.cpu_seconds
    if report.first_failure:
        facts["first failure"] = report.first_failure
    head = "PARTIAL, stopped before its end: " if report.partial else ""
    return table(f"{head}{job.api} load on {url}", facts)


def _latency_facts(report: LoadReport) -> dict[str, object]:
    facts: dict[str, object] = {}
    for name, (low, high) in report.intervals_ms.items():
        ends = [f"{end:.2f}" if end is not None else "?" for end in (low, high)]
        value = getattr(report, f"{name}_ms")
        facts[f"latency {name}, ms"] = f"{value:.2f} (95% confidence {ends[0]} to {ends[1]})"
    if report.max_ms is not None:
        facts["latency at most, ms"] = f"{report.max_ms:.2f}"
    if report.within_sla is not None:
        facts[f"within {report.sla_ms:g} ms"] = f"{report.within_sla:.2%} of the queries sent"
        facts["queries/s within it"] = report.goodput_qps
    return facts
