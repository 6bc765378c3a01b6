"""``hotrow rank``: scores of raw rows."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hotrow.cli._frame import JsonOption, VerboseOption, set_up_logging, show, table

if TYPE_CHECKING:
    from hotrow.artifact import Artifact, ScoredLines, ScoreReport

MAX_JSON_ROWS = 100_000
"""Scores of longer logs go to a file, not into one JSON object."""


def rank(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run, or the model folder of one.")],
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Raw rows, labelled or not, plain or gzipped.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Table of scores to write, .tsv or .csv; standard output without.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at the first row that cannot be read.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a table that is there.")] = False,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Score raw rows in the format of the log that the model was trained on.

    Rows for models of MovieLens or of sequences are JSON objects, one a line, or
    a table with a header; for those of csv and parquet any of these and Parquet.
    Ids never seen and missing values are allowed. The
    output has a header and one line for each row of FILE: its line number and
    its click probability. A line that cannot be read has an empty score (null in
    JSON) and is counted; with --out it is kept beside the table, in
    NAME.rejected.tsv.

    \b
    Example:
      hotrow rank runs/a test_unlabelled.txt --out scores.tsv
    """  # noqa: D301 - \b is typer's mark for a paragraph to leave as it is
    from hotrow.artifact import load_artifact, write_scores
    from hotrow.config import to_mapping

    set_up_logging(verbose)
    artifact = load_artifact(run)
    if out is not None:
        report = write_scores(artifact, file, out, strict=strict, overwrite=overwrite, show_progress=True)
        result = to_mapping(report) | {"output": str(out)}
        show(result, as_json=as_json, text=_text(report, out))
    elif as_json:
        report, scores = _collect(artifact, file, strict=strict)
        show(to_mapping(report) | {"scores": scores}, as_json=True, text="")
    else:
        report = _print(artifact, file, strict=strict)
        sys.stderr.write(_text(report, None) + "\n")


def _collect(artifact: Artifact, file: Path, *, strict: bool) -> tuple[ScoreReport, list[float | None]]:
    from hotrow.artifact import score_log
    from hotrow.errors import ConfigError

    scores: list[float | None] = []

    def consume(block: ScoredLines) -> None:
        scores.extend(None if math.isnan(score) else score for score in block.scores.tolist())
        if len(scores) > MAX_JSON_ROWS:
            expected = f"a file for the scores of {file}, which has more than {MAX_JSON_ROWS} rows"
            raise ConfigError("--out", None, expected)

    return score_log(artifact, file, consume, strict=strict, show_progress=True), scores


def _print(artifact: Artifact, file: Path, *, strict: bool) -> ScoreReport:
    from hotrow.artifact import score_log
    from hotrow.artifact.scoring import table_lines

    heads = iter(("line\tscore\n",))

    def consume(block: ScoredLines) -> None:
        sys.stdout.write(next(heads, "") + table_lines(block, "\t"))

    report = score_log(artifact, file, consume, strict=strict)
    sys.stdout.flush()
    return report


def _text(report: ScoreReport, out: Path | None) -> str:
    from hotrow.artifact.scoring import rejected_path

    facts: dict[str, object] = {"rows": report.rows, "rejected rows": report.rejected_rows}
    facts |= {f"  {reason}": rows for reason, rows in report.rejected_by_reason.items()}
    if out is not None and report.rejected_rows:
        facts["kept in"] = rejected_path(out)
    facts["rows/s"] = report.rows_per_second
    return table("ranked" if out is None else f"ranked, scores in {out}", facts)
