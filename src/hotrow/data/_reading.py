"""First pass of ``prepare``: parse in parallel, set malformed rows aside, stage the others."""

from __future__ import annotations

import logging
import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import msgspec
import numpy as np

from hotrow.config import to_mapping
from hotrow.data._journal import Journal
from hotrow.data._pipeline import ordered_map
from hotrow.data._slices import flat_indices
from hotrow.data.encoder import cut_lists, encode_dense
from hotrow.data.formats.base import Chunk, RawFormat
from hotrow.data.manifest import SourceInfo
from hotrow.data.raw import RawList
from hotrow.data.rejections import RejectionLog, Rejections, RejectionState
from hotrow.data.schema import ListFeature, Schema
from hotrow.data.stage import Stage, StageBlock, StageList, StageState, StageWriter, narrow_keys
from hotrow.errors import DataError
from hotrow.progress import Progress, progress

_LOG = logging.getLogger(__name__)

_MAX_THREADS = 8

NOTE_EVERY = 5.0
"""Seconds of reading that a killed preparation may lose."""

_READING = "reading"


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


@dataclass(kw_only=True)
class Place:
    """How far a source has been read.

    Attributes:
        chunks: of it that are staged.
        lines: rows in them, accepted or not.
        header: lines before these.
        rows: accepted ones.
    """

    chunks: int = 0
    lines: int = 0
    header: int = 0
    rows: int = 0


@dataclass(frozen=True, kw_only=True)
class FirstRejection:
    """The arguments of a ``DataError``."""

    file: str
    reason: str
    line: int | None
    column: str | None

    @property
    def error(self) -> DataError:
        """The error that a strict reader would have stopped with."""
        return DataError(self.file, self.reason, line=self.line, column=self.column)


@dataclass(frozen=True, kw_only=True)
class ReadingState:
    """How far the reading is, in the journal.

    Attributes:
        done: sources that were read.
        place: in the one after them.
        stage: what is staged.
        rejected: what was set aside.
        first: the first of it.
        is_finished: whether all sources were read, and the stage is closed.
    """

    done: tuple[SourceInfo, ...] = ()
    place: Place = field(default_factory=Place)
    stage: StageState
    rejected: RejectionState
    first: FirstRejection | None
    is_finished: bool = False


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
    journal: Journal | None = None,
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
        journal: what was read before, and from now on; None: all is read, and nothing noted.

    Raises:
        DataError: a source cannot be read, is unlabelled, or (strict) has an unusable row.
    """
    stage_folder = folder / "stage" if journal is None else journal.stage
    before = _read_before(journal)
    if before is not None:
        _LOG.info("going on with what a killed preparation left: %d rows", before.stage.rows)
        if before.is_finished:
            return _readings(before, Stage(stage_folder, schema, rows=before.stage.rows))
    stage_folder.mkdir(exist_ok=True)
    total = sum(source.stat().st_size for source in sources) / 1e6
    stage_state, rejected = (None, None) if before is None else (before.stage, before.rejected)
    with (
        progress("read", total or None, "MB", show=show_progress) as bar,
        StageWriter(stage_folder, schema, ordered=ordered, state=stage_state) as writer,
        RejectionLog(folder, rejected) as log,
    ):
        reader = _Reader(log_format, writer, log, bar, strict, journal, before)
        for source in sources:
            reader.read(source)
        finished = reader.state(is_finished=True)
    if journal is not None:
        journal.note(_READING, to_mapping(finished))
    return _readings(finished, Stage(stage_folder, schema, rows=writer.rows))


def _read_before(journal: Journal | None) -> ReadingState | None:
    found = None if journal is None else journal.get(_READING)
    return None if found is None else msgspec.convert(found, ReadingState)


def _readings(state: ReadingState, stage: Stage) -> Readings:
    first = None if state.first is None else state.first.error
    return Readings(state.done, Counter(state.rejected.counts), first, stage)


class _Reader:
    """Reads sources one after another into one stage and one log of rejections."""

    def __init__(
        self,
        log_format: RawFormat,
        writer: StageWriter,
        log: RejectionLog,
        bar: Progress,
        strict: bool,
        journal: Journal | None,
        before: ReadingState | None,
    ) -> None:
        self._format = log_format
        self._writer = writer
        self._log = log
        self._bar = bar
        self._strict = strict
        self._journal = journal
        self._noted = time.monotonic()
        self._before = [] if before is None else [*before.done]
        self._done: list[SourceInfo] = []
        self._place = Place() if before is None else before.place
        self._first = None if before is None else before.first

    def state(self, *, is_finished: bool = False) -> ReadingState:
        """Return how far the reading is."""
        return ReadingState(
            done=tuple(self._done),
            place=self._place,
            stage=self._writer.state(),
            rejected=self._log.state(),
            first=self._first,
            is_finished=is_finished,
        )

    def read(self, source: Path) -> None:
        """Read one source to its end, or what is left of it."""
        if len(self._done) < len(self._before):
            self._done.append(self._before[len(self._done)])
            self._bar.advance(source.stat().st_size / 1e6)
            return
        place = self._place
        threads = min(os.cpu_count() or 1, _MAX_THREADS)
        parse = partial(_parse, self._format, source)
        for staged in ordered_map(parse, self._chunks(source, place.chunks), threads=threads):
            self._set_aside(source, staged.rejected.shifted(place.header + place.lines))
            self._writer.append(staged.block)
            place.chunks += 1
            place.lines += staged.num_lines
            place.header += staged.skipped
            place.rows += len(staged.block)
            self._bar.advance(staged.consumed / 1e6, rows=self._writer.rows)
            self._note()
        self._done.append(SourceInfo(file=str(source), rows=place.rows, rejected=place.lines - place.rows))
        self._place = Place()

    def _chunks(self, source: Path, skipped: int) -> Iterator[Chunk]:
        """Yield the chunks of a source but for the first ones, which are read for their places alone."""
        for number, chunk in enumerate(self._format.chunks(source)):
            if number >= skipped:
                yield chunk
            else:
                self._bar.advance(chunk.consumed / 1e6)

    def _note(self) -> None:
        if self._journal is not None and time.monotonic() - self._noted >= NOTE_EVERY:
            self._journal.note(_READING, to_mapping(self.state()))
            self._noted = time.monotonic()

    def _set_aside(self, source: Path, rejected: Rejections) -> None:
        if not len(rejected):
            return
        if self._first is None or self._strict:
            error = next(iter(rejected)).error(source)
            self._first = self._first or FirstRejection(
                file=error.file, reason=error.reason, line=error.line, column=error.column
            )
            if self._strict:
                raise error
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
