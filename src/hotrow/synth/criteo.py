"""Write a log in Criteo's format whose click probabilities are known."""

from __future__ import annotations

import gzip
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from hotrow.errors import ConfigError
from hotrow.files import atomic_file
from hotrow.metrics import MetricAccumulator, Metrics
from hotrow.progress import Progress, progress
from hotrow.synth.counts import IdCounts
from hotrow.synth.planted import PlantedConfig, PlantedModel
from hotrow.synth.report import SynthReport
from hotrow.synth.rows import CHUNK_ROWS, RowChunk, draw_rows
from hotrow.synth.text import RowFormatter

MIN_OCCURRENCES = 20
"""The effects of ids seen fewer times than this in the learnt rows do not count as learnable."""

_WORKERS = 2
_GZIP_LEVEL = 1
Item = TypeVar("Item")
Result = TypeVar("Result")


def synthesize_criteo(
    out: Path | str,
    rows: int,
    seed: int,
    *,
    planted: PlantedConfig | None = None,
    show_progress: bool = False,
) -> SynthReport:
    """Write a synthetic Criteo log; the same arguments write the same bytes.

    Columns follow the real log (see ``criteo_tables``), labels the planted model. Two passes draw
    the same rows: the first writes and counts ids, the second judges the truth on the held-out rows.
    Memory does not grow with ``rows``. A longer log with the same seed begins with the shorter one.

    Args:
        out: file to write, complete or not at all, replacing one of that name; compressed when
            the name ends in ``.gz``.
        rows: number of rows, at least 1.
        seed: 0 <= seed < 2^63.
        planted: strength of the planted effects; the defaults resemble Criteo's difficulty.
        show_progress: report on standard error.

    Raises:
        ConfigError: ``rows``, ``seed`` or ``out`` cannot be used.
        StorageError: the disk is full or refuses to be written.
    """
    out = Path(out)
    _check(out, rows, seed)
    started = time.monotonic()
    learnt = held_out_start(rows)
    counts = IdCounts()
    with (
        ThreadPoolExecutor(_WORKERS, thread_name_prefix="synth") as pool,
        progress("synth criteo", rows + (rows - learnt), "rows", show=show_progress) as bar,
    ):
        model = PlantedModel(seed, planted or PlantedConfig())
        with atomic_file(out) as partial, _open(partial, compress=out.suffix == ".gz") as stream:
            clicks = _write(stream, rows, seed, model, counts, pool, bar)
        oracle, learnable = _judge(rows, seed, model, counts, pool, bar)
    seconds = time.monotonic() - started
    return SynthReport(
        rows=rows,
        seed=seed,
        out=str(out),
        bytes=out.stat().st_size,
        click_rate=clicks / rows,
        evaluated_rows=oracle.rows,
        oracle_auc=oracle.auc,
        oracle_auc_error=oracle.auc_error,
        learnable_auc=learnable.auc,
        learnable_auc_error=learnable.auc_error,
        seconds=seconds,
        rows_per_second=rows / seconds,
    )


def held_out_start(rows: int) -> int:
    """Return how many rows the first 6/7 of a log are; those after them are held out."""
    return rows * 6 // 7


def _check(out: Path, rows: int, seed: int) -> None:
    if rows < 1:
        raise ConfigError("rows", rows, "at least 1")
    if not 0 <= seed < 1 << 63:
        raise ConfigError("seed", seed, "0 or a positive number below 2^63")
    if out.is_dir():
        raise ConfigError("out", str(out), "the name of a file, this is a folder")


def _write(
    stream: IO[bytes],
    rows: int,
    seed: int,
    model: PlantedModel,
    counts: IdCounts,
    pool: ThreadPoolExecutor,
    bar: Progress,
) -> int:
    """Write all rows, count the ids of the learnt ones, and return the number of clicks."""
    formatter = RowFormatter()
    learnt = held_out_start(rows)

    def make(chunk: int) -> tuple[RowChunk, NDArray[np.uint8], int]:
        part = draw_rows(seed, chunk).rows(0, rows - chunk * CHUNK_ROWS)
        clicks_B = model.clicks(part)
        return part, formatter(part, clicks_B), int(clicks_B.sum())

    clicks = 0
    for chunk, (part, text, clicked) in enumerate(_in_order(pool, make, _chunks(0, rows))):
        stream.write(text.data)
        counts.add(part.rows(0, max(learnt - chunk * CHUNK_ROWS, 0)))
        clicks += clicked
        bar.advance(len(part))
    return clicks


def _judge(
    rows: int, seed: int, model: PlantedModel, counts: IdCounts, pool: ThreadPoolExecutor, bar: Progress
) -> tuple[Metrics, Metrics]:
    """Return the metrics of the truth and of its learnable part on the held-out rows."""
    learnt = held_out_start(rows)

    def judge(chunk: int) -> tuple[NDArray[np.bool_], NDArray[np.float32], NDArray[np.float32]]:
        start = chunk * CHUNK_ROWS
        part = draw_rows(seed, chunk).rows(max(learnt - start, 0), rows - start)
        rare = counts.rarer_than(MIN_OCCURRENCES, part)
        return model.clicks(part), model.logits(part), model.learnable_logits(part, rare)

    oracle, learnable = MetricAccumulator(), MetricAccumulator()
    for clicks_B, true_B, learnable_B in _in_order(pool, judge, _chunks(learnt, rows)):
        oracle.update(clicks_B, true_B)
        learnable.update(clicks_B, learnable_B)
        bar.advance(len(clicks_B))
    return oracle.result(), learnable.result()


def _chunks(start: int, stop: int) -> range:
    return range(start // CHUNK_ROWS, -(-stop // CHUNK_ROWS))


def _in_order(
    pool: ThreadPoolExecutor, function: Callable[[Item], Result], items: Iterable[Item]
) -> Iterator[Result]:
    """Yield the function's results in the order of its items, computing a few ahead."""
    pending: deque[Future[Result]] = deque()
    try:
        for item in items:
            pending.append(pool.submit(function, item))
            if len(pending) > 2 * _WORKERS:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for future in pending:
            future.cancel()


@contextmanager
def _open(path: Path, *, compress: bool) -> Iterator[IO[bytes]]:
    """Open a file to write; a compressed one carries neither time nor name, so equal logs are equal files."""
    with path.open("wb") as raw:
        if not compress:
            yield raw
            return
        with gzip.GzipFile("", "wb", compresslevel=_GZIP_LEVEL, fileobj=raw, mtime=0) as packed:
            yield cast(IO[bytes], packed)
