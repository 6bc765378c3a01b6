"""From raw rows held in memory to a prepared data set: what formats of the size of MovieLens need.

Click logs larger than memory take the passes of :mod:`hotrow.data.prepare` instead.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from hotrow.data._slices import covered
from hotrow.data._tally import Tally
from hotrow.data._vocabularies import make_vocabularies
from hotrow.data.dataset import SPLITS
from hotrow.data.encoder import Encoder, cut_lists
from hotrow.data.manifest import Manifest, ShardInfo, SourceInfo, SplitInfo
from hotrow.data.raw import RawBlock, RawList
from hotrow.data.rejections import Rejection, RejectionLog
from hotrow.data.report import PrepareReport
from hotrow.data.schema import Schema
from hotrow.data.shards import MAX_LISTED, SHARD_ROWS, write_shard
from hotrow.data.vocabulary import VOCABULARY_FOLDER
from hotrow.errors import DataError
from hotrow.files import atomic_folder, sha256_file
from hotrow.memory import peak_rss_mib
from hotrow.progress import Progress, progress


@dataclass(frozen=True, kw_only=True)
class RawSplits:
    """All rows that a format has read, split and not yet encoded.

    Attributes:
        schema: names, kinds and key types are final. Of features with a vocabulary, ``rows`` is
            ``RESERVED_IDS`` and ``vocabulary`` empty, and of list features ``mean_length`` is 0:
            ``assemble`` fills them in. A list feature with ``of`` has that feature's key type and encoding.
        splits: ``train``, ``valid`` and ``test``, each with labels, and as many columns as the schema has;
            a split may be empty (rows of length 0), but for ``train``. Blocks may share the arrays of
            keys of their lists.
        sources: the files that were read.
        rejected: rows that could not be used, in line order, by the file they are in (as
            ``SourceInfo.file`` has it); files without any may be left out.
    """

    schema: Schema
    splits: Mapping[str, RawBlock]
    sources: tuple[SourceInfo, ...]
    rejected: Mapping[str, Sequence[Rejection]] = field(default_factory=dict)

    def first_rejection(self) -> DataError | None:
        """Return the error that a strict reader would have stopped with."""
        return next((row.error(Path(file)) for file, rows in self.rejected.items() for row in rows), None)


def assemble(
    raw: RawSplits,
    out: Path,
    *,
    min_count: int | None = None,
    options: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    show_progress: bool = False,
    shard_rows: int = SHARD_ROWS,
) -> PrepareReport:
    """Make vocabularies of the training rows, encode all rows and write them.

    Ids are counted over the training rows; of lists, every key that a row's slice holds counts once,
    however many slices hold it, so an event counts once in a user's overlapping histories. A list feature
    with ``of`` shares the vocabulary of that feature, in which both are counted.

    Args:
        raw: the rows.
        out: the data set's folder; complete or absent, whatever happens.
        min_count: of every vocabulary; None leaves it at what the schema's features say.
        options: what the rows were read with, as plain JSON types, for ``schema.json``.
        overwrite: replace a data set that is there.
        show_progress: report progress on standard error.
        shard_rows: most rows of a shard.

    Raises:
        ValueError: the rows are not as the schema says.
        DataError: there are no training rows.
        OutputExistsError: ``out`` is in the way.
        StorageError: the disk is full or refuses to be written.
    """
    started = time.monotonic()
    _check(raw, out)
    rows = sum(len(block) for block in raw.splits.values())
    with (
        atomic_folder(out, overwrite=overwrite) as folder,
        progress("write", rows, "rows", show=show_progress) as bar,
    ):
        made = make_vocabularies(raw.schema, raw.splits["train"], min_count)
        encoder = Encoder(made.schema, made.vocabularies)
        encoder.save(folder / VOCABULARY_FOLDER)
        writer = _Writer(folder, encoder, shard_rows, bar)
        splits = {name: writer.write(name, raw.splits[name]) for name in SPLITS}
        rejected = _set_aside(raw, folder)
        Manifest(schema=made.schema, splits=splits, sources=raw.sources, options=dict(options or {})).save(
            folder
        )
    seconds = time.monotonic() - started
    return PrepareReport(
        out=str(out),
        rows=rows,
        rejected_rows=rejected.total(),
        rejected_by_reason=dict(rejected),
        splits={name: split.rows for name, split in splits.items()},
        features=writer.tally.summaries(made.distinct),
        seconds=seconds,
        rows_per_second=rows / seconds,
        peak_rss_mib=peak_rss_mib(),
    )


class _Writer:
    """Encodes and writes one split after another.

    Args:
        folder: the data set's.
        encoder: of its schema.
        shard_rows: most rows of a shard.
        bar: is told of each row.
    """

    def __init__(self, folder: Path, encoder: Encoder, shard_rows: int, bar: Progress) -> None:
        self.tally = Tally(encoder.schema)
        self._folder = folder
        self._encoder = encoder
        longest = max((feature.max_length for feature in encoder.schema.lists), default=1)
        self._rows = max(1, min(shard_rows, MAX_LISTED // longest))
        self._bar = bar

    def write(self, split: str, block: RawBlock) -> SplitInfo:
        """Write the shards of a split."""
        (self._folder / split).mkdir()
        starts = range(0, len(block), self._rows)
        shards = tuple(
            self._write_shard(f"{split}/{number:06d}.arrow", block.take(slice(start, start + self._rows)))
            for number, start in enumerate(starts)
        )
        assert block.labels is not None
        main = block.labels if block.labels.ndim == 1 else block.labels[:, 0]
        return SplitInfo(rows=len(block), positives=int(np.count_nonzero(main)), shards=shards)

    def _write_shard(self, name: str, block: RawBlock) -> ShardInfo:
        schema = self._encoder.schema
        lists = [
            _compact(cut_lists(rows, feature.max_length))
            for rows, feature in zip(block.lists, schema.lists, strict=True)
        ]
        encoded = self._encoder.encode(replace(block, lists=tuple(lists)))
        self.tally.add(encoded)
        path = self._folder / name
        write_shard(path, encoded, schema)
        self._bar.advance(len(block))
        return ShardInfo(file=name, rows=len(block), sha256=sha256_file(path))


def _compact(rows: RawList) -> RawList:
    """Return the same lists without the keys that are in none of them."""
    kept = covered(rows.starts, rows.lengths)
    weights = None if rows.weights is None else rows.weights[kept]
    return RawList(rows.keys[kept], np.searchsorted(kept, rows.starts), rows.lengths, weights)


def _set_aside(raw: RawSplits, folder: Path) -> Counter[str]:
    """Write the rejected rows; return how many there are of each reason."""
    with RejectionLog(folder) as log:
        for file, rows in raw.rejected.items():
            log.add(Path(file), rows)
    return log.counts


def _check(raw: RawSplits, out: Path) -> None:
    """Refuse rows that are not as the schema says, which is a mistake of the format."""
    if tuple(sorted(raw.splits)) != tuple(sorted(SPLITS)):
        raise ValueError(f"splits {', '.join(raw.splits)}, expected {', '.join(SPLITS)}")
    tasks = len(raw.schema.labels)
    for name, block in raw.splits.items():
        shape = (len(block),) if tasks == 1 else (len(block), tasks)
        if block.labels is None or block.labels.shape != shape:
            raise ValueError(f"{name}: expected labels of shape {shape}")
        if (block.groups is not None) != bool(raw.schema.group):
            raise ValueError(f"{name}: expected groups where the schema names a group, and only there")
        for feature, rows in zip(raw.schema.lists, block.lists, strict=True):
            ends = rows.starts + rows.lengths
            if (rows.starts < 0).any() or (rows.lengths < 0).any() or (ends > len(rows.keys)).any():
                raise ValueError(f"{name}: {feature.name} has slices outside its {len(rows.keys)} keys")
    if not len(raw.splits["train"]):
        place = raw.sources[0].file if raw.sources else out
        raise DataError(place, "no rows to train on, expected at least one")
