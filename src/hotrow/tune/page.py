"""The pictures of a tuning: rates by batch size and threshold, and tails by rate."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from hotrow.errors import ConfigError
from hotrow.files import atomic_file
from hotrow.files import require_writable as require_writable_file
from hotrow.report import html
from hotrow.report.svg import Chart, Series, line_chart
from hotrow.scheduling.history import Step
from hotrow.tune.report import TuneReport

_SUFFIXES = (".html", ".json")


def require_writable(out: Path) -> None:
    """Refuse a name of another kind, or a file that cannot be written, before anything is measured.

    Raises:
        ConfigError: it ends neither in .html nor in .json, or its folder is not there.
        StorageError: the disk is full or refuses to be written.
    """
    if out.suffix not in _SUFFIXES:
        raise ConfigError("--out", str(out), "a file name that ends in .html or .json")
    require_writable_file("--out", out)


def write_page(report: TuneReport, out: Path) -> None:
    """Write the report, as a page or as JSON by the file's suffix; it is complete or absent.

    Raises:
        StorageError: the disk is full or refuses to be written.
    """
    with atomic_file(out) as partial:
        if out.suffix == ".json":
            partial.write_text(json.dumps(report.to_json(), indent=1) + "\n")
        else:
            partial.write_text(_page(report))


def _page(report: TuneReport) -> str:
    steps = report.tuned.history
    charts = [
        ("Queries per second, by batch size", _rates(steps, "batch_size", "rows of a sub-batch")),
        (
            "Queries per second, by offload threshold",
            _rates(steps, "offload_threshold", "rows from which queries are offloaded"),
        ),
        ("Tail latency by rate, of the best setting", _tails(report)),
    ]
    return html.page(
        f"Tuning {report.model}",
        [
            html.heading(f"Tuning {report.model}", 1),
            html.facts((name, _shown(value)) for name, value in report.facts().items()),
            *(html.figure(caption, svg) for caption, svg in charts if svg),
            html.heading("Measurements"),
            html.numbers(_HEADS, (_row(step) for step in steps)),
        ],
    )


_HEADS = ("phase", "batch", "threshold", "queries/s", "queries", "late", "p95, ms", "p99, ms", "verdict")


def _row(step: Step) -> Sequence[str]:
    return (
        step.phase,
        str(step.batch_size),
        "-" if step.offload_threshold is None else str(step.offload_threshold),
        f"{step.rate_qps:.1f}",
        str(step.queries),
        str(step.violations),
        "-" if step.verdict == "burst" else _ms(step.p95_ms),
        "-" if step.verdict == "burst" else _ms(step.p99_ms),
        step.verdict,
    )


def _rates(steps: Sequence[Step], knob: str, label: str) -> str:
    """Draw the highest rate that held at each value of a knob, and the highest of a burst."""
    lines = []
    for verdict, name in (("holds", "held"), ("burst", "answered in a burst")):
        best: dict[int, float] = {}
        for step in steps:
            value = getattr(step, knob)
            if step.verdict == verdict and value is not None:
                best[value] = max(best.get(value, 0.0), step.rate_qps)
        points = tuple((float(value), rate) for value, rate in sorted(best.items()))
        lines.append(Series(name=name, points=points))
    if max(len(line.points) for line in lines) < 2:
        return ""
    return line_chart(Chart(title=label, x_label=label, series=tuple(lines)))


def _tails(report: TuneReport) -> str:
    """Draw p95 and p99 over the rates at which the best setting was measured, and the target."""
    best = report.tuned.best.knobs
    mine = [
        step
        for step in report.tuned.history
        if (step.batch_size, step.offload_threshold) == (best.batch_size, best.offload_threshold)
        and step.verdict != "burst"
    ]
    mine.sort(key=lambda step: step.rate_qps)
    p95 = tuple((step.rate_qps, step.p95_ms) for step in mine if step.p95_ms is not None)
    p99 = tuple((step.rate_qps, step.p99_ms) for step in mine if step.p99_ms is not None)
    if not p95:
        return ""
    target = tuple((step.rate_qps, report.tuned.sla_ms) for step in mine)
    series = (Series(name="p95, ms", points=p95), Series(name="p99, ms", points=p99))
    lines = (*series, Series(name="target, ms", points=target))
    return line_chart(Chart(title="latency by rate", x_label="queries per second", series=lines))


def _ms(value: float | None) -> str:
    return "late" if value is None else f"{value:.1f}"


def _shown(value: object) -> str:
    return f"{value:,.1f}" if isinstance(value, float) else str(value)
