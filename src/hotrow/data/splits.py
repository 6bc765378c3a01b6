"""Where a log is cut into training, validation and test rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from hotrow.data.dataset import SPLITS
from hotrow.errors import ConfigError, DataError

SplitMode = Literal["auto", "rows", "files"]
RuleKind = Literal["rows", "random", "time", "group", "column"]
_MIN_ROWS = 8


@dataclass(frozen=True, kw_only=True)
class SplitRule:
    """How the rows of a table are split, which need not be in any order.

    Rows of a split stay in the order of the files.

    Attributes:
        by: ``rows``: the first rows train, then come validation and test; ``random``: each row by lot;
            ``time``: the oldest train, of rows of one time those that come first; ``group``: whole groups by
            lot; ``column``: a column says it.
        valid: share of the validation rows; not of ``column``.
        test: share of the test rows.
        seed: of what goes by lot.
    """

    by: RuleKind
    valid: float = 0.1
    test: float = 0.1
    seed: int = 0

    @property
    def is_ordered(self) -> bool:
        """Whether rows carry what they are split by: ``ParsedBlock.order``.

        Of ``time`` a number that grows with it, of ``group`` the same for all rows of a group only, of
        ``column`` 0, 1 or 2.
        """
        return self.by in ("time", "group", "column")


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
    return consecutive(train, valid, total - train - valid)


def consecutive(train: int, valid: int, test: int) -> dict[str, range]:
    """Return the rows of splits of these sizes that follow one another."""
    first, second = train, train + valid
    return {"train": range(first), "valid": range(first, second), "test": range(second, second + test)}


def require_all(sizes: Sequence[int], by: str, out: object) -> None:
    """Refuse a split without rows.

    Args:
        sizes: of train, valid and test.
        by: what rows are split by, for messages.
        out: the target, for messages.

    Raises:
        DataError: names the split.
    """
    for name, size in zip(SPLITS, sizes, strict=True):
        if size < 1:
            raise DataError(
                str(out), f"{sum(sizes)} accepted rows split by {by} leave none for the {name} split"
            )
