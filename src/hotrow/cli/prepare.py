"""``hotrow prepare``: raw logs and tables to a prepared data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hotrow.cli._frame import JsonOption, VerboseOption, set_up_logging, show, table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hotrow.data.formats.guess import GuessReport
    from hotrow.data.report import FeatureSummary, PrepareReport


def prepare(
    format_name: Annotated[
        str, typer.Argument(metavar="FORMAT", help="What is read; a wrong one lists all there are.")
    ],
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="SRC", help="Logs in order of time, plain or gzipped; or the format's files or folder."
        ),
    ],
    out: Annotated[Path | None, typer.Option(help="Folder of the prepared data set.")] = None,
    schema: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Of csv and parquet: the schema file, which says what columns are."
        ),
    ] = None,
    guess: Annotated[
        bool,
        typer.Option("--guess", help="Write the schema file by the first rows of SRC, to be looked through."),
    ] = False,
    split: Annotated[
        str,
        typer.Option(
            help="rows: first 6/7 train, then validation, test. files: the last file is validation and "
            "test. auto: rows for one file, files for several."
        ),
    ] = "auto",
    min_count: Annotated[
        int | None,
        typer.Option(
            help="Ids seen fewer times in the training rows count as unseen: 10 for logs, otherwise as the "
            "format says."
        ),
    ] = None,
    hash_rows: Annotated[
        int | None, typer.Option(help="Hash the ids of every feature to tables of this many rows.")
    ] = None,
    hash_: Annotated[
        list[str] | None,
        typer.Option("--hash", metavar="FEATURE=ROWS", help="Hash one feature's ids; can be repeated."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="An option of the format itself; an unknown one lists all."
        ),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Stop at the first row that cannot be used.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Prepare raw logs and tables for training: split them, make vocabularies, write memory-mappable shards.

    Rows that cannot be used are counted and kept in rejected.tsv; --out is complete or absent.

    \b
    Example:
      hotrow prepare criteo train.txt --out data/kaggle
      hotrow prepare criteo day_*.gz --out data/terabyte --hash-rows 10000000
      hotrow prepare movielens ml-1m --set history=50 --out data/ml-1m
      hotrow prepare csv rows.csv --guess --schema columns.toml
      hotrow prepare csv rows.csv --schema columns.toml --out data/mine
    """  # noqa: D301 - \b is typer's mark for a paragraph to leave as it is
    from hotrow.config import from_mapping, parse_settings, to_mapping
    from hotrow.data.prepare import PrepareConfig
    from hotrow.data.prepare import prepare as run
    from hotrow.errors import ConfigError

    set_up_logging(verbose)
    if guess:
        _guess(format_name, sources, schema, out, overwrite=overwrite, as_json=as_json)
        return
    if out is None:
        raise ConfigError("--out", None, "the folder of the prepared data set")
    settings = {
        "split": split,
        "min_count": min_count,
        "hash_rows": hash_rows,
        "hash": _hash_settings(hash_ or []),
        "strict": strict,
    }
    config = from_mapping(PrepareConfig, settings)
    own = parse_settings(set_ or [])
    report = run(
        format_name,
        sources,
        out,
        config,
        schema=schema,
        settings=own,
        overwrite=overwrite,
        show_progress=True,
    )
    show(to_mapping(report), as_json=as_json, text=_text(report))


def _guess(
    format_name: str,
    sources: list[Path],
    schema: Path | None,
    out: Path | None,
    *,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Write a schema file and tell what is in it."""
    from hotrow.config import to_mapping
    from hotrow.data.formats.guess import guess_schema
    from hotrow.errors import ConfigError

    if schema is None:
        raise ConfigError("--schema", None, "the schema file to write")
    if out is not None:
        raise ConfigError("--out", str(out), "nothing beside --guess, which prepares no data set")
    report = guess_schema(format_name, sources, schema, overwrite=overwrite)
    show(to_mapping(report), as_json=as_json, text=_guessed(report))


def _hash_settings(settings: list[str]) -> dict[str, int]:
    """Read ``["C3=1000000", ...]``."""
    from hotrow.errors import ConfigError

    parsed = {}
    for setting in settings:
        name, _, rows = setting.partition("=")
        if not (name and rows.isascii() and rows.isdigit()):
            raise ConfigError("--hash", setting, "FEATURE=ROWS, for example C3=1000000")
        parsed[name] = int(rows)
    return parsed


def _guessed(report: GuessReport) -> str:
    facts: dict[str, object] = {"rows looked at": report.rows}
    facts |= dict(report.columns)
    lines = [table(f"wrote {report.schema}; look through it before it is used", facts)]
    if not report.label:
        lines.append("  no label was found: name it in the file")
    return "\n".join(lines)


def _text(report: PrepareReport) -> str:
    from hotrow.data.rejections import REJECTED_FILE

    facts: dict[str, object] = {"rows": report.rows}
    facts |= {f"  {name}": rows for name, rows in report.splits.items()}
    facts["rejected rows"] = report.rejected_rows
    facts |= {f"  {reason}": rows for reason, rows in report.rejected_by_reason.items()}
    if report.rejected_rows:
        facts["kept in"] = str(Path(report.out) / REJECTED_FILE)
    facts |= {"rows/s": report.rows_per_second, "peak memory, MiB": round(report.peak_rss_mib)}
    return "\n".join([table(f"prepared {report.out}", facts), "", *_feature_lines(report.features)])


def _feature_lines(features: Sequence[FeatureSummary]) -> list[str]:
    """Return a line of each feature that has ids, under a line of heads."""
    with_ids = [feature for feature in features if feature.kind != "dense"]
    heads = ["feature", "kind", "encoding", "rows", "ids in train", "unseen", "missing", "ids a row"]
    cells = [_cells(feature) for feature in with_ids]
    if all(feature.mean_length is None for feature in with_ids):
        heads, cells = heads[:-1], [row[:-1] for row in cells]
    widths = [max(map(len, column)) for column in zip(heads, *cells, strict=True)]
    return [
        "  "
        + "  ".join(
            cell.ljust(width) if at < 3 else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in (heads, *cells)
    ]


def _cells(feature: FeatureSummary) -> list[str]:
    return [
        feature.name,
        f"{feature.kind} of {feature.of}" if feature.of else feature.kind,
        feature.encoding or "-",
        f"{feature.rows:,}",
        "-" if feature.distinct is None else f"{feature.distinct:,}",
        f"{feature.unseen_share or 0.0:.1%}",
        f"{feature.missing_share or 0.0:.1%}",
        "1" if feature.mean_length is None else f"{feature.mean_length:.1f}",
    ]
