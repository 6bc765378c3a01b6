"""Scores a raw log of any length, block by block, keeping scores and lines aligned."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from hotrow.artifact.artifact import Artifact
from hotrow.data.rejections import RejectionLog, Rejections
from hotrow.errors import ConfigError, OutputExistsError
from hotrow.files import atomic_file
from hotrow.progress import progress

SEPARATORS = {".tsv": "\t", ".csv": ","}
"""What separates the columns of a table of scores, by its file's suffix."""


@dataclass(frozen=True, slots=True)
class ScoredLines:
    """Consecutive lines of a raw log.

    Attributes:
        first_line: 1-based number of the first of them; a header is line 1.
        scores: (L,) float32, one for each line; NaN where the line was rejected.
        rejected: the rejected lines.
    """

    first_line: int
    scores: NDArray[np.float32]
    rejected: Rejections


@dataclass(frozen=True, kw_only=True)
class ScoreReport:
    """What was scored.

    Attributes:
        rows: lines of the log, each of which has a score or was rejected.
        rejected_rows: lines that could not be read as a row.
        rejected_by_reason: the same, by what was wrong.
        rows_per_second: lines read, encoded and scored in a second.
    """

    rows: int
    rejected_rows: int
    rejected_by_reason: dict[str, int]
    rows_per_second: float


def score_lines(artifact: Artifact, source: Path, *, strict: bool = False) -> Iterator[ScoredLines]:
    """Score every line of a raw log, labelled or not, in the format that the model was trained on.

    Args:
        artifact: the model.
        source: the log, plain or gzipped.
        strict: stop at the first malformed line instead of rejecting it.

    Raises:
        MissingFileError: there is no such file.
        DataError: the file cannot be read; or, if ``strict``, a line is malformed.
    """
    first_line = 1
    for block in artifact.format.read(source):
        first_line += block.skipped
        if strict:
            for rejection in block.rejected:
                raise rejection.error(source)
        scores = np.full(block.num_lines, np.nan, dtype=np.float32)
        accepted = np.ones(block.num_lines, dtype=np.bool_)
        accepted[block.rejected.lines - first_line] = False
        scores[accepted] = artifact.score(block.rows)
        yield ScoredLines(first_line, scores, block.rejected)
        first_line += block.num_lines


def score_log(
    artifact: Artifact,
    source: Path,
    consume: Callable[[ScoredLines], object],
    *,
    strict: bool = False,
    show_progress: bool = False,
) -> ScoreReport:
    """Score a raw log and hand each block of lines to ``consume``; memory stays bounded.

    Args:
        artifact: the model.
        source: the log, plain or gzipped.
        consume: takes the blocks in order.
        strict: stop at the first malformed line instead of rejecting it.
        show_progress: report progress on standard error.

    Raises:
        MissingFileError: there is no such file.
        DataError: the file cannot be read; or, if ``strict``, a line is malformed.
    """
    rows = 0
    rejected: Counter[str] = Counter()
    started = time.perf_counter()
    with progress("rank", None, "rows", show=show_progress) as bar:
        for block in score_lines(artifact, source, strict=strict):
            consume(block)
            rows += len(block.scores)
            rejected += block.rejected.counts()
            bar.advance(len(block.scores))
    return ScoreReport(
        rows=rows,
        rejected_rows=rejected.total(),
        rejected_by_reason=dict(rejected),
        rows_per_second=rows / (time.perf_counter() - started),
    )


def write_scores(
    artifact: Artifact,
    source: Path,
    out: Path,
    *,
    strict: bool = False,
    overwrite: bool = False,
    show_progress: bool = False,
) -> ScoreReport:
    """Score a raw log into a table: a header, then each line's number and score.

    The table is complete or absent. If lines are rejected, they are kept with their reason in
    ``rejected_path(out)``.

    Args:
        artifact: the model.
        source: the log, plain or gzipped.
        out: the table, ``.tsv`` or ``.csv``.
        strict: stop at the first malformed line instead of rejecting it.
        overwrite: replace a table that is there.
        show_progress: report progress on standard error.

    Raises:
        ConfigError: ``out`` has another suffix.
        OutputExistsError: ``out`` is there and ``overwrite`` is false.
        MissingFileError: there is no such log.
        DataError: the log cannot be read; or, if ``strict``, a line is malformed.
        StorageError: the disk is full or refuses to be written.
    """
    separator = SEPARATORS.get(out.suffix)
    if separator is None:
        raise ConfigError("--out", str(out), f"a file name that ends in {' or '.join(SEPARATORS)}")
    for path in (out, rejected_path(out)):
        if path.resolve() == source.resolve():
            raise ConfigError("--out", str(out), "another file than the log that is scored")
        if path.exists() and not overwrite:
            raise OutputExistsError(path, "choose another file or pass --overwrite")
    with (
        atomic_file(out) as partial,
        partial.open("w", encoding="ascii") as table,
        TemporaryDirectory(prefix=f".{out.name}.", dir=out.absolute().parent) as folder,
    ):
        with RejectionLog(Path(folder)) as log:
            table.write(f"line{separator}score\n")

            def consume(block: ScoredLines) -> None:
                table.write(table_lines(block, separator))
                log.add(source, block.rejected)

            report = score_log(artifact, source, consume, strict=strict, show_progress=show_progress)
        rejected_path(out).unlink(missing_ok=True)
        if log.path.exists():
            log.path.replace(rejected_path(out))
    return report


def table_lines(scored: ScoredLines, separator: str) -> str:
    """Write scores as text: one line for each line of the log, its number and its score.

    Scores have 9 significant digits, which give the same float32 when read back; the score of a
    rejected line is empty.
    """
    texts = ["" if math.isnan(score) else f"{score:.9g}" for score in scored.scores.tolist()]
    return "".join(
        f"{number}{separator}{text}\n" for number, text in enumerate(texts, start=scored.first_line)
    )


def rejected_path(out: Path) -> Path:
    """Return where the rejected lines of a table of scores are kept: ``scores.rejected.tsv``."""
    return out.with_name(f"{out.stem}.rejected.tsv")
