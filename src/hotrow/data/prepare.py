"""``prepare``: from raw logs to a folder of shards and vocabularies, in bounded memory.

Passes: read and stage the accepted rows, split them (which writes them anew where the splits are not told by
their place), then for each table count its ids over the training rows and encode them, and last write the
shards.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from hotrow.config import override, to_mapping
from hotrow.data._arranging import arrange
from hotrow.data._encoding import encode_features
from hotrow.data._journal import Journal, identity_of, is_of
from hotrow.data._paths import check_paths
from hotrow.data._reading import Readings, read_sources
from hotrow.data._writing import write_splits
from hotrow.data.assemble import assemble
from hotrow.data.formats import DescribedFormat, RawFormat, TableFormat, find_format
from hotrow.data.formats.description import Description
from hotrow.data.manifest import Manifest
from hotrow.data.report import PrepareReport
from hotrow.data.schema import RESERVED_IDS, CategoricalFeature, Schema
from hotrow.data.splits import SplitMode, SplitRule, check_split, split_ranges
from hotrow.errors import ConfigError, DataError
from hotrow.files import atomic_folder
from hotrow.memory import peak_rss_mib, reuse_freed_memory

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


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """How a streamed format is prepared.

    Attributes:
        log_format: reads the sources.
        schema: of the format, as it was configured.
        split: where rows are cut.
        strict: stop at the first row that cannot be used.
        options: as plain JSON types, for ``schema.json``.
        caps: most rows of tables, by feature.
    """

    log_format: RawFormat
    schema: Schema
    split: SplitMode | SplitRule
    strict: bool
    options: Mapping[str, Any]
    caps: Mapping[str, int] = field(default_factory=dict)

    @property
    def settings(self) -> dict[str, Any]:
        """All that the result depends on beside the sources, as plain JSON types."""
        return {
            "schema": to_mapping(self.schema),
            "split": self.split if isinstance(self.split, str) else to_mapping(self.split),
            "strict": self.strict,
            "options": dict(self.options),
            "caps": dict(self.caps),
        }


def prepare(
    format_name: str,
    sources: Sequence[Path],
    out: Path,
    config: PrepareConfig | None = None,
    *,
    schema: Path | None = None,
    settings: Mapping[str, str] | None = None,
    overwrite: bool = False,
    show_progress: bool = False,
) -> PrepareReport:
    """Prepare raw logs for training.

    Args:
        format_name: a known format, e.g. ``"criteo"``.
        sources: the logs, in order of time; plain or gzipped. Of formats that are read in memory, files or
            folders.
        out: the data set's folder; complete or absent, whatever happens. What a killed preparation of the
            same logs by the same settings has left beside it is gone on with.
        config: options.
        schema: the schema file that says what the columns of csv and parquet are.
        settings: the format's own options as text, by name; of formats that have none, fields of ``config``.
        overwrite: replace a data set that is there.
        show_progress: report progress on standard error.

    Raises:
        ConfigError: an option, the format's name, or what the schema file says.
        MissingFileError: a source or the schema file is not there.
        DataError: a source cannot be read, holds no usable row or (strict) an unusable one.
        OutputExistsError: ``out`` is in the way.
        StorageError: the disk is full or refuses to be written.
    """
    config = config or PrepareConfig()
    settings = settings or {}
    found = find_format(format_name)
    if schema is not None and not isinstance(found, DescribedFormat):
        raise ConfigError("schema", str(schema), f"no schema file: {found.name} knows its columns")
    if isinstance(found, TableFormat):
        return _prepare_table(
            found, sources, out, config, settings, overwrite=overwrite, show_progress=show_progress
        )
    config = override(config, settings)
    if isinstance(found, DescribedFormat):
        plan = _described_plan(found, schema, config)
    else:
        config = replace(config, min_count=config.min_count or _MIN_COUNT)
        configured = replace(found.schema, categorical=_features(found, config))
        plan = _Plan(
            log_format=found,
            schema=configured,
            split=config.split,
            strict=config.strict,
            options=to_mapping(config),
        )
    return _prepare_log(plan, sources, out, overwrite=overwrite, show_progress=show_progress)


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
    _require_default(config, ("split", "hash_rows", "hash"), own)
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


def _described_plan(found: DescribedFormat, schema: Path | None, config: PrepareConfig) -> _Plan:
    """Read the schema file."""
    if schema is None:
        example = f"hotrow prepare {found.name} FILE --guess --schema columns.toml"
        raise ConfigError("schema", None, f"a schema file, of which {example} makes a first version")
    own = f"the default; {found.name} is prepared as its schema file says"
    _require_default(config, ("split", "min_count", "hash_rows", "hash"), own)
    description = Description.load(schema)
    return _Plan(
        log_format=found.described(description),
        schema=description.schema,
        split=description.rule or "files",
        strict=config.strict,
        options={"format": found.name, "strict": config.strict, "columns": description.to_mapping()},
        caps=description.caps,
    )


def _require_default(config: PrepareConfig, names: Sequence[str], expected: str) -> None:
    """Refuse options that are said elsewhere."""
    for name in names:
        value = getattr(config, name)
        if value != getattr(PrepareConfig(), name):
            raise ConfigError(name, value, expected)


def _prepare_log(
    plan: _Plan, sources: Sequence[Path], out: Path, *, overwrite: bool, show_progress: bool
) -> PrepareReport:
    """Stream the logs through the passes."""
    started = time.monotonic()
    check_paths(sources, out, overwrite=overwrite)
    if not isinstance(plan.split, SplitRule):
        check_split(plan.split, len(sources))
    reuse_freed_memory()
    identity = identity_of(sources, plan.settings)
    adopt = None if identity is None else partial(is_of, identity=identity)
    with atomic_folder(out, overwrite=overwrite, adopt=adopt) as folder:
        journal = None if identity is None else Journal(folder, identity)
        readings = read_sources(
            plan.log_format,
            plan.schema,
            sources,
            folder,
            ordered=isinstance(plan.split, SplitRule) and plan.split.is_ordered,
            strict=plan.strict,
            show_progress=show_progress,
            journal=journal,
        )
        _require_rows(readings)
        stage = readings.stage
        if isinstance(plan.split, SplitRule):
            stage, ranges = arrange(
                stage, plan.split, folder, out, show_progress=show_progress, journal=journal
            )
        else:
            ranges = split_ranges(plan.split, [source.rows for source in readings.sources], out)
        encoded = encode_features(
            stage,
            folder,
            train=ranges["train"],
            caps=plan.caps,
            show_progress=show_progress,
            journal=journal,
        )
        splits = write_splits(stage, ranges, encoded.schema, folder, show_progress=show_progress)
        if journal is not None:
            journal.remove()
        stage.remove()
        Manifest(
            schema=encoded.schema, splits=splits, sources=readings.sources, options=dict(plan.options)
        ).save(folder)
    seconds = time.monotonic() - started
    return PrepareReport(
        out=str(out),
        rows=stage.rows,
        rejected_rows=sum(readings.rejected.values()),
        rejected_by_reason=dict(readings.rejected),
        splits={name: split.rows for name, split in splits.items()},
        features=encoded.summaries,
        seconds=seconds,
        rows_per_second=stage.rows / seconds,
        peak_rss_mib=peak_rss_mib(),
    )


def _features(log_format: RawFormat, config: PrepareConfig) -> tuple[CategoricalFeature, ...]:
    """Return the categorical features as configured; ``rows`` is final for hashed ones only."""
    names = [feature.name for feature in log_format.schema.categorical]
    for name, rows in config.hash.items():
        if name not in names:
            raise ConfigError(f"hash.{name}", rows, f"one of the features {', '.join(names)}")
    every = {} if config.hash_rows is None else dict.fromkeys(names, config.hash_rows)
    hashed = every | dict(config.hash)
    return tuple(
        replace(
            feature,
            rows=hashed.get(feature.name, RESERVED_IDS),
            encoding="hash" if feature.name in hashed else "vocabulary",
            min_count=1 if feature.name in hashed else config.min_count or _MIN_COUNT,
        )
        for feature in log_format.schema.categorical
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
