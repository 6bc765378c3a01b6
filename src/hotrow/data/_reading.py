"""First pass of ``prepare``: parse in parallel, set malformed rows aside, stage the others."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from hotrow.data._pipeline import ordered_map
from hotrow.data._slices import flat_indices
from hotrow.data.encoder import cut_lists, encode_dense
from hotrow.data.formats.base import Chunk, RawFormat
from hotrow.data.manifest import SourceInfo
from hotrow.data.raw import RawList
from hotrow.data.rejections import RejectionLog, Rejections
from hotrow.data.schema import ListFeature, Schema
from hotrow.data.stage import Stage, StageBlock, StageList, StageWriter, narrow_keys
from hotrow.errors import DataError
from hotrow.progress import Progress, progress

_MAX_THREADS = 8


@dataclass(frozen=True, slots=True)
class Readings:
    """What was read.

    Attributes:
        sources: accepted and rejected rows of each source.
        rejected: rejected rows by reason.
        first_rejection: the error that a strict reader would have stopped with.
        stage: the accepted rows.
    """

    sources: tuple[SourceInfo, ...]
    rejected: Counter[str]
    first_rejection: DataError | None
    stage: Stage


@dataclass(frozen=True, slots=True)
class _Staged:
    """One parsed chunk on its way to the stage."""

    block: StageBlock
    rejected: Rejections
    num_lines: int
    skipped: int
    consumed: int


def read_sources(
    log_format: RawFormat,
    schema: Schema,
    sources: Sequence[Path],
    folder: Path,
    *,
    ordered: bool,
    strict: bool,
    show_progress: bool,
) -> Readings:
    """Parse all sources into a stage.

    Args:
        log_format: how they are parsed.
        schema: of the stage: that of the format, as it was configured.
        sources: in order.
        folder: takes the stage, and ``rejected.tsv`` when there are rejected rows.
        ordered: whether rows carry what they are split by.
        strict: stop at the first row that cannot be used.
        show_progress: report progress on standard error.

    Raises:
        DataError: a source cannot be read, is unlabelled, or (strict) has an unusable row.
    """
    stage_folder = folder / "stage"
    stage_folder.mkdir()
    total = sum(source.stat().st_size for source in sources) / 1e6
    with (
        progress("read", total or None, "MB", show=show_progress) as bar,
        StageWriter(stage_folder, schema, ordered=ordered) as writer,
        RejectionLog(folder) as log,
    ):
        reader = _Reader(log_format, writer, log, bar, strict)
        infos = tuple(reader.read(source) for source in sources)
    stage = Stage(stage_folder, schema, rows=writer.rows)
    return Readings(infos, log.counts, reader.first_rejection, stage)


class _Reader:
    """Reads sources one after another into one stage and one log of rejections."""

    def __init__(
        self, log_format: RawFormat, writer: StageWriter, log: RejectionLog, bar: Progress, strict: bool
    ) -> None:
        self._format = log_format
        self._writer = writer
        self._log = log
        self._bar = bar
        self._strict = strict
        self.first_rejection: DataError | None = None

    def read(self, source: Path) -> SourceInfo:
        """Read one source to its end."""
        lines = header = rows = 0
        threads = min(os.cpu_count() or 1, _MAX_THREADS)
        parse = partial(_parse, self._format, source)
        for staged in ordered_map(parse, self._format.chunks(source), threads=threads):
            self._set_aside(source, staged.rejected.shifted(header + lines))
            self._writer.append(staged.block)
            lines += staged.num_lines
            header += staged.skipped
            rows += len(staged.block)
            self._bar.advance(staged.consumed / 1e6, rows=self._writer.rows)
        return SourceInfo(file=str(source), rows=rows, rejected=lines - rows)

    def _set_aside(self, source: Path, rejected: Rejections) -> None:
        if not len(rejected):
            return
        if self.first_rejection is None:
            self.first_rejection = next(iter(rejected)).error(source)
        if self._strict:
            raise self.first_rejection
        self._log.add(source, rejected)


def _parse(log_format: RawFormat, source: Path, chunk: Chunk) -> _Staged:
    if not chunk.labelled:
        raise DataError(
            source, "is an unlabelled log, expected a label in every row (hotrow rank scores this one)"
        )
    parsed = log_format.parse(chunk)
    rows, schema = parsed.rows, log_format.schema
    assert rows.labels is not None
    keys, missing = narrow_keys(rows.keys, [feature.key_type for feature in schema.categorical])
    block = StageBlock(
        dense=encode_dense(rows.dense, schema.dense),
        labels=rows.labels.astype(np.uint8),
        keys=keys,
        missing=missing,
        lists=tuple(
            _listed(listed, feature) for listed, feature in zip(rows.lists, schema.lists, strict=True)
        ),
        groups=rows.groups,
        order=parsed.order,
    )
    return _Staged(block, parsed.rejected, parsed.num_lines, parsed.skipped, chunk.consumed)


def _listed(rows: RawList, feature: ListFeature) -> StageList:
    """Return the part of lists that is kept, one list after another."""
    rows = cut_lists(rows, feature.max_length)
    kept = flat_indices(rows.starts, rows.lengths)
    weights = None if rows.weights is None else rows.weights[kept]
    return StageList(rows.keys[kept], rows.lengths, weights)
