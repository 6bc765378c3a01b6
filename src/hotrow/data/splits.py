"""Where a log is cut into training, validation and test rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from hotrow.errors import ConfigError, DataError

SplitMode = Literal["auto", "rows", "files"]
_MIN_ROWS = 8


def check_split(mode: SplitMode, num_sources: int) -> None:
    """Refuse ``files`` with a single source.

    Raises:
        ConfigError: the split needs more sources.
    """
    if mode == "files" and num_sources < 2:
        raise ConfigError("split", mode, "two or more sources, the last of which is validation and test")


def split_ranges(mode: SplitMode, rows_per_source: Sequence[int], out: object) -> dict[str, range]:
    """Return the rows of each split; splits are consecutive, since a log is in order of time.

    ``rows``: the first 6/7 train, the rest is halved into validation and test (the reference DLRM's
    split of the Kaggle log's seven days). ``files``: the last source is halved, the others train
    (of the Terabyte log's days). ``auto``: ``rows`` for one source, ``files`` for several.

    Args:
        mode: see above.
        rows_per_source: accepted rows of each source, in order.
        out: the target, for messages.

    Raises:
        DataError: a split would be empty.
    """
    total = sum(rows_per_source)
    by_files = mode == "files" or (mode == "auto" and len(rows_per_source) > 1)
    train = total - rows_per_source[-1] if by_files else total * 6 // 7
    valid = (total - train) // 2
    if not by_files and total < _MIN_ROWS:
        raise DataError(str(out), f"{total} accepted rows, expected at least {_MIN_ROWS} for three splits")
    if train == 0 or valid == 0:
        raise DataError(
            str(out),
            f"accepted rows per source are {', '.join(map(str, rows_per_source))}; splitting by files needs "
            "at least 1 before the last source and 2 in it",
        )
    return {"train": range(train), "valid": range(train, train + valid), "test": range(train + valid, total)}
