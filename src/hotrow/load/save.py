"""A run's record as a file: every query, or a histogram of latencies."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from hotrow.errors import ConfigError
from hotrow.files import atomic_file, require_writable, write_json
from hotrow.load.query import Status
from hotrow.load.result import LoadResult

BIN_RATIO = 2 ** (1 / 16)
"""Upper end of a histogram's bin by its lower: a percentile read off the bins is within 4.4%."""

_FIRST_BIN_MS = 0.01
_HEAD = "scheduled_s,sent_s,done_s,rows,status"


def require_savable(path: Path) -> None:
    """Check the kind of the file, and whether it can be written, before a run is made for it.

    Raises:
        ConfigError: it is neither ``.csv`` nor ``.json``, or its folder is not there.
        StorageError: the disk is full or refuses to be written.
    """
    if path.suffix not in (".csv", ".json"):
        raise ConfigError(
            "--save", str(path), "a file name that ends in .csv (every query) or .json (a histogram)"
        )
    require_writable("--save", path)


def save(result: LoadResult, path: Path) -> None:
    """Write the queries that count: ``.csv``, one a line; ``.json``, a histogram of the ``ok`` ones.

    The file is complete or absent, and replaced if it is there. Times are seconds since the start of the run;
    an empty ``done_s`` means that no answer came.

    Raises:
        ConfigError: the file has another suffix, or its folder is not there.
        StorageError: the disk is full or refuses to be written.
    """
    require_savable(path)
    measured = result.measured()
    with atomic_file(path) as partial:
        if path.suffix == ".json":
            write_json(partial, histogram(measured))
        else:
            partial.write_text("".join(line + "\n" for line in [_HEAD, *_lines(measured)]), encoding="ascii")


def histogram(result: LoadResult) -> dict[str, list[float] | list[int]]:
    """Count ``ok`` queries by latency.

    Returns:
        ``upper_ms``, ends of the bins, each ``BIN_RATIO`` times the one before; ``count`` of latencies up to
        each that exceed the one before.
    """
    latency_ms = result.latency_s[result.status == Status.OK] * 1e3
    exact = np.log(np.maximum(latency_ms, _FIRST_BIN_MS) / _FIRST_BIN_MS) / np.log(BIN_RATIO)
    bins = np.ceil(exact - 1e-9).astype(np.int64)
    counts = np.bincount(bins)
    upper = _FIRST_BIN_MS * BIN_RATIO ** np.arange(len(counts))
    return {"upper_ms": upper.tolist(), "count": counts.tolist()}


def _lines(result: LoadResult) -> Iterator[str]:
    columns = (result.scheduled_s, result.sent_s, result.done_s, result.rows, result.status)
    for scheduled, sent, done, rows, status in zip(*(column.tolist() for column in columns), strict=True):
        answered = "" if math.isnan(done) else f"{done:.6f}"
        yield f"{scheduled:.6f},{sent:.6f},{answered},{rows},{Status(status).name.lower()}"
