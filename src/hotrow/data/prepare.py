"""``prepare``: from raw logs to a folder of shards and vocabularies, in bounded memory.

Four passes: read and stage the accepted rows, split them, then for each categorical feature count
its ids over the training rows and encode them, and last write the shards.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from hotrow.config import override, to_mapping
from hotrow.data._encoding import encode_features
from hotrow.data._memory import peak_rss_mib, reuse_freed_memory
from hotrow.data._paths import check_paths
from hotrow.data._reading import Readings, read_sources
from hotrow.data._writing import write_splits
from hotrow.data.assemble import assemble
from hotrow.data.formats import RawFormat, TableFormat, find_format
from hotrow.data.manifest import Manifest
from hotrow.data.report import FeatureSummary, PrepareReport
from hotrow.data.schema import RESERVED_IDS, CategoricalFeature, Schema
from hotrow.data.splits import SplitMode, check_split, split_ranges
from hotrow.errors import ConfigError, DataError
from hotrow.files import atomic_folder

_MIN_COUNT = 10


@dataclass(frozen=True, kw_only=True)
class PrepareConfig:
    """How a log is prepared.

    Attributes:
        split: ``rows`` (first 6/7 train, then validation and test), ``files`` (the last source is
            validation and test) or ``auto`` (``rows`` for one source, ``files`` for several).
        min_count: ids seen fewer times in the training split share the row of unseen ids. None is ten
            for logs, the convention of the open benchmarks (Criteo_x1), and what the format says for
            formats that are read in memory.
        hash_rows: hash every feature's ids to a table of so many rows instead of counting them.
        hash: the same for single features, by name.
        strict: stop at the first row that cannot be used instead of setting it aside.
    """

    split: SplitMode = "auto"
    min_count: int | None = None
    hash_rows: int | None = None
    hash: Mapping[str, int] = field(default_factory=dict)
    strict: bool = False

    def __post_init__(self) -> None:
        if self.min_count is not None and self.min_count < 1:
            raise ConfigError("min_count", self.min_count, "at least 1")
        hashed = {f"hash.{name}": rows for name, rows in self.hash.items()}
        for name, rows in ({"hash_rows": self.hash_rows} | hashed).items():
            if rows is not None and not RESERVED_IDS < rows < 2**31:
                raise ConfigError(name, rows, f"{RESERVED_IDS + 1} to {2**31 - 1} rows")


def prepare(
    format_name: str,
    sources: Sequence[Path],
    out: Path,
    config: PrepareConfig | None = None,
    *,
    settings: Mapping[str, str] | None = None,
    overwrite: bool = False,
    show_progress: bool = False,
) -> PrepareReport:
    """Prepare raw logs for training.

    Args:
        format_name: a known format, e.g. ``"criteo"``.
        sources: the logs, in order of time; plain or gzipped. Of formats that are read in memory, files or
            folders.
        out: the data set's folder; complete or absent, whatever happens.
        config: options.
        settings: the format's own options as text, by name; of formats that have none, fields of ``config``.
        overwrite: replace a data set that is there.
        show_progress: report progress on standard error.

    Raises:
        ConfigError: an option, or the format's name.
        MissingFileError: a source is not there.
        DataError: a source cannot be read, holds no usable row or (strict) an unusable one.
        OutputExistsError: ``out`` is in the way.
        StorageError: the disk is full or refuses to be written.
    """
    config = config or PrepareConfig()
    found = find_format(format_name)
    if isinstance(found, TableFormat):
        return _prepare_table(
            found, sources, out, config, settings or {}, overwrite=overwrite, show_progress=show_progress
        )
    config = override(config, settings or {})
    return _prepare_log(found, sources, out, config, overwrite=overwrite, show_progress=show_progress)


def _prepare_table(
    table_format: TableFormat[Any],
    sources: Sequence[Path],
    out: Path,
    config: PrepareConfig,
    settings: Mapping[str, str],
    *,
    overwrite: bool,
    show_progress: bool,
) -> PrepareReport:
    """Read all rows into memory, and write them."""
    started = time.monotonic()
    options = override(table_format.options(), settings)
    own = f"the default; {table_format.name} is prepared by its own options (--set)"
    for field_name in ("split", "hash_rows", "hash"):
        value = getattr(config, field_name)
        if value != getattr(PrepareConfig(), field_name):
            raise ConfigError(field_name, value, own)
    check_paths(sources, out, overwrite=overwrite, folders=True)
    raw = table_format.read(sources, options)
    first = raw.first_rejection()
    if config.strict and first is not None:
        raise first
    report = assemble(
        raw,
        out,
        min_count=config.min_count,
        options=to_mapping(config) | to_mapping(options),
        overwrite=overwrite,
        show_progress=show_progress,
    )
    seconds = time.monotonic() - started
    return replace(report, seconds=seconds, rows_per_second=report.rows / seconds)


def _prepare_log(
    log_format: RawFormat,
    sources: Sequence[Path],
    out: Path,
    config: PrepareConfig,
    *,
    overwrite: bool,
    show_progress: bool,
) -> PrepareReport:
    """Stream the logs through the four passes."""
    started = time.monotonic()
    config = replace(config, min_count=config.min_count or _MIN_COUNT)
    features = _features(log_format, config)
    check_paths(sources, out, overwrite=overwrite)
    check_split(config.split, len(sources))
    reuse_freed_memory()
    with atomic_folder(out, overwrite=overwrite) as folder:
        readings = read_sources(
            log_format, sources, folder, strict=config.strict, show_progress=show_progress
        )
        _require_rows(readings)
        ranges = split_ranges(config.split, [source.rows for source in readings.sources], out)
        features, summaries = encode_features(
            readings.stage, features, folder, train=ranges["train"], show_progress=show_progress
        )
        schema = Schema(
            format=log_format.name, label=log_format.label, dense=log_format.dense, categorical=features
        )
        splits = write_splits(readings.stage, ranges, schema, folder, show_progress=show_progress)
        readings.stage.remove()
        Manifest(schema=schema, splits=splits, sources=readings.sources, options=to_mapping(config)).save(
            folder
        )
    seconds = time.monotonic() - started
    rows = readings.stage.rows
    dense = [FeatureSummary(name=feature.name, kind="dense") for feature in log_format.dense]
    return PrepareReport(
        out=str(out),
        rows=rows,
        rejected_rows=sum(readings.rejected.values()),
        rejected_by_reason=dict(readings.rejected),
        splits={name: split.rows for name, split in splits.items()},
        features=(*dense, *summaries),
        seconds=seconds,
        rows_per_second=rows / seconds,
        peak_rss_mib=peak_rss_mib(),
    )


def _features(log_format: RawFormat, config: PrepareConfig) -> tuple[CategoricalFeature, ...]:
    """Return the categorical features as configured; ``rows`` is final for hashed ones only."""
    for name, rows in config.hash.items():
        if name not in log_format.categorical:
            raise ConfigError(
                f"hash.{name}", rows, f"one of the features {', '.join(log_format.categorical)}"
            )
    every = {} if config.hash_rows is None else dict.fromkeys(log_format.categorical, config.hash_rows)
    hashed = every | dict(config.hash)
    return tuple(
        CategoricalFeature(
            name=name,
            rows=hashed.get(name, RESERVED_IDS),
            encoding="hash" if name in hashed else "vocabulary",
            key_type=log_format.key_type,
            min_count=1 if name in hashed else config.min_count or _MIN_COUNT,
        )
        for name in log_format.categorical
    )


def _require_rows(readings: Readings) -> None:
    if readings.stage.rows:
        return
    first = readings.first_rejection
    if first is None:
        raise DataError(readings.sources[0].file, "no rows in it, expected at least one")
    count = sum(readings.rejected.values())
    raise DataError(
        first.file,
        f"all {count} rows were rejected; first: {first.reason}",
        line=first.line,
        column=first.column,
    )
