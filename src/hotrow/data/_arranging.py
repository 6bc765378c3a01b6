"""Putting staged rows in the order of their splits, where these are not told by the rows' place.

Which rows come before a cut is found without holding the rows: a row has a 64-bit number (its time, or a
lot), and the number at the cut is found digit by digit (``_selection``). One more pass over the numbers
counts the rows of each split; if these are not in order, a pass for each split writes its rows anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hotrow.data._journal import Journal
from hotrow.data._selection import nth_smallest
from hotrow.data.hashing import mix64
from hotrow.data.splits import SplitRule, consecutive, require_all
from hotrow.data.stage import Stage, StageWriter
from hotrow.progress import progress

_ARRANGED = "arranged"
_ROWS_AT_ONCE = 1 << 15
_LARGEST = 2**64 - 1

Numbers = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class _Cut:
    """A border of splits: rows of a smaller number come before it, and the first ``ties`` of an equal one."""

    number: int
    ties: int


def arrange(
    stage: Stage,
    rule: SplitRule,
    folder: Path,
    out: Path,
    *,
    show_progress: bool,
    journal: Journal | None = None,
) -> tuple[Stage, dict[str, range]]:
    """Return a stage whose rows are in the order of their splits, and the rows of each split.

    Args:
        stage: all accepted rows, with ``order`` if the rule needs one; removed if another takes its place.
        rule: how they are split.
        folder: takes the new stage.
        out: the target, for messages.
        show_progress: report progress on standard error.
        journal: whether it was done before, and that it is; None: it was not, and is not noted.

    Raises:
        DataError: a split would be empty.
    """
    before = None if journal is None else journal.get(_ARRANGED)
    if journal is not None and before is not None:
        return Stage(journal.stage, stage.schema, rows=stage.rows), consecutive(*before)
    if rule.by == "rows":
        sizes = _shares(stage.rows, rule)
        require_all(sizes, rule.by, out)
        return stage, consecutive(*sizes)
    splits = _Splits(stage, rule, out)
    counts = np.zeros(3, dtype=np.int64)
    is_in_order, last = True, np.int64(0)
    for _, codes in splits.read():
        counts += np.bincount(codes, minlength=3)
        is_in_order &= bool((np.diff(codes, prepend=last) >= 0).all())
        last = codes[-1]
    sizes = (int(counts[0]), int(counts[1]), int(counts[2]))
    require_all(sizes, rule.by, out)
    if not is_in_order:
        arranged = _rewritten(stage, splits, folder / _ARRANGED, show_progress=show_progress)
    else:
        arranged = stage
    if journal is not None:
        journal.note(_ARRANGED, sizes, stage=arranged.folder.name)
    if arranged is not stage:
        stage.remove()
    return arranged, consecutive(*sizes)


class _Splits:
    """Tells the split of each row: 0, 1 or 2.

    Args:
        stage: the rows.
        rule: how they are split.
        out: the target, for messages.
    """

    def __init__(self, stage: Stage, rule: SplitRule, out: Path) -> None:
        self._stage = stage
        self._rule = rule
        self._cuts: tuple[_Cut, ...] = ()
        if rule.by != "column":
            sizes = _shares(stage.rows, rule)
            require_all(sizes, rule.by, out)
            self._cuts = tuple(self._cut(rank) for rank in (sizes[0], sizes[0] + sizes[1]))

    def read(self) -> Iterator[tuple[slice, NDArray[np.int64]]]:
        """Yield consecutive rows and the split of each."""
        seen = [0] * len(self._cuts)
        start = 0
        for numbers in self._numbers():
            codes = np.zeros(len(numbers), dtype=np.int64) if self._cuts else numbers.astype(np.int64)
            for at, cut in enumerate(self._cuts):
                is_tie = numbers == cut.number
                rank = np.cumsum(is_tie) - 1 + seen[at]
                codes += ~((numbers < cut.number) | (is_tie & (rank < cut.ties)))
                seen[at] += int(np.count_nonzero(is_tie))
            yield slice(start, start + len(numbers)), codes
            start += len(numbers)

    def _cut(self, rank: int) -> _Cut:
        number, ties = nth_smallest(self._numbers, rank)
        return _Cut(number, 0 if self._rule.by == "group" else ties)

    def _numbers(self) -> Iterator[Numbers]:
        """Yield the numbers of all rows, in order."""
        rng = np.random.default_rng(self._rule.seed)
        salt = rng.integers(0, _LARGEST, dtype=np.uint64, endpoint=True)
        for start in range(0, self._stage.rows, _ROWS_AT_ONCE):
            stop = min(start + _ROWS_AT_ONCE, self._stage.rows)
            if self._rule.by == "random":
                yield rng.integers(0, _LARGEST, stop - start, dtype=np.uint64, endpoint=True)
            else:
                order = self._stage.order(start, stop)
                yield mix64(order ^ salt) if self._rule.by == "group" else order


def _shares(rows: int, rule: SplitRule) -> tuple[int, int, int]:
    valid, test = round(rows * rule.valid), round(rows * rule.test)
    return rows - valid - test, valid, test


def _rewritten(stage: Stage, splits: _Splits, folder: Path, *, show_progress: bool) -> Stage:
    folder.mkdir()
    with (
        progress("split", stage.rows, "rows", show=show_progress) as bar,
        StageWriter(folder, stage.schema) as writer,
    ):
        for split in range(3):
            for rows, codes in splits.read():
                chosen = codes == split
                if chosen.any():
                    writer.append(stage.block(rows.start, rows.stop).take(chosen))
                    bar.advance(int(np.count_nonzero(chosen)))
    return Stage(folder, stage.schema, rows=writer.rows)
